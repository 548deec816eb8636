"""GLM's rules for choosing frames. All drop duplicates and repeat the last frame where their number is odd."""

from __future__ import annotations

import math
from collections.abc import Iterable

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.sampling.numbers import spaced
from vistoken.video import Sampling, Source

# Frames that may be asked for before duplicates are dropped.
MAX_ASKED = 10_000_000


@frozen
class UpToDuration(Sampling):
    """GLM-4.1V and 4.5V: `fps` a second up to `max_duration` seconds; of longer videos as many, spread evenly.

    Source: transformers 5.23.0, `models/glm4v/video_processing_glm4v.py`, `sample_frames`.
    """

    fps: float
    max_duration: int

    def choose(self, source: Source) -> tuple[int, ...]:
        total, rate, duration = source.frames, source.fps or 24, source.duration or 0.0
        if min(duration, self.max_duration) * self.fps > MAX_ASKED:
            raise InputError(f"{self} are more than {MAX_ASKED:,} frames of this video: lower the rate")
        if duration <= self.max_duration:
            times = max(math.floor(duration * self.fps), 1)
            return _even(min(total - 1, math.ceil(number * rate / self.fps)) for number in range(times))
        wanted = int(self.max_duration * self.fps)
        if wanted >= total:
            return _even(range(total))
        return _even(min(total - 1, math.ceil(time * rate)) for time in spaced(0, duration, wanted))

    def __str__(self) -> str:
        return f"{self.fps:g} a second up to {self.max_duration} seconds, as many of longer ones"


@frozen
class ByDuration(Sampling):
    """GLM-4.6V: 3, 1 or 0.5 frame groups a second up to 30, 300 or more seconds, at most 640 frames.

    Source: transformers 5.23.0, `models/glm46v/video_processing_glm46v.py`, `sample_frames`.
    """

    group: int

    def choose(self, source: Source) -> tuple[int, ...]:
        total, rate, duration = source.frames, source.fps or 24, source.duration or 0.0
        groups = 3 if duration <= 30 else 1 if duration <= 300 else 0.5
        wanted = min(int(min(duration, 2400) * groups * self.group), 640)
        if total < wanted:
            return _even(map(int, spaced(0, total - 1, wanted)))
        return _paced(total, rate, 1 / (self.group * groups), int(duration), wanted)

    def __str__(self) -> str:
        return f"{self.group} x 3, 1 or 0.5 a second up to 30, 300 or more seconds, at most 640"


@frozen
class AtRate(Sampling):
    """GLM-GA: `fps` a second, at most `max_frames`; a video with too few frames is stretched.

    Source: transformers 5.23.0, `models/glmga/video_processing_glmga.py`, `sample_frames`.
    """

    fps: float
    max_frames: int

    def choose(self, source: Source) -> tuple[int, ...]:
        total, rate, duration = source.frames, source.fps or 24, source.duration or 0.0
        wanted = min(int(duration * self.fps), self.max_frames)
        if total < wanted:
            return _even(math.floor(number * total / wanted) for number in range(wanted))
        return _paced(total, rate, 1 / self.fps, duration - 1 / self.fps, wanted)

    def __str__(self) -> str:
        return f"{self.fps:g} a second, at most {self.max_frames:,}"


@frozen
class AtRateWithin(Sampling):
    """GLM-5: `fps` a second of the first `max_duration` seconds (0: of all), at most `max_frames`.

    Source: transformers 5.23.0, `models/glm5_next/video_processing_glm5_next.py`, `sample_frames`.
    """

    fps: float
    max_frames: int
    max_duration: int

    def choose(self, source: Source) -> tuple[int, ...]:
        total, rate, duration = source.frames, source.fps or 24, source.duration or 0.0
        counted = min(duration, self.max_duration) if self.max_duration > 0 else duration
        wanted = min(int(counted * self.fps), self.max_frames)
        if total < wanted:
            return _even(map(int, spaced(0, total - 1, wanted)))
        return _paced(total, rate, 1 / self.fps, int(duration), wanted)

    def __str__(self) -> str:
        within = f" as for {self.max_duration} seconds" if self.max_duration else ""
        return f"{self.fps:g} a second{within}, at most {self.max_frames:,}"


def _paced(total: int, rate: float, interval: float, stop: float, wanted: int) -> tuple[int, ...]:
    """The first frame not before each multiple of `interval`, until `stop` seconds; spread anew if not `wanted`.

    The reference adds the interval up and looks at every frame; the sums decide, so they are kept.
    """
    picks: list[int] = []
    step, due, frame = 1 / rate, 0.0, 0
    while len(picks) <= wanted:
        frame = max(frame, int(due / step) - 1)
        while frame < total and frame * step < due:
            frame += 1
        if frame >= total:
            break
        picks.append(frame)
        frame, due = frame + 1, due + interval
        if due >= stop:
            break
    if len(picks) < wanted:
        picks = list(map(int, spaced(picks[0], picks[-1], wanted)))
    elif len(picks) > wanted:
        picks = list(map(int, spaced(0, total - 1, wanted)))
    return _even(picks)


def _even(indices: Iterable[int]) -> tuple[int, ...]:
    """Without duplicates, the last one twice where their number is odd."""
    unique = tuple(dict.fromkeys(indices))
    return unique + unique[-1:] * (len(unique) % 2)
