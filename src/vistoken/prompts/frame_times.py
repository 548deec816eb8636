"""Layouts of videos that write the time of each frame, or group of frames, as text.

Where nobody knows the frame rate, the processors of transformers assume 24 frames a second.
"""

from __future__ import annotations

from dataclasses import dataclass

from vistoken.geometry import Size
from vistoken.prompts.layout import VideoLayout
from vistoken.prompts.plain import SpaceToDepth
from vistoken.sequence import Image, Marker, Piece, Sequence, Text
from vistoken.single import single
from vistoken.video import Clip
from vistoken.views.rule import Tiling

ASSUMED_FPS = 24


def seconds(clip: Clip, step: int = 1) -> list[float]:
    """The time of every `step`-th frame that is looked at."""
    rate = clip.source.fps or ASSUMED_FPS
    return [index / rate for index in clip.indices[::step]]


@dataclass(frozen=True, slots=True)
class MinuteSecondFrames(VideoLayout):
    """Each frame: its time as mm:ss, then its tokens between two markers; spaces between frames (Gemma 4).

    Source: transformers 5.23.0, `models/gemma4/processing_gemma4.py`, `replace_video_token`.
    """

    merge: SpaceToDepth
    video_token: str
    start: str
    end: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        frame = self.merge.grid(tiling.tile)
        tokens = Image(frame.rows * frame.cols)
        pieces: list[Piece] = []
        for time in seconds(clip):
            stamp = f"{int(time // 60):02d}:{int(time % 60):02d} "
            pieces += (Text(f" {stamp}" if pieces else stamp), Marker(self.start), tokens, Marker(self.end))
        return Sequence(tuple(pieces))

    def __str__(self) -> str:
        return f"each frame: its time as mm:ss, {self.start}, its tokens ({self.merge}), {self.end}"


@dataclass(frozen=True, slots=True)
class ClockChunks(VideoLayout):
    """Chunks of `group` frames, pooled over time: hh:mm:ss.mmm of the first, then one frame's tokens (Kimi-K2.5).

    Source: transformers 5.23.0, `models/kimi_k25/processing_kimi_k25.py`, `replace_video_token`.
    """

    merge: SpaceToDepth
    group: int
    video_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        frame = self.merge.grid(tiling.tile)
        chunk = (
            Marker("<|media_begin|>"), Text("video"), Marker("<|media_content|>"),
            Image(frame.rows * frame.cols), Marker("<|media_end|>"),
        )  # fmt: skip
        pieces: list[Piece] = []
        for time in seconds(clip, self.group):
            pieces += (Text(clock(time)), *chunk)
        return Sequence(tuple(pieces))

    def __str__(self) -> str:
        return f"each {self.group} frames: the time of the first, 3 markers around the tokens of one frame"


def clock(time: float) -> str:
    """Hours, minutes, seconds and milliseconds, cut and not rounded; the hours start again after a day."""
    whole = int(time)
    thousandths = int(time % 1 * 1000)
    return f"{whole // 3600 % 24:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{thousandths:03d}"


@dataclass(frozen=True, slots=True)
class StampedGroups(VideoLayout):
    """Groups of `group` frames: the time of the first as `before` {seconds} `after`, its tokens, a separator (Muse).

    Source: transformers 5.23.0, `models/muse_glimmer/processing_muse_glimmer.py`, `replace_video_token`.
    """

    merge: SpaceToDepth
    group: int
    video_token: str
    start: str
    separator: str
    end: str
    before: str
    digits: int
    after: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        frame = self.merge.grid(tiling.tile)
        tokens = Image(frame.rows * frame.cols)
        pieces: list[Piece] = [Marker(self.start)]
        for time in self._times(clip):
            stamp = Text(f"{self.before}{time:.{self.digits}f}{self.after}")
            pieces += (stamp, tokens, Marker(self.separator))
        pieces[-1] = Marker(self.end)
        return Sequence(tuple(pieces))

    def _times(self, clip: Clip) -> list[float]:
        if not clip.sampled:
            return seconds(clip, self.group)
        # The numbers of frames that the reference chooses are a tensor, whose quotient has single precision.
        rate = single(clip.source.fps or ASSUMED_FPS)
        return [single(index / rate) for index in clip.indices[:: self.group]]

    def __str__(self) -> str:
        return f"each {self.group} frames: the time of the first as text, tokens ({self.merge}), {self.separator}"
