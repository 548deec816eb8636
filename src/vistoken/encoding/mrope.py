"""Positions of image tokens in an LLM that numbers them by time, row and column (M-RoPE, arXiv 2409.12191)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import index
from typing import assert_never

import torch
from torch import Tensor

from vistoken.connector import NumberedPositions, SecondsPositions, SeparatePositions, TimedPositions, TokenPositions
from vistoken.errors import UsageError, shown
from vistoken.geometry import Grid


def position_ids(
    positions: TokenPositions, grids: Sequence[Grid], start: int | Sequence[int], seconds: float
) -> Tensor:
    """(3, n) numbers: time, row and column of all tokens of grids that follow one another in the prompt.

    They are whole, but for times of a model that keeps fractions.

    `start` is the position of the first token, of each run of tokens if there are several: text stands between them.
    """
    runs = list(_runs(positions, grids))
    starts = _starts(start, len(runs))
    times = (_times(positions, grid.frames, seconds) for grid in runs)
    return torch.cat([_run(grid, time, first) for grid, time, first in zip(runs, times, starts, strict=True)], dim=1)


def _runs(positions: TokenPositions, grids: Sequence[Grid]) -> Iterator[Grid]:
    """Grids whose tokens stand next to one another: a picture, a video, or one frame group of a video."""
    for grid in grids:
        if isinstance(positions, SeparatePositions):
            yield from (Grid(grid.rows, grid.cols),) * grid.frames
        else:
            yield grid


def _starts(start: int | Sequence[int], runs: int) -> tuple[int, ...]:
    try:
        given = tuple(map(index, start)) if isinstance(start, Iterable) else (index(start),)
    except TypeError:
        given = ()
    if len(given) != runs and runs == 1:
        raise UsageError(f"start is {shown(start)}: the image tokens stand in one run, so give one whole number")
    if len(given) != runs:
        raise UsageError(
            f"start is {shown(start)}: text stands between the runs of image tokens, so give {runs} whole numbers, one "
            "for each"
        )
    return given


def _times(positions: TokenPositions, frames: int, seconds: float) -> Tensor:
    """The time of each frame group. The reference multiplies in single precision and cuts off what is not whole."""
    match positions:
        case TimedPositions(per_second):
            return (torch.arange(frames) * (torch.tensor(seconds, dtype=torch.float32) * per_second)).long()
        case SecondsPositions(per_second, whole):
            times = torch.arange(frames) * torch.tensor(seconds, dtype=torch.float32) * per_second
            return times.long() if whole else times
        case NumberedPositions() | SeparatePositions():
            return torch.arange(frames)
        case _:
            assert_never(positions)


def _run(grid: Grid, times: Tensor, start: int) -> Tensor:
    sides = (torch.arange(side, dtype=times.dtype) for side in (grid.rows, grid.cols))
    axes = torch.meshgrid(times, *sides, indexing="ij")
    return torch.stack(axes).flatten(1) + start
