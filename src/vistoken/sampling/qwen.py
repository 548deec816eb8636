"""Qwen's rules for choosing frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vistoken.errors import InputError
from vistoken.sampling.numbers import strides
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
        frames, fps = optional_integer(processor, "num_frames"), sampling_rate(processor)
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
            raise InputError(f"{wanted:g} frames cannot be taken from a video of {total}: it is too short")
        return tuple(strides(total, wanted))

    def __str__(self) -> str:
        rate = f"{self.frames} frames" if self.frames else f"{self.fps or 2.0:g} a second, {self.least} to {self.most}"
        return f"{rate}, a multiple of {self.group}, evenly spread"
