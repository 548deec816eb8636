"""A view rule that shrinks into a token budget and pads to whole tokens: GLM-5."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.rule import Tiling, ViewRule
from vistoken.views.steps import Filter, Pad, Resize, Step, View
from vistoken.views.video import FrameRule


@frozen
class AlignedCanvas(ViewRule):
    """A canvas of whole multiples around the picture, its volume over all frames within a budget.

    Both sides are rounded up. Under `min_pixels` the picture is scaled up first; over `max_pixels` a bisection finds
    the tallest picture whose canvas fits. The picture is then resized into the canvas (enlarged only where its own
    volume is under `min_pixels`) and padded at the right and bottom. `frames` is the frames of a video; a still
    picture counts as one whole group.
    Source: transformers 5.23.0, `models/glm5_next/image_processing_pil_glm5_next.py`, `smart_resize` and `resize`.
    """

    multiple: int
    min_pixels: int
    max_pixels: int
    filter: Filter
    patch: Patch
    frames: int

    kind = "padded canvas under a budget"

    def __str__(self) -> str:
        return (
            f"round both sides up to multiples of {self.multiple} with a volume of {self.frames} frames from "
            f"{self.min_pixels:,} to {self.max_pixels:,} pixels, and pad the picture to that"
        )

    def canvas(self, size: Size) -> Size:
        """The size after padding."""
        height, width, k, counted = size.height, size.width, self.multiple, self._counted
        rows, cols = math.ceil(height / k), math.ceil(width / k)
        if counted * rows * cols * k * k < self.min_pixels:
            scale = math.sqrt(self.min_pixels / (self.frames * height * width))
            rows, cols = math.ceil(math.ceil(height * scale) / k), math.ceil(math.ceil(width * scale) / k)
        if counted * rows * cols * k * k > self.max_pixels:
            rows, cols = self._largest(height, width)
        return Size(height=rows * k, width=cols * k)

    def content(self, size: Size) -> Size:
        """The size that the picture has on the canvas."""
        canvas = self.canvas(size)
        scale = min(canvas.height / size.height, canvas.width / size.width)
        if self.frames * size.height * size.width >= self.min_pixels:
            scale = min(1.0, scale)
        height = max(1, min(canvas.height, math.floor(size.height * scale)))
        return Size(height=height, width=max(1, min(canvas.width, math.floor(size.width * scale))))

    def tiling(self, size: Size) -> Tiling:
        return Tiling(self.patch.grid(self.canvas(size)))

    def views(self, size: Size) -> tuple[View, ...]:
        canvas, content = self.canvas(size), self.content(size)
        steps: list[Step] = [] if content == size else [Resize(content, self.filter)]
        if content != canvas:
            steps.append(Pad(0, 0, canvas))
        return (View.of(size, tuple(steps), self.patch),)

    def reasons(self, size: Size) -> Sequence[str]:
        k, canvas = self.multiple, self.canvas(size)
        up = Size(height=math.ceil(size.height / k) * k, width=math.ceil(size.width / k) * k)
        volume = self._counted * up.pixels
        first = f"both sides up to multiples of {k}: {up}, in {self._counted} frames {volume:,} pixels"
        if canvas == up:
            return (first,)
        side = f"under {self.min_pixels:,}" if volume < self.min_pixels else f"over {self.max_pixels:,}"
        return (first, f"that is {side}, so the canvas becomes {canvas}")

    @property
    def _counted(self) -> int:
        """The frames that the budget counts: whole groups, ties to even, at least one."""
        group = self.patch.frames
        return max(group, round(self.frames / group) * group)

    def _largest(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the canvas of the tallest picture that fits."""
        k, most = self.multiple, self.max_pixels // (self._counted * self.multiple**2)
        if most < 1:
            raise InputError(
                f"{self._counted} frames of one token each have {self._counted * k * k:,} pixels, more than the "
                f"{self.max_pixels:,} that this model allows: give fewer frames"
            )
        best, low, high = (1, 1), 1, height
        while low <= high:
            middle = (low + high) // 2
            rows, cols = math.ceil(middle / k), math.ceil(max(1, math.floor(width * middle / height)) / k)
            if rows * cols <= most:
                best, low = (rows, cols), middle + 1
            else:
                high = middle - 1
        return best


@frozen
class AlignedFrames(FrameRule):
    """The frames of a video on canvases of one size, whose volume is within the budget.

    Source: transformers 5.23.0, `models/glm5_next/video_processing_glm5_next.py`.
    """

    multiple: int
    min_pixels: int
    max_pixels: int
    filter: Filter
    patch: Patch

    def rule(self, size: Size, frames: int) -> AlignedCanvas:
        return AlignedCanvas(self.multiple, self.min_pixels, self.max_pixels, self.filter, self.patch, frames)

    def groups(self, frames: int) -> int:
        return -(-frames // self.patch.frames)

    def __str__(self) -> str:
        return (
            f"round both sides up to multiples of {self.multiple}, with a volume of all frames from "
            f"{self.min_pixels:,} to {self.max_pixels:,} pixels, and pad each frame to that"
        )
