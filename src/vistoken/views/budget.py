"""View rules that choose a size under a budget: kind A (pixels, multiples) and kind C (fill a number of tokens)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vistoken.errors import InputError
from vistoken.geometry import Grid, Patch, Size
from vistoken.views.rule import OneView, Tiling
from vistoken.views.steps import Filter


@dataclass(frozen=True, slots=True)
class PixelBudget(OneView):
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

    def fit(self, size: Size) -> Size:
        """The size that the picture is resized to. Raises `InputError` above the aspect limit."""
        rows, cols = self._blocks(size)
        return Size(height=rows * self.multiple, width=cols * self.multiple)

    def tiling(self, size: Size) -> Tiling:
        rows, cols = self._blocks(size)
        k, patch = self.multiple, self.patch
        return Tiling(Grid(rows * k // patch.height, cols * k // patch.width))

    def reasons(self, size: Size) -> list[str]:
        return _reasons(size.height, size.width, self.multiple, self.min_pixels, self.max_pixels)

    def _blocks(self, size: Size) -> tuple[int, int]:
        """Rows and columns of blocks of `multiple` pixels."""
        refuse_thin(size, size.height, size.width, self.max_aspect)
        return _blocks(size.height, size.width, self.multiple, self.min_pixels, self.max_pixels)


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class FramesOfVolume(OneView):
    """One of `frames` frames whose volume is bounded; a still picture of GLM counts as two.

    A side under one multiple is first enlarged to it, both sides by one scale and cut to whole pixels. The volume is
    compared with the frames rounded to whole groups, but the scale is drawn from their raw number.
    Sources: transformers 5.23.0, `models/qwen3_vl/video_processing_qwen3_vl.py` and
    `models/glm4v/image_processing_pil_glm4v.py`, `smart_resize`.
    """

    multiple: int
    min_pixels: int
    max_pixels: int
    filter: Filter
    patch: Patch
    frames: int
    max_aspect: int = 200

    kind = "pixel budget over frames"

    def __str__(self) -> str:
        area = f"an area of {self.frames} frames" if self.frames > 1 else "an area"
        bounds = f"from {self.min_pixels:,} to {self.max_pixels:,} pixels"
        return f"round both sides to multiples of {self.multiple}, with {area} {bounds}"

    def fit(self, size: Size) -> Size:
        """The size that each frame is resized to. Raises `InputError` for too few frames and too thin ones."""
        height, width = self._grown(size)
        rows, cols = _blocks(height, width, self.multiple, self.min_pixels, self.max_pixels, self.frames, self._whole)
        return Size(height=rows * self.multiple, width=cols * self.multiple)

    def reasons(self, size: Size) -> list[str]:
        height, width = self._grown(size)
        grown = [] if (height, width) == (size.height, size.width) else [
            f"a side is under {self.multiple}: enlarged to {width}x{height} first"
        ]  # fmt: skip
        return grown + _reasons(
            height, width, self.multiple, self.min_pixels, self.max_pixels, self.frames, self._whole
        )

    @property
    def _whole(self) -> int:
        """The frames rounded to whole groups; ties go to even."""
        return round(self.frames / self.patch.frames) * self.patch.frames

    def _grown(self, size: Size) -> tuple[int, int]:
        """Height and width after no side is under one multiple. Raises `InputError` as `fit` does."""
        height, width, k = size.height, size.width, self.multiple
        if self.frames < self.patch.frames:
            raise InputError(
                f"{self.frames} frame is too few: this model reads {self.patch.frames} frames as one; give more of them"
            )
        if height < k or width < k:
            scale = max(k / height, k / width)
            height, width = int(height * scale), int(width * scale)
        refuse_thin(size, height, width, self.max_aspect)
        return height, width


def _blocks(height: int, width: int, k: int, low: int, high: int, frames: int = 1, whole: int = 1) -> tuple[int, int]:
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


def _reasons(height: int, width: int, k: int, low: int, high: int, frames: int = 1, whole: int = 1) -> list[str]:
    """What `_blocks` does, with its numbers."""
    rows, cols = round(height / k), round(width / k)
    volume = whole * rows * k * cols * k
    times, raw = (f"{whole} frames x ", f"{frames} x ") if frames > 1 else ("", "")
    first = (
        f"to the nearest multiple of {k}, ties to even: {height} / {k} = {height / k:.5g}, so {rows * k}; "
        f"{width} / {k} = {width / k:.5g}, so {cols * k}: {times}{rows * k} x {cols * k} = {volume:,} pixels"
    )
    if low <= volume <= high:
        return [f"{first}, from {low:,} to {high:,}"]
    rows, cols = _blocks(height, width, k, low, high, frames, whole)
    if volume > high:
        scale = math.sqrt((frames * height * width) / high)
        change = f"more than {high:,}: both sides / sqrt({raw}{height} x {width} / {high:,}) = / {scale:.8g}, cut down"
    else:
        scale = math.sqrt(low / (frames * height * width))
        change = (
            f"less than {low:,}: both sides x sqrt({low:,} / ({raw}{height} x {width})) = x {scale:.8g}, rounded up"
        )
    return [first, f"{change} to multiples of {k}: {rows * k} and {cols * k}"]


def refuse_thin(size: Size, height: float, width: float, most: int) -> None:
    """The aspect limit of kind A: exactly `most` is allowed. `size` is the picture's, for the message."""
    if (height > width and height / width > most) or width / height > most:
        raise InputError(
            f"{size} is longer than {most} times its short side, which this model refuses: "
            "crop it, or cut it into several pictures"
        )
