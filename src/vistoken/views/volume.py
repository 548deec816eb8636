"""The pixel budget of kind A over several frames at once."""

from __future__ import annotations

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.budget import InBlocks, blocks, reasons_of, refuse_thin
from vistoken.views.steps import Filter


@frozen
class FramesOfVolume(InBlocks):
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

    def blocks(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of blocks. Raises `InputError` for too few frames and too thin ones."""
        height, width = self._grown(height, width)
        return blocks(height, width, self.multiple, self.min_pixels, self.max_pixels, self.frames, self._whole)

    def reasons(self, size: Size) -> list[str]:
        height, width = self._grown(size.height, size.width)
        grown = [] if (height, width) == (size.height, size.width) else [
            f"a side is under {self.multiple}: enlarged to {width}x{height} first"
        ]  # fmt: skip
        return grown + reasons_of(
            height, width, self.multiple, self.min_pixels, self.max_pixels, self.frames, self._whole
        )

    @property
    def _whole(self) -> int:
        """The frames rounded to whole groups; ties go to even."""
        return round(self.frames / self.patch.frames) * self.patch.frames

    def _grown(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after no side is under one multiple. Raises `InputError` as `blocks` does."""
        k, given = self.multiple, (height, width)
        if self.frames < self.patch.frames:
            raise InputError(
                f"{self.frames} frame is too few: this model reads {self.patch.frames} frames as one; give more of them"
            )
        if height < k or width < k:
            scale = max(k / height, k / width)
            height, width = int(height * scale), int(width * scale)
        refuse_thin(height, width, self.max_aspect, given)
        return height, width
