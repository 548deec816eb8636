"""One vector an image: by class token, mean over patches, projection or attention.

Shapes: T tokens of all images, B images, D dim.
"""

from __future__ import annotations

from itertools import pairwise
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vistoken.encoding.attention import Engine
from vistoken.encoding.mlp import build_mlp
from vistoken.encoding.norms import build_norm
from vistoken.errors import UsageError, did_you_mean
from vistoken.geometry import offsets
from vistoken.spec import (
    AttentionPool,
    ClassPool,
    EncoderSpec,
    MeanPool,
    NoPool,
    PlainMlp,
    ProjectedClass,
    QueryPool,
)

POOLS = ("own", "cls", "mean", "cls+mean", "attention")


class NoPooling(nn.Module):
    """The family has no pooled vector."""

    def forward(self, tokens: Tensor, segments: tuple[int, ...]) -> None:
        return None


class TokenPooling(nn.Module):
    """The token at a place of each image, or the mean of those at several: (T, D) -> (B, D)."""

    def __init__(self, places: slice) -> None:
        super().__init__()
        self.places = range(places.start, places.stop)

    def forward(self, tokens: Tensor, segments: tuple[int, ...]) -> Tensor:
        found = [tokens[[start + place for start in segments[:-1]]] for place in self.places]
        return found[0] if len(found) == 1 else torch.stack(found).mean(0)


class MeanPooling(nn.Module):
    """The mean over the patches of each image, perhaps normed; prefix tokens stay out."""

    def __init__(self, prefix_tokens: int, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.prefix_tokens = prefix_tokens
        self.norm = nn.Identity() if norm is None else norm

    def forward(self, tokens: Tensor, segments: tuple[int, ...]) -> Tensor:
        means = [tokens[start + self.prefix_tokens : end].mean(0) for start, end in pairwise(segments)]
        return self.norm(torch.stack(means))


class ClassAndMeanPooling(nn.Module):
    """The class token and the mean over the patches, side by side: what linear probes of DINOv2 read."""

    times = 2

    def __init__(self, places: slice, prefix_tokens: int) -> None:
        super().__init__()
        self.cls, self.mean = TokenPooling(places), MeanPooling(prefix_tokens)

    def forward(self, tokens: Tensor, segments: tuple[int, ...]) -> Tensor:
        return torch.cat([self.cls(tokens, segments), self.mean(tokens, segments)], dim=-1)


class ProjectedPooling(nn.Module):
    """The class token through a projection (CLIP's image embedding)."""

    def __init__(self, dim: int, pool: ProjectedClass, places: slice) -> None:
        super().__init__()
        self.cls = TokenPooling(places)
        self.projection = nn.Linear(dim, pool.dim, pool.bias)

    def forward(self, tokens: Tensor, segments: tuple[int, ...]) -> Tensor:
        return self.projection(self.cls(tokens, segments))


class AttentionPooling(nn.Module):
    """A learned probe attends to all tokens of each image; then y + MLP(norm(y)), and perhaps a projection.

    Source: big_vision `models/vit.py`, `MAPHead`; transformers 5.23.0, `SiglipMultiheadAttentionPoolingHead`.
    """

    def __init__(self, spec: EncoderSpec, pool: AttentionPool, attend: Engine) -> None:
        super().__init__()
        self.heads, self.attend = pool.heads, attend
        self.probe = nn.Parameter(torch.zeros(1, spec.dim))
        self.qkv = nn.Linear(spec.dim, 3 * spec.dim)
        self.out = nn.Linear(spec.dim, spec.dim)
        self.norm = build_norm(spec.norm, spec.dim)
        self.mlp = build_mlp(PlainMlp(pool.hidden, spec.mlp.activation), spec.dim)
        out = pool.projection
        self.projection = nn.Linear(spec.dim, out, pool.bias) if out else nn.Identity()

    def forward(self, tokens: Tensor, segments: tuple[int, ...]) -> Tensor:
        images, dim = len(segments) - 1, tokens.shape[1]
        weight, bias = self.qkv.weight, self.qkv.bias
        q = F.linear(self.probe, weight[:dim], bias[:dim]).expand(images, -1)
        k, v = F.linear(tokens, weight[dim:], bias[dim:]).chunk(2, dim=-1)
        q, k, v = (x.unflatten(1, (self.heads, -1)) for x in (q, k, v))
        y = self.out(self.attend(q, k, v, offsets([1] * images), segments, q.shape[-1] ** -0.5).flatten(1))
        return self.projection(y + self.mlp(self.norm(y)))


class QueryPooling(nn.Module):
    """A learned query attends to all tokens of each image as it is; then a matrix, and perhaps a projection.

    Source: transformers 5.23.0, `models/aimv2/modeling_aimv2.py`, `Aimv2AttentionPoolingHead`.
    """

    def __init__(self, dim: int, pool: QueryPool, attend: Engine) -> None:
        super().__init__()
        self.heads, self.attend = pool.heads, attend
        self.query = nn.Parameter(torch.zeros(1, dim))
        self.kv = nn.Linear(dim, 2 * dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.projection = nn.Linear(dim, pool.projection, bias=False) if pool.projection else nn.Identity()

    def forward(self, tokens: Tensor, segments: tuple[int, ...]) -> Tensor:
        images = len(segments) - 1
        k, v = self.kv(tokens).chunk(2, dim=-1)
        q, k, v = (x.unflatten(1, (self.heads, -1)) for x in (self.query.expand(images, -1), k, v))
        y = self.attend(q, k, v, offsets([1] * images), segments, q.shape[-1] ** -0.5).flatten(1)
        return self.projection(self.out(y))


def build_pool(spec: EncoderSpec, attend: Engine) -> nn.Module:
    match spec.pool:
        case NoPool():
            return NoPooling()
        case ClassPool():
            return TokenPooling(spec.prefix_places["cls"])
        case MeanPool(normed):
            return MeanPooling(spec.prefix_tokens, build_norm(spec.norm, spec.dim) if normed else None)
        case ProjectedClass():
            return ProjectedPooling(spec.dim, spec.pool, spec.prefix_places["cls"])
        case AttentionPool():
            return AttentionPooling(spec, spec.pool, attend)
        case QueryPool():
            return QueryPooling(spec.dim, spec.pool, attend)
        case _:
            assert_never(spec.pool)


def choose_pooling(spec: EncoderSpec, own: nn.Module, choice: str) -> nn.Module:
    """The family's own pooling ("own"), or by choice "cls", "mean", "cls+mean" or "attention".

    That is the class token, the mean over the patches, both side by side, or the family's attention head.

    Attention pooling has weights, so it is there only where it is the family's own. Raises `UsageError` for another
    word, and for what this encoder lacks.
    """
    if choice == "own":
        return own
    if choice == "attention":
        if not isinstance(own, AttentionPooling | QueryPooling):
            raise UsageError(
                "pool 'attention' needs weights of a pooling head, which this encoder lacks: choose own or mean"
            )
        return own
    if choice == "mean":
        return MeanPooling(spec.prefix_tokens)
    if choice not in ("cls", "cls+mean"):
        raise UsageError(f"pool {choice!r} is unknown: choose {', '.join(POOLS)}.{did_you_mean(choice, POOLS)}")
    if "cls" not in spec.prefix_places:
        raise UsageError(f"pool {choice!r} needs a class token, which this encoder does not have: choose own or mean")
    places = spec.prefix_places["cls"]
    return TokenPooling(places) if choice == "cls" else ClassAndMeanPooling(places, spec.prefix_tokens)
