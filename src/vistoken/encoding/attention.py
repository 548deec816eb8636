"""Attention within segments of a packed sequence: a slow obvious engine and a fast one with one signature.

Shapes: T queries and S keys over all segments, H heads, d head width.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from vistoken.encoding.packing import block_mask
from vistoken.errors import UsageError, did_you_mean

# (q (T, H, d), k (S, H, d), v (S, H, d), offsets of q, offsets of k) -> (T, H, d). The offsets have one segment each
# for every segment of the other; a query sees the keys of its own segment alone.
Engine = Callable[[Tensor, Tensor, Tensor, tuple[int, ...], tuple[int, ...]], Tensor]


def reference(q: Tensor, k: Tensor, v: Tensor, q_offsets: tuple[int, ...], k_offsets: tuple[int, ...]) -> Tensor:
    """Every score is computed, then those between segments are masked out: quadratic in T, and easy to read."""
    scores = torch.einsum("thd,shd->hts", q, k) * q.shape[-1] ** -0.5
    scores = scores.masked_fill(~block_mask(q_offsets, k_offsets, q.device), float("-inf"))
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(v.dtype)
    return torch.einsum("hts,shd->thd", weights, v)


def sdpa(q: Tensor, k: Tensor, v: Tensor, q_offsets: tuple[int, ...], k_offsets: tuple[int, ...]) -> Tensor:
    """torch's fused attention over segments; those of equal lengths go through it together as one batch."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index in range(len(q_offsets) - 1):
        groups[q_offsets[index + 1] - q_offsets[index], k_offsets[index + 1] - k_offsets[index]].append(index)
    if len(groups) == 1:
        return _batch(len(q_offsets) - 1, q, k, v).flatten(0, 1)
    out = torch.empty_like(q)
    for members in groups.values():
        gathered = (
            torch.cat([x[o[i] : o[i + 1]] for i in members])
            for x, o in ((q, q_offsets), (k, k_offsets), (v, k_offsets))
        )
        for index, segment in zip(members, _batch(len(members), *gathered), strict=True):
            out[q_offsets[index] : q_offsets[index + 1]] = segment
    return out


def _batch(batch: int, *qkv: Tensor) -> Tensor:
    """Segments of equal lengths: (batch * t, H, d) -> (batch, t, H, d)."""
    q, k, v = (x.unflatten(0, (batch, -1)).transpose(1, 2) for x in qkv)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2)


ENGINES: Mapping[str, Engine] = {"reference": reference, "sdpa": sdpa}


def engine(name: str) -> Engine:
    """The engine of that name. Raises `UsageError` for an unknown one."""
    if not isinstance(name, str) or name not in ENGINES:
        raise UsageError(f"attention {name!r} is unknown: known are {', '.join(ENGINES)}.{did_you_mean(name, ENGINES)}")
    return ENGINES[name]


def turn(x: Tensor, angles: Tensor) -> Tensor:
    """Rotate (T, H, d) by angles (T, d/2): dimension i pairs with i + d/2 (the half-split layout), in float32."""
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)
