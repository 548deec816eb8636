"""View rules that count in patches: a grid of patches between a least and a most, in multiples of a merge.

Kinds B and C together, as NVIDIA's Nemotron Omni models have them.
"""

from __future__ import annotations

import math

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import MAX_SIDE, Patch, Size
from vistoken.views.rule import OneView
from vistoken.views.steps import Filter


@frozen
class PatchBudget(OneView):
    """Count patches, shrink to `most`, enlarge to `least`, then bring both sides to multiples of `merge`.

    A side that is no multiple grows to the next one where the budget allows it, else it shrinks, but not below one
    multiple: rows first, then columns.
    Source: transformers 5.23.0, `models/nemotron_h_omni/image_processing_nemotron_h_omni.py`, `get_patch_grid_size`.
    """

    merge: int
    least: int
    most: int
    filter: Filter
    patch: Patch

    kind = "patch budget"

    def __str__(self) -> str:
        return (
            f"{self.least:,} to {self.most:,} patches of {self.patch} pixels, "
            f"rows and columns in multiples of {self.merge}"
        )

    def fit(self, size: Size) -> Size:
        """The size that the picture is resized to. Raises `InputError` for what is too thin."""
        rows, cols = round(size.height / self.patch.height + 0.5), round(size.width / self.patch.width + 0.5)
        factor = min(math.sqrt(self.most / (rows * cols)), 1.0)
        rows, cols = math.floor(factor * rows), math.floor(factor * cols)
        if not rows or not cols:
            raise InputError(
                f"{size} is too thin: shrunk to {self.most:,} patches nothing is left of its short side; crop it first"
            )
        if self.most > self.least > rows * cols:
            factor = math.sqrt(self.least / (rows * cols))
            rows, cols = math.ceil(factor * rows), math.ceil(factor * cols)
        rows = self._multiple(rows, cols)
        cols = self._multiple(cols, rows)
        return checked(size, rows * self.patch.height, cols * self.patch.width)

    def _multiple(self, side: int, other: int) -> int:
        over = side % self.merge
        if not over:
            return side
        up = side - over + self.merge
        return up if up * other <= self.most else max(self.merge, side - over)

    def reasons(self, size: Size) -> list[str]:
        rows, cols = round(size.height / self.patch.height + 0.5), round(size.width / self.patch.width + 0.5)
        fitted = self.patch.grid(self.fit(size))
        return [f"{rows} x {cols} = {rows * cols:,} patches before, {fitted} = {fitted.patches:,} after"]


@frozen
class PatchTarget(OneView):
    """As many patches as `target`, in the picture's aspect ratio or in a square, in multiples of `merge`.

    Both sides grow to the next multiple where that stays within the target, else both shrink.
    Source: transformers 5.23.0, `models/nemotron_h_omni/video_processing_nemotron_h_omni.py`,
    `_compute_target_patches`.
    """

    merge: int
    target: int
    keep_aspect: bool
    filter: Filter
    patch: Patch

    kind = "patch target"

    def __str__(self) -> str:
        shape = "in the picture's aspect ratio" if self.keep_aspect else "in a square"
        return f"about {self.target:,} patches of {self.patch} pixels {shape}, in multiples of {self.merge}"

    def fit(self, size: Size) -> Size:
        """The size that the picture is resized to."""
        rows, cols = self._grid(size)
        return checked(size, rows * self.patch.height, cols * self.patch.width)

    def _grid(self, size: Size) -> tuple[int, int]:
        merge = self.merge
        if not self.keep_aspect:
            side = max(merge, int(math.sqrt(self.target)) // merge * merge)
            return side, side
        aspect = size.width / size.height
        rows, cols = max(round(math.sqrt(self.target / aspect)), 1), max(round(math.sqrt(self.target * aspect)), 1)
        up = -(-rows // merge) * merge, -(-cols // merge) * merge
        if merge == 1 or up[0] * up[1] <= self.target:
            return up
        return max(merge, rows // merge * merge), max(merge, cols // merge * merge)


def checked(size: Size, height: int, width: int) -> Size:
    """The size of `height` x `width`. Raises `InputError` where `size` was so thin that a side is too long."""
    if max(height, width) > MAX_SIDE:
        raise InputError(f"{size} is too thin: a side would be {max(height, width):,} pixels; crop it first")
    return Size(height=height, width=width)
