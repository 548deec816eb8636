"""The rule for choosing frames that transformers gives every video processor without a rule of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vistoken.errors import InputError
from vistoken.sampling.reading import optional_integer, sampling_rate
from vistoken.video import Sampling, Source

if TYPE_CHECKING:
    from vistoken.configs import Config


@dataclass(frozen=True, slots=True)
class UniformSampling(Sampling):
    """`frames` frames, or `fps` a second, at equal distances from the first on.

    Source: transformers 5.23.0, `video_utils.default_sample_indices_fn`.
    """

    frames: int | None
    fps: float | None

    @classmethod
    def read(cls, processor: Config) -> UniformSampling | None:
        """From a video processor's values; None where they choose nothing, so that every frame is looked at.

        `sampling_fps` is the caller's word for `fps`, which is the video's own.
        """
        frames, fps = optional_integer(processor, "num_frames"), sampling_rate(processor)
        if frames is not None and fps is not None:
            raise processor.error("num_frames", frames, f"the rate is {fps:g} a second: give only one of both")
        return None if frames is None and fps is None else cls(frames, fps)

    def choose(self, source: Source) -> tuple[int, ...]:
        total = source.frames
        wanted = self.frames or max(1, int(total / (source.fps or 24) * (self.fps or 1)))
        if wanted > total:
            raise InputError(f"{wanted:,} frames cannot be taken from a video of {total:,}: ask for fewer")
        return tuple(number * total // wanted for number in range(wanted))

    def __str__(self) -> str:
        return f"{self.frames} frames, evenly spread" if self.frames else f"{self.fps:g} a second, evenly spread"
