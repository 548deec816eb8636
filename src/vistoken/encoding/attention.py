"""Attention within segments of a packed sequence: a slow obvious engine and fast ones with one signature.

Shapes: T queries and S keys over all segments, H heads, d head width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from vistoken.encoding.packing import block_mask
from vistoken.errors import UsageError, did_you_mean


class Engine(Protocol):
    """(q (T, H, d), k (S, H, d), v (S, H, d), offsets of q, offsets of k, scale) -> (T, H, d).

    The offsets have one segment each for every segment of the other; a query sees the keys of its own segment alone.
    Scores are multiplied by `scale`; then `bias` (S,), where there is one, is added to all scores of each key.
    """

    def __call__(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        q_offsets: tuple[int, ...],
        k_offsets: tuple[int, ...],
        scale: float,
        bias: Tensor | None = None,
    ) -> Tensor: ...


def reference(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    q_offsets: tuple[int, ...],
    k_offsets: tuple[int, ...],
    scale: float,
    bias: Tensor | None = None,
) -> Tensor:
    """Every score is computed, then those between segments are masked out: quadratic in T, and easy to read."""
    weights = attention_weights(q, k, block_mask(q_offsets, k_offsets, q.device), scale, bias)
    return torch.einsum("hts,shd->thd", weights.to(v.dtype), v)


def attention_weights(q: Tensor, k: Tensor, mask: Tensor | None, scale: float, bias: Tensor | None = None) -> Tensor:
    """How much each query takes of each key: (H, T, S), float32, rows sum to 1. `mask` is True where it may."""
    scores = torch.einsum("thd,shd->hts", q, k) * scale
    if bias is not None:
        scores = scores + bias.to(scores.dtype)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-1, dtype=torch.float32)


def sdpa(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    q_offsets: tuple[int, ...],
    k_offsets: tuple[int, ...],
    scale: float,
    bias: Tensor | None = None,
) -> Tensor:
    """torch's fused attention; neighbouring segments of equal lengths go through it together as one batch."""
    runs = equal_runs(q_offsets, k_offsets)
    if len(runs) == 1:
        return _batch(len(q_offsets) - 1, q, k, v, scale, bias).flatten(0, 1)
    out = torch.empty_like(q)
    for segments, ours, theirs in runs:
        of_keys = None if bias is None else bias[theirs]
        out[ours] = _batch(segments, q[ours], k[theirs], v[theirs], scale, of_keys).flatten(0, 1)
    return out


def _batch(batch: int, q: Tensor, k: Tensor, v: Tensor, scale: float, bias: Tensor | None) -> Tensor:
    """Segments of equal lengths: (batch * t, H, d) -> (batch, t, H, d)."""
    q, k, v = (x.unflatten(0, (batch, -1)).transpose(1, 2) for x in (q, k, v))
    added = None if bias is None else bias.to(q.dtype).view(batch, 1, 1, -1)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=added, scale=scale).transpose(1, 2)


@lru_cache(maxsize=64)
def equal_runs(q_offsets: tuple[int, ...], k_offsets: tuple[int, ...]) -> tuple[tuple[int, slice, slice], ...]:
    """Neighbouring segments of equal lengths: how many, and where their queries and keys stand."""
    return tuple(_found_runs(q_offsets, k_offsets))


def _found_runs(q_offsets: tuple[int, ...], k_offsets: tuple[int, ...]) -> Iterator[tuple[int, slice, slice]]:
    lengths = [(b - a, d - c) for (a, b), (c, d) in zip(pairwise(q_offsets), pairwise(k_offsets), strict=True)]
    first = 0
    for index in range(1, len(lengths) + 1):
        if index == len(lengths) or lengths[index] != lengths[first]:
            yield index - first, slice(q_offsets[first], q_offsets[index]), slice(k_offsets[first], k_offsets[index])
            first = index


def varlen(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    q_offsets: tuple[int, ...],
    k_offsets: tuple[int, ...],
    scale: float,
    bias: Tensor | None = None,
) -> Tensor:
    """torch's variable-length flash attention: all segments in one launch. CUDA and half precision only."""
    from torch.nn.attention.varlen import varlen_attn  # not in every build of torch

    check_engine("varlen", q.device, q.dtype)
    if bias is not None:
        raise UsageError("attention 'varlen' cannot weigh keys, as merged tokens need it: choose sdpa")
    (ours, most), (theirs, longest) = _cumulative(q_offsets, q.device), _cumulative(k_offsets, k.device)
    out = varlen_attn(q, k, v, ours, theirs, most, longest, scale=scale)
    assert isinstance(out, Tensor)  # a pair only where statistics are asked for
    return out


@lru_cache(maxsize=64)
def _cumulative(offsets: tuple[int, ...], device: torch.device) -> tuple[Tensor, int]:
    return torch.tensor(offsets, dtype=torch.int32, device=device), max(b - a for a, b in pairwise(offsets))


ENGINES: Mapping[str, Engine] = {"reference": reference, "sdpa": sdpa, "varlen": varlen}


def engine(name: str) -> Engine:
    """The engine of that name. Raises `UsageError` for an unknown one."""
    if not isinstance(name, str) or name not in ENGINES:
        raise UsageError(f"attention {name!r} is unknown: known are {', '.join(ENGINES)}.{did_you_mean(name, ENGINES)}")
    return ENGINES[name]


def check_engine(name: str, device: torch.device, dtype: torch.dtype) -> None:
    """Raise `UsageError` where the engine of that name does not run."""
    if name == "varlen" and (device.type != "cuda" or dtype == torch.float32):
        raise UsageError(
            f"attention 'varlen' runs on CUDA in bfloat16, not on {device} in {str(dtype).removeprefix('torch.')}: "
            "choose sdpa, or device='cuda' and dtype='bfloat16'"
        )


# Cosines and sines of the angles by which a head is turned, (T, 1, d/2) each, float32.
Turn = tuple[Tensor, Tensor]


def turn(x: Tensor, by: Turn) -> Tensor:
    """Rotate (T, H, d): dimension i pairs with i + d/2 (the half-split layout), in float32."""
    cos, sin = by
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)
