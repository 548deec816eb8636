"""View rules of kind B: shrink where a picture is over a cap, never enlarge, and bring the sides to whole cells."""

from __future__ import annotations

import math
from abc import abstractmethod

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import MAX_SIDE, Grid, Patch, Size
from vistoken.views.rule import OneView, Tiling, ViewRule
from vistoken.views.steps import Filter, Pad, Resize, Step, View


@frozen
class LongEdge(OneView):
    """Shrink into `box`, cutting both sides to whole pixels, then stretch each side up to a multiple of `unit`.

    Source: transformers 5.23.0, `models/pixtral/image_processing_pil_pixtral.py`, `get_resize_output_image_size`.
    """

    box: Size
    unit: Patch
    filter: Filter
    patch: Patch

    kind = "long edge"

    def __str__(self) -> str:
        return f"shrink into {self.box}, then round both sides up to multiples of {self.unit} pixels"

    def fit(self, size: Size) -> Size:
        """The size that the picture is resized to. Raises `InputError` where nothing of its short side is left."""
        height, width = self._shrunk(size)
        if not height or not width:
            raise too_thin(size, str(self.box))
        return Size(height=up(height, self.unit.height), width=up(width, self.unit.width))

    def _shrunk(self, size: Size) -> tuple[int, int]:
        ratio = max(size.height / self.box.height, size.width / self.box.width)
        if ratio > 1:
            return math.floor(size.height / ratio), math.floor(size.width / ratio)
        return size.height, size.width

    def reasons(self, size: Size) -> list[str]:
        ratio = max(size.height / self.box.height, size.width / self.box.width)
        height, width = self._shrunk(size)
        over = (
            f"over 1, so both sides are divided by it and cut: {width}x{height}" if ratio > 1 else "nothing to shrink"
        )
        sides = f"{size.height} / {self.box.height} and {size.width} / {self.box.width}"
        return [
            f"the larger of {sides} = {ratio:.6g}: {over}",
            f"rows: {height} / {self.unit.height} rounded up = {-(-height // self.unit.height)}",
            f"columns: {width} / {self.unit.width} rounded up = {-(-width // self.unit.width)}",
        ]


class ShrinkAndPad(ViewRule):
    """A rule that shrinks the picture and pads it, at the right and the bottom, to whole cells of `unit` pixels."""

    __slots__ = ()

    unit: Patch

    @abstractmethod
    def shrink(self, size: Size) -> tuple[int, int]:
        """Height and width after shrinking; those of `size` where it is small enough."""

    def canvas(self, size: Size, height: int, width: int) -> tuple[int, int]:
        """Height and width after padding a picture of `size` that was shrunk to `height` and `width`."""
        return up(height, self.unit.height), up(width, self.unit.width)

    def tiling(self, size: Size) -> Tiling:
        height, width = self.canvas(size, *self.shrink(size))
        return Tiling(Grid(height // self.patch.height, width // self.patch.width))

    def views(self, size: Size) -> tuple[View, ...]:
        height, width = self.shrink(size)
        shrunk = Size(height=height, width=width)
        height, width = self.canvas(size, height, width)
        padded = Size(height=height, width=width)
        steps: list[Step] = []
        if shrunk != size:
            steps.append(Resize(shrunk, self.filter))
        if padded != shrunk:
            steps.append(Pad(0, 0, padded))
        return (View.of(size, tuple(steps), self.patch),)


@frozen
class PatchLimit(ShrinkAndPad):
    """Shrink until at most `limit` whole patches are left, pad to whole units, refuse `side` patches and more a side.

    Patches are counted with floor before the shrinking, and the padding comes after it, so that the result can hold
    more than `limit`.
    Source: Kimi-VL's own `image_processing_kimi_vl.py` (moonshotai on the hub), `rescale` with `pad_input`.
    """

    limit: int
    side: int
    unit: Patch
    filter: Filter
    patch: Patch

    kind = "patch limit"

    def __str__(self) -> str:
        return f"shrink to about {self.limit:,} patches of {self.patch}, then pad to multiples of {self.unit} pixels"

    def shrink(self, size: Size) -> tuple[int, int]:
        whole = (size.width // self.patch.width) * (size.height // self.patch.height)
        if whole <= self.limit:
            return size.height, size.width
        scale = math.sqrt(self.limit / whole)
        height, width = int(size.height * scale), int(size.width * scale)
        if not height or not width:
            raise too_thin(size, f"{self.limit:,} patches")
        return height, width

    def canvas(self, size: Size, height: int, width: int) -> tuple[int, int]:
        height, width = up(height, self.unit.height), up(width, self.unit.width)
        if max(height // self.patch.height, width // self.patch.width) >= self.side:
            raise InputError(
                f"{size} becomes {width // self.patch.width} x {height // self.patch.height} patches, and this model "
                f"refuses a side of {self.side} or more: crop it, or scale it down first"
            )
        return height, width

    def reasons(self, size: Size) -> list[str]:
        rows, cols = size.height // self.patch.height, size.width // self.patch.width
        whole = f"whole patches: {size.height} // {self.patch.height} = {rows} rows x "
        whole += f"{size.width} // {self.patch.width} = {cols} columns = {rows * cols:,}"
        if rows * cols <= self.limit:
            return [f"{whole}, within {self.limit:,}: nothing to shrink"]
        return [f"{whole}, over {self.limit:,}: scale sqrt({self.limit} / {rows * cols}), sides cut to whole pixels"]


@frozen
class PatchAndSideLimit(ShrinkAndPad):
    """Shrink by the strictest of three scales: `limit` patches in all, and `side` patches a side; pad to whole units.

    Whole patches count, but at least one a side.
    Source: transformers 5.23.0, `models/kimi_k25/image_processing_kimi_k25.py`, `navit_resize`.
    """

    limit: int
    side: int
    unit: Patch
    filter: Filter
    patch: Patch

    kind = "patch and side limit"

    def __str__(self) -> str:
        return (
            f"shrink to about {self.limit:,} patches of {self.patch} and to {self.side} patches a side, "
            f"then pad to multiples of {self.unit} pixels"
        )

    def shrink(self, size: Size) -> tuple[int, int]:
        scale, most = min(1.0, *self._scales(size)), self.side * self.patch.height
        return min(max(1, int(size.height * scale)), most), min(max(1, int(size.width * scale)), most)

    def _scales(self, size: Size) -> tuple[float, float, float]:
        patches = max(1, size.height // self.patch.height) * max(1, size.width // self.patch.width)
        most = self.side * self.patch.height
        return math.sqrt(self.limit / patches), most / size.height, most / size.width

    def reasons(self, size: Size) -> list[str]:
        area, tall, wide = self._scales(size)
        height, width = self.shrink(size)
        return [
            f"scales: {area:.6g} for {self.limit:,} patches, {tall:.6g} for the height, {wide:.6g} for the width",
            f"the least of them and 1 is {min(1.0, area, tall, wide):.6g}: {width}x{height}",
        ]


@frozen
class BoxCells(ShrinkAndPad):
    """Shrink into `box`, put the picture on a canvas of that size, and keep the rows and columns of cells it touches.

    The scale is drawn only where a side is over the box.
    Sources: transformers 5.23.0, `models/fuyu/image_processing_pil_fuyu.py`, `resize`, and
    `models/fuyu/processing_fuyu.py`, `_process_images`.
    """

    box: Size
    unit: Patch
    filter: Filter
    patch: Patch

    kind = "box of cells"

    def __str__(self) -> str:
        return f"shrink into {self.box}, then pad to whole cells of {self.unit} pixels within that box"

    def shrink(self, size: Size) -> tuple[int, int]:
        if size.width <= self.box.width and size.height <= self.box.height:
            return size.height, size.width
        scale = min(self.box.height / size.height, self.box.width / size.width)
        height, width = int(size.height * scale), int(size.width * scale)
        if not height or not width:
            raise too_thin(size, str(self.box))
        return height, width

    def canvas(self, size: Size, height: int, width: int) -> tuple[int, int]:
        height, width = up(height, self.unit.height), up(width, self.unit.width)
        return min(height, self.box.height), min(width, self.box.width)

    def reasons(self, size: Size) -> list[str]:
        tall, wide = self.box.height / size.height, self.box.width / size.width
        if tall >= 1 and wide >= 1:
            return [f"{size} is within {self.box}: nothing to shrink"]
        height, width = self.shrink(size)
        return [
            f"scales: {self.box.height} / {size.height} = {tall:.6g} and {self.box.width} / {size.width} = {wide:.6g}",
            f"by the lesser, sides cut to whole pixels: {width}x{height}",
        ]


@frozen
class ClosestCells(OneView):
    """Shrink until at most `most` cells of `unit` pixels, then stretch to the whole grid closest in aspect ratio.

    The exact number of rows and of columns is rounded down and up, which gives four grids; of those within `most` the
    one closest to the picture's height / width is taken. Equal ones stand in the order of Python's set of pairs: that
    is the reference's choice. Where none of the four will do (a thin picture), both numbers are rounded, and the
    result can hold more than `most`.
    Source: transformers 5.23.0, `models/muse_glimmer/image_processing_muse_glimmer.py`, `smart_resize`.
    """

    most: int
    unit: int
    filter: Filter
    patch: Patch

    kind = "closest grid of cells"

    def __str__(self) -> str:
        return (
            f"stretch to the grid of at most {self.most:,} cells of {self.unit} pixels whose aspect ratio is closest, "
            "never enlarging by a whole cell"
        )

    def fit(self, size: Size) -> Size:
        """The size that the picture is resized to. Raises `InputError` where a thin one becomes absurdly long."""
        rows, cols = self.choose(size)
        if max(rows, cols) * self.unit > MAX_SIDE:
            raise too_thin(size, f"{self.most:,} cells")
        return Size(height=rows * self.unit, width=cols * self.unit)

    def choose(self, size: Size) -> tuple[int, int]:
        """Rows and columns of cells."""
        rows, cols = self._exact(size)
        up, left = math.floor(rows), math.floor(cols)
        down, right = math.ceil(rows), math.ceil(cols)
        # In this order, into a set of its own: see the docstring.
        grids = set([(up, left), (up, right), (down, left), (down, right)])  # noqa: C405
        within = [grid for grid in grids if grid[0] >= 1 and grid[1] >= 1 and grid[0] * grid[1] <= self.most]
        if not within:
            return max(1, round(rows)), max(1, round(cols))
        aspect = size.height / size.width
        return min(within, key=lambda grid: abs(grid[0] / grid[1] - aspect))

    def _exact(self, size: Size) -> tuple[float, float]:
        rows, cols = size.height / self.unit, size.width / self.unit
        if rows * cols > self.most:
            ratio = cols / rows
            rows = (self.most / ratio) ** 0.5
            cols = rows * ratio
        return rows, cols

    def reasons(self, size: Size) -> list[str]:
        rows, cols = self._exact(size)
        chosen = self.choose(size)
        return [
            f"exact cells under the cap: {rows:.6g} rows x {cols:.6g} columns",
            f"height / width = {size.height / size.width:.6g}",
            f"closest of the grids around: {chosen[0]} rows x {chosen[1]} columns ({chosen[0] / chosen[1]:.6g})",
        ]


def up(side: int, unit: int) -> int:
    """The next multiple of `unit`."""
    return -(-side // unit) * unit


def too_thin(size: Size, cap: str) -> InputError:
    """What is raised where shrinking leaves nothing of the short side, or makes an absurd long one."""
    return InputError(f"{size} is too thin: nothing of its short side is left within {cap}; crop it first")
