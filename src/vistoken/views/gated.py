"""View rules that cut only large pictures by the closest aspect ratio: LFM2-VL and Phi-4-multimodal."""

from __future__ import annotations

import math

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import MAX_SIDE, Grid, Patch, Size
from vistoken.views.rule import OneView, Tiling, ViewRule, cut
from vistoken.views.steps import WHITE, Filter, Pad, Resize, Step, View
from vistoken.views.tiles import ClosestAspect


@frozen
class TokenBudget(OneView):
    """Round both sides to multiples of `multiple`, then keep from `least` to `most` tokens of that side.

    Kind A with guard A4: no side becomes less than one multiple, and no aspect ratio is refused.
    Source: transformers 5.23.0, `models/lfm2_vl/image_processing_lfm2_vl.py`, `smart_resize`.
    """

    multiple: int
    least: int
    most: int
    filter: Filter
    patch: Patch

    kind = "token budget"

    def __str__(self) -> str:
        return (
            f"round both sides to multiples of {self.multiple}, with {self.least:,} to {self.most:,} cells of that side"
        )

    def fit(self, size: Size) -> Size:
        """The size that the picture is resized to. Raises `InputError` where a side would pass all bounds."""
        height, width, k = size.height, size.width, self.multiple
        rows, cols = max(1, round(height / k)), max(1, round(width / k))
        if rows * cols > self.most:
            scale = math.sqrt(height * width / (self.most * k * k))
            rows, cols = max(1, math.floor(height / scale / k)), max(1, math.floor(width / scale / k))
        elif rows * cols < self.least:
            scale = math.sqrt(self.least * k * k / (height * width))
            rows, cols = math.ceil(height * scale / k), math.ceil(width * scale / k)
        if max(rows, cols) * k > MAX_SIDE:
            raise InputError(f"{size} would become {cols * k} x {rows * k} pixels: it is too thin; crop it")
        return Size(height=rows * k, width=cols * k)


@frozen
class LargeInTiles(ViewRule):
    """`whole` for a picture of up to `tolerance` times its most tokens; larger ones in `tiles`.

    With `thumbnail`, a picture in several tiles is followed by what `whole` makes of it.
    Source: transformers 5.23.0, `models/lfm2_vl/image_processing_lfm2_vl.py`, `_is_image_too_large` and
    `resize_and_split`.
    """

    whole: TokenBudget
    tiles: ClosestAspect
    tolerance: float
    thumbnail: bool
    filter: Filter
    patch: Patch

    kind = "token budget, or tiles by aspect ratio"

    def __str__(self) -> str:
        last = ", and as one view" if self.thumbnail else ""
        return f"{self.whole}; a picture of over {self.tolerance:g} times the most: {self.tiles}{last}"

    def large(self, size: Size) -> bool:
        """Whether the picture is cut into tiles."""
        k = self.whole.multiple
        height = max(self.patch.height, round(size.height / k) * k)
        width = max(self.patch.width, round(size.width / k) * k)
        return height * width > self.whole.most * k * k * self.tolerance

    def tiling(self, size: Size) -> Tiling:
        if not self.large(size):
            return self.whole.tiling(size)
        tiling = self.tiles.tiling(size)
        if self.thumbnail and tiling.tiles > 1:
            return tiling._replace(overview=self.whole.tiling(size).tile)
        return tiling

    def views(self, size: Size) -> tuple[View, ...]:
        if not self.large(size):
            return self.whole.views(size)
        tiles = self.tiles.views(size)
        return (*tiles, *self.whole.views(size)) if self.thumbnail and len(tiles) > 1 else tiles

    def reasons(self, size: Size) -> list[str]:
        k, large = self.whole.multiple, self.large(size)
        limit = self.whole.most * k * k * self.tolerance
        return [
            f"{size} rounded to multiples of {k} has {'more' if large else 'no more'} than {limit:,.0f} pixels",
            *(self.tiles.reasons(size) if large else ()),
        ]


@frozen
class PaddedCrops(ViewRule):
    """Fit the picture onto as many tiles as it spans, pad at the right and bottom, cut, after the canvas as a whole.

    `closest` chooses the grid where the picture spans more tiles than `closest.most`. The fitted picture is refused
    where a side has under 10 pixels. The picture is resized with bilinear, whatever `filter` says.
    The reference resizes the whole canvas after normalising, without antialiasing: Pillow cannot make that first view,
    which comes out smoother here.
    Source: transformers 5.23.0, `models/phi4_multimodal/image_processing_phi4_multimodal.py`, `dynamic_preprocess`.
    """

    closest: ClosestAspect
    filter: Filter
    patch: Patch

    kind = "tiles that the picture spans"

    def __str__(self) -> str:
        tile, most = self.closest.tile, self.closest.most
        return f"fit onto as many tiles of {tile} as the picture spans, {most} at most, pad, after the whole canvas"

    @property
    def tile(self) -> int:
        return self.closest.tile.height

    def choose(self, size: Size) -> tuple[int, int]:
        """Rows and columns of tiles."""
        rows, cols = math.ceil(size.height / self.tile), math.ceil(size.width / self.tile)
        return self.closest.choose(size) if rows * cols > self.closest.most else (rows, cols)

    def fit(self, size: Size, rows: int, cols: int) -> Size:
        """The size that the picture has on the canvas. Raises `InputError` where it would be too thin."""
        across, down = cols * self.tile / size.width, rows * self.tile / size.height
        if across < down:
            height, width = int(size.height * across), cols * self.tile
        else:
            height, width = rows * self.tile, int(size.width * down)
        if min(height, width) < 10:
            raise InputError(
                f"{size} is too thin: it would become {width} x {height} pixels, "
                "and this model refuses sides under 10; crop it, or cut it into several pictures"
            )
        return Size(height=height, width=width)

    def content(self, size: Size) -> Grid:
        """Every second row and column of patches of each tile, as far as the picture and not padding fills them."""
        rows, cols = self.choose(size)
        fitted = self.fit(size, rows, cols)
        return Grid(
            self._kept(rows, fitted.height, self.patch.height), self._kept(cols, fitted.width, self.patch.width)
        )

    def _kept(self, tiles: int, filled: int, patch: int) -> int:
        side = self.tile // patch
        whole, rest = divmod(tiles * side - (tiles * self.tile - filled) // patch, side)
        return whole * ((side + 1) // 2) + (rest + 1) // 2

    def tiling(self, size: Size) -> Tiling:
        rows, cols = self.choose(size)
        self.fit(size, rows, cols)  # refuses what is too thin
        grid = self.patch.grid(self.closest.tile)
        return Tiling(grid, rows, cols, grid)

    def views(self, size: Size) -> tuple[View, ...]:
        rows, cols = self.choose(size)
        fitted = self.fit(size, rows, cols)
        canvas = Size(height=rows * self.tile, width=cols * self.tile)
        steps: tuple[Step, ...] = (Resize(fitted, "bilinear"),)
        if fitted != canvas:
            steps = (*steps, Pad(0, 0, canvas, WHITE))
        whole = View.of(size, (*steps, Resize(self.closest.tile, self.filter)), self.patch)
        return (whole, *cut(size, steps, self.closest.tile, rows, cols, self.patch))

    def reasons(self, size: Size) -> list[str]:
        rows, cols = math.ceil(size.height / self.tile), math.ceil(size.width / self.tile)
        most = self.closest.most
        over = rows * cols > most
        return [
            f"{size} spans {rows} x {cols} tiles of {self.tile} pixels: {'more' if over else 'no more'} than {most}",
            *(self.closest.reasons(size) if over else ()),
            f"the picture becomes {self.fit(size, *self.choose(size))} on the canvas",
        ]
