"""View rules that cut the original picture before any resizing: Idefics2's quarters and Gemma 3's pan-and-scan."""

from __future__ import annotations

import math

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import Grid, Patch, Size
from vistoken.views.rule import OneView, Tiling, ViewRule
from vistoken.views.steps import Crop, Filter, Resize, View


@frozen
class BothEdges(OneView):
    """Scale the long side down to `longest` where it is longer, then raise each side to at least `shortest`.

    The raising stretches. Sides are cut to whole pixels.
    Source: transformers 5.23.0, `models/idefics2/image_processing_pil_idefics2.py`, `get_resize_output_image_size`.
    """

    shortest: int
    longest: int
    filter: Filter
    patch: Patch

    kind = "both sides bounded"

    def __str__(self) -> str:
        return f"scale the long side down to {self.longest}, stretch shorter sides to {self.shortest}"

    def fit(self, size: Size) -> Size:
        height, width = size.height, size.width
        aspect = width / height
        if width >= height and width > self.longest:
            height, width = int(self.longest / aspect), self.longest
        elif height > width and height > self.longest:
            height, width = self.longest, int(self.longest * aspect)
        return Size(height=max(height, self.shortest), width=max(width, self.shortest))


@frozen
class Quarters(ViewRule):
    """Cut the picture into four quarters, add the whole picture, and resize each of the five as `each` says.

    Quarters of an odd side differ by a pixel, so their grids may differ. Where a batch is padded, the padding is masked
    out. A side of one pixel cannot be halved.
    Source: transformers 5.23.0, `models/idefics2/image_processing_pil_idefics2.py`, `split_images`, which cuts an empty
    quarter there: the torchvision class refuses it, the Pillow class makes it black.
    """

    each: OneView
    filter: Filter
    patch: Patch

    kind = "quarters"

    def __str__(self) -> str:
        return f"four quarters and the whole picture; each: {self.each}"

    def tiling(self, size: Size) -> Tiling:
        heights, widths = _halves(size)
        first = self._grid(Size(height=heights[0], width=widths[0]))
        if heights[0] == heights[1] and widths[0] == widths[1]:
            return Tiling(first, 2, 2, self._grid(size))
        grids = tuple(self._grid(Size(height=height, width=width)) for height in heights for width in widths)
        same = grids.count(first) == len(grids)
        return Tiling(first, 2, 2, self._grid(size), () if same else grids)

    def views(self, size: Size) -> tuple[View, ...]:
        quarters = (
            View.of(size, (quarter, Resize(self.each.fit(quarter.size), self.filter)), self.patch)
            for quarter in _quarters(size)
        )
        return (*quarters, View.of(size, (Resize(self.each.fit(size), self.filter),), self.patch))

    def _grid(self, size: Size) -> Grid:
        return self.patch.grid(self.each.fit(size))


def _halves(size: Size) -> tuple[tuple[int, int], tuple[int, int]]:
    """The two heights and the two widths of the quarters."""
    down, right = size.height // 2, size.width // 2
    if not down or not right:
        raise InputError(
            f"{size} cannot be cut into quarters: each side must have at least 2 pixels; "
            "set do_image_splitting to false, or give a larger picture"
        )
    return (down, size.height - down), (right, size.width - right)


def _quarters(size: Size) -> tuple[Crop, ...]:
    """Top left, top right, bottom left, bottom right."""
    heights, widths = _halves(size)
    return tuple(
        Crop(top, left, Size(height=height, width=width))
        for top, height in ((0, heights[0]), heights)
        for left, width in ((0, widths[0]), widths)
    )


@frozen
class PanAndScan(ViewRule):
    """The whole picture, and crops along its long side where it is long enough; each stretched to `size`.

    The number of crops is the aspect ratio with halves rounded up, as far as crops of at least `least` pixels go, from
    2 to `most`. Under the aspect ratio `ratio`, or where a crop would be shorter than `least`, there are none. The last
    crop ends with the picture.
    Source: transformers 5.23.0, `models/gemma3/image_processing_pil_gemma3.py`, `pan_and_scan`.
    """

    size: Size
    least: int
    most: int
    ratio: float
    filter: Filter
    patch: Patch

    kind = "pan and scan"

    def __str__(self) -> str:
        return (
            f"the whole picture stretched to {self.size}; where it is at least {self.ratio:g} times as long as wide, "
            f"up to {self.most} crops of at least {self.least} pixels along it too"
        )

    def crops(self, size: Size) -> int:
        """Crops besides the whole picture."""
        short, long = sorted((size.height, size.width))
        aspect = long / short
        if aspect < self.ratio:
            return 0
        number = min(math.floor(long / self.least), math.floor(aspect + 0.5))
        number = min(self.most, max(2, number))
        each = math.ceil(long / number)
        if min(each, short) < self.least:
            return 0
        if each * (number - 1) >= long:
            raise InputError(
                f"{size} cannot be cut into {number} crops of {each} pixels, the last would be empty: "
                "set pan_and_scan_max_num_crops to less"
            )
        return number

    def tiling(self, size: Size) -> Tiling:
        grid, number = self.patch.grid(self.size), self.crops(size)
        if not number:
            return Tiling(grid)
        return Tiling(grid, 1, number, grid) if size.width >= size.height else Tiling(grid, number, 1, grid)

    def views(self, size: Size) -> tuple[View, ...]:
        resize = Resize(self.size, self.filter)
        cuts = _along(size, self.crops(size))
        return (View.of(size, (resize,), self.patch), *(View.of(size, (crop, resize), self.patch) for crop in cuts))

    def reasons(self, size: Size) -> list[str]:
        short, long = sorted((size.height, size.width))
        aspect, number = long / short, self.crops(size)
        said = [f"long / short side = {long} / {short} = {aspect:.4g}; crops are made from {self.ratio:g} on"]
        if aspect >= self.ratio:
            said.append(
                f"crops: {aspect:.4g} + 0.5 cut = {math.floor(aspect + 0.5)}, at most {long} / {self.least} cut = "
                f"{long // self.least}, from 2 to {self.most}; "
                + (f"{number} of {math.ceil(long / number)} pixels" if number else f"one would be under {self.least}")
            )
        return said


def _along(size: Size, number: int) -> tuple[Crop, ...]:
    """`number` crops along the long side; the last ends with the picture."""
    if not number:
        return ()
    if size.width >= size.height:
        each = math.ceil(size.width / number)
        lengths = (min(each, size.width - each * crop) for crop in range(number))
        return tuple(Crop(0, each * i, Size(height=size.height, width=length)) for i, length in enumerate(lengths))
    each = math.ceil(size.height / number)
    lengths = (min(each, size.height - each * crop) for crop in range(number))
    return tuple(Crop(each * i, 0, Size(height=length, width=size.width)) for i, length in enumerate(lengths))
