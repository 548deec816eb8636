"""The frames of a video: pictures or arrays in memory, or a file that PyAV decodes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from torch import Tensor

from vistoken import pixels
from vistoken.encoding.inputs import read_picture
from vistoken.errors import InputError, UsageError, VistokenError, shown
from vistoken.films import opened, source_of
from vistoken.sources import shown_name
from vistoken.video import Source

if TYPE_CHECKING:
    from vistoken.encoding.inputs import Input

    # A file, frames one by one, or all of them as bytes (F, H, W, 3).
    Video = str | os.PathLike[str] | Sequence[Input] | np.ndarray | Tensor


@dataclass(frozen=True, eq=False, slots=True)
class Frames:
    """Frames that the caller has in memory."""

    name: str
    source: Source
    items: Sequence[Input] | np.ndarray | Tensor

    @classmethod
    def of(cls, frames: Sequence[Input] | np.ndarray | Tensor, fps: float | None) -> Frames:
        if isinstance(frames, np.ndarray | Tensor) and (frames.ndim != 4 or frames.shape[-1] != 3):
            raise InputError(f"a video of shape {tuple(frames.shape)}: it must be (frames, height, width, 3)")
        if not len(frames):
            raise InputError("the video holds no frame: give at least one")
        return cls(f"video of {len(frames)} frames", Source(len(frames), fps), frames)

    def pictures(self, indices: Sequence[int]) -> Iterator[Image.Image]:
        """The frames of these numbers, upright and RGB, one at a time."""
        for number in indices:
            try:
                yield read_picture(self.items[number], "last")[1]
            except VistokenError as error:
                raise type(error)(f"frame {number}: {error}") from None


@dataclass(frozen=True, slots=True)
class FilmFile:
    """A video file. Frames are decoded from the start, in the order in which they are shown."""

    name: str
    source: Source

    @classmethod
    def open(cls, path: str | os.PathLike[str], fps: float | None) -> FilmFile:
        """Reads the header; `fps` wins over the rate that it tells. Raises `InputError` that names the file."""
        name = os.fspath(path)
        with opened(name) as (container, stream):
            if stream.width * stream.height > pixels.MAX_PIXELS:
                size = f"{stream.width}x{stream.height}"
                raise InputError(f"{shown_name(name)} is {size}: more than {pixels.MAX_PIXELS:,} pixels a frame")
            return cls(name, source_of(container, stream, name, fps))

    def pictures(self, indices: Sequence[int]) -> Iterator[Image.Image]:
        """The frames of these numbers, which ascend, upright and RGB, one at a time."""
        wanted, number = Counter(indices), -1
        with opened(self.name) as (container, stream):
            for number, frame in enumerate(container.decode(stream)):
                if number in wanted:
                    yield from (_upright(frame, self.name),) * wanted[number]
                if number >= indices[-1]:
                    return
        name, told = shown_name(self.name), self.source.frames
        raise InputError(f"{name} ends after {number + 1} frames, though its header tells {told}: it is cut off")


Film = Frames | FilmFile


def film_of(video: Video, fps: float | None) -> Film:
    """A video that a caller gave. Raises `UsageError` for what is none."""
    if isinstance(video, str | os.PathLike):
        return FilmFile.open(video, fps)
    if isinstance(video, Iterator):
        video = list(video)
    if not isinstance(video, list | tuple | np.ndarray | Tensor):
        kind = type(video).__name__
        raise UsageError(f"video is one {kind}: give a file, a list of frames, or an array (frames, height, width, 3)")
    return Frames.of(video, fps)


def _upright(frame: Any, name: str) -> Image.Image:
    """RGB, turned as the file's display matrix says; PyAV tells the angle counterclockwise."""
    if frame.rotation % 90:
        raise InputError(f"{shown_name(name)} is to be shown turned by {frame.rotation} degrees: turn it upright first")
    return Image.fromarray(np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90 % 4))


def check_numbers(frames: object, source: Source) -> tuple[int, ...]:
    """Numbers of frames that a caller chose. Raises `UsageError` unless they ascend within the video."""
    if not isinstance(frames, Iterable):
        raise UsageError(
            f"frames is {shown(frames)}: give the numbers of the frames to look at, as in range(0, 80, 10)"
        )
    given = list(frames)
    try:
        numbers = tuple(map(index, given))  # numpy's integers too
    except TypeError:
        numbers = ()
    if not numbers or numbers[0] < 0 or numbers[-1] >= source.frames or sorted(numbers) != list(numbers):
        rule = f"they must be whole numbers from 0 to {source.frames - 1:,}, ascending"
        raise UsageError(f"frames is {shown(given)}: {rule}")
    return numbers
