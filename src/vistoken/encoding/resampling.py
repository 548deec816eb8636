"""Carrying out `Resample`: learned latents take what they need of a view, however many tokens it has.

Shapes: T tokens of all views, n latents of one view, V views, D width, H heads, K heads of keys, d head width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vistoken.connector import Resample
from vistoken.encoding.attention import Engine
from vistoken.encoding.mlp import build_mlp
from vistoken.encoding.norms import build_norm
from vistoken.geometry import offsets


class Resampling(nn.Module):
    """The tokens of all views (T, D) -> the latents of each (V * n, D)."""

    def __init__(self, spec: Resample, width: int, attend: Engine) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.zeros(spec.latents, width))
        self.blocks = nn.ModuleList(ResamplingBlock(spec, width, attend) for _ in range(spec.depth))
        self.norm = build_norm(spec.norm, width)

    def forward(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        """`lengths` are the tokens of each view."""
        latents = self.latents.repeat(len(lengths), 1)
        for block in self.blocks:
            latents = block(latents, x, lengths)
        return self.norm(latents)


class ResamplingBlock(nn.Module):
    """Latents attend to the tokens of their view and to one another; then an MLP."""

    def __init__(self, spec: Resample, width: int, attend: Engine) -> None:
        super().__init__()
        self.spec, self.attend = spec, attend
        self.latent_norm, self.token_norm = build_norm(spec.norm, width), build_norm(spec.norm, width)
        self.q = nn.Linear(width, spec.heads * spec.head_dim, bias=False)
        self.kv = nn.Linear(width, 2 * spec.key_heads * spec.head_dim, bias=False)
        self.out = nn.Linear(spec.heads * spec.head_dim, width, bias=False)
        self.norm = build_norm(spec.norm, width)
        self.mlp = build_mlp(spec.mlp, width)

    def forward(self, latents: Tensor, x: Tensor, lengths: Sequence[int]) -> Tensor:
        latents = latents + self.attention(self.latent_norm(latents), self.token_norm(x), lengths)
        return latents + self.mlp(self.norm(latents))

    def attention(self, latents: Tensor, x: Tensor, lengths: Sequence[int]) -> Tensor:
        count, head_dim = self.spec.latents, self.spec.head_dim
        q = self.q(latents).unflatten(1, (-1, head_dim))
        both = zip(self.kv(x).split(list(lengths)), self.kv(latents).split(count), strict=True)
        k, v = (
            part.unflatten(1, (-1, head_dim)).repeat_interleave(self.spec.heads // self.spec.key_heads, dim=1)
            for part in torch.cat([part for pair in both for part in pair]).chunk(2, dim=1)
        )
        asked, seen = offsets([count] * len(lengths)), offsets([length + count for length in lengths])
        return self.out(self.attend(q, k, v, asked, seen, head_dim**-0.5).flatten(1))
