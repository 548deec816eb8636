"""View rules that enlarge the picture to whole tiles: kind G, long side first (Idefics3, SmolVLM)."""

from __future__ import annotations

import math

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.rule import OneView, Tiling, ViewRule, cut
from vistoken.views.steps import Filter, Resize, View

# More tiles than this are a mistake: published models have at most 16.
MAX_TILES = 16_384


@frozen
class LongEdge(OneView):
    """Scale the long side to `long`, up or down; the other follows, cut to whole pixels and made even.

    A result longer than `most` is scaled down again, then without evening.
    Source: transformers 5.23.0, `models/idefics3/image_processing_pil_idefics3.py`, `get_resize_output_image_size`.
    """

    long: int
    filter: Filter
    patch: Patch
    most: int = 4096

    kind = "long side"

    def __str__(self) -> str:
        return f"scale the long side to {min(self.long, self.most)}, the other to an even number"

    def fit(self, size: Size) -> Size:
        # The other side comes from a quotient of floats, not from whole numbers: the reference writes it so.
        aspect = size.width / size.height
        wide = size.width >= size.height
        short = int(self.long / aspect) if wide else int(self.long * aspect)
        short = max(short + short % 2, 1)
        height, width = (short, self.long) if wide else (self.long, short)
        if self.long > self.most:
            height, width = self._shrunk(height, width)
        return Size(height=height, width=width)

    def _shrunk(self, height: int, width: int) -> tuple[int, int]:
        aspect = width / height
        if width >= height:
            return max(int(self.most / aspect), 1), self.most
        return self.most, max(int(self.most * aspect), 1)


@frozen
class SquareTile(OneView):
    """Resize as `before` says, then stretch to one square of side `tile`: splitting is off, or this is a video frame.

    Source: transformers 5.23.0, `models/idefics3/image_processing_pil_idefics3.py`, `_preprocess`.
    """

    before: OneView | None
    tile: int
    filter: Filter
    patch: Patch

    kind = "one square tile"

    def __str__(self) -> str:
        first = f"{self.before}, then " if self.before else ""
        return f"{first}stretch to {self.tile}x{self.tile}"

    @property
    def own_size(self) -> Size:
        return Size(height=self.tile, width=self.tile)

    def fit(self, size: Size) -> Size:
        return self.own_size

    def views(self, size: Size) -> tuple[View, ...]:
        steps = (*first_step(self.before, size), Resize(self.own_size, self.filter))
        return (View.of(size, steps, self.patch),)


@frozen
class WholeTiles(ViewRule):
    """Resize as `before` says, enlarge both sides to whole tiles, cut them out, and add all of it as one more tile.

    The long side goes up to whole tiles; the other follows in proportion before it goes up too. A picture that is one
    tile has no overview. The overview is made from the enlarged picture, not from the original.
    Source: transformers 5.23.0, `models/idefics3/image_processing_pil_idefics3.py`, `resize_for_vision_encoder` and
    `split_images`. (Its `get_number_of_image_patches` leaves out the proportion, and can tell other tiles.)
    """

    before: OneView | None
    tile: int
    filter: Filter
    patch: Patch

    kind = "whole tiles"

    def __str__(self) -> str:
        first = f"{self.before}, then " if self.before else ""
        return f"{first}enlarge to whole tiles of {self.tile}x{self.tile}, and the whole picture as one more tile"

    def choose(self, size: Size) -> tuple[int, int]:
        """Rows and columns of tiles. Raises `InputError` for more than anyone could look at."""
        if self.before:
            size = self.before.fit(size)
        height, width, tile = size.height, size.width, self.tile
        aspect = width / height
        if width >= height:
            cols = math.ceil(width / tile)
            rows = math.ceil(int(cols * tile / aspect) / tile)
        else:
            rows = math.ceil(height / tile)
            cols = math.ceil(int(rows * tile * aspect) / tile)
        if rows * cols > MAX_TILES:
            raise InputError(
                f"{size} makes {rows:,} x {cols:,} tiles of {tile} pixels, more than {MAX_TILES:,}: "
                "give a smaller picture, or let the model's own processor resize it first (do_resize)"
            )
        return rows, cols

    def tiling(self, size: Size) -> Tiling:
        rows, cols = self.choose(size)
        grid = self.patch.grid(Size(height=self.tile, width=self.tile))
        return Tiling(grid, rows, cols, grid if rows * cols > 1 else None)

    def views(self, size: Size) -> tuple[View, ...]:
        rows, cols = self.choose(size)
        tile = Size(height=self.tile, width=self.tile)
        canvas = Resize(Size(height=rows * self.tile, width=cols * self.tile), self.filter)
        steps = (*first_step(self.before, size), canvas)
        if rows * cols == 1:
            return (View.of(size, steps, self.patch),)
        overview = View.of(size, (*steps, Resize(tile, self.filter)), self.patch)
        return (*cut(size, steps, tile, rows, cols, self.patch), overview)

    def reasons(self, size: Size) -> list[str]:
        rows, cols = self.choose(size)
        first = self.before.fit(size) if self.before else size
        said = [f"{self.before}: {size} becomes {first}"] if self.before else []
        wide = first.width >= first.height
        long, short, tiles = (first.width, first.height, cols) if wide else (first.height, first.width, rows)
        along, across = ("columns", "rows") if wide else ("rows", "columns")
        said.append(f"{along}: {long} / {self.tile} up to a whole number = {tiles}, which makes {tiles * self.tile}")
        said.append(
            f"{across}: {tiles * self.tile} x {short} / {long} / {self.tile} up to a whole number = "
            f"{rows if wide else cols}"
        )
        return said


def first_step(before: OneView | None, size: Size) -> tuple[Resize, ...]:
    """The resize of `before`, if there is one."""
    return (Resize(before.fit(size), before.filter),) if before else ()
