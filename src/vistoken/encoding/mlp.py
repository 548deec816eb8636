"""The MLPs of a block, plain or gated, and their activations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vistoken.encoding.norms import build_linear, build_norm
from vistoken.spec import Activation, GatedMlp, Mlp, PlainMlp

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),  # openai/CLIP, model.py, QuickGELU
    "silu": F.silu,
}


class Plain(nn.Module):
    """up, activation, down."""

    def __init__(self, spec: PlainMlp, dim: int, out: int, clamps: bool) -> None:
        super().__init__()
        self.up = build_linear(dim, spec.hidden, spec.bias, clamps)
        self.down = build_linear(spec.hidden, out, spec.bias, clamps)
        self.activation = ACTIVATIONS[spec.activation]

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x)))


class Gated(nn.Module):
    """activation(gate) * up, perhaps a norm, then down; gate and up are one matrix, the gate's rows first."""

    def __init__(self, spec: GatedMlp, dim: int, out: int, clamps: bool) -> None:
        super().__init__()
        self.gate_up = build_linear(dim, spec.hidden, spec.bias, clamps, parts=2)
        self.norm = build_norm(spec.norm, spec.hidden) if spec.norm else nn.Identity()
        self.down = build_linear(spec.hidden, out, spec.bias, clamps)
        self.activation = ACTIVATIONS[spec.activation]

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(self.norm(self.activation(gate) * up))


def build_mlp(mlp: Mlp, dim: int, clamps: bool = False, out: int | None = None) -> nn.Module:
    """From `dim` dimensions to `out`, or to as many."""
    match mlp:
        case PlainMlp():
            return Plain(mlp, dim, out or dim, clamps)
        case GatedMlp():
            return Gated(mlp, dim, out or dim, clamps)
        case _:
            assert_never(mlp)
