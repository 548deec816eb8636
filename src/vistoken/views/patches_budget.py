"""View rules that fill a number of patches, each side rounded down: relatives of kind C."""

from __future__ import annotations

import math
from abc import abstractmethod

from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.rule import OneView
from vistoken.views.steps import Filter


@frozen
class FillPatches(OneView):
    """Scale the picture up or down until its whole patches fill `budget`; each side has at least one patch.

    The picture is stretched to whole patches. Where the short side is under one patch, the long one is cut to `budget`
    patches. How the root is drawn decides border cases, so that each library's own way is a type of its own.
    """

    budget: int
    filter: Filter
    patch: Patch

    kind = "fill a number of patches"

    @abstractmethod
    def scale(self, area: float) -> float:
        """The root of `area`: patches that the budget has for each patch of the picture."""

    def __str__(self) -> str:
        return f"scale until whole patches of {self.patch} pixels fill a budget of {self.budget:,}"

    @property
    def own_size(self) -> Size:
        """The square that the budget allows."""
        side = math.isqrt(self.budget)
        return Size(height=side * self.patch.height, width=side * self.patch.width)

    def fit(self, size: Size) -> Size:
        """The size that the picture is resized to."""
        rows, cols = self._cells(size, self._scale(size))
        return Size(height=rows * self.patch.height, width=cols * self.patch.width)

    def reasons(self, size: Size) -> list[str]:
        scale, (height, width) = self._scale(size), (self.patch.height, self.patch.width)
        rows, cols = scale * size.height / height, scale * size.width / width
        return [
            f"scale = root of {self.budget:,} x {height}/{size.height} x {width}/{size.width} = {scale:.6g}",
            f"rows = {scale:.6g} x {size.height} / {height} = {rows:.6g}, rounded down, from 1 to {self.budget:,}",
            f"columns = {scale:.6g} x {size.width} / {width} = {cols:.6g}, likewise",
        ]

    def _scale(self, size: Size) -> float:
        return self.scale(self.budget * (self.patch.height / size.height) * (self.patch.width / size.width))

    def _cells(self, size: Size, scale: float) -> tuple[int, int]:
        rows, cols = int(scale * size.height / self.patch.height), int(scale * size.width / self.patch.width)
        return max(min(rows, self.budget), 1), max(min(cols, self.budget), 1)


@frozen
class FillPatchesByPower(FillPatches):
    """The root as a power of one half: Pix2Struct.

    Source: transformers 5.23.0, `models/pix2struct/image_processing_pil_pix2struct.py`, `extract_flattened_patches`;
    arXiv 2210.03347.
    """

    def scale(self, area: float) -> float:
        root: float = area**0.5
        return root


@frozen
class FillPatchesByRoot(FillPatches):
    """The root as a square root: Kosmos-2.5.

    Source: transformers 5.23.0, `models/kosmos2_5/image_processing_pil_kosmos2_5.py`, `extract_flattened_patches`;
    arXiv 2309.11419.
    """

    def scale(self, area: float) -> float:
        return math.sqrt(area)
