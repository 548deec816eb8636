"""View rules that slide a square window over the picture, whose side follows the picture."""

from __future__ import annotations

from typing import NamedTuple

from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.rule import Tiling, ViewRule
from vistoken.views.shrink import too_thin
from vistoken.views.steps import Crop, Filter, Pad, Resize, Step, View


class Plan(NamedTuple):
    """Sizes as (height, width): the padded picture, the shrunk one, the one that is cut; `window` 0 cuts nothing."""

    padded: tuple[int, int]
    shrunk: tuple[int, int]
    cut: tuple[int, int]
    window: int
    rows: int
    cols: int


@frozen
class SlidingWindows(ViewRule):
    """Windows without overlap, each stretched to `tile`, and the whole picture stretched to `overview`.

    A picture with a side under 32 that is over four times as long is padded to a square; one over `most` pixels is
    shrunk. One that then fits into `overview` is cut only if it is over 1.5 times as long as wide, with its short side
    as the window; else the window is `tile`, or the short side if that is less and the picture over four times as
    long. Sides are snapped to whole windows, up where over a fifth of a window remains.
    Source: transformers 5.23.0, `models/step3p7/image_processing_step3p7.py`, `_plan_patches`.
    """

    tile: int
    overview: int
    most: int
    filter: Filter
    patch: Patch

    kind = "sliding windows"

    def __str__(self) -> str:
        return (
            f"the whole picture at {self.overview}x{self.overview}, and windows of it at {self.tile}x{self.tile} where "
            "it is larger or elongated"
        )

    def plan(self, size: Size) -> Plan:
        """All sizes on the way. Raises `InputError` where shrinking leaves nothing of the short side."""
        height, width = size.height, size.width
        if min(width, height) < 32 and max(width / height, height / width) > 4:
            height = width = max(height, width)
        padded = height, width
        if max(height, width) > self.most:
            scale = self.most / max(height, width)
            height, width = int(height * scale), int(width * scale)
        short, long = min(height, width), max(height, width)
        if not short:
            raise too_thin(size, f"a long edge of {self.most:,}")
        window = self._window(short, long)
        if not window:
            return Plan(padded, (height, width), (height, width), 0, 0, 0)
        tall, wide = snapped(height, window), snapped(width, window)
        return Plan(padded, (height, width), (tall, wide), window, max(1, tall // window), max(1, wide // window))

    def _window(self, short: int, long: int) -> int:
        if long <= self.overview:
            return short if long / short > 1.5 else 0
        return min(short, self.tile) if long / short > 4 else self.tile

    def tiling(self, size: Size) -> Tiling:
        plan = self.plan(size)
        whole = self.patch.grid(Size(height=self.overview, width=self.overview))
        if not plan.window:
            return Tiling(whole)
        return Tiling(self.patch.grid(Size(height=self.tile, width=self.tile)), plan.rows, plan.cols, whole)

    def views(self, size: Size) -> tuple[View, ...]:
        plan = self.plan(size)
        first: tuple[Step, ...] = ()
        if plan.padded != (size.height, size.width):
            first = (Pad(0, 0, _size(plan.padded)),)
        tile, whole = _size((self.tile, self.tile)), _size((self.overview, self.overview))
        last = (*first, Resize(_size(plan.shrunk), self.filter), Resize(whole, self.filter))
        windows = (
            View.of(size, (*first, *self._cut(plan, row, col), Resize(tile, self.filter)), self.patch)
            for row in range(plan.rows)
            for col in range(plan.cols)
        )
        return (*windows, View.of(size, last, self.patch))

    def _cut(self, plan: Plan, row: int, col: int) -> tuple[Step, ...]:
        top, left = row * plan.window, col * plan.window
        window = Size(height=min(plan.window, plan.cut[0] - top), width=min(plan.window, plan.cut[1] - left))
        return Resize(_size(plan.cut), self.filter), Crop(top, left, window)

    def reasons(self, size: Size) -> list[str]:
        plan = self.plan(size)
        found = [f"padded and shrunk: {plan.shrunk[1]}x{plan.shrunk[0]}"]
        if not plan.window:
            return [*found, f"it fits into {self.overview} and is not elongated: no windows"]
        return [
            *found,
            f"sides snapped to whole windows of {plan.window}: {plan.cut[1]}x{plan.cut[0]}",
            f"{plan.rows} rows x {plan.cols} columns of windows",
        ]


def snapped(side: int, window: int) -> int:
    """`side` at whole windows: one more where over a fifth of a window remains; a shorter side stays."""
    if side < window:
        return side
    return window * (side // window + (side % window > 0.2 * window))


def _size(sides: tuple[int, int]) -> Size:
    return Size(height=sides[0], width=sides[1])
