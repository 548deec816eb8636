"""How transformers chooses frames where a video processor has no rule of its own."""

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
    """`frames` frames, else `fps` a second, evenly spread from the first; all of them where neither is set.

    A video with fewer frames than that is refused.
    Source: transformers 5.23.0, `video_utils.default_sample_indices_fn`.
    """

    frames: int | None
    fps: float | None

    @classmethod
    def read(cls, processor: Config) -> DefaultSampling:
        """From a video processor's values, of which `num_frames` and `fps` exclude one another."""
        frames, fps = optional_integer(processor, "num_frames"), sampling_rate(processor)
        if frames is not None and fps is not None:
            raise processor.error("num_frames", frames, f"fps is {fps:g}: the two exclude one another, keep one of them")
        return cls(frames, fps)

    def choose(self, source: Source) -> tuple[int, ...]:
        total, wanted = source.frames, self.frames
        if wanted is None:
            if self.fps is None:
                return tuple(range(total))
            wanted = max(1, int(total / (source.fps or 24) * self.fps))
        if wanted > total:
            raise InputError(
                f"{wanted:,} frames cannot be taken from a video of {total:,}: give frames, those it is to look at"
            )
        return tuple(index * total // wanted for index in range(wanted))

    def __str__(self) -> str:
        if self.frames is not None:
            return f"{self.frames} frames, evenly spread"
        return "every frame" if self.fps is None else f"{self.fps:g} a second, evenly spread"
