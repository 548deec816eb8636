"""View rules that choose a size under a budget: kind A (pixels, multiples) and kind C (fill a number of tokens)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vistoken.errors import InputError
from vistoken.geometry import Patch, Size
from vistoken.views.steps import Filter, Resize, View


@dataclass(frozen=True, slots=True)
class PixelBudget:
    """Round both sides to multiples of `multiple`, then keep the area between `min_pixels` and `max_pixels`.

    Kind A with guard A0: the first rounding has no floor, so a side under half a multiple becomes 0 and the
    picture is enlarged to the minimum. Ties round to even, as Python's `round` does.
    Source: transformers 5.23.0, `models/qwen2_vl/image_processing_pil_qwen2_vl.py`, `smart_resize`.
    """

    multiple: int
    min_pixels: int
    max_pixels: int
    filter: Filter
    patch: Patch
    max_aspect: int = 200

    kind = "pixel budget"

    def __str__(self) -> str:
        return (
            f"round both sides to multiples of {self.multiple}, "
            f"with an area from {self.min_pixels:,} to {self.max_pixels:,} pixels"
        )

    @property
    def own_size(self) -> None:
        """Such a model has no size of its own."""
        return None

    def views(self, size: Size) -> tuple[View, ...]:
        return (View.of(size, (Resize(self.fit(size), self.filter),), self.patch),)

    def fit(self, size: Size) -> Size:
        """The size that the picture is resized to. Raises `InputError` above the aspect limit."""
        height, width, k = size.height, size.width, self.multiple
        if max(height, width) / min(height, width) > self.max_aspect:
            raise InputError(
                f"{size} is longer than {self.max_aspect} times its short side, which this model refuses: "
                "crop it, or cut it into several pictures"
            )
        rows, cols = round(height / k), round(width / k)
        if rows * cols * k * k > self.max_pixels:
            scale = math.sqrt(height * width / self.max_pixels)
            rows, cols = max(1, math.floor(height / scale / k)), max(1, math.floor(width / scale / k))
        elif rows * cols * k * k < self.min_pixels:
            scale = math.sqrt(self.min_pixels / (height * width))
            rows, cols = math.ceil(height * scale / k), math.ceil(width * scale / k)
        return Size(height=rows * k, width=cols * k)


@dataclass(frozen=True, slots=True)
class FillTokens:
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

    def views(self, size: Size) -> tuple[View, ...]:
        return (View.of(size, (Resize(self.fit(size), self.filter),), self.patch),)

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
