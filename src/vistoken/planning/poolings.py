"""Which pooling hands on what: tokens, their dim, and what the pooling itself costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from vistoken.frozen import frozen
from vistoken.geometry import Grid
from vistoken.planning.pools import pool_rows
from vistoken.spec import AttentionPool, ClassPool, EncoderSpec, MeanPool, NoPool, Pool, ProjectedClass, QueryPool


@frozen
class Pooled:
    """What one picture becomes, in the encoder's own pooling or another one.

    Attributes:
        tokens: vectors that are handed on, one a view where they are pooled.
        dim: width of each.
        params: of the pooling alone.
        macs: multiply-adds of the pooling alone; a mean has none.
        own: whether it is the one that the model's family uses.
    """

    name: str
    tokens: int
    dim: int
    params: int
    macs: int
    own: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names."""
        return {name: getattr(self, name) for name in ("name", "tokens", "dim", "params", "macs", "own")}


def pools(encoder: EncoderSpec, grids: Sequence[Grid]) -> tuple[Pooled, ...]:
    """Every pooling that the encoder allows, over the views whose grids are given.

    An attention head that the family does not have is costed in SigLIP's shape: as many heads and as wide an MLP as a
    block's (big_vision, `models/vit.py`, `MAPHead`).

    >>> from vistoken.planning import plan
    >>> result = plan("vit-b16-224")
    >>> [(one.name, one.tokens) for one in pools(result.encoder, [view.grid for view in result.views])]
    [('class token', 1), ('mean', 1), ('attention head', 1), ('all patches', 196)]
    """
    lengths = [encoder.tokens(grid) for grid in grids]

    def pooled(name: str, pool: Pool) -> Pooled:
        rows = list(pool_rows(pool, encoder.norm, encoder.dim, lengths))
        dim = replace(encoder, pool=pool).pooled_dim or encoder.dim
        params, macs = sum(row.params for row in rows), sum(row.macs for row in rows)
        return Pooled(name, len(lengths), dim, params, macs, pool == encoder.pool)

    kept = Pooled("all patches", sum(grid.patches for grid in grids), encoder.dim, 0, 0, encoder.pool == NoPool())
    return (*(pooled(name, pool) for name, pool in _choices(encoder)), kept)


def _choices(encoder: EncoderSpec) -> Iterator[tuple[str, Pool]]:
    own = encoder.pool
    if "cls" in encoder.prefix_places:
        yield "class token", ClassPool()
    if isinstance(own, ProjectedClass):
        yield "class token, projected", own
    yield "mean", own if isinstance(own, MeanPool) else MeanPool()
    if isinstance(own, AttentionPool | QueryPool):
        yield "attention head", own
    else:
        yield "attention head", AttentionPool(encoder.heads, encoder.mlp.hidden)
