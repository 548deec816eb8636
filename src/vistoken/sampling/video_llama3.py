"""VideoLLaMA3's rule for choosing frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vistoken.errors import InputError
from vistoken.sampling.numbers import single, strides
from vistoken.sampling.reading import optional_integer, sampling_rate
from vistoken.video import Clip, Sampling, Source

if TYPE_CHECKING:
    from vistoken.configs import Config


class TensorClip(Clip):
    """Frames whose numbers the reference keeps in a tensor, so that their times come out in single precision."""

    __slots__ = ()

    def times(self, otherwise: float) -> list[float]:
        fps = single(self.source.fps or otherwise)
        return [single(single(index) / fps) for index in self.indices]


@dataclass(frozen=True, slots=True)
class VideoLlama3Sampling(Sampling):
    """`fps` frames a second, between `least` and `most`, evenly spread.

    Where the file sets no rate, the vendor's recipe of one a second is taken; the class itself needs one then.
    Source: transformers 5.23.0, `models/video_llama_3/video_processing_video_llama_3.py`, `sample_frames`; rate:
    the vendor's `processor_config.json`.
    """

    fps: float
    frames: int | None
    least: int
    most: int
    group: int

    @classmethod
    def read(cls, processor: Config, group: int) -> VideoLlama3Sampling:
        """From a video processor's values."""
        frames, fps = optional_integer(processor, "num_frames"), sampling_rate(processor)
        least, most = processor.integer("min_frames", high=10**6), processor.integer("max_frames", high=10**6)
        if frames is not None and fps is not None:
            raise processor.error("num_frames", frames, "the processor takes either num_frames or a rate, not both")
        return cls(fps or 1.0, frames, least, most, group)

    def choose(self, source: Source) -> tuple[int, ...]:
        total, group = source.frames, self.group
        if self.frames is not None:
            wanted: float = round(self.frames / group) * group
        else:
            most = math.floor(min(self.most, total) / group) * group
            wanted = min(max(total / (source.fps or 24) * self.fps, self.least), most, total)
            wanted = math.floor(wanted / group) * group
        if not 0 < wanted <= total:
            raise InputError(f"{wanted:g} frames cannot be taken from a video of {total}: it is too short")
        return tuple(strides(total, wanted))

    def clip(self, source: Source) -> Clip:
        return TensorClip(self.choose(source), source)

    def __str__(self) -> str:
        rate = f"{self.frames} frames" if self.frames else f"{self.fps:g} a second, {self.least} to {self.most}"
        return f"{rate}, evenly spread"
