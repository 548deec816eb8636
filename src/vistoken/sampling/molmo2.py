"""Molmo2's rule for choosing frames."""

from __future__ import annotations

import math

from vistoken.frozen import frozen
from vistoken.sampling.numbers import stepped
from vistoken.video import Sampling, Source


@frozen
class UpToRate(Sampling):
    """`frames` evenly spread, or fewer: no more than `most_fps` a second. With `fps`, that many a second instead.

    Source: transformers 5.23.0, `models/molmo2/video_processing_molmo2.py`, `sample_frames`.
    """

    frames: int
    most_fps: float | None
    fps: float | None = None

    def choose(self, source: Source) -> tuple[int, ...]:
        total, rate = source.frames, source.fps or 1.0
        duration = total / rate
        if self.fps is not None:
            wanted = int(duration * self.fps)
        elif self.most_fps is not None and rate > self.most_fps:
            wanted = min(self.frames, int(duration * self.most_fps))
        else:
            wanted = self.frames
        step = total / max(min(wanted, total), 1)
        return tuple(map(int, stepped(step, math.ceil(total / step))))

    def __str__(self) -> str:
        if self.fps is not None:
            return f"{self.fps:g} frames a second, evenly spread"
        most = "" if self.most_fps is None else f", at most {self.most_fps:g} a second"
        return f"{self.frames} frames{most}, evenly spread"
