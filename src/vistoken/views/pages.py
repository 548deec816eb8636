"""View rules for pages of documents: kind D with more tiles for wide pages (Granite-Docling)."""

from __future__ import annotations

from functools import cache

from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.rule import Tiling, ViewRule, cut
from vistoken.views.steps import Filter, Resize, View


@frozen
class Dense:
    """More tiles for a wide page that the usual grid would shrink: up to `most`.

    The page's aspect ratio must be above `from_aspect` and not above `to_aspect`, and the canvas of the usual grid
    narrower than `scale` times the page. 0 leaves a test out.
    """

    most: int
    scale: float
    from_aspect: float
    to_aspect: float


@frozen
class PageTiles(ViewRule):
    """Stretch to the grid of `least` to `most` tiles, 16 a side, whose aspect ratio is closest; add the whole page.

    On an equal distance the grid with more tiles wins if the page has more than half of its pixels. One tile alone has
    no overview.
    Source: transformers 5.23.0, `models/granite_docling/image_processing_pil_granite_docling.py`,
    `get_page_tile_grid` and `crop_image_to_patches`.
    """

    tile: Size
    least: int
    most: int
    dense: Dense | None
    filter: Filter
    patch: Patch

    kind = "page tiles"

    def __str__(self) -> str:
        more = f", up to {self.dense.most} for wide pages" if self.dense else ""
        return (
            f"stretch to the grid of {self.least} to {self.most} tiles of {self.tile} whose aspect ratio is closest"
            f"{more}, and the whole page as one more tile"
        )

    def choose(self, size: Size) -> tuple[int, int]:
        """Rows and columns of tiles."""
        most = self._most(size)
        return self._closest(size, most) if most > 1 else (1, 1)

    def _most(self, size: Size) -> int:
        dense, aspect = self.dense, size.width / size.height
        if dense is None or self.most <= 1 or (dense.scale <= 0 and dense.from_aspect <= 0):
            return self.most
        if (dense.from_aspect > 0 and aspect <= dense.from_aspect) or 0 < dense.to_aspect < aspect:
            return self.most
        if dense.scale > 0:
            _, cols = self._closest(size, self.most)
            if cols * self.tile.width / size.width >= dense.scale:
                return self.most
        return dense.most

    def _closest(self, size: Size, most: int) -> tuple[int, int]:
        aspect, pixels = size.width / size.height, size.width * size.height
        half = 0.5 * self.tile.height * self.tile.width
        best, distance = (1, 1), float("inf")
        for cols, rows, ratio in page_grids(self.least, most):
            away = abs(aspect - ratio)
            if away < distance or (away == distance and pixels > half * cols * rows):
                best, distance = (rows, cols), away
        return best

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
        return (*tiles, View.of(size, (Resize(self.tile, self.filter),), self.patch))

    def reasons(self, size: Size) -> list[str]:
        aspect, most, (rows, cols) = size.width / size.height, self._most(size), self.choose(size)
        said = [f"width / height = {size.width} / {size.height} = {aspect:.4g}; at most {most} tiles"]
        if most > 1:
            near = sorted(page_grids(self.least, most), key=lambda grid: abs(aspect - grid[2]))[:3]
            listed = ", ".join(f"{c} x {r} ({c / r:.4g}, off by {abs(aspect - c / r):.4g})" for c, r, _ in near)
            said.append(f"closest columns x rows: {listed}; chosen: {rows} rows x {cols} columns")
        return said


@cache
def page_grids(least: int, most: int) -> tuple[tuple[int, int, float], ...]:
    """(columns, rows, their ratio) with `least` to `most` tiles, by number of tiles, then by columns.

    At most 16 a side: as far as the tokenizer has names for rows and columns.
    """
    sides = range(1, min(most, 16) + 1)
    grids = ((cols, rows, cols / rows) for cols in sides for rows in sides if least <= cols * rows <= most)
    return tuple(sorted(grids, key=lambda grid: grid[0] * grid[1]))
