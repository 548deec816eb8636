"""Rows of costs, and what MLPs, norms and position tables cost wherever they stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from vistoken.frozen import frozen
from vistoken.spec import (
    Buckets,
    Factorised,
    GatedMlp,
    LayerNorm,
    LearnedTable,
    Mlp,
    NoPosition,
    Norm,
    PlainMlp,
    Position,
    RmsNorm,
    Sinusoidal,
)

ROTARY = "attention: rotary turning"


@frozen
class Operation:
    """One step of the encoder: the part it belongs to, its parameters, and for all views its multiply-adds and traffic.

    Attributes:
        reads: elements of activations that are read; parameters are not among them.
        writes: elements that are written.
        norm_flops: what `norm_flops` adds for norms; no multiply-adds, and not among them.
    """

    part: str
    name: str
    params: int
    macs: int
    reads: int = 0
    writes: int = 0
    norm_flops: int = 0

    @property
    def moved(self) -> int:
        """Elements of activations, read and written."""
        return self.reads + self.writes


def norm_params(norm: Norm, width: int) -> int:
    match norm:
        case LayerNorm():
            return 2 * width
        case RmsNorm():
            return width
        case _:
            assert_never(norm)


def norm_flops(norm: Norm, elements: int, weight: bool = True) -> int:
    """What the counter behind timm's tables adds for a norm: 5 an element of a layer norm, 4 where it has no weight.

    RMS norms have no entry there. Source: fvcore 0.1.5, `nn/jit_handles.py`, `norm_flop_counter` ("just a rough
    estimate"), and `nn/flop_count.py`, `_DEFAULT_SUPPORTED_OPS`.
    """
    match norm:
        case LayerNorm():
            return (4 + weight) * elements
        case RmsNorm():
            return 0
        case _:
            assert_never(norm)


def mlp_rows(
    part: str, mark: str, mlp: Mlp, dim: int, out: int | None, tokens: int, copies: int = 1
) -> Iterator[Operation]:
    """The matrices, and the activation between them; `tokens` are those of all `copies` together."""
    entering, hidden = tokens * mlp_inner(mlp), tokens * mlp.hidden
    reads, writes = tokens * dim + hidden, entering + tokens * (out or dim)
    yield Operation(
        part, f"{mark}MLP", copies * mlp_params(mlp, dim, out), tokens * mlp_macs(mlp, dim, out), reads, writes
    )
    norm = mlp.norm if isinstance(mlp, GatedMlp) else None
    normed, flops = (hidden, norm_flops(norm, hidden)) if norm else (0, 0)
    yield Operation(part, f"{mark}MLP: activation", 0, 0, entering + normed, hidden + normed, flops)


def mlp_inner(mlp: Mlp) -> int:
    """Width of what the activation reads: gated ones read gate and value."""
    return 2 * mlp.hidden if isinstance(mlp, GatedMlp) else mlp.hidden


def mlp_params(mlp: Mlp, dim: int, out: int | None = None) -> int:
    """From `dim` dimensions to `out`, or to as many."""
    out = out or dim
    match mlp:
        case PlainMlp(hidden):
            return (dim + out) * hidden + mlp.bias * (hidden + out)
        case GatedMlp(hidden):
            inner = norm_params(mlp.norm, hidden) if mlp.norm else 0
            return (2 * dim + out) * hidden + mlp.bias * (2 * hidden + out) + inner
        case _:
            assert_never(mlp)


def mlp_macs(mlp: Mlp, dim: int, out: int | None = None) -> int:
    """Multiply-adds of one token."""
    match mlp:
        case PlainMlp(hidden):
            return (dim + (out or dim)) * hidden
        case GatedMlp(hidden):
            return (2 * dim + (out or dim)) * hidden
        case _:
            assert_never(mlp)


def position_params(position: Position, dim: int) -> int:
    match position:
        case LearnedTable():
            return (position.rows * position.cols + position.prefix_rows) * dim
        case Factorised(rows, cols):
            return (rows + cols) * dim
        case Buckets(side):
            return side * side * dim
        case NoPosition() | Sinusoidal():
            return 0
        case _:
            assert_never(position)
