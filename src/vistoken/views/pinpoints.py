"""View rules that choose one of a list of canvases: kind F, most effective pixels, then least waste ("anyres")."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.fixed import centre_crop
from vistoken.views.rule import Tiling, ViewRule
from vistoken.views.steps import BLACK, Colour, Crop, Filter, Pad, Resize, Step, View

# Canvases as (height, width): bare pairs, since all of them are looked at for every picture.
Canvases = tuple[tuple[int, int], ...]


@frozen
class Pinpoints(ViewRule):
    """Fit the picture into the canvas that suits it best, pad it, cut tiles; the whole picture, stretched, comes first.

    `canvases` are (height, width). Each tile is brought to `size`, the size of the whole picture's view, and the
    middle of size `crop` is cut out of every view; in published models the three are one.
    Source: transformers 5.23.0, `models/llava_next/image_processing_pil_llava_next.py` and
    `models/llava_onevision/image_processing_pil_llava_onevision.py`, `get_image_patches`;
    `image_processing_utils.select_best_resolution` and `get_patch_output_size`.
    """

    canvases: Canvases
    tile: int
    size: Size
    crop: Size
    filter: Filter
    patch: Patch

    kind = "tiles on the best of listed canvases"

    def __str__(self) -> str:
        return (
            f"fit into the best of {len(self.canvases)} canvases, pad in the middle, cut tiles of "
            f"{self.tile}x{self.tile}, and the whole picture as one more, stretched to {self.size}"
        )

    def choose(self, size: Size) -> tuple[int, int, int, int]:
        """Rows and columns of tiles, height and width of the canvas.

        Raises `InputError` for a canvas of broken tiles: the model could not put its features together.
        """
        height, width = best_canvas(size, self.canvases)
        tile, view = self.tile, self.crop
        rows, cols = height // tile, width // tile
        broken = rows * tile != height or cols * tile != width
        if broken or rows != height // view.height or cols != width // view.width:
            raise InputError(
                f"{size} suits the canvas {width}x{height} best, which is not made of whole tiles of {tile}x{tile} "
                f"seen at {view}: set image_grid_pinpoints (height, width), size and crop_size so that they agree"
            )
        return rows, cols, height, width

    def tiling(self, size: Size) -> Tiling:
        rows, cols, _, _ = self.choose(size)
        grid = self.patch.grid(self.crop)
        return Tiling(grid, rows, cols, grid)

    def views(self, size: Size) -> tuple[View, ...]:
        rows, cols, height, width = self.choose(size)
        canvas = Size(height=height, width=width)
        fitted = fit_inside(size, canvas)
        padded: tuple[Step, ...] = (Resize(fitted, self.filter), *in_the_middle(fitted, canvas))
        tile = Size(height=self.tile, width=self.tile)
        last = (*self._to_size(tile), *centre_crop(self.size, self.crop))
        whole = View.of(size, (Resize(self.size, self.filter), *centre_crop(self.size, self.crop)), self.patch)
        tiles = (
            View.of(size, (*padded, Crop(row * self.tile, col * self.tile, tile), *last), self.patch)
            for row in range(rows)
            for col in range(cols)
        )
        return (whole, *tiles)

    def _to_size(self, tile: Size) -> tuple[Resize, ...]:
        return () if tile == self.size else (Resize(self.size, self.filter),)

    def reasons(self, size: Size) -> list[str]:
        return canvas_reasons(size, self.canvases)


@frozen
class PaddedPinpoints(ViewRule):
    """As `Pinpoints`, but the whole picture is fitted and padded too, and sides are rounded, not raised.

    `canvases` are (height, width) like all of ours; the vendor's file lists (width, height).
    Source: DeepSeek-VL2's `processing_deepseek_vl_v2.py`, `select_best_resolution` and `tokenize_with_images`;
    Pillow's `ImageOps.pad`, which it calls.
    """

    canvases: Canvases
    tile: int
    filter: Filter
    patch: Patch
    fill: Colour = BLACK

    kind = "tiles on the best of listed canvases, all padded"

    def __str__(self) -> str:
        return (
            f"fit into the best of {len(self.canvases)} canvases, pad in the middle, cut tiles of "
            f"{self.tile}x{self.tile}, and the whole picture as one more, padded likewise"
        )

    def tiling(self, size: Size) -> Tiling:
        height, width = best_canvas(size, self.canvases)
        self._fit(size, self.tile, self.tile)  # refuses what is too thin; the canvas is no smaller
        grid = self.patch.grid(Size(height=self.tile, width=self.tile))
        return Tiling(grid, height // self.tile, width // self.tile, grid)

    def views(self, size: Size) -> tuple[View, ...]:
        height, width = best_canvas(size, self.canvases)
        tile, padded = Size(height=self.tile, width=self.tile), self._padded(size, height, width)
        tiles = (
            View.of(size, (*padded, Crop(top, left, tile)), self.patch)
            for top in range(0, height, self.tile)
            for left in range(0, width, self.tile)
        )
        return (View.of(size, self._padded(size, self.tile, self.tile), self.patch), *tiles)

    def _padded(self, size: Size, height: int, width: int) -> tuple[Step, ...]:
        fitted, canvas = self._fit(size, height, width), Size(height=height, width=width)
        if fitted == canvas:
            return (Resize(fitted, self.filter),)
        # One side fills the canvas; half a pixel of the other is rounded to even, as Pillow does.
        top, left = round((height - fitted.height) * 0.5), round((width - fitted.width) * 0.5)
        return Resize(fitted, self.filter), Pad(top, left, canvas, self.fill)

    def _fit(self, size: Size, height: int, width: int) -> Size:
        # A side that rounds to 0 is an error in Pillow 11, an empty view in Pillow 13.
        aspect, wanted = size.width / size.height, width / height
        if aspect > wanted:
            height = round(size.height / size.width * width)
        elif aspect < wanted:
            width = round(size.width / size.height * height)
        if not height or not width:
            raise InputError(f"{size} is too thin: nothing is left of it in {self.tile}x{self.tile}; crop it first")
        return Size(height=height, width=width)

    def reasons(self, size: Size) -> list[str]:
        return canvas_reasons(size, self.canvases)


@frozen
class SquareCanvas(ViewRule):
    """Pad the picture to a square, then stretch that to `size` and cut `crop` out of its middle.

    Source: transformers 5.23.0, `pad_to_square` in `models/llava/image_processing_pil_llava.py` with `do_pad`, and in
    `models/llava_onevision/image_processing_pil_llava_onevision.py` for several pictures in one prompt.
    """

    size: Size
    crop: Size
    filter: Filter
    patch: Patch
    fill: Colour = BLACK

    kind = "pad to a square"

    def __str__(self) -> str:
        cut = "" if self.crop == self.size else f", cut {self.crop} out of the middle"
        return f"pad to a square, resize to {self.size}{cut}"

    @property
    def own_size(self) -> Size:
        return self.crop

    def tiling(self, size: Size) -> Tiling:
        return Tiling(self.patch.grid(self.crop))

    def views(self, size: Size) -> tuple[View, ...]:
        side = max(size.height, size.width)
        square = in_the_middle(size, Size(height=side, width=side), self.fill)
        return (
            View.of(size, (*square, Resize(self.size, self.filter), *centre_crop(self.size, self.crop)), self.patch),
        )


def best_canvas(size: Size, canvases: Canvases) -> tuple[int, int]:
    """The canvas on which most of the picture's own pixels survive; of several, the one that wastes least.

    The first wins a tie of both. Where the picture is so thin that nothing survives on any, the smallest wins.
    Source: transformers 5.23.0, `image_processing_utils.select_best_resolution`.
    """
    own_height, own_width = size.height, size.width
    pixels = own_height * own_width
    best, most, least = canvases[0], -1, 0
    for canvas in canvases:
        height, width = canvas
        scale, other = width / own_width, height / own_height
        if other < scale:
            scale = other
        used = int(own_width * scale) * int(own_height * scale)
        if used > pixels:
            used = pixels
        if used > most or (used == most and height * width - used < least):
            best, most, least = canvas, used, height * width - used
    return best


def canvas_reasons(size: Size, canvases: Canvases) -> list[str]:
    """The best canvases with what decides between them."""

    def effect(canvas: tuple[int, int]) -> tuple[int, int]:
        height, width = canvas
        scale = min(width / size.width, height / size.height)
        used = min(int(size.width * scale) * int(size.height * scale), size.pixels)
        return used, height * width - used

    near = sorted(canvases, key=lambda canvas: (-effect(canvas)[0], effect(canvas)[1]))[:3]
    listed = "; ".join(
        f"{width}x{height} keeps {used:,} pixels and wastes {waste:,}"
        for height, width in near
        for used, waste in (effect((height, width)),)
    )
    height, width = best_canvas(size, canvases)
    return [f"best canvases, by pixels kept of {size.pixels:,}, then by waste: {listed}; chosen: {width}x{height}"]


def fit_inside(size: Size, canvas: Size) -> Size:
    """The size at which a picture fills one side of `canvas`; the other is raised to whole pixels.

    Source: transformers 5.23.0, `image_processing_utils.get_patch_output_size`.
    """
    across, down = canvas.width / size.width, canvas.height / size.height
    if across < down:
        return Size(height=min(math.ceil(size.height * across), canvas.height), width=canvas.width)
    return Size(height=canvas.height, width=min(math.ceil(size.width * down), canvas.width))


def in_the_middle(size: Size, canvas: Size, fill: Colour = BLACK) -> Sequence[Pad]:
    """The step that puts `size` in the middle of `canvas`; a spare pixel goes to the bottom or the right."""
    if size == canvas:
        return ()
    return (Pad((canvas.height - size.height) // 2, (canvas.width - size.width) // 2, canvas, fill),)
