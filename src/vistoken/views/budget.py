"""The view rule that rounds to multiples under a pixel budget: kind A."""

from __future__ import annotations

import math
from abc import abstractmethod

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.rule import OneView
from vistoken.views.steps import Filter


class InBlocks(OneView):
    """A rule whose sides become whole blocks of `multiple` pixels, up to an aspect limit of `max_aspect`."""

    __slots__ = ()

    multiple: int
    max_aspect: int

    @abstractmethod
    def blocks(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of blocks. Raises `InputError` above the aspect limit."""

    def fit(self, size: Size) -> Size:
        """The size that the picture is resized to. Raises `InputError` for what the rule refuses."""
        rows, cols = self.blocks(size.height, size.width)
        return Size(height=rows * self.multiple, width=cols * self.multiple)

    def cells(self, height: int, width: int) -> tuple[int, int]:
        rows, cols = self.blocks(height, width)
        return rows * self.multiple // self.patch.height, cols * self.multiple // self.patch.width


@frozen
class PixelBudget(InBlocks):
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

    def reasons(self, size: Size) -> list[str]:
        return reasons_of(size.height, size.width, self.multiple, self.min_pixels, self.max_pixels)

    def blocks(self, height: int, width: int) -> tuple[int, int]:
        refuse_thin(height, width, self.max_aspect, (height, width))
        return blocks(height, width, self.multiple, self.min_pixels, self.max_pixels)


def blocks(height: int, width: int, k: int, low: int, high: int, frames: int = 1, whole: int = 1) -> tuple[int, int]:
    """Rows and columns of blocks of `k` pixels whose volume over all frames lies between `low` and `high`.

    The volume is compared with `whole`, the frames rounded to whole groups, the scale is drawn from their raw number:
    that is the reference's rule.
    """
    rows, cols = round(height / k), round(width / k)
    volume = whole * rows * k * cols * k
    if volume > high:
        scale = math.sqrt((frames * height * width) / high)
        return max(1, math.floor(height / scale / k)), max(1, math.floor(width / scale / k))
    if volume < low:
        scale = math.sqrt(low / (frames * height * width))
        return math.ceil(height * scale / k), math.ceil(width * scale / k)
    return rows, cols


def reasons_of(height: int, width: int, k: int, low: int, high: int, frames: int = 1, whole: int = 1) -> list[str]:
    """What `blocks` does, with its numbers."""
    rows, cols = round(height / k), round(width / k)
    volume = whole * rows * k * cols * k
    times, raw = (f"{whole} frames x ", f"{frames} x ") if frames > 1 else ("", "")
    first = (
        f"to the nearest multiple of {k}, ties to even: {height} / {k} = {height / k:.5g}, so {rows * k}; "
        f"{width} / {k} = {width / k:.5g}, so {cols * k}: {times}{rows * k} x {cols * k} = {volume:,} pixels"
    )
    if low <= volume <= high:
        return [f"{first}, from {low:,} to {high:,}"]
    rows, cols = blocks(height, width, k, low, high, frames, whole)
    if volume > high:
        scale = math.sqrt((frames * height * width) / high)
        change = f"more than {high:,}: both sides / sqrt({raw}{height} x {width} / {high:,}) = / {scale:.8g}, cut down"
    else:
        scale = math.sqrt(low / (frames * height * width))
        change = (
            f"less than {low:,}: both sides x sqrt({low:,} / ({raw}{height} x {width})) = x {scale:.8g}, rounded up"
        )
    return [first, f"{change} to multiples of {k}: {rows * k} and {cols * k}"]


def refuse_thin(height: int, width: int, most: int, given: tuple[int, int]) -> None:
    """The aspect limit of kind A: exactly `most` is allowed. `given` are the picture's own sides, for the message."""
    if height > width * most or width > height * most:
        raise InputError(
            f"{given[1]}x{given[0]} is longer than {most} times its short side, which this model refuses: "
            "crop it, or cut it into several pictures"
        )
