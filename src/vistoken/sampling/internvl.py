"""InternVL's rule for choosing frames."""

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

# The model's file sets neither a number nor a rate; the examples of transformers' documentation take 8 frames.
FRAMES = 8


@frozen
class MiddleOfSegments(Sampling):
    """Cut the video into `frames` equal parts and take the frame at `shift` of each, by default the middle.

    `shift` counts in frames of the video; None is half a part. Without a number of frames, `fps` gives it.
    Source: transformers 5.23.0, `models/internvl/video_processing_internvl.py`, `sample_frames`.
    """

    frames: int | None
    fps: float | None
    shift: float | None

    @classmethod
    def read(cls, processor: Config) -> MiddleOfSegments:
        """From a video processor's values: `num_frames`, `fps` and `initial_shift`."""
        shift = None
        if (given := processor.raw("initial_shift")) is not True:
            shift = 0.0 if given is False else processor.number("initial_shift", 0, 10**7)
        return cls(optional_integer(processor, "num_frames"), sampling_rate(processor), shift)

    def choose(self, source: Source) -> tuple[int, ...]:
        total, wanted = source.frames, self.frames
        if wanted is None:
            wanted = int(total / (source.fps or 24) * self.fps) if self.fps else FRAMES
        if not 0 < wanted <= total:
            raise InputError(f"{wanted} frames cannot be taken from a video of {total}: it is too short")
        step = total / wanted
        shift = step / 2 if self.shift is None else self.shift
        return tuple(map(int, stepped(step, math.ceil((total - shift) / step), shift)))

    def __str__(self) -> str:
        rate = f"{self.fps:g} frames a second" if self.fps and not self.frames else f"{self.frames or FRAMES} frames"
        return f"{rate}, from the middle of as many equal parts"
