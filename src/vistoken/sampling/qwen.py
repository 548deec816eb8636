"""Qwen's rules for choosing frames."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.sampling.numbers import spaced, stepped
from vistoken.sampling.reading import optional_integer, sampling_rate
from vistoken.video import Sampling, Source

if TYPE_CHECKING:
    from vistoken.configs import Config


@frozen
class WholeGroups(Sampling):
    """`fps` frames a second, between `least` and `most`, a multiple of `group`, evenly spread.

    Sources: transformers 5.23.0, `models/qwen2_vl/video_processing_qwen2_vl.py` and
    `models/video_llama_3/video_processing_video_llama_3.py`, `sample_frames`.
    """

    fps: float
    frames: int | None
    least: int
    most: int
    group: int

    @classmethod
    def read(cls, processor: Config, group: int) -> WholeGroups:
        """From the values of Qwen2-VL's video processor.

        Published files set no rate; the vendor's recipe (qwen-vl-utils) takes 2 frames a second.
        """
        fps, frames = _rate_or_number(processor)
        least = processor.integer("min_frames", high=10**6)
        return cls(fps or 2.0, frames, least, processor.integer("max_frames", high=10**6), group)

    def choose(self, source: Source) -> tuple[int, ...]:
        total, group = source.frames, self.group
        if self.frames is not None:
            wanted: float = round(self.frames / group) * group
        else:
            most = math.floor(min(self.most, total) / group) * group
            wanted = total / (source.fps or 24) * self.fps
            wanted = math.floor(min(max(wanted, self.least), most, total) / group) * group
        if not 0 < wanted <= total:
            raise InputError(f"{wanted:g} frames cannot be taken from a video of {total}: give a longer one")
        step = total / wanted
        return tuple(map(int, stepped(step, math.ceil(total / step))))

    def __str__(self) -> str:
        rate = f"{self.frames} frames" if self.frames else f"{self.fps:g} a second, {self.least} to {self.most}"
        return f"{rate}, a multiple of {self.group}, evenly spread"


@frozen
class FirstToLast(Sampling):
    """`fps` frames a second, between `least` and `most`, from the first to the last frame, rounded to even on ties.

    Sources: transformers 5.23.0, `models/qwen3_vl/video_processing_qwen3_vl.py` and
    `models/cohere_compass/video_processing_cohere_compass.py`, `sample_frames`.
    """

    fps: float | None
    frames: int | None
    least: int
    most: int

    @classmethod
    def read(cls, processor: Config) -> FirstToLast:
        """From the values of Qwen3-VL's video processor."""
        fps, frames = _rate_or_number(processor)
        least = processor.integer("min_frames", high=10**6)
        return cls(fps, frames, least, processor.integer("max_frames", high=10**6))

    def choose(self, source: Source) -> tuple[int, ...]:
        total = source.frames
        if self.frames is not None:
            wanted = self.frames
        elif self.fps is not None:
            wanted = int(total / (source.fps or 24) * self.fps)
            wanted = min(max(wanted, self.least), self.most, total)
        else:
            wanted = min(max(total, self.least), self.most)
        return tuple(map(round, spaced(0, total - 1, wanted)))

    def __str__(self) -> str:
        if self.frames is not None:
            return f"{self.frames} frames, from the first to the last"
        rate = f"{self.fps:g} a second, " if self.fps is not None else ""
        return f"{rate}{self.least} to {self.most}, from the first frame to the last"


def _rate_or_number(processor: Config) -> tuple[float | None, int | None]:
    """`fps` and `num_frames`; a number of frames wins over a rate, unless the caller sets both."""
    frames = optional_integer(processor, "num_frames")
    if frames is not None and processor.overrides.get("sampling_fps") is not None:
        raise processor.error("num_frames", frames, "it and sampling_fps exclude each other: give one of them")
    if frames is not None and "sampling_fps" not in processor.overrides:
        return None, frames
    return sampling_rate(processor), frames
