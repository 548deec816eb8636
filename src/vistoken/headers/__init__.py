"""The size and orientation of a JPEG, PNG or WebP from its first bytes, without Pillow.

Strict: only files that are as their standards and nearly all writers have them are answered; for anything else the
answer is None, and Pillow decides (`sources.image_size`). So what is checked here is whatever could make Pillow refuse
a file or read another number. Pillow opens a JPEG by its segments down to the first scan, a PNG by its chunks down to
the pixels, checksums included, and a WebP by libwebp's list of chunks (JpegImagePlugin, PngImagePlugin and
WebPImagePlugin of Pillow 13, libwebp's demux.c); rules that the functions below check are those.

Sources of the formats: ITU-T T.81 annex B (JPEG), CIPA DC-008 (Exif 3.0), TIFF 6.0 section 2, PNG third edition,
RFC 9649 (WebP), RFC 6386 section 9.1 (VP8).
"""

from __future__ import annotations

import io
import os
import struct
import sys
from collections.abc import Callable
from stat import S_ISREG
from typing import TYPE_CHECKING

from vistoken.geometry import Size
from vistoken.headers.jpeg import read_jpeg
from vistoken.headers.png import read_png
from vistoken.headers.webp import read_webp, webp_is_read
from vistoken.headers.window import Unusual, Window

if TYPE_CHECKING:
    Header = tuple[Size, int]  # size as it is stored, and orientation, 1 to 8

# Pillow's own limit on pixels, above which it warns, and above twice of which it refuses (Image.MAX_IMAGE_PIXELS).
MOST_PIXELS = 1024 * 1024 * 1024 // 4 // 3
MOST_SIDE = 65_535  # what JPEG can say


def header(picture: object) -> Header | None:
    """Size as stored and orientation of a file named by its path, or open; None where Pillow has to decide.

    Errors are Pillow's business, too: a file that cannot be read is None.

    >>> header("examples/images/rocket.jpg")
    (Size(height=427, width=640), 1)
    """
    try:
        if isinstance(picture, str | os.PathLike):
            return _of_path(picture)
        if isinstance(picture, io.BytesIO | io.BufferedReader):  # others may not seek: a read would take bytes away
            return _of_file(picture)
    except (OSError, ValueError):  # cannot be opened, read or sought; closed; a null in the name
        return None
    return None


def _seek_and_read(file: int, length: int, place: int) -> bytes:
    os.lseek(file, place, os.SEEK_SET)
    return os.read(file, length)


_pread = getattr(os, "pread", _seek_and_read)  # which Windows lacks


def _of_path(path: str | os.PathLike[str]) -> Header | None:
    status = os.stat(path)
    if not S_ISREG(status.st_mode):  # a pipe would block
        return None
    file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        return parse(lambda place, length: _pread(file, length, place), status.st_size)
    finally:
        os.close(file)


def _of_file(file: io.BytesIO | io.BufferedReader) -> Header | None:
    def read(place: int, length: int) -> bytes:
        file.seek(place)
        return file.read(length)

    return parse(read, file.seek(0, os.SEEK_END))


def parse(read: Callable[[int, int], bytes], size: int) -> Header | None:
    """The same of any content of `size` bytes, of which `read(place, length)` gives a part.

    >>> content = open("examples/images/rocket.jpg", "rb").read()
    >>> parse(lambda place, length: content[place : place + length], len(content))
    (Size(height=427, width=640), 1)
    """
    window = Window(read, size)
    start = window.data
    try:
        if start.startswith(b"\xff\xd8\xff"):
            height, width, orientation = read_jpeg(window)
        elif start.startswith(b"\x89PNG\r\n\x1a\n"):
            height, width, orientation = read_png(window)
        elif start.startswith(b"RIFF") and start.startswith(b"WEBP", 8) and webp_is_read():
            height, width, orientation = read_webp(window)
        else:
            return None
    except (Unusual, struct.error, LookupError):  # the latter two: fewer bytes, or others, than there should be
        return None
    if not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE and height * width <= _most_pixels()):
        return None
    return Size(height, width), orientation


def _most_pixels() -> int:
    """Pillow's limit, or what the program that imported Pillow has lowered it to."""
    lowered = getattr(sys.modules.get("PIL.Image"), "MAX_IMAGE_PIXELS", None)
    return MOST_PIXELS if lowered is None else min(lowered, MOST_PIXELS)
