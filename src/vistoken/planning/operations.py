"""The operations of an encoder with their parameters and multiply-adds: the one source of every planned number.

Counted: every contraction, as it runs: padding excluded, one attention matrix a view. Not counted: biases, norms,
softmax, activations, residuals, layer scale, resizing of position tables; together under 0.3 % of a ViT.
Notation: D dim, N tokens of a view, F the MLP's hidden size. FLOPs are twice the multiply-adds.
Checked against torch's `FlopCounterMode` on transformers' own models (eager attention), to the unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from vistoken.geometry import Grid
from vistoken.spec import (
    AttentionPool,
    ClassPool,
    EncoderSpec,
    Factorised,
    GatedMlp,
    LearnedTable,
    MeanPool,
    Mlp,
    NoPool,
    NoPosition,
    PlainMlp,
    Pool,
    Position,
    ProjectedClass,
    Rotary,
    Sinusoidal,
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of the encoder: the part it belongs to, its parameters, and its multiply-adds for all views."""

    part: str
    name: str
    params: int
    macs: int


def operations(spec: EncoderSpec, grids: Sequence[Grid], classes: int = 0) -> tuple[Operation, ...]:
    """All operations over the views whose grids are given; `classes` adds a linear classifier on the pooled vector."""
    return tuple(_operations(spec, grids, classes))


def _operations(spec: EncoderSpec, grids: Sequence[Grid], classes: int) -> Iterator[Operation]:
    patches = sum(grid.patches for grid in grids)
    values, dim = spec.patch.values(spec.channels), spec.dim
    yield Operation("patch embedding", "projection", dim * (values + spec.patch_bias), patches * values * dim)
    yield Operation("position", type(spec.position).__name__, position_params(spec.position, dim), 0)
    yield Operation("prefix", "prefix tokens", spec.prefix_tokens * dim, 0)
    if spec.pre_norm:
        yield Operation("pre-norm", "norm before the blocks", 2 * dim, 0)
    yield from _blocks(spec, [spec.tokens(grid) for grid in grids])
    if spec.final_norm != "none":
        yield Operation("final norm", "norm", 2 * dim, 0)
    yield from _pool(spec.pool, dim, [spec.tokens(grid) for grid in grids])
    if classes:
        width = spec.pooled_dim or dim
        yield Operation("pool and head", "classifier", (width + 1) * classes, len(grids) * width * classes)
    if spec.mask_token:
        yield Operation("mask token", "stored, not used", dim, 0)


def _blocks(spec: EncoderSpec, lengths: Sequence[int]) -> Iterator[Operation]:
    """Every row is over all `depth` blocks."""
    dim, depth, tokens = spec.dim, spec.depth, sum(lengths)

    def blocks(name: str, params: int, macs: int) -> Operation:
        return Operation("blocks", name, depth * params, depth * macs)

    yield blocks("norms", 4 * dim, 0)
    yield blocks("attention: q, k, v", 3 * dim * (dim + spec.qkv_bias), 3 * tokens * dim * dim)
    # Scores and weighted sum: N^2 D each, over the heads together; one square a view.
    yield blocks("attention: scores and sum", 0, 2 * dim * sum(length * length for length in lengths))
    yield blocks("attention: output", dim * (dim + 1), tokens * dim * dim)
    yield blocks("MLP", mlp_params(spec.mlp, dim), tokens * mlp_macs(spec.mlp, dim))
    if spec.layer_scale:
        yield blocks("layer scale", 2 * dim, 0)


def mlp_params(mlp: Mlp, dim: int) -> int:
    match mlp:
        case PlainMlp(hidden):
            return 2 * dim * hidden + hidden + dim
        case GatedMlp(hidden):
            return 3 * dim * hidden + 2 * hidden + dim
        case _:
            assert_never(mlp)


def mlp_macs(mlp: Mlp, dim: int) -> int:
    """Multiply-adds of one token."""
    match mlp:
        case PlainMlp(hidden):
            return 2 * dim * hidden
        case GatedMlp(hidden):
            return 3 * dim * hidden
        case _:
            assert_never(mlp)


def position_params(position: Position, dim: int) -> int:
    match position:
        case LearnedTable():
            return (position.rows * position.cols + position.prefix_rows) * dim
        case Factorised(rows, cols):
            return (rows + cols) * dim
        case NoPosition() | Sinusoidal() | Rotary():
            return 0
        case _:
            assert_never(position)


def _pool(pool: Pool, dim: int, lengths: Sequence[int]) -> Iterator[Operation]:
    views, part = len(lengths), "pool and head"
    match pool:
        case NoPool() | ClassPool() | MeanPool():
            return
        case ProjectedClass(width):
            yield Operation(part, "projection", dim * width, views * dim * width)
        case AttentionPool(_, hidden):
            tokens, mlp = sum(lengths), PlainMlp(hidden, "gelu")
            yield Operation(part, "probe", dim, 0)
            # The probe alone asks; every token is asked: q once, k and v N times, one row of scores and one sum.
            yield Operation(part, "attention: q, k, v", 3 * dim * (dim + 1), (2 * tokens + views) * dim * dim)
            yield Operation(part, "attention: scores and sum", 0, 2 * tokens * dim)
            yield Operation(part, "attention: output", dim * (dim + 1), views * dim * dim)
            yield Operation(part, "norm", 2 * dim, 0)
            yield Operation(part, "MLP", mlp_params(mlp, dim), views * mlp_macs(mlp, dim))
        case _:
            assert_never(pool)
