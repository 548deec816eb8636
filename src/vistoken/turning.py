"""How a video file says that it is to be turned for showing: from its header, without decoding a frame.

MP4 and MOV have matrices of the track and of the movie (ISO/IEC 14496-12, 8.2.2 and 8.3.2), Matroska and WebM the roll
of a projection (RFC 9559, 5.1.4.1.28.45). Other containers do not tell. What is broken here says nothing: FFmpeg, which
opens the file, judges it.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

MOST_ELEMENTS = 100_000  # of one level of a file: real ones have dozens
_LONGEST = 1024  # bytes of an element that are of interest
# Matroska's numbers of elements (RFC 9559, section 27.1).
_SEGMENT, _TRACKS, _ENTRY, _TYPE, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0x83, 0xE0
_PROJECTION, _ROLL, _CLUSTER = 0x7670, 0x7675, 0x1F43B675

Element = tuple[object, int, int]  # what it is, and where its body begins and ends


def degrees(path: str | os.PathLike[str], container: str, track: int) -> int:
    """The angle in whole degrees, 0 to 359, by which frames are turned counterclockwise.

    `container` is FFmpeg's name of the format; `track` the number of an MP4's track. Of a Matroska file it is the first
    video track.
    """
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        if "mp4" in container.split(","):
            return _of_mp4(file, end, track)
        return _of_matroska(file, end) if "matroska" in container.split(",") else 0


# ---------------------------------------------------------------- MP4 and MOV


def _of_mp4(file: BinaryIO, end: int, track: int) -> int:
    movie = _find(_boxes(file, 0, end), b"moov")
    if movie is None:
        return 0
    header = _find(_boxes(file, *movie), b"mvhd")
    whole = _matrix(_body(file, header), 36, 48) if header else None
    for kind, start, stop in _boxes(file, *movie):
        found = _find(_boxes(file, start, stop), b"tkhd") if kind == b"trak" else None
        body = _body(file, found) if found else b""
        if len(body) > 24 and struct.unpack_from(">I", body, 20 if body[0] else 12)[0] == track:
            return _angle(_matrix(body, 40, 52), whole)
    return 0


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[Element]:
    for _ in range(MOST_ELEMENTS):
        file.seek(start)
        head = file.read(16)
        if start >= end or len(head) < 8:
            return
        length, kind = struct.unpack_from(">I4s", head)
        body = start + 8
        if length == 1 and len(head) == 16:  # the length follows, in eight bytes
            [length], body = struct.unpack_from(">Q", head, 8), start + 16
        stop = min(start + length, end) if length else end
        if stop < body:
            return
        yield kind, body, stop
        start = stop


def _matrix(body: bytes, short: int, long: int) -> tuple[int, ...] | None:
    """a, b, c, d of x' = a x + c y, y' = b x + d y; it stands further behind in version 1, whose times are longer."""
    place = long if body[:1] == b"\x01" else short
    if len(body) < place + 20:
        return None
    a, b, _, c, d = struct.unpack_from(">5i", body, place)
    return a, b, c, d


def _angle(track: tuple[int, ...] | None, movie: tuple[int, ...] | None) -> int:
    """The first column of both matrices' product tells the angle, as in FFmpeg's `av_display_rotation_get`."""
    if track is None:
        return 0
    a, b, c, d = track
    e, f, g, h = movie or (1, 0, 0, 1)
    right, down, right_too, down_too = a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h
    scales = math.hypot(right, right_too), math.hypot(down, down_too)
    if not all(scales):
        return 0
    return round(-math.degrees(math.atan2(down / scales[1], right / scales[0]))) % 360


# ---------------------------------------------------------------- Matroska and WebM


def _of_matroska(file: BinaryIO, end: int) -> int:
    place = None
    for wanted in (_SEGMENT, _TRACKS):
        place = _find(_elements(file, *(place or (0, end))), wanted)
        if place is None:
            return 0
    assert place is not None
    for kind, start, stop in _elements(file, *place):
        if kind != _ENTRY or _body(file, _find(_elements(file, start, stop), _TYPE)) != b"\x01":  # 1 is video
            continue
        for wanted in (_VIDEO, _PROJECTION, _ROLL):
            inner = _find(_elements(file, start, stop), wanted)
            if inner is None:
                return 0
            start, stop = inner
        return _roll(_body(file, (start, stop)))
    return 0


def _roll(body: bytes) -> int:
    kind = {4: ">f", 8: ">d"}.get(len(body))
    value = struct.unpack(kind, body)[0] if kind else 0.0
    return round(value) % 360 if math.isfinite(value) else 0


def _elements(file: BinaryIO, start: int, end: int) -> Iterator[Element]:
    for _ in range(MOST_ELEMENTS):
        file.seek(start)
        head = file.read(12)
        kind, width = _number(head, marked=True)
        length, more = _number(head[width:], marked=False)
        if start >= end or not width or not more or kind == _CLUSTER:
            return
        body = start + width + more
        unknown = length == 2 ** (7 * more) - 1  # as in a file that was streamed
        stop = end if unknown else min(body + length, end)
        yield kind, body, stop
        start = stop


def _number(data: bytes, marked: bool) -> tuple[int, int]:
    """A number of variable width and the bytes it takes, 0 for none (RFC 8794, section 4)."""
    width = 9 - data[0].bit_length() if data and data[0] else 0
    if not width or len(data) < width:
        return 0, 0
    value = int.from_bytes(data[:width], "big")
    return (value if marked else value & (2 ** (7 * width) - 1)), width


# ---------------------------------------------------------------- both


def _find(elements: Iterator[Element], wanted: object) -> tuple[int, int] | None:
    return next(((start, stop) for kind, start, stop in elements if kind == wanted), None)


def _body(file: BinaryIO, place: tuple[int, int] | None) -> bytes:
    if place is None:
        return b""
    file.seek(place[0])
    return file.read(min(place[1] - place[0], _LONGEST))
