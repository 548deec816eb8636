"""Muse's rule for choosing frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vistoken.sampling.reading import sampling_rate
from vistoken.single import single
from vistoken.video import Sampling, Source

if TYPE_CHECKING:
    from vistoken.configs import Config


@dataclass(frozen=True, slots=True)
class MuseSampling(Sampling):
    """`fps` frames a second, at most `most`, a multiple of `group`, from the first frame to the last.

    The reference spreads them in single precision and cuts, so that a frame can be one lower than exact division says.
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
        return spread(total - 1, wanted)

    def __str__(self) -> str:
        return f"{self.fps:g} a second, at most {self.most}, a multiple of {self.group}, from the first to the last"


def spread(last: int, count: int) -> tuple[int, ...]:
    """`count` whole numbers from 0 to `last`, as `torch.linspace(0, last, count).long()` gives them.

    The first half is counted from the start, the second half from the end, each product and difference rounded to
    single precision and then cut.
    """
    if count == 1:
        return (0,)
    end = single(last)
    step = single(end / (count - 1))
    first = (int(single(step * number)) for number in range(count // 2))
    second = (int(single(end - single(step * number))) for number in range(count - count // 2 - 1, -1, -1))
    return (*first, *second)
