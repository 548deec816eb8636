"""The library's general rule for choosing frames."""

from __future__ import annotations

from dataclasses import dataclass

from vistoken.errors import InputError
from vistoken.video import Sampling, Source


@dataclass(frozen=True, slots=True)
class EvenShare(Sampling):
    """`fps` frames a second, at least one, each at the start of its share of the video.

    Source: transformers 5.23.0, `video_utils.py`, `default_sample_indices_fn`.
    """

    fps: float

    def choose(self, source: Source) -> tuple[int, ...]:
        total = source.frames
        wanted = max(1, int(total / (source.fps or 24) * self.fps))
        if wanted > total:
            raise InputError(f"{wanted} frames cannot be taken from a video of {total}: lower the rate")
        return tuple(number * total // wanted for number in range(wanted))

    def __str__(self) -> str:
        return f"{self.fps:g} a second, evenly spread"
