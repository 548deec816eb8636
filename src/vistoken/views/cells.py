"""View rules that keep a picture's own size, or scale it by a fixed factor, and pad it to whole cells."""

from __future__ import annotations

import math

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import MAX_SIDE, Grid, Patch, Size
from vistoken.views.rule import Tiling, ViewRule
from vistoken.views.steps import Filter, Pad, Resize, Step, View


@frozen
class NativeCells(ViewRule):
    """Leave the picture at its own size and pad it at the right and the bottom to whole cells of `cell` pixels.

    Source: transformers 5.23.0, `models/inkling2/image_processing_inkling2.py`, `_preprocess`.
    """

    cell: Patch
    filter: Filter
    patch: Patch

    kind = "native size in cells"

    def __str__(self) -> str:
        return f"leave the picture at its own size, padded to whole cells of {self.cell} pixels"

    def tiling(self, size: Size) -> Tiling:
        padded = self._padded(size)
        return Tiling(self.patch.grid(padded))

    def views(self, size: Size) -> tuple[View, ...]:
        padded = self._padded(size)
        return (View.of(size, () if padded == size else (Pad(0, 0, padded),), self.patch),)

    def _padded(self, size: Size) -> Size:
        tall, wide = self.cell.height, self.cell.width
        return whole(size, -(-size.height // tall) * tall, -(-size.width // wide) * wide)


@frozen
class ScaledCells(ViewRule):
    """Scale the long edge by `factor`, if there is one, and pad to whole patches, with one column more than needed.

    Growth ends at a long edge of `cap`; a picture above it stays. Rows are rounded up, columns are floor + 1: a width
    of whole patches gets a column of padding alone.
    Source: transformers 5.23.0, `models/inkling/image_processing_inkling.py`, `_preprocess` and `divide_to_patches`.
    """

    factor: float | None
    cap: int | None
    filter: Filter
    patch: Patch

    kind = "scaled size in cells"

    def __str__(self) -> str:
        scaled = "leave the picture at its own size"
        if self.factor is not None:
            limit = "" if self.cap is None else f", growing to at most {self.cap:,} pixels"
            scaled = f"scale the long edge by {self.factor:g}{limit}"
        return f"{scaled}; pad to whole patches of {self.patch}, and by a column where the width is whole"

    def tiling(self, size: Size) -> Tiling:
        height, width = self.scaled(size)
        rows, cols = -(-height // self.patch.height), width // self.patch.width + 1
        whole(size, rows * self.patch.height, cols * self.patch.width)  # refuses what is absurd
        return Tiling(Grid(rows, cols))

    def views(self, size: Size) -> tuple[View, ...]:
        height, width = self.scaled(size)
        grid = self.tiling(size).tile
        steps: list[Step] = []
        if (height, width) != (size.height, size.width):
            steps.append(Resize(Size(height=height, width=width), self.filter))
        steps.append(Pad(0, 0, Size(height=grid.rows * self.patch.height, width=grid.cols * self.patch.width)))
        return (View.of(size, tuple(steps), self.patch),)

    def scaled(self, size: Size) -> tuple[int, int]:
        """Height and width after scaling; half a pixel rounds up."""
        ratio = self._ratio(max(size.height, size.width))
        if ratio == 1.0:
            return size.height, size.width
        height, width = math.floor(size.height * ratio + 0.5), math.floor(size.width * ratio + 0.5)
        if not 0 < min(height, width) <= max(height, width) <= MAX_SIDE:
            raise InputError(
                f"{size} scaled by {ratio:.6g} is {width}x{height} pixels: sides must be from 1 to {MAX_SIDE:,}; "
                "crop the picture first"
            )
        return height, width

    def _ratio(self, long: int) -> float:
        if self.factor is None:
            return 1.0
        target = long * self.factor
        return target / long if self.cap is None else min(target, max(self.cap, long)) / long

    def reasons(self, size: Size) -> list[str]:
        height, width = self.scaled(size)
        return [
            f"scaled by {self._ratio(max(size.height, size.width)):.6g}: {width}x{height}",
            f"rows: {height} / {self.patch.height} rounded up = {-(-height // self.patch.height)}",
            f"columns: {width} // {self.patch.width} + 1 = {width // self.patch.width + 1}",
        ]


def whole(size: Size, height: int, width: int) -> Size:
    """The padded size. Raises `InputError` where it is absurd."""
    if max(height, width) > MAX_SIDE:
        raise InputError(
            f"{size} padded to whole cells is {width}x{height}: a side must be at most {MAX_SIDE:,} pixels; crop it"
        )
    return Size(height=height, width=width)
