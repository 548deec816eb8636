"""Gemini's rule for choosing frames."""

from __future__ import annotations

from vistoken.frozen import frozen
from vistoken.video import Sampling, Source


@frozen
class PerSecond(Sampling):
    """`rate` frames a second from the first one on.

    Source: Google's guide on video understanding, where it is 1 unless told otherwise.
    """

    rate: float

    def choose(self, source: Source) -> tuple[int, ...]:
        fps = source.fps or self.rate
        wanted = max(1, int(source.frames / fps * self.rate))
        return tuple(min(source.frames - 1, int(number * fps / self.rate)) for number in range(wanted))

    def __str__(self) -> str:
        return f"{self.rate:g} a second"
