"""ERNIE's rule for choosing frames."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.sampling.numbers import stepped
from vistoken.sampling.reading import optional_integer, sampling_rate
from vistoken.video import Sampling, Source

if TYPE_CHECKING:
    from vistoken.configs import Config


@frozen
class ErnieSampling(Sampling):
    """All frames, or `fps` a second, at least `least` and at most `most`, evenly spread.

    Source: transformers 5.23.0, `models/ernie4_5_vl_moe/video_processing_ernie4_5_vl_moe.py`, `sample_frames`.
    """

    fps: float | None
    frames: int | None
    least: int
    most: int

    @classmethod
    def read(cls, processor: Config) -> ErnieSampling:
        """From a video processor's values."""
        frames, fps = optional_integer(processor, "num_frames"), sampling_rate(processor)
        least, most = processor.integer("min_frames", high=10**6), processor.integer("max_frames", high=10**6)
        if frames is not None and not least <= frames <= most:
            raise processor.error("num_frames", frames, f"it must be from min_frames {least} to max_frames {most}")
        if frames is not None and fps is not None:
            raise processor.error("num_frames", frames, "the processor takes either num_frames or a rate, not both")
        return cls(fps, frames, least, most)

    def choose(self, source: Source) -> tuple[int, ...]:
        total, wanted = source.frames, float(self.frames or 0)
        if self.frames is None:
            wanted = total if self.fps is None else total / (source.fps or 24) * self.fps
            wanted = min(max(wanted, self.least), self.most, total)
        if wanted > total:
            raise InputError(f"{self.frames} frames cannot be taken from a video of {total}: it is too short")
        step = total / wanted
        return tuple(map(int, stepped(step, math.ceil(total / step))))

    def __str__(self) -> str:
        if self.frames:
            return f"{self.frames} frames, evenly spread"
        return f"{'all' if self.fps is None else f'{self.fps:g} a second'}, {self.least} to {self.most}, evenly spread"
