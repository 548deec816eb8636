"""Positions: vectors that are added to tokens, or angles by which queries and keys are turned.

Shapes: n patches of one grid, P prefix tokens, D dim, d head width.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vistoken.encoding.versions import state_of
from vistoken.errors import UsageError
from vistoken.geometry import Grid
from vistoken.spec import (
    Buckets,
    CentredRotary,
    ClassRotary,
    EvenOddRotary,
    Factorised,
    LearnedTable,
    NoPosition,
    Position,
    Rotary,
    RotaryPosition,
    Sinusoidal,
    TableResize,
)


def sinusoidal_2d(grid_h: int, grid_w: int, dim: int, base: float = 10_000.0) -> Tensor:
    """Computed positions of a grid: (grid_h * grid_w, dim), raster order, float32.

    The first half of `dim` describes the row, the second the column; each is all sines, then all cosines, at dim / 4
    frequencies from 1 down towards 1 / base. Sine and cosine of one angle have norm 1, so every row of the table has
    norm sqrt(dim / 2). Source: arXiv 1706.03762, section 3.5, in two dimensions as in MAE (arXiv 2111.06377).

    >>> sinusoidal_2d(2, 3, 8).shape
    torch.Size([6, 8])

    Raises `UsageError` if `dim` is not a multiple of 4, or a side is not positive.
    """
    if type(dim) is not int or dim < 4 or dim % 4:
        raise UsageError(f"dim is {dim!r}: sinusoidal positions in two dimensions need a multiple of 4")
    if any(type(side) is not int or side < 1 for side in (grid_h, grid_w)):
        raise UsageError(f"a grid of {grid_h!r} x {grid_w!r}: rows and columns are whole numbers of at least 1")
    if not base > 1:
        raise UsageError(f"base is {base!r}: it must be more than 1, the ratio of the highest to the lowest frequency")
    # float64 until the end: the sine of a large angle loses digits in float32.
    frequencies = base ** (-torch.arange(dim // 4, dtype=torch.float64) / (dim // 4))
    rows = torch.arange(grid_h, dtype=torch.float64)[:, None] * frequencies
    cols = torch.arange(grid_w, dtype=torch.float64)[:, None] * frequencies
    rows, cols = torch.cat([rows.sin(), rows.cos()], 1), torch.cat([cols.sin(), cols.cos()], 1)
    table = torch.cat([rows[:, None].expand(-1, grid_w, -1), cols[None].expand(grid_h, -1, -1)], 2)
    return table.flatten(0, 1).float()


def rotary_angles(rotary: RotaryPosition, grid: Grid, head_dim: int) -> Tensor:
    """The angles by which the heads of one frame's patches are turned: (n, d/2), float32; see the types' docstrings."""
    rows, cols = torch.arange(grid.rows, dtype=torch.float64), torch.arange(grid.cols, dtype=torch.float64)
    match rotary:
        case Rotary(base, start, reference):
            ladder = _ladder(base, head_dim // 2)
            high, wide = reference or (grid.rows, grid.cols)
            return _axial((rows + start) * (high / grid.rows), (cols + start) * (wide / grid.cols), ladder, ladder)
        case ClassRotary(base):
            return rotary_angles(Rotary(base), grid, head_dim)
        case EvenOddRotary(base):
            ladder = _ladder(base, head_dim)
            return _axial(rows, cols, ladder[::2], ladder[1::2])
        case CentredRotary(base):
            ladder = 2 * math.pi * _ladder(base, head_dim // 2)
            return _axial(_centres(grid.rows), _centres(grid.cols), ladder, ladder)
        case _:
            assert_never(rotary)


def _ladder(base: float, width: int) -> Tensor:
    """`width` / 2 frequencies from 1 down towards 1 / base."""
    return base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)


def _centres(cells: int) -> Tensor:
    """Centres of cells on a line from -1 to 1."""
    return (torch.arange(cells, dtype=torch.float64) + 0.5) / cells * 2 - 1


def _axial(rows: Tensor, cols: Tensor, row_ladder: Tensor, col_ladder: Tensor) -> Tensor:
    """Angles of all cells in raster order: the first part grows with the row, the second with the column."""
    down = (rows[:, None] * row_ladder)[:, None].expand(-1, len(cols), -1)
    across = (cols[:, None] * col_ladder)[None].expand(len(rows), -1, -1)
    return torch.cat([down, across], 2).flatten(0, 1).float()


def resize_table(table: Tensor, rows: int, cols: int, grid: Grid, resize: TableResize) -> Tensor:
    """A (rows*cols, D) table brought to `grid`: (n, D). In float32, since half precision shifts bicubic weights."""
    if (grid.rows, grid.cols) == (rows, cols):
        return table
    # Strides matter: for an output one cell wide, torch's antialiased kernels read a tensor (1, D, rows, cols) with a
    # batch stride of its own as channels-last, and go wrong. Each family's reference lays the table out in its own
    # way: NaFlex (bilinear) as a permuted image, right; the register models as a permuted batch, wrong there. Both
    # are reproduced, since a published model was trained and is used with its own.
    if resize.mode == "bilinear":
        image = table.float().reshape(rows, cols, -1).permute(2, 0, 1).unsqueeze(0)
    else:
        image = table.float().reshape(1, rows, cols, -1).permute(0, 3, 1, 2)
    stretch = ((grid.rows + resize.offset) / rows, (grid.cols + resize.offset) / cols) if resize.offset else None
    image = F.interpolate(
        image,
        size=None if stretch else (grid.rows, grid.cols),
        scale_factor=stretch,
        mode=resize.mode,
        align_corners=resize.align_corners,
        antialias=resize.antialias,
    )
    return image.permute(0, 2, 3, 1).flatten(0, 2).to(table.dtype)


# Resized tables that a module keeps: 64 MB in float32, some 14 grids of 32 x 32 patches of 1152 dimensions.
KEPT_NUMBERS = 16_000_000


class Positions(nn.Module):
    """What the position scheme adds to prefix and patch tokens of a grid; nothing, unless a subclass says so."""

    def prefix_vectors(self) -> Tensor | None:
        """(p, D) vectors for the first p prefix tokens, or None."""
        return None

    def vectors(self, grid: Grid) -> Tensor | None:
        """(n, D) vectors for the patches of `grid`, or None."""
        return None


class LearnedPositions(Positions):
    """A table with one row a cell, resized to other grids; in front of it the rows of prefix tokens."""

    def __init__(self, spec: LearnedTable, dim: int) -> None:
        super().__init__()
        self.spec = spec
        self.table = nn.Parameter(torch.zeros(spec.prefix_rows + spec.rows * spec.cols, dim))
        self._state: tuple[object, ...] | None = None
        self._kept = dict[Grid, Tensor]()

    def prefix_vectors(self) -> Tensor | None:
        return self.table[: self.spec.prefix_rows]

    def vectors(self, grid: Grid) -> Tensor:
        spec = self.spec
        if torch.is_grad_enabled() and self.table.requires_grad:
            return resize_table(self.table[spec.prefix_rows :], spec.rows, spec.cols, grid, spec.resize)
        return self._resized(grid)

    def _resized(self, grid: Grid) -> Tensor:
        """The table for `grid`, kept while its values stay as they are: pictures repeat their grids."""
        spec, state = self.spec, state_of(self.table)
        if state is None or state != self._state:
            self._state, self._kept = state, {}
        if (kept := self._kept.get(grid)) is None:
            kept = resize_table(self.table[spec.prefix_rows :], spec.rows, spec.cols, grid, spec.resize)
            held = list(self._kept.items())  # one step, since another thread may be here too
            room = KEPT_NUMBERS - kept.numel() - sum(table.numel() for _, table in held)
            for oldest, table in held:
                if room >= 0:
                    break
                self._kept.pop(oldest, None)
                room += table.numel()
            self._kept[grid] = kept
        return kept


class SinusoidalPositions(Positions):
    """Computed for any grid; no parameters."""

    def __init__(self, spec: Sinusoidal, dim: int) -> None:
        super().__init__()
        self.spec, self.dim = spec, dim

    def vectors(self, grid: Grid) -> Tensor:
        table = _cached_sinusoidal(grid.rows, grid.cols, self.dim, self.spec.base)
        return table.roll(self.dim // 2, dims=1) if self.spec.cols_first else table


# Few entries: a table of 64 x 64 cells and 1152 dimensions takes 19 MB. Nobody writes to it: it is only added.
_cached_sinusoidal = lru_cache(maxsize=8)(sinusoidal_2d)


class FactorisedPositions(Positions):
    """A learned vector a row plus a learned vector a column."""

    def __init__(self, spec: Factorised, dim: int) -> None:
        super().__init__()
        self.spec = spec
        self.rows = nn.Parameter(torch.zeros(spec.rows, dim))
        self.cols = nn.Parameter(torch.zeros(spec.cols, dim))

    def vectors(self, grid: Grid) -> Tensor:
        self.spec.check(grid)
        return (self.rows[: grid.rows, None] + self.cols[None, : grid.cols]).flatten(0, 1)


class BucketPositions(Positions):
    """A table without resizing: each patch looks up the cell that holds its fractional place in the picture.

    Row r of R meets cell floor(r / R * side), in float32 as the reference counts boundaries.
    """

    def __init__(self, spec: Buckets, dim: int) -> None:
        super().__init__()
        self.side = spec.side
        self.table = nn.Parameter(torch.zeros(spec.side**2, dim))

    def vectors(self, grid: Grid) -> Tensor:
        rows, cols = self._cells(grid.rows), self._cells(grid.cols)
        return self.table[(rows[:, None] * self.side + cols[None]).flatten().to(self.table.device)]

    def _cells(self, count: int) -> Tensor:
        places = (torch.arange(count, dtype=torch.float32) * (1.0 / torch.tensor(count))).clamp(max=1.0 - 1e-6)
        boundaries = torch.arange(1 / self.side, 1.0, 1 / self.side)
        return torch.bucketize(places, boundaries, right=True)


def build_positions(position: Position, dim: int) -> Positions:
    match position:
        case NoPosition():
            return Positions()
        case LearnedTable():
            return LearnedPositions(position, dim)
        case Sinusoidal():
            return SinusoidalPositions(position, dim)
        case Factorised():
            return FactorisedPositions(position, dim)
        case Buckets():
            return BucketPositions(position, dim)
        case _:
            assert_never(position)
