"""Layouts of videos in which each group of frames carries its time as text."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from vistoken.geometry import Size
from vistoken.prompts.layout import VideoLayout
from vistoken.prompts.plain import SpaceToDepth
from vistoken.sequence import Image, Marker, Piece, Sequence, Text
from vistoken.video import Clip
from vistoken.views.rule import Tiling


class StampedVideo(VideoLayout):
    """A video whose frame groups follow one another, each with its own pieces."""

    __slots__ = ()

    merge: SpaceToDepth

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        groups, tokens = tiling.tile.frames, self.merge.tokens(tiling.tile) // tiling.tile.frames
        pieces: list[Piece] = []
        for number, time in enumerate(self.times(clip, groups)):
            pieces += self.group(number, time, tokens)
        return Sequence(tuple(pieces))

    @abstractmethod
    def times(self, clip: Clip, groups: int) -> list[float]:
        """The time of each group in seconds."""

    @abstractmethod
    def group(self, number: int, time: float, tokens: int) -> tuple[Piece, ...]:
        """The pieces of one group of frames, `tokens` image tokens each."""


@dataclass(frozen=True, slots=True)
class StampedAfter(StampedVideo):
    """GLM: each group of frames between two markers, then the time of its first frame as `stamp` writes it.

    Times are those of every second frame, whatever the patch spans; 24 frames a second where the rate is unknown.
    Source: transformers 5.23.0, `models/glm4v/processing_glm4v.py`, `replace_video_token`.
    """

    merge: SpaceToDepth
    video_token: str
    start: str
    end: str
    stamp: Callable[[float], str]
    template: str = ""

    def times(self, clip: Clip, groups: int) -> list[float]:
        times = clip.times(24)[::2][:groups]
        return times + times[-1:] * (groups - len(times))

    def group(self, number: int, time: float, tokens: int) -> tuple[Piece, ...]:
        return Marker(self.start), Image(tokens), Marker(self.end), Text(self.stamp(time))

    def __str__(self) -> str:
        return f"merge {self.merge}; each group of frames between {self.start} and {self.end}, then its time"


@dataclass(frozen=True, slots=True)
class StampedBefore(StampedVideo):
    """Cohere Compass: the mean time of the first and the last frame of a group, then the group between two markers.

    The last frame fills up the last group; 24 frames a second where the rate is unknown.
    Source: transformers 5.23.0, `models/cohere_compass/processing_cohere_compass.py`, `replace_video_token`.
    """

    merge: SpaceToDepth
    video_token: str
    start: str
    end: str
    frames: int
    template: str = ""

    def times(self, clip: Clip, groups: int) -> list[float]:
        times = clip.times(24)
        times += times[-1:] * (-len(times) % self.frames)
        return [
            (first + last) / 2
            for first, last in zip(times[:: self.frames], times[self.frames - 1 :: self.frames], strict=True)
        ]

    def group(self, number: int, time: float, tokens: int) -> tuple[Piece, ...]:
        return Text(f"<{time:.1f} seconds>"), Marker(self.start), Image(tokens), Marker(self.end)

    def __str__(self) -> str:
        return f"merge {self.merge}; before each group of frames its time, around it {self.start} and {self.end}"


@dataclass(frozen=True, slots=True)
class StampedIfKnown(StampedVideo):
    """MiniMax-M3: the time of the first frame of a group where the rate is known, then the group between two markers.

    Source: transformers 5.23.0, `models/minimax_m3_vl/processing_minimax_m3_vl.py`, `replace_video_token`.
    """

    merge: SpaceToDepth
    video_token: str
    start: str
    end: str
    frames: int
    template: str = ""

    def times(self, clip: Clip, groups: int) -> list[float]:
        if clip.source.fps is None:
            return [-1.0] * groups
        return clip.times(1)[:: self.frames]

    def group(self, number: int, time: float, tokens: int) -> tuple[Piece, ...]:
        frames = Marker(self.start), Image(tokens), Marker(self.end)
        return frames if time < 0 else (Text(f"]<]{time:.1f} seconds[>["), *frames)

    def __str__(self) -> str:
        return f"merge {self.merge}; before each group of frames its time if known, around {self.start} and {self.end}"


@dataclass(frozen=True, slots=True)
class StampedList(StampedVideo):
    """VideoLLaMA3: "Time", the time and the tokens of each frame, with commas between; a rate of 1 where unknown.

    `at_most` tells that blocks which hardly change from one frame to the next are left out, which only pixels show.
    Source: transformers 5.23.0, `models/video_llama_3/processing_video_llama_3.py`, `replace_video_token`.
    """

    merge: SpaceToDepth
    video_token: str
    at_most: bool
    template: str = ""

    def times(self, clip: Clip, groups: int) -> list[float]:
        return clip.times(1)

    def group(self, number: int, time: float, tokens: int) -> tuple[Piece, ...]:
        return Text(f"{',' if number else ''}Time {time:.1f}s:"), Image(tokens)

    def __str__(self) -> str:
        most = "; an upper bound: blocks that hardly change between frames are left out" if self.at_most else ""
        return f"merge {self.merge}; before each frame its time{most}"


def whole_seconds(time: float) -> str:
    """GLM-4.1V and 4.5V: the seconds alone, cut."""
    return str(int(time))


def tenths(time: float) -> str:
    """GLM-4.6V and later: rounded to tenths."""
    return f"{time:.1f} seconds"
