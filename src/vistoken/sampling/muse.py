"""Muse's rule for choosing frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.frozen import frozen
from vistoken.sampling.numbers import spaced_in_single
from vistoken.sampling.reading import sampling_rate
from vistoken.video import Sampling, Source

if TYPE_CHECKING:
    from vistoken.configs import Config


@frozen
class MuseSampling(Sampling):
    """`fps` frames a second, at most `most`, a multiple of `group`, from the first frame to the last.

    They are spread in single precision and cut, so that a frame can be one lower than exact division says.
    Source: transformers 5.23.0, `models/muse_glimmer/video_processing_muse_glimmer.py`, `sample_frames`.
    """

    fps: float
    most: int
    group: int

    @classmethod
    def read(cls, processor: Config, group: int) -> MuseSampling:
        """From a video processor's values, which must set both."""
        most = processor.integer("num_frames", high=10**6)
        fps = sampling_rate(processor)
        if fps is None:
            raise processor.error("fps", None, "it must be a number of frames a second")
        return cls(fps, most, group)

    def choose(self, source: Source) -> tuple[int, ...]:
        total, group = source.frames, self.group
        wanted = min(int(total * self.fps / (source.fps or 24)), self.most, total)
        wanted = min(max(group, wanted // group * group), total)
        return tuple(map(int, spaced_in_single(total - 1, wanted)))

    def __str__(self) -> str:
        return f"{self.fps:g} a second, at most {self.most}, a multiple of {self.group}, from the first to the last"
