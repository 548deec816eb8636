"""SmolVLM's rule for choosing frames."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vistoken.frozen import frozen
from vistoken.sampling.numbers import spaced
from vistoken.sampling.reading import optional_integer, sampling_rate
from vistoken.video import Sampling, Source

if TYPE_CHECKING:
    from vistoken.configs import Config

# Seconds left out at either end of a long video (`skip_secs`).
SKIPPED = 1


@frozen
class SmolVLMSampling(Sampling):
    """`fps` frames a second, at most `most`, evenly spread from the first to the last frame, none twice.

    Of a video with more seconds than `most` x `fps` the first and the last second are left out.
    Source: transformers 5.23.0, `models/smolvlm/video_processing_smolvlm.py`, `sample_frames`.
    """

    fps: float
    most: int

    @classmethod
    def read(cls, processor: Config) -> SmolVLMSampling | None:
        """From a video processor's values; None where it has no number or no rate."""
        most, fps = optional_integer(processor, "num_frames"), sampling_rate(processor)
        return cls(fps, most) if most is not None and fps is not None else None

    def choose(self, source: Source) -> tuple[int, ...]:
        total, rate = source.frames, source.fps or 24
        duration = total / rate
        wanted = max(1, min(round(self.fps * duration), self.most))
        first, last = 0, total - 1
        if duration - 2 * SKIPPED > self.most * self.fps:
            first, last = int(SKIPPED * rate), min(int(total - SKIPPED * rate), last)
        if first >= last:
            first, last = 0, total - 1
        return tuple(dict.fromkeys(map(math.floor, spaced(first, last, wanted))))

    def __str__(self) -> str:
        return f"{self.fps:g} a second, at most {self.most}, evenly spread"
