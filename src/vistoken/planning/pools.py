"""Pooling behind the blocks, in rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from vistoken.planning.rows import Operation, mlp_rows, norm_flops, norm_params
from vistoken.spec import AttentionPool, ClassPool, MeanPool, NoPool, Norm, PlainMlp, Pool, ProjectedClass, QueryPool


def pool_rows(pool: Pool, norm: Norm, dim: int, lengths: Sequence[int]) -> Iterator[Operation]:
    views, tokens, part = len(lengths), sum(lengths), "pool and head"
    pooled, seen = views * dim, tokens * dim
    match pool:
        case NoPool() | ClassPool() | MeanPool(False):
            return
        case MeanPool():
            yield Operation(part, "norm", norm_params(norm, dim), 0, pooled, pooled, norm_flops(norm, pooled))
        case ProjectedClass(width, bias):
            yield Operation(part, "projection", (dim + bias) * width, pooled * width, pooled, views * width)
        case AttentionPool(_, hidden, projection, bias):
            asked, out = 2 * seen + pooled, projection or 0
            yield Operation(part, "probe", dim, 0)
            # The probe alone asks; every token is asked: q once, k and v N times, one row of scores and one sum.
            yield Operation(part, "attention: q, k, v", 3 * dim * (dim + 1), asked * dim, seen + pooled, asked)
            yield Operation(part, "attention: scores and sum", 0, 2 * seen, asked, pooled)
            yield Operation(part, "attention: output", dim * (dim + 1), pooled * dim, pooled, pooled)
            yield Operation(part, "norm", norm_params(norm, dim), 0, pooled, pooled, norm_flops(norm, pooled))
            yield from mlp_rows(part, "", PlainMlp(hidden, "gelu"), dim, None, views)
            yield Operation(part, "projection", (dim + bias) * out, pooled * out, pooled * bool(out), views * out)
        case QueryPool(_, projection):
            out = projection or 0
            yield Operation(part, "query", dim, 0)
            yield Operation(part, "attention: k, v", 2 * dim * dim, 2 * seen * dim, seen, 2 * seen)
            yield Operation(part, "attention: scores and sum", 0, 2 * seen, 2 * seen + pooled, pooled)
            yield Operation(part, "attention: output", dim * (dim + 1), pooled * dim, pooled, pooled)
            yield Operation(part, "projection", dim * out, pooled * out, pooled * bool(out), views * out)
        case _:
            assert_never(pool)
