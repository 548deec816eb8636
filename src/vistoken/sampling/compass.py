"""Cohere Compass' rule for choosing frames."""

from __future__ import annotations

from dataclasses import dataclass

from vistoken.sampling.numbers import spaced
from vistoken.video import Sampling, Source


@dataclass(frozen=True, slots=True)
class RoundedSpread(Sampling):
    """`fps` frames a second, between `least` and `most`, from the first frame to the last, rounded to whole ones.

    Source: transformers 5.23.0, `models/cohere_compass/video_processing_cohere_compass.py`, `sample_frames`.
    """

    fps: float
    least: int
    most: int

    def choose(self, source: Source) -> tuple[int, ...]:
        wanted = int(source.frames / (source.fps or 24) * self.fps)
        wanted = min(max(wanted, self.least), self.most, source.frames)
        return tuple(map(round, spaced(0, source.frames - 1, wanted)))

    def __str__(self) -> str:
        return f"{self.fps:g} a second, {self.least} to {self.most}, from the first frame to the last"
