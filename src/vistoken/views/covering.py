"""View rule of kind H: the smallest grid of tiles whose cells keep most of the picture's area."""

from __future__ import annotations

from functools import reduce
from operator import add

from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.rule import Tiling, ViewRule, cut
from vistoken.views.steps import Filter, Resize, View
from vistoken.views.tiles import ClosestAspect, arrangements

# A grid is good enough if it keeps more than this part of the area.
ENOUGH = 0.9


@frozen
class CoveringArea(ViewRule):
    """Stretch to the smallest grid of up to `most` tiles that keeps over 0.9 of the area, and add the whole picture.

    Each grid cuts the picture into cells; a cell whose long side is over a tile shrinks to it, and the area that all
    cells have then is what the grid keeps. If no grid keeps enough, the one that keeps most wins. The search takes a
    pair as (rows, columns), its caller as (columns, rows): the grid that is used is the turned one.
    Source: transformers 5.23.0, `models/ovis2/image_processing_pil_ovis2.py`, `get_min_tile_covering_grid` and
    `crop_image_to_patches`.
    """

    tile: Size
    most: int
    filter: Filter
    patch: Patch

    kind = "tiles by covered area"

    def __str__(self) -> str:
        return (
            f"stretch to the smallest grid of up to {self.most} tiles of {self.tile} that keeps over {ENOUGH} of the "
            "area, turned, and the whole picture as one more"
        )

    def choose(self, size: Size) -> tuple[int, int]:
        """Rows and columns of tiles."""
        best, kept, enough = (1, 1), -1.0, 0
        for rows, cols, _ in arrangements(1, self.most):  # by number of tiles
            if enough and rows * cols > enough:
                break
            ratio = self.kept(size, rows, cols)
            if not enough and ratio > ENOUGH:
                best, kept, enough = (rows, cols), ratio, rows * cols
            elif ratio > kept:
                best, kept = (rows, cols), ratio
        rows, cols = best
        return cols, rows

    def kept(self, size: Size, rows: int, cols: int) -> float:
        """The part of the area that `rows` x `cols` cells keep, added up cell by cell in raster order."""
        height, width, side = size.height // rows, size.width // cols, self.tile.height
        last_height, last_width = size.height - (rows - 1) * height, size.width - (cols - 1) * width
        row = [_shrunk(height, width, side)] * (cols - 1) + [_shrunk(height, last_width, side)]
        last = [_shrunk(last_height, width, side)] * (cols - 1) + [_shrunk(last_height, last_width, side)]
        # Plain additions: from Python 3.12 on, `sum` corrects its rounding, and the reference, which uses it, chooses
        # another grid for a size in thousands (1094x2267) there than on 3.11, where it was compared.
        return reduce(add, row * (rows - 1) + last) / (size.width * size.height)

    def tiling(self, size: Size) -> Tiling:
        rows, cols = self.choose(size)
        grid = self.patch.grid(self.tile)
        return Tiling(grid, rows, cols, grid if rows * cols > 1 else None)

    def views(self, size: Size) -> tuple[View, ...]:
        rows, cols = self.choose(size)
        canvas = Size(height=rows * self.tile.height, width=cols * self.tile.width)
        tiles = cut(size, (Resize(canvas, self.filter),), self.tile, rows, cols, self.patch)
        if rows * cols == 1:
            return tiles
        return (View.of(size, (Resize(self.tile, self.filter),), self.patch), *tiles)

    def reasons(self, size: Size) -> list[str]:
        rows, cols = self.choose(size)
        fewer = [self.kept(size, a, b) for a, b, _ in arrangements(1, self.most) if a * b < rows * cols]
        kept = f"cut into {cols} rows x {rows} columns it keeps {self.kept(size, cols, rows):.4g} of the area"
        if fewer:
            kept += f", with fewer tiles at most {max(fewer):.4g}"
        return [f"{kept}; turned, as transformers does: {rows} rows x {cols} columns"]


class OverviewFirst(ClosestAspect):
    """As `ClosestAspect`, with the whole picture before its tiles.

    Source: as `CoveringArea`, with `use_covering_area_grid` off.
    """

    __slots__ = ()

    def views(self, size: Size) -> tuple[View, ...]:
        *tiles, last = ClosestAspect.views(self, size)
        return (last, *tiles)


def _shrunk(height: int, width: int, side: int) -> float:
    """The area of a cell after its long side has shrunk to `side`."""
    longer, shorter = max(height, width), min(height, width)
    return shorter / longer * side * side if longer > side else longer * shorter
