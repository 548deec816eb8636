"""A fixed number of frames a second."""

from __future__ import annotations

from dataclasses import dataclass

from vistoken.configs import Config
from vistoken.sampling.reading import sampling_rate
from vistoken.video import Sampling, Source


@dataclass(frozen=True, slots=True)
class PerSecond(Sampling):
    """`rate` frames a second from the first one on, as Gemini reads a video at 1 a second unless told otherwise.

    Source: Google's guide on video understanding.
    """

    rate: float

    @classmethod
    def read(cls, values: Config) -> PerSecond:
        return cls(sampling_rate(values) or 1.0)

    def choose(self, source: Source) -> tuple[int, ...]:
        fps = source.fps or self.rate
        wanted = max(1, int(source.frames / fps * self.rate))
        return tuple(min(source.frames - 1, int(number * fps / self.rate)) for number in range(wanted))

    def __str__(self) -> str:
        return f"{self.rate:g} a second"
