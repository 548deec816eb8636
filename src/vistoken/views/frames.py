"""Frame rules of kind A that share a budget among the frames, or fill their number up."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vistoken.errors import InputError
from vistoken.geometry import Size
from vistoken.views.budget import PixelBudget
from vistoken.views.rule import ViewRule
from vistoken.views.video import FrameRule


@dataclass(frozen=True, slots=True)
class SharedBudget(FrameRule):
    """Frames under `frame`'s budget, whose upper end is divided by their number.

    Source: transformers 5.23.0, `models/video_llama_3/video_processing_video_llama_3.py`, `resize`.
    """

    frame: PixelBudget

    def rule(self, size: Size, frames: int) -> PixelBudget:
        most = self.frame.max_pixels // frames
        if most < 1:
            raise InputError(
                f"{frames:,} frames share {self.frame.max_pixels:,} pixels, less than one each: give fewer frames"
            )
        return replace(self.frame, max_pixels=most)

    def groups(self, frames: int) -> int:
        return -(-frames // self.frame.patch.frames)

    def __str__(self) -> str:
        return f"each frame: {self.frame}; the upper end is divided by the number of frames"


@dataclass(frozen=True, slots=True)
class FilledUp(FrameRule):
    """Every frame by one rule, each a grid of its own; the last is repeated until they are a multiple of `group`.

    Source: transformers 5.23.0, `models/ernie4_5_vl_moe/video_processing_ernie4_5_vl_moe.py`,
    `_prepare_input_videos`.
    """

    frame: ViewRule
    group: int

    def rule(self, size: Size, frames: int) -> ViewRule:
        return self.frame

    def groups(self, frames: int) -> int:
        return -(-frames // self.group) * self.group

    def __str__(self) -> str:
        return f"each frame: {self.frame}; the last one is repeated to a multiple of {self.group}"
