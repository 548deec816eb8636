"""Layouts of a video whose groups of frames stand apart in the prompt, each with the time at which it is seen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.prompts.layout import VideoLayout
from vistoken.prompts.plain import SpaceToDepth
from vistoken.sequence import Image, Piece, Repeat, Sequence, Text
from vistoken.video import Clip
from vistoken.views.rule import Tiling

# Frames a second where the video does not tell them: what most of the reference's processors assume.
ASSUMED_FPS = 24


class Clock(ABC):
    """How a family tells the time of a group of frames; `group` frames make one, the last may be short."""

    __slots__ = ()

    group: int

    @abstractmethod
    def read(self, clip: Clip, number: int) -> str:
        """The time of the group `number`, from 0, as the prompt shows it."""


@frozen
class TimedGroups(VideoLayout):
    """The tokens of each group of frames between the pieces `before` and `after`.

    `{time}` in these stands for what `clock` reads. `first`, where there are any, stand before the first group instead
    of `before`; `end` after the last group. `remark` is for people.
    """

    merge: SpaceToDepth
    video_token: str
    clock: Clock
    before: tuple[Piece, ...]
    after: tuple[Piece, ...] = ()
    first: tuple[Piece, ...] = ()
    end: tuple[Piece, ...] = ()
    remark: str = ""
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        grid, times = self.merge.grid(tiling.tile), _Times(self.clock, clip)
        tokens, groups = Image(grid.rows * grid.cols), -(-clip.frames // self.clock.group)
        others = (*self.before, tokens, *self.after)
        if not self.first:
            return Sequence((Repeat(groups, others, "time", 0, times), *self.end))
        first = Repeat(1, (*self.first, tokens, *self.after), "time", 0, times)
        return Sequence((first, Repeat(groups - 1, others, "time", 1, times), *self.end))

    def __str__(self) -> str:
        group = f"group of {self.clock.group} frames" if self.clock.group > 1 else "frame"
        return f"{self.merge}; each {group} by itself, with its time{self.remark}"


@frozen
class TimedIfKnown(TimedGroups):
    """As `TimedGroups`, without the texts before a group where nobody knows the rate (MiniMax-M3)."""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        markers = tuple(piece for piece in self.before if not isinstance(piece, Text))
        layout = self if clip.source.fps is not None else replace(self, before=markers)
        return TimedGroups.sequence(layout, tiling, size, clip)


@frozen
class _Times:
    """What a clock shows for a clip, group by group."""

    clock: Clock
    clip: Clip

    def __call__(self, number: int) -> str:
        return self.clock.read(self.clip, number)


# ---------------------------------------------------------------- which time


@frozen
class FirstFrame(Clock):
    """The time of a group's first frame.

    Sources: transformers 5.23.0, `replace_video_token` of `models/gemma4/processing_gemma4.py`,
    `models/kimi_k25/processing_kimi_k25.py` and `models/minimax_m3_vl/processing_minimax_m3_vl.py`.
    """

    group: int
    write: Callable[[float], str]

    def read(self, clip: Clip, number: int) -> str:
        return self.write(clip.time(number * self.group, ASSUMED_FPS))


@frozen
class FirstFrameOfTensor(Clock):
    """As `FirstFrame`, in single precision where the model chose the frames: it keeps their numbers in a tensor.

    Sources: transformers 5.23.0, `replace_video_token` of `models/muse_glimmer/processing_muse_glimmer.py`, and of
    `models/video_llama_3/processing_video_llama_3.py`, which assumes 1 frame a second.
    """

    group: int
    write: Callable[[float], str]
    assumed: float = ASSUMED_FPS

    def read(self, clip: Clip, number: int) -> str:
        return self.write(clip.tensor_time(number * self.group, self.assumed))


@frozen
class EverySecondFrame(Clock):
    """The times of every second frame, whatever a group spans; the last of them as often as it needs (GLM).

    Source: transformers 5.23.0, `models/glm4v/processing_glm4v.py`, `replace_video_token`.
    """

    group: int
    write: Callable[[float], str]

    def read(self, clip: Clip, number: int) -> str:
        return self.write(clip.time(min(2 * number, (clip.frames - 1) // 2 * 2), ASSUMED_FPS))


@frozen
class MeanSeconds(Clock):
    """Seconds, halfway between a group's first and last frame; the last frame of all is repeated to fill a group.

    Sources: transformers 5.23.0, `models/qwen3_vl/processing_qwen3_vl.py`, `_calculate_timestamps`;
    `models/cohere_compass/processing_cohere_compass.py`, `replace_video_token`.
    """

    group: int

    def read(self, clip: Clip, number: int) -> str:
        final = clip.frames - 1
        first = clip.time(min(number * self.group, final), ASSUMED_FPS)
        last = clip.time(min((number + 1) * self.group - 1, final), ASSUMED_FPS)
        return f"{(first + last) / 2:.1f}"


@frozen
class NamedFrames(Clock):
    """`Frame 1 sampled at 0.00 seconds and frame 2 sampled at 0.50 seconds`; without times where the rate is unknown.

    Source: transformers 5.23.0, `models/nemotron_h_omni/processing_nemotron_h_omni.py`, `replace_video_token`.
    """

    group: int

    def read(self, clip: Clip, number: int) -> str:
        first = number * self.group
        names = [self._name(clip, frame) for frame in range(first, min(first + self.group, clip.frames))]
        return " and ".join(names).replace("f", "F", 1)

    def _name(self, clip: Clip, number: int) -> str:
        name, fps = f"frame {number + 1}", clip.source.fps
        if fps is None:
            return name
        seconds = clip.indices[number] * int(1000.0 / fps) / 1000.0  # whole milliseconds a frame
        return f"{name} sampled at {seconds:.2f} seconds"


# ---------------------------------------------------------------- how it is written


@frozen
class Decimals:
    """Seconds, rounded to `digits` decimals."""

    digits: int

    def __call__(self, time: float) -> str:
        return f"{time:.{self.digits}f}"


def whole_seconds(time: float) -> str:
    """The seconds, cut and not rounded."""
    return str(int(time))


def tenths(time: float) -> str:
    """GLM-4.6V and later: rounded to tenths, with the word."""
    return f"{time:.1f} seconds"


def minutes(time: float) -> str:
    """Minutes and whole seconds, cut: 01:05."""
    return f"{int(time // 60):02d}:{int(time % 60):02d}"


def clock_face(time: float) -> str:
    """Hours, minutes, seconds and milliseconds, cut and not rounded; the hours start again after a day."""
    whole, thousandths = int(time), int(time % 1 * 1000)
    return f"{whole // 3600 % 24:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{thousandths:03d}"
