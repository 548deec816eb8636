"""The library's default rule for choosing frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vistoken.errors import InputError
from vistoken.sampling.reading import optional_integer, sampling_rate
from vistoken.video import Sampling, Source

if TYPE_CHECKING:
    from vistoken.configs import Config


@dataclass(frozen=True, slots=True)
class DefaultSampling(Sampling):
    """`frames` or `fps` frames a second, evenly spread; every frame where neither is set.

    Source: transformers 5.23.0, `video_utils.py`, `default_sample_indices_fn`.
    """

    frames: int | None
    fps: float | None

    @classmethod
    def read(cls, processor: Config) -> DefaultSampling:
        """From a video processor's values. `sampling_fps` is the caller's word for `fps`."""
        frames, fps = optional_integer(processor, "num_frames"), sampling_rate(processor)
        if frames is not None and fps is not None:
            raise processor.error("num_frames", frames, f"it must not be set together with a rate, which is {fps:g}")
        return cls(frames, fps)

    def choose(self, source: Source) -> tuple[int, ...]:
        total, wanted = source.frames, self.frames
        if self.fps is not None:
            wanted = max(1, int(total / (source.fps or 1.0) * self.fps))
        if wanted is None:
            return tuple(range(total))
        if wanted > total:
            raise InputError(
                f"{wanted:,} frames cannot be taken from a video of {total:,}: take fewer, with num_frames or sampling_fps"
            )
        return tuple(number * total // wanted for number in range(wanted))

    def __str__(self) -> str:
        if self.fps is not None:
            return f"{self.fps:g} frames a second, evenly spread"
        return "every frame" if self.frames is None else f"{self.frames} frames, evenly spread"
