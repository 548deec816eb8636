"""View rules that cut the picture into tiles: kind D, the grid of tiles whose aspect ratio is closest."""

from __future__ import annotations

from functools import cache

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.rule import Tiling, ViewRule, cut
from vistoken.views.steps import BLACK, Colour, Filter, Pad, Resize, View


@frozen
class ClosestAspect(ViewRule):
    """Stretch to the grid of `least` to `most` tiles whose aspect ratio is closest, cut it, and add the whole picture.

    On an equal distance the grid with more tiles wins if the picture has more than half of its pixels. One tile alone
    has no overview.
    Source: transformers 5.23.0, `models/got_ocr2/image_processing_pil_got_ocr2.py`, `get_optimal_tiled_canvas`.
    """

    tile: Size
    least: int
    most: int
    overview: bool
    filter: Filter
    patch: Patch

    kind = "tiles by aspect ratio"

    def __str__(self) -> str:
        whole = ", and the whole picture as one more" if self.overview else ""
        return (
            f"stretch to the grid of {self.least} to {self.most} tiles of {self.tile} "
            f"whose aspect ratio is closest{whole}"
        )

    def choose(self, size: Size) -> tuple[int, int]:
        """Rows and columns of tiles."""
        aspect, pixels = size.width / size.height, size.height * size.width
        half = 0.5 * self.tile.height * self.tile.width
        best, distance = (1, 1), float("inf")
        for cols, rows, ratio in arrangements(self.least, self.most):
            away = abs(aspect - ratio)
            if away < distance or (away == distance and pixels > half * cols * rows):
                best, distance = (rows, cols), away
        return best

    def tiling(self, size: Size) -> Tiling:
        rows, cols = self.choose(size)
        grid = self.patch.grid(self.tile)
        return Tiling(grid, rows, cols, grid if self.overview and rows * cols > 1 else None)

    def views(self, size: Size) -> tuple[View, ...]:
        rows, cols = self.choose(size)
        canvas = Size(height=rows * self.tile.height, width=cols * self.tile.width)
        tiles = cut(size, (Resize(canvas, self.filter),), self.tile, rows, cols, self.patch)
        if rows * cols == 1 or not self.overview:
            return tiles
        return (*tiles, View.of(size, (Resize(self.tile, self.filter),), self.patch))

    def reasons(self, size: Size) -> list[str]:
        aspect, (rows, cols) = size.width / size.height, self.choose(size)
        near = sorted(arrangements(self.least, self.most), key=lambda grid: abs(aspect - grid[2]))[:3]
        listed = ", ".join(f"{c} x {r} ({c / r:.4g}, off by {abs(aspect - c / r):.4g})" for c, r, _ in near)
        return [
            f"width / height = {size.width} / {size.height} = {aspect:.4g}",
            f"closest columns x rows: {listed}; chosen: {rows} rows x {cols} columns",
        ]


@frozen
class PaddedSquare(ViewRule):
    """Scale the long side to `side` and pad to a square, the picture in the middle.

    Source: transformers 5.23.0, `models/deepseek_ocr2/image_processing_pil_deepseek_ocr2.py`, the global view.
    """

    side: int
    filter: Filter
    patch: Patch
    fill: Colour = BLACK

    kind = "padded square"

    def __str__(self) -> str:
        return f"scale the long side to {self.side} and pad to a square"

    @property
    def own_size(self) -> Size:
        return Size(height=self.side, width=self.side)

    def fit(self, size: Size) -> tuple[int, int]:
        """Height and width before padding. Raises `InputError` where a side would vanish."""
        scale = self.side / max(size.width, size.height)
        height, width = round(size.height * scale), round(size.width * scale)
        if not height or not width:
            raise InputError(
                f"{size} is too thin: with its long side scaled to {self.side} nothing is left of the short one; "
                "crop it first"
            )
        return height, width

    def tiling(self, size: Size) -> Tiling:
        self.fit(size)  # refuses what is too thin
        return Tiling(self.patch.grid(self.own_size))

    def views(self, size: Size) -> tuple[View, ...]:
        height, width = self.fit(size)
        steps: tuple[Resize | Pad, ...] = (Resize(Size(height=height, width=width), self.filter),)
        if height != width:
            steps += (Pad((self.side - height) // 2, (self.side - width) // 2, self.own_size, self.fill),)
        return (View.of(size, steps, self.patch),)


@frozen
class TilesPastOne(ViewRule):
    """The whole picture as `whole` makes it; where a side is longer than a tile, also the tiles of `tiles`.

    Sources: transformers 5.23.0, `models/deepseek_ocr2/image_processing_pil_deepseek_ocr2.py` and
    `models/unlimited_ocr/image_processing_unlimited_ocr.py`, `_preprocess`.
    """

    tiles: ClosestAspect
    whole: PaddedSquare

    kind = "overview, and tiles by aspect ratio"

    @property
    def filter(self) -> Filter:  # type: ignore[override]
        return self.whole.filter

    @property
    def patch(self) -> Patch:  # type: ignore[override]
        return self.whole.patch

    def __str__(self) -> str:
        return f"{self.whole}; if a side is over {self.tiles.tile.height} pixels, also {self.tiles}"

    def tiling(self, size: Size) -> Tiling:
        whole = self.whole.tiling(size)
        if max(size.width, size.height) <= self.tiles.tile.height:
            return whole
        return self.tiles.tiling(size)._replace(overview=whole.tile)

    def views(self, size: Size) -> tuple[View, ...]:
        whole = self.whole.views(size)
        if max(size.width, size.height) <= self.tiles.tile.height:
            return whole
        return (*self.tiles.views(size), *whole)

    def reasons(self, size: Size) -> list[str]:
        longest, side = max(size.width, size.height), self.tiles.tile.height
        if longest <= side:
            return [f"no side is over {side} pixels: no tiles"]
        return [f"the long side, {longest}, is over {side} pixels: tiles", *self.tiles.reasons(size)]


@cache
def arrangements(least: int, most: int) -> tuple[tuple[int, int, float], ...]:
    """All (columns, rows, their ratio) with `least` to `most` tiles, by number of tiles, then by columns."""
    grids = ((cols, rows, cols / rows) for cols in range(1, most + 1) for rows in range(1, most // cols + 1))
    return tuple(sorted((grid for grid in grids if grid[0] * grid[1] >= least), key=lambda grid: grid[0] * grid[1]))
