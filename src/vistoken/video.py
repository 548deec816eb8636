"""Videos before they are pixels: which frames of a clip a model looks at."""

from __future__ import annotations

from abc import ABC, abstractmethod

from vistoken.errors import UsageError, shown
from vistoken.frozen import frozen
from vistoken.single import single

# Above this a count of frames is a mistake: 10 million frames are 46 hours at 60 a second.
MAX_FRAMES = 10_000_000


@frozen
class Source:
    """A video as its file tells it: `frames` in all, shown at `fps` a second; fps is None where nobody knows."""

    frames: int
    fps: float | None = None

    def __post_init__(self) -> None:
        if type(self.frames) is not int or not 0 < self.frames <= MAX_FRAMES:
            raise UsageError(f"frames is {shown(self.frames)}: it must be a whole number from 1 to {MAX_FRAMES:,}")
        fps = self.fps
        if fps is not None and (
            isinstance(fps, bool) or not isinstance(fps, int | float) or not 0.001 <= fps <= 10_000  # NaN is not
        ):
            raise UsageError(f"fps is {shown(fps)}: it must be a number of frames a second, from 0.001 to 10,000")

    @classmethod
    def lasting(cls, duration: float, fps: float) -> Source:
        """A video of `duration` seconds at `fps` frames a second: at least one frame."""
        if isinstance(duration, bool) or not isinstance(duration, int | float) or not 0 < duration <= 10_000_000:
            raise UsageError(f"duration is {shown(duration)}: it must be seconds, above 0, at most 10,000,000")
        cls(1, fps)
        frames = max(1, round(duration * fps))
        if frames > MAX_FRAMES:
            raise UsageError(
                f"{duration:g} seconds at {fps:g} a second are {frames:,} frames, more than {MAX_FRAMES:,}"
            )
        return cls(frames, fps)

    @property
    def duration(self) -> float | None:
        """Seconds."""
        return None if self.fps is None else self.frames / self.fps


@frozen
class Clip:
    """The frames of a video that a model looks at: their numbers in the source, from 0, in order.

    `sampled` tells that the model's own rule has chosen them.
    """

    indices: tuple[int, ...]
    source: Source
    sampled: bool = False

    @property
    def frames(self) -> int:
        return len(self.indices)

    @classmethod
    def whole(cls, source: Source) -> Clip:
        """Every frame: the caller has chosen them already."""
        return cls(tuple(range(source.frames)), source)

    def time(self, number: int, otherwise: float) -> float:
        """When the frame `number` of the clip is shown, in seconds; `otherwise` is the rate where nobody knows it."""
        return self.indices[number] / (self.source.fps or otherwise)

    def tensor_time(self, number: int, otherwise: float) -> float:
        """As `time`; in single precision where the model's own rule chose the frames and kept them in a tensor."""
        if not self.sampled:
            return self.time(number, otherwise)
        return single(single(self.indices[number]) / single(self.source.fps or otherwise))


class Sampling(ABC):
    """A family's own rule for choosing frames."""

    __slots__ = ()

    @abstractmethod
    def choose(self, source: Source) -> tuple[int, ...]:
        """Numbers of the frames that are looked at. `source.fps` is known. Raises `InputError` where it refuses."""

    def clip(self, source: Source) -> Clip:
        return Clip(self.choose(source), source, sampled=True)
