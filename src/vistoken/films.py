"""Video files before they are pixels: size, frames and rate from the header, with the extra `video` (PyAV).

No frame is decoded. Where the container does not tell how many frames there are (Matroska, WebM, MPEG-TS), its packets
are counted, for which the file is read once: an estimate from duration and rate could differ from what `encode` finds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from vistoken import turning
from vistoken.errors import InputError, MissingExtra, UsageError
from vistoken.geometry import Size
from vistoken.sources import check_file, shown_name
from vistoken.video import Source

# Files that are taken for videos by their ending; others by their first bytes.
ENDINGS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv",
           ".ogv", ".3gp", ".3g2")  # fmt: skip
# The content decides the demuxer, and only these may run: playlists, for one, open other files and addresses.
FORMATS = ("mov,matroska,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,gif,h264,hevc,av1,obu,ivf,m4v,mjpeg,dv,mxf,nut,"
           "yuv4mpegpipe")  # fmt: skip
# Brands of ISO files that hold pictures (ISO/IEC 23008-12; AV1 Image File Format).
_STILL = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


@dataclass(frozen=True, slots=True)
class Film:
    """A video file: its name, the size of its frames when they are upright, and how many there are at what rate.

    Frames have the size that they are stored in, turned as the file says. The shape of its pixels (sample aspect ratio)
    is left aside, as it is by all that hand frames to a processor (PyAV, torchcodec). `source.fps` is the mean rate.
    """

    name: str
    size: Size
    source: Source


def is_film(path: str) -> bool:
    """Whether a file is to be read as a video, by its ending or its first bytes."""
    if not os.path.isfile(path):
        return False
    if path.lower().endswith(ENDINGS):
        return True
    try:
        with open(path, "rb") as file:
            head = file.read(12)
    except OSError:
        return False  # whoever reads it as a picture says what is wrong
    if head[4:8] == b"ftyp":
        return head[8:12] not in _STILL
    return head.startswith(b"\x1a\x45\xdf\xa3") or (head[:4], head[8:12]) == (b"RIFF", b"AVI ")


def read_film(path: str | os.PathLike[str], fps: float | None = None) -> Film:
    """What a video file tells of itself; `fps` wins over its own rate. Raises `InputError`, `MissingExtra`."""
    name = os.fsdecode(path)
    check_file(name, shown_name(name))
    with opened(name) as (container, stream):
        angle = turning.degrees(name, container.format.name, stream.id)
        if angle % 90:
            raise InputError(f"{shown_name(name)} is to be shown turned by {angle} degrees: turn it upright first")
        try:
            size = Size(height=stream.height, width=stream.width)
        except UsageError as error:
            raise InputError(f"{shown_name(name)}: {error}") from None
        return Film(name, size.swapped if angle % 180 else size, source_of(container, stream, name, fps))


def source_of(container: Any, stream: Any, name: str, fps: float | None) -> Source:
    """Frames and rate of an open file. Raises `InputError` that names it."""
    frames = stream.frames or sum(packet.size > 0 for packet in container.demux(stream))
    if not frames:
        raise InputError(f"{shown_name(name)} holds no frame")
    rate = fps if fps is not None else stream.average_rate
    if rate is None:
        raise InputError(f"{shown_name(name)} does not tell how many frames it shows a second: give fps")
    try:
        return Source(frames, float(rate))
    except UsageError as error:
        if fps is not None:
            raise
        raise InputError(f"{shown_name(name)}: {error}") from None


@contextmanager
def opened(name: str) -> Iterator[tuple[Any, Any]]:
    """The container and its first video stream. What goes wrong while it is open is an `InputError`."""
    av = _library()
    try:
        # An absolute path, since FFmpeg takes what stands before a colon for a protocol. Titles may be in any encoding.
        path, options = os.path.abspath(name), {"format_whitelist": FORMATS}
        with av.open(path, options=options, metadata_errors="replace") as container:
            if not container.streams.video:
                raise InputError(f"{shown_name(name)} holds no video stream")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise InputError(f"{shown_name(name)} cannot be read as a video: its codec is unknown")
            yield container, stream
    except av.FFmpegError as error:
        raise InputError(f"{shown_name(name)} cannot be read as a video: {error.strerror or error}") from None


def _library() -> ModuleType:
    try:
        import av
    except ImportError:
        raise MissingExtra("PyAV", "video", "reading video files") from None
    return av
