"""The order of image tokens over several views, and where each of them lies in the source picture.

Shapes: n tokens of a picture, out their width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import assert_never

import torch
from torch import Tensor
from torch.nn import functional as F

from vistoken.connector import Arrangement, Connector, InOrder, Unpadded
from vistoken.geometry import Box, Grid, Size, around
from vistoken.prompts.unpad import shrunk, without_padding
from vistoken.views import View
from vistoken.views.rule import Tiling


def arrange(
    arrangement: Arrangement, views: Sequence[Tensor], grids: Sequence[Grid], tiling: Tiling, size: Size,
    newline: Tensor | None,
) -> Tensor:  # fmt: skip
    """The image tokens (n, out) of one picture from those of its views; `grids` are the grids that these form.

    `tiling` and `size` are the view rule's decision and the picture's size.
    """
    match arrangement:
        case InOrder():
            return torch.cat(list(views))  # a copy: a part of the pack would keep all of it
        case Unpadded(most):
            assert newline is not None  # built with the arrangement
            if len(views) == 1:
                return torch.cat([views[0], newline[None]])
            canvas = _canvas(views[1:], grids[1], tiling)
            rows, cols = _content(size, canvas.shape[0], canvas.shape[1])
            picture = _shrunk(canvas[rows, cols], most, grids[1])
            lines = torch.cat([picture, newline.expand(len(picture), 1, -1)], dim=1)
            return torch.cat([views[0], lines.flatten(0, 1)])
        case _:
            assert_never(arrangement)


def token_boxes(
    connector: Connector, views: Sequence[View], grids: Sequence[Grid], tiling: Tiling, size: Size
) -> Iterator[Box | None]:
    """The rectangle of each image token in the upright picture, in the order of `arrange`; None for a newline.

    A token without a place of its own has the whole view's.
    """
    side = connector.side
    match connector.arrangement:
        case InOrder():
            for view, grid in zip(views, grids, strict=True):
                if connector.placed:
                    yield from view.cells(grid, side)
                else:
                    yield from [around(view.boxes())] * grid.patches
        case Unpadded(most):
            yield from views[0].cells(grids[0], side)
            if len(views) == 1:
                yield None
                return
            yield from _unpadded_boxes(views, grids[1], side, tiling, size, most)
        case _:
            assert_never(connector.arrangement)


def _canvas(tiles: Sequence[Tensor], grid: Grid, tiling: Tiling) -> Tensor:
    """Tokens of all tiles as one grid: (rows, cols, out)."""
    cells = torch.stack(list(tiles)).unflatten(0, (tiling.rows, tiling.cols)).unflatten(2, (grid.rows, grid.cols))
    return cells.transpose(1, 2).flatten(2, 3).flatten(0, 1)


def _content(size: Size, rows: int, cols: int) -> tuple[slice, slice]:
    """Which rows and columns of a canvas of tokens show the picture: the same is cut off on both sides."""
    kept_rows, kept_cols = without_padding(size, rows, cols)
    top, left = (rows - kept_rows) // 2, (cols - kept_cols) // 2
    return slice(top, rows - top), slice(left, cols - left)


def _size(rows: int, cols: int, most: int | None, tile: Grid) -> tuple[int, int]:
    return (rows, cols) if most is None else shrunk(rows, cols, most, tile.rows)


def _shrunk(picture: Tensor, most: int | None, tile: Grid) -> Tensor:
    """The reference shrinks with torch's bilinear interpolation, half-pixel centres, no antialias."""
    size = _size(picture.shape[0], picture.shape[1], most, tile)
    if size == tuple(picture.shape[:2]):
        return picture
    return F.interpolate(picture.permute(2, 0, 1)[None], list(size), mode="bilinear")[0].permute(1, 2, 0)


def _unpadded_boxes(
    views: Sequence[View], tile: Grid, side: int, tiling: Tiling, size: Size, most: int | None
) -> Iterator[Box | None]:
    """Boxes of the tiles' part: the cells of the canvas that show the picture, row by row, each row with a newline."""
    rows, cols = _content(size, tiling.rows * tile.rows, tiling.cols * tile.cols)
    cells = [list(view.cells(tile, side)) for view in views[1:]]
    down = [(box.top, box.bottom) for first in cells[:: tiling.cols] for box in first[:: tile.cols]][rows]
    across = [(box.left, box.right) for upper in cells[: tiling.cols] for box in upper[: tile.cols]][cols]
    high, wide = _size(len(down), len(across), most, tile)
    for top, bottom in _spans(down, high):
        for left, right in _spans(across, wide):
            yield Box(left=left, top=top, right=right, bottom=bottom)
        yield None


def _spans(cells: Sequence[tuple[float, float]], count: int) -> list[tuple[float, float]]:
    """A line of cells in `count` even parts, where each begins and ends; a cell is cut in proportion.

    Cells need not touch: what fills no patch at the edge of a tile is in none.
    """
    if count == len(cells):
        return list(cells)

    def at(place: float, end: bool) -> float:
        index = math.ceil(place) - 1 if end else int(place)
        low, high = cells[index]
        return low + (place - index) * (high - low)

    step = len(cells) / count
    return [(at(index * step, False), at(min((index + 1) * step, len(cells)), True)) for index in range(count)]
