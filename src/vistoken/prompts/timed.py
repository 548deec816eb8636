"""Layouts of a video whose frame groups stand apart in the prompt, each with the time at which it is seen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from vistoken.geometry import Size
from vistoken.prompts.layout import VideoLayout
from vistoken.prompts.plain import SpaceToDepth
from vistoken.sequence import Image, Piece, Repeat, Sequence
from vistoken.video import Clip
from vistoken.views.rule import Tiling

# Frames a second where the video does not tell them: what the reference's processors assume.
ASSUMED_FPS = 24


class Clock(ABC):
    """How a family writes the time of a frame group."""

    __slots__ = ()

    @abstractmethod
    def read(self, clip: Clip, number: int) -> str:
        """The time of the frame group `number`, from 0, as the prompt shows it."""


@dataclass(frozen=True, slots=True)
class MeanSeconds(Clock):
    """Seconds, halfway between the first and the last of `group` frames; the last frame is repeated to fill a group.

    Source: transformers 5.23.0, `models/qwen3_vl/processing_qwen3_vl.py`, `_calculate_timestamps`.
    """

    group: int
    digits: int = 1

    def read(self, clip: Clip, number: int) -> str:
        fps, final = clip.source.fps or ASSUMED_FPS, clip.frames - 1
        first = clip.indices[min(number * self.group, final)] / fps
        last = clip.indices[min((number + 1) * self.group - 1, final)] / fps
        return f"{(first + last) / 2:.{self.digits}f}"


@dataclass(frozen=True, slots=True)
class TimedFrames(VideoLayout):
    """The tokens of each frame group between the pieces `before` and `after`, in which `{time}` stands for its time.

    Source: transformers 5.23.0, `models/qwen3_vl/processing_qwen3_vl.py`, `replace_video_token`.
    """

    merge: SpaceToDepth
    video_token: str
    clock: Clock
    before: tuple[Piece, ...]
    after: tuple[Piece, ...]
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        groups = tiling.tile.frames
        tokens = Image(self.merge.tokens(tiling.tile) // groups)
        pieces = (*self.before, tokens, *self.after)
        return Sequence((Repeat(groups, pieces, "time", 0, _Times(self.clock, clip)),))

    def __str__(self) -> str:
        return f"merge {self.merge}; each frame group by itself, with its time"


@dataclass(frozen=True, slots=True)
class _Times:
    """What a clock shows for a clip, group by group."""

    clock: Clock
    clip: Clip

    def __call__(self, number: int) -> str:
        return self.clock.read(self.clip, number)
