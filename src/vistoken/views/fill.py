"""View rules of kind C that fill a budget of tokens with whole cells."""

from __future__ import annotations

import math

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.rule import OneView
from vistoken.views.steps import Filter


@frozen
class FillCells(OneView):
    """Scale up or down until cells of `unit` pixels would fill `budget`, then cut both sides to whole cells.

    Where one side is cut to nothing it becomes one cell, and the other floor(long / short) cells, at most `budget`.
    Source: transformers 5.23.0, `models/gemma4/image_processing_pil_gemma4.py`, `get_aspect_ratio_preserving_size`.
    """

    budget: int
    unit: int
    filter: Filter
    patch: Patch

    kind = "fill a budget of cells"

    def __str__(self) -> str:
        return f"scale until cells of {self.unit} pixels fill a budget of {self.budget}, both sides rounded down"

    @property
    def own_size(self) -> Size:
        """The square that the budget allows."""
        side = math.isqrt(self.budget) * self.unit
        return Size(height=side, width=side)

    def fit(self, size: Size) -> Size:
        """The size that the picture is resized to."""
        height, width = size.height, size.width
        rows, cols = self._cells(size)
        if not rows and not cols:
            raise InputError(f"{size} cannot fill one cell of {self.unit} pixels under a budget of {self.budget}")
        if not rows:
            rows, cols = 1, min(math.floor(width / height), self.budget)
        elif not cols:
            rows, cols = min(math.floor(height / width), self.budget), 1
        return Size(height=rows * self.unit, width=cols * self.unit)

    def _scale(self, size: Size) -> float:
        return math.sqrt(self.budget * self.unit**2 / (size.height * size.width))

    def _cells(self, size: Size) -> tuple[int, int]:
        scale = self._scale(size)
        return math.floor(scale * size.height / self.unit), math.floor(scale * size.width / self.unit)

    def reasons(self, size: Size) -> list[str]:
        rows, cols = self._cells(size)
        scale = f"scale sqrt({self.budget} x {self.unit}^2 / ({size.height} x {size.width})) = {self._scale(size):.6g}"
        found = [f"{scale}; whole cells: {rows} rows x {cols} columns"]
        if not rows or not cols:
            long, short = max(size.height, size.width), min(size.height, size.width)
            cells = min(math.floor(long / short), self.budget)
            found.append(f"a side of no cell becomes one cell, the other floor({long} / {short}) = {cells}")
        return found


@frozen
class FillTokens(OneView):
    """Scale the picture up or down until its patches fill `budget`, each side rounded up to whole patches.

    The scale is found by bisection between 1e-6 and 100, which stops when the bracket is under 1e-5 and keeps the
    lower end. The tolerance decides border cases, and a 1x1 picture ends at 7x7 patches: that is the rule.
    Source: transformers 5.23.0, `models/siglip2/image_processing_pil_siglip2.py`,
    `get_image_size_for_max_num_patches`; big_vision `pp/proj/image_text/ops_naflex.py`.
    """

    budget: int
    filter: Filter
    patch: Patch

    kind = "fill a token budget"

    def __str__(self) -> str:
        return f"scale until patches of {self.patch} pixels fill a budget of {self.budget}"

    @property
    def own_size(self) -> Size:
        """The square that the budget allows."""
        side = math.isqrt(self.budget)
        return Size(height=side * self.patch.height, width=side * self.patch.width)

    def fit(self, size: Size) -> Size:
        """The size that the picture is resized to."""
        tolerance = 1e-5
        lower, upper = tolerance / 10, 100.0
        while upper - lower >= tolerance:
            middle = (lower + upper) / 2
            rows, cols = self._cells(size, middle)
            if rows * cols <= self.budget:
                lower = middle
            else:
                upper = middle
        rows, cols = self._cells(size, lower)
        return Size(height=rows * self.patch.height, width=cols * self.patch.width)

    def _cells(self, size: Size, scale: float) -> tuple[int, int]:
        rows = max(1, math.ceil(size.height * scale / self.patch.height))
        cols = max(1, math.ceil(size.width * scale / self.patch.width))
        return rows, cols
