"""The library's general rule for choosing frames: evenly, each at the start of its share of the video."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.sampling.reading import optional_integer, sampling_rate
from vistoken.video import Sampling, Source

if TYPE_CHECKING:
    from vistoken.configs import Config


@frozen
class EvenShares(Sampling):
    """`frames` frames, each at the start of its share of the video.

    Source: transformers 5.23.0, `video_utils.py`, `default_sample_indices_fn`.
    """

    frames: int

    def choose(self, source: Source) -> tuple[int, ...]:
        return _shares(source.frames, self.frames)

    def __str__(self) -> str:
        return f"{self.frames} frames, evenly spread"


@frozen
class EvenRate(Sampling):
    """As many frames as `fps` a second make, at least one, each at the start of its share of the video.

    Source: as for `EvenShares`.
    """

    fps: float

    def choose(self, source: Source) -> tuple[int, ...]:
        return _shares(source.frames, max(1, int(source.frames / (source.fps or 24) * self.fps)))

    def __str__(self) -> str:
        return f"{self.fps:g} frames a second, evenly spread"


@frozen
class EveryFrame(Sampling):
    """What the library's general rule does where the processor sets neither a number nor a rate."""

    def choose(self, source: Source) -> tuple[int, ...]:
        return tuple(range(source.frames))

    def __str__(self) -> str:
        return "every frame"


def even(processor: Config) -> EvenShares | EvenRate | None:
    """From a video processor's values; None where it sets neither a number nor a rate."""
    frames, fps = optional_integer(processor, "num_frames"), sampling_rate(processor)
    if frames is not None and fps is not None:
        raise processor.error("num_frames", frames, f"it must not be set together with a rate, which is {fps:g}")
    if fps is not None:
        return EvenRate(fps)
    return None if frames is None else EvenShares(frames)


def _shares(total: int, wanted: int) -> tuple[int, ...]:
    if wanted > total:
        raise InputError(
            f"{wanted:,} frames cannot be taken from a video of {total:,}: "
            "ask for fewer, with num_frames or sampling_fps"
        )
    return tuple(number * total // wanted for number in range(wanted))
