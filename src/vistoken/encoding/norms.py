"""The two norms, and matrices with bounds."""

from __future__ import annotations

import math
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vistoken.spec import LayerNorm, Norm, RmsNorm


class Rms(nn.Module):
    """Root mean square 1, then a weight, if there is one; computed in float32."""

    def __init__(self, width: int, eps: float, weight: bool = True) -> None:
        super().__init__()
        self.width, self.eps = width, eps
        self.weight = nn.Parameter(torch.ones(width)) if weight else None

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (self.width,), self.weight, self.eps)


def build_norm(norm: Norm, width: int, weight: bool = True) -> nn.Module:
    match norm:
        case LayerNorm(eps):
            return nn.LayerNorm(width, eps, elementwise_affine=weight)
        case RmsNorm(eps):
            return Rms(width, eps, weight)
        case _:
            assert_never(norm)


class ClampedLinear(nn.Module):
    """Several matrices side by side, each with bounds for what enters and what leaves it (Gemma 4).

    `bounds` is (parts, 4): least and most of the input, least and most of the output.
    Source: transformers 5.23.0, `models/gemma4/modeling_gemma4.py`, `Gemma4ClippableLinear`.
    """

    bounds: Tensor

    def __init__(self, width: int, out: int, parts: int = 1) -> None:
        super().__init__()
        self.parts = parts
        self.weight = nn.Parameter(torch.zeros(parts * out, width))
        self.register_buffer("bounds", torch.tensor([[-math.inf, math.inf] * 2] * parts))

    def forward(self, x: Tensor) -> Tensor:
        outs = []
        for weight, (low, high, least, most) in zip(self.weight.chunk(self.parts), self.bounds, strict=True):
            outs.append(F.linear(x.clamp(low, high), weight).clamp(least, most))
        return torch.cat(outs, dim=-1)


def build_linear(width: int, out: int, bias: bool, clamps: bool, parts: int = 1) -> nn.Module:
    """`parts` matrices of `out` rows as one; with `clamps` each has bounds of its own."""
    return ClampedLinear(width, out, parts) if clamps else nn.Linear(width, parts * out, bias=bias)
