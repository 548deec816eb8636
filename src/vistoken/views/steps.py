"""The three steps of which every view is made, and the view itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, assert_never

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import Box, Grid, Patch, Size

# Names of Pillow's resampling filters, all of which widen with the reduction (antialias) unless told otherwise.
Filter = Literal["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]

# Red, green and blue, as bytes: what padding is made of.
Colour = tuple[int, int, int]
BLACK: Colour = (0, 0, 0)
GREY: Colour = (127, 127, 127)
WHITE: Colour = (255, 255, 255)


@frozen
class Resize:
    """Scale the whole picture to `size`; the aspect ratio is not kept by itself.

    Without `antialias`, which only "nearest", "bilinear" and "bicubic" can do, the filter does not widen when it
    shrinks: pixels between its samples are lost.
    """

    size: Size
    filter: Filter
    antialias: bool = True

    def __str__(self) -> str:
        return f"resize to {self.size} ({self.filter}{'' if self.antialias else ', not antialiased'})"


@frozen
class Crop:
    """Keep the rectangle of `size` whose top left corner is at (`top`, `left`)."""

    top: int
    left: int
    size: Size

    def __str__(self) -> str:
        return f"crop to {self.size} at left {self.left}, top {self.top}"


@frozen
class Pad:
    """Put the picture at (`top`, `left`) on a canvas of `size` in the colour `fill`."""

    top: int
    left: int
    size: Size
    fill: Colour = BLACK

    def __str__(self) -> str:
        colour = "" if self.fill == BLACK else ", filled with RGB {} {} {}".format(*self.fill)
        return f"pad to {self.size}, picture at left {self.left}, top {self.top}{colour}"


Step = Resize | Crop | Pad


@frozen
class View:
    """Steps that end in one grid of patches.

    `source` is the size that the steps start from: the oriented picture.
    """

    source: Size
    steps: tuple[Step, ...]
    patch: Patch
    grid: Grid

    @classmethod
    def of(cls, source: Size, steps: tuple[Step, ...], patch: Patch) -> View:
        """The view whose grid is all whole patches of what the steps leave."""
        return cls(source, steps, patch, patch.grid(steps[-1].size if steps else source))

    @property
    def size(self) -> Size:
        """The size in pixels after the last step."""
        return self.steps[-1].size if self.steps else self.source

    @property
    def box(self) -> Box:
        """What the grid covers, in pixels of the source picture; padding lies outside of it."""
        return self._box(0, 0, self.grid.rows, self.grid.cols)

    def boxes(self) -> Iterator[Box]:
        """The rectangle of each patch in the source picture, frame by frame in raster order."""
        return self.cells(self.grid, 1)

    def cells(self, grid: Grid, side: int) -> Iterator[Box]:
        """The same for a coarser grid whose cells are blocks of `side` x `side` patches."""
        for _ in range(self.grid.frames):
            for row, col in grid.cells():
                yield self._box(row * side, col * side, (row + 1) * side, (col + 1) * side)

    def _box(self, top: int, left: int, bottom: int, right: int) -> Box:
        y0, x0 = self._to_source(top * self.patch.height, left * self.patch.width)
        y1, x1 = self._to_source(bottom * self.patch.height, right * self.patch.width)
        return Box(left=x0, top=y0, right=x1, bottom=y1)

    def _to_source(self, y: float, x: float) -> tuple[float, float]:
        """Undo the steps for one point, the last step first."""
        before = (self.source, *(step.size for step in self.steps))  # the last is after all steps
        for step, size in reversed(list(zip(self.steps, before, strict=False))):
            match step:
                case Resize():
                    y, x = y * size.height / step.size.height, x * size.width / step.size.width
                case Crop():
                    y, x = y + step.top, x + step.left
                case Pad():
                    y, x = y - step.top, x - step.left
                case _:
                    assert_never(step)
        return y, x


def check_at_least_one_patch(view: View) -> View:
    """A view without a patch is an input error, not an empty result."""
    if not view.grid.patches:
        raise InputError(
            f"{view.size} is smaller than one {view.patch} patch: give a larger picture, "
            f"or resize it to the encoder's size, for example --input {view.patch.width * 14}x{view.patch.height * 14}"
        )
    return view
