"""View rules of kind I: an overview, and slices in the grid whose logarithmic aspect ratio is closest (MiniCPM-V)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.rule import Tiling, ViewRule, cut
from vistoken.views.steps import Filter, Resize, View


@frozen
class LogAspectSlices(ViewRule):
    """The whole picture at about `side` x `side` pixels, and if it is larger, up to `most` slices of about that size.

    All sides are multiples of `unit`, at least one. Without slices a small picture is enlarged if `enlarge` says so.
    Of grids that are equally close, the one with more rows wins.
    Source: transformers 5.23.0, `models/minicpmv4_6/image_processing_pil_minicpmv4_6.py`; arXiv 2403.11703.
    """

    side: int
    most: int
    unit: int
    filter: Filter
    patch: Patch
    slicing: bool = True
    enlarge: bool = True

    kind = "slices by logarithmic aspect"

    def __str__(self) -> str:
        slices = f", and up to {self.most} slices of about that size if it is larger" if self.slicing else ""
        return f"the whole picture at about {self.side}x{self.side}, sides multiples of {self.unit}{slices}"

    def slices(self, size: Size) -> tuple[int, int] | None:
        """Rows and columns of slices, or None where the overview is all."""
        wanted = slices_wanted(size, self.side, self.most) if self.slicing else 1
        if wanted <= 1:
            return None
        aspect, best, distance = math.log(size.width / size.height), (1, 1), float("inf")
        for rows, cols in grids(wanted, self.most):
            away = abs(aspect - math.log(cols / rows))
            if away < distance or (away == distance and rows > best[0]):
                best, distance = (rows, cols), away
        return best

    def tiling(self, size: Size) -> Tiling:
        found = self.slices(size)
        whole = self.patch.grid(self._overview(size, found is None and self.enlarge))
        if found is None:
            return Tiling(whole)
        return Tiling(self.patch.grid(self._slice(size, *found)), *found, overview=whole)

    def views(self, size: Size) -> tuple[View, ...]:
        found = self.slices(size)
        whole = self._overview(size, found is None and self.enlarge)
        overview = View.of(size, (Resize(whole, self.filter),), self.patch)
        if found is None:
            return (overview,)
        rows, cols = found
        piece = self._slice(size, rows, cols)
        canvas = Size(height=piece.height * rows, width=piece.width * cols)
        return (overview, *cut(size, (Resize(canvas, self.filter),), piece, rows, cols, self.patch))

    def reasons(self, size: Size) -> list[str]:
        area, found = f"{size.width} x {size.height} / {self.side}^2", self.slices(size)
        ratio = size.width * size.height / self.side**2
        if found is None:
            return [f"{area} = {ratio:.4g}: no slices"]
        rows, cols = found
        aspect = math.log(size.width / size.height)
        return [
            f"{area} = {ratio:.4g}: about {slices_wanted(size, self.side, self.most)} slices, one more or less",
            f"log(width / height) = {aspect:.4g}; closest: {rows} rows x {cols} columns, {math.log(cols / rows):.4g}",
        ]

    def _overview(self, size: Size, enlarge: bool) -> Size:
        return self._sized(size.height, size.width, enlarge)

    def _slice(self, size: Size, rows: int, cols: int) -> Size:
        """The size of each slice: the picture's share, first made divisible, at about `side` x `side` pixels."""
        height, width = multiple(size.height, rows), multiple(size.width, cols)
        return self._sized(height / rows, width / cols, True)

    def _sized(self, height: float, width: float, enlarge: bool) -> Size:
        if enlarge or height * width > self.side * self.side:
            aspect = width / height
            height = int(self.side / math.sqrt(aspect))
            width = int(height * aspect)
        return Size(height=multiple(height, self.unit), width=multiple(width, self.unit))


@frozen
class FirstLogAspectSlices(LogAspectSlices):
    """As `LogAspectSlices`, but of grids that are equally close the first wins, columns ascending (MiniCPM-V 2.6).

    Source: the model's own code on the hub, `image_processing_minicpmv.py`, `get_sliced_grid`.
    """

    def slices(self, size: Size) -> tuple[int, int] | None:
        """Rows and columns of slices, or None where the overview is all."""
        wanted = slices_wanted(size, self.side, self.most) if self.slicing else 1
        if wanted <= 1:
            return None
        aspect = math.log(size.width / size.height)
        # The generator's rows ascend, so its columns descend: within one number of slices it is walked backwards.
        turned = ((cols, rows) for cols, rows in grids(wanted, self.most))
        cols, rows = min(turned, key=lambda grid: abs(aspect - math.log(grid[0] / grid[1])))
        return rows, cols


def slices_wanted(size: Size, side: int, most: int) -> int:
    """How many slices of `side` x `side` pixels the picture's area makes, at most `most`."""
    return min(math.ceil(size.width * size.height / (side * side)), most)


def grids(wanted: int, most: int) -> Iterator[tuple[int, int]]:
    """(rows, columns), rows ascending, of every grid with one slice fewer than `wanted`, as many, or one more."""
    for number in (wanted - 1, wanted, wanted + 1):
        if 1 < number <= most:
            yield from ((rows, number // rows) for rows in range(1, number + 1) if number % rows == 0)


def multiple(length: float, unit: int) -> int:
    """The nearest multiple of `unit`, ties to even, at least one of them."""
    return max(round(length / unit) * unit, unit)
