"""Qwen's rules for choosing frames."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from struct import pack, unpack
from typing import TYPE_CHECKING

from vistoken.errors import InputError
from vistoken.sampling.reading import optional_integer, sampling_rate
from vistoken.video import Sampling, Source

if TYPE_CHECKING:
    from vistoken.configs import Config


@dataclass(frozen=True, slots=True)
class QwenSampling(Sampling):
    """`fps` frames a second, between `least` and `most`, a multiple of `group`, evenly spread.

    The checkpoint's own file sets no rate; its vendor's recipe samples 2 a second, which is taken where `fps` is None.
    Source: transformers 5.23.0, `models/qwen2_vl/video_processing_qwen2_vl.py`, `sample_frames`; rate: qwen-vl-utils.
    """

    fps: float | None
    frames: int | None
    least: int
    most: int
    group: int

    @classmethod
    def read(cls, processor: Config, group: int) -> QwenSampling:
        """From a video processor's values. `sampling_fps` is the caller's word for `fps`, which is the video's own."""
        fps, frames = _rate_or_number(processor)
        least = processor.integer("min_frames", high=10**6)
        return cls(fps, frames, least, processor.integer("max_frames", high=10**6), group)

    def choose(self, source: Source) -> tuple[int, ...]:
        total, group = source.frames, self.group
        if self.frames is not None:
            wanted: float = round(self.frames / group) * group
        else:
            most = math.floor(min(self.most, total) / group) * group
            wanted = total / (source.fps or 24) * (self.fps or 2.0)
            wanted = math.floor(min(max(wanted, self.least), most, total) / group) * group
        if not 0 < wanted <= total:
            raise InputError(f"{wanted:g} frames cannot be taken from a video of {total}: give a longer one")
        step = total / wanted
        return tuple(map(int, _arange(step, math.ceil(total / step))))

    def __str__(self) -> str:
        rate = f"{self.frames} frames" if self.frames else f"{self.fps or 2.0:g} a second, {self.least} to {self.most}"
        return f"{rate}, a multiple of {self.group}, evenly spread"


@dataclass(frozen=True, slots=True)
class EvenSampling(Sampling):
    """`fps` frames a second, between `least` and `most`, from the first to the last frame, rounded to even on ties.

    Source: transformers 5.23.0, `models/qwen3_vl/video_processing_qwen3_vl.py`, `sample_frames`.
    """

    fps: float | None
    frames: int | None
    least: int
    most: int

    @classmethod
    def read(cls, processor: Config) -> EvenSampling:
        """From a video processor's values, as `QwenSampling.read`."""
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
        if wanted == 1:
            return (0,)
        step = (total - 1) / (wanted - 1)
        return (*(round(number * step) for number in range(wanted - 1)), total - 1)  # as numpy.linspace

    def __str__(self) -> str:
        if self.frames is not None:
            return f"{self.frames} frames, evenly spread"
        rate = f"{self.fps:g} a second, " if self.fps is not None else ""
        return f"{rate}{self.least} to {self.most}, evenly spread"


def _rate_or_number(processor: Config) -> tuple[float | None, int | None]:
    """`fps` and `num_frames`; a number of frames wins over a rate, unless the caller sets both."""
    frames = optional_integer(processor, "num_frames")
    if frames is not None and processor.overrides.get("sampling_fps") is not None:
        raise processor.error("num_frames", frames, "it and sampling_fps exclude each other: give one of them")
    if frames is not None and "sampling_fps" not in processor.overrides:
        return None, frames
    return sampling_rate(processor), frames


def _arange(step: float, length: int) -> Iterator[float]:
    """`torch.arange(0, length * step, step)` as x86 computes it: in single precision, in vectors of eight.

    The first number of a vector is rounded before the others are added to it, so a number that should be whole can
    fall on either side. What remains after the last pair of vectors is computed one by one.
    """
    whole = length - length % 16
    for number in range(length):
        first = number - number % 8 if number < whole else number
        yield _single(_single(first * step) + (number - first) * step)


def _single(value: float) -> float:
    """`value` rounded to single precision."""
    return float(unpack("f", pack("f", value))[0])
