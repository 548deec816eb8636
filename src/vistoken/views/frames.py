"""Frame rules that share a budget among the frames, or fill their number up."""

from __future__ import annotations

from dataclasses import replace

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.budget import PixelBudget
from vistoken.views.rule import ViewRule
from vistoken.views.steps import Filter
from vistoken.views.video import FrameRule
from vistoken.views.volume import FramesOfVolume


@frozen
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


@frozen
class CappedFrames(FrameRule):
    """Frames under `frame`'s budget, whose upper end shrinks so that all frames share 0.9 x `most_tokens` tokens.

    Source: transformers 5.23.0, `Qwen2VLVideoProcessor.resize` with `cap_pixels_per_frame`, which follows
    qwen-vl-utils.
    """

    frame: PixelBudget
    most_tokens: int

    def rule(self, size: Size, frames: int) -> PixelBudget:
        frame, area = self.frame, self.frame.multiple**2
        total = int(self.most_tokens * area * 0.9)
        most = max(min(frame.max_pixels, total * frame.patch.frames // frames), int(frame.min_pixels * 1.05))
        return replace(frame, max_pixels=most)

    def groups(self, frames: int) -> int:
        return -(-frames // self.frame.patch.frames)

    def __str__(self) -> str:
        return f"each frame: {self.frame}; all frames together at most 0.9 x {self.most_tokens:,} tokens"


@frozen
class VolumeBudget(FrameRule):
    """The pixel budget holds for all frames together (kind A with guard A3): Qwen3-VL and GLM videos.

    `per_frame` is the most tokens a frame may cost where the vendor's cap is switched on, else None.
    Source: as for `FramesOfVolume`.
    """

    multiple: int
    min_pixels: int
    max_pixels: int
    filter: Filter
    patch: Patch
    per_frame: int | None = None

    def rule(self, size: Size, frames: int) -> FramesOfVolume:
        most = self.max_pixels
        if self.per_frame is not None:
            cap = self.per_frame * self.multiple**2
            most = max(min(cap, most // frames), int(self.min_pixels * 1.05)) * frames
        return FramesOfVolume(self.multiple, self.min_pixels, most, self.filter, self.patch, frames)

    def groups(self, frames: int) -> int:
        return -(-frames // self.patch.frames)

    def __str__(self) -> str:
        return (
            f"round both sides to multiples of {self.multiple}, "
            f"with a volume of all frames from {self.min_pixels:,} to {self.max_pixels:,} pixels"
        )


@frozen
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
