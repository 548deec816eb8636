"""The encoder: one module, built from an `EncoderSpec`, over a packed sequence.

Shapes: T tokens of all images, B images, D dim, H heads, d head width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vistoken.encoding.attention import Engine, engine, turn
from vistoken.encoding.frontend import Embedding
from vistoken.encoding.mlp import build_mlp
from vistoken.encoding.packing import Packed
from vistoken.encoding.pooling import build_pool, choose_pooling
from vistoken.spec import EncoderSpec


@dataclass(frozen=True, eq=False, slots=True)
class Encoded:
    """What the encoder makes of a packed sequence.

    Attributes:
        tokens: (T, D) after the last norm, where the family norms its patches.
        pooled: (B, pooled dim), or None where the family has no pooling of its own.
    """

    tokens: Tensor
    pooled: Tensor | None


class VisionEncoder(nn.Module):
    """Embed, positions, blocks, norm, pool.

    Args:
        spec: the description that everything is built from.
        attention: the engine, "sdpa" or "reference".
        pool: the family's "own" pooled vector, or by choice the class token ("cls") or the "mean" over the patches,
            both after the last norm, or "attention" where that is the family's own.
    """

    def __init__(self, spec: EncoderSpec, attention: str = "sdpa", pool: str = "own") -> None:
        super().__init__()
        self.spec, self.attention = spec, attention
        self.embed = Embedding(spec)
        self.pre_norm = nn.LayerNorm(spec.dim, spec.norm.eps) if spec.pre_norm else nn.Identity()
        self.blocks = nn.ModuleList(Block(spec, engine(attention)) for _ in range(spec.depth))
        self.norm = nn.LayerNorm(spec.dim, spec.norm.eps) if spec.final_norm != "none" else nn.Identity()
        self.pool = build_pool(spec, engine(attention))
        # In a tuple, since it may be the module above, which must not be registered twice.
        self.pooling = (choose_pooling(spec, self.pool, pool),)
        if spec.mask_token:  # stored in the files, used in pre-training alone
            self.mask_token = nn.Parameter(torch.zeros(1, spec.dim))

    @property
    def pooled_dim(self) -> int | None:
        """Width of the pooled vector, or None where there is none."""
        return self.spec.pooled_dim if self.pooling[0] is self.pool else self.spec.dim

    def forward(self, packed: Packed) -> Encoded:
        x, offsets = self.pre_norm(self.embed(packed)), packed.offsets
        angles = self.embed.angles(packed.grids)
        for block in self.blocks:
            x = block(x, offsets, angles)
        normed = self.norm(x)
        pooled = self.pooling[0](normed, offsets)
        return Encoded(normed if self.spec.final_norm == "all" else x, pooled)


class Block(nn.Module):
    """Pre-norm: attention, then the MLP, each added to what came in."""

    def __init__(self, spec: EncoderSpec, attend: Engine) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(spec.dim, spec.norm.eps)
        self.attention = Attention(spec, attend)
        self.norm2 = nn.LayerNorm(spec.dim, spec.norm.eps)
        self.mlp = build_mlp(spec.mlp, spec.dim)
        self.scale1 = nn.Parameter(torch.ones(spec.dim)) if spec.layer_scale else None
        self.scale2 = nn.Parameter(torch.ones(spec.dim)) if spec.layer_scale else None

    def forward(self, x: Tensor, offsets: tuple[int, ...], angles: Tensor | None) -> Tensor:
        x = x + _scaled(self.attention(self.norm1(x), offsets, angles), self.scale1)
        return x + _scaled(self.mlp(self.norm2(x)), self.scale2)


def _scaled(x: Tensor, scale: Tensor | None) -> Tensor:
    return x if scale is None else x * scale


class Attention(nn.Module):
    """Self-attention within segments."""

    def __init__(self, spec: EncoderSpec, attend: Engine) -> None:
        super().__init__()
        self.heads, self.attend = spec.heads, attend
        self.qkv = nn.Linear(spec.dim, 3 * spec.dim, bias=spec.qkv_bias)
        self.out = nn.Linear(spec.dim, spec.dim)

    def forward(self, x: Tensor, offsets: tuple[int, ...], angles: Tensor | None) -> Tensor:
        q, k, v = self.qkv(x).unflatten(1, (3, self.heads, -1)).unbind(1)  # (T, H, d) each
        if angles is not None:
            q, k = turn(q, angles), turn(k, angles)
        return self.out(self.attend(q, k, v, offsets, offsets).flatten(1))
