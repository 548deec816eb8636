"""The size and orientation of a JPEG, PNG or WebP from its first bytes, without Pillow.

Strict: only files that are as their standards and nearly all writers have them are answered; for anything else the
answer is None, and Pillow decides (`sources.image_size`). So what is checked here is whatever could make Pillow refuse
a file or read another number. Pillow opens a JPEG by its segments down to the first scan, a PNG by its chunks down to
the pixels, checksums included, and a WebP by libwebp's list of chunks (JpegImagePlugin, PngImagePlugin and
WebPImagePlugin of Pillow 13, demux.c of libwebp 1.6); rules that the functions below check are those.

Sources of the formats: ITU-T T.81 annex B (JPEG), CIPA DC-008 (Exif 3.0), TIFF 6.0 section 2, PNG third edition,
RFC 9649 (WebP), RFC 6386 section 9.1 (VP8).
"""

from __future__ import annotations

import io
import os
import re
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from stat import S_ISREG
from typing import TYPE_CHECKING

from vistoken.geometry import Size

if TYPE_CHECKING:
    Header = tuple[Size, int]  # size as it is stored, and orientation, 1 to 8

# Pillow's own limit on pixels, above which it warns, and above twice of which it refuses (Image.MAX_IMAGE_PIXELS).
MOST_PIXELS = 1024 * 1024 * 1024 // 4 // 3
MOST_SIDE = 65_535  # what JPEG can say
WINDOW = 4096  # bytes that are read at once
MOST_SEGMENTS = 1000  # of a JPEG, and fill bytes, before the first scan
MOST_BEFORE_PIXELS = 2**20  # bytes of a PNG before its pixels; of an eXIf chunk, too


class _Unusual(Exception):
    """The file is left to Pillow."""


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
    window = _Window(read, size)
    start = window.data
    try:
        if start.startswith(b"\xff\xd8\xff"):
            height, width, orientation = _jpeg(window)
        elif start.startswith(b"\x89PNG\r\n\x1a\n"):
            height, width, orientation = _png(window)
        elif start.startswith(b"RIFF") and start.startswith(b"WEBP", 8) and _webp_is_read():
            height, width, orientation = _webp(window)
        else:
            return None
    except (_Unusual, struct.error, LookupError):  # the latter two: fewer bytes, or others, than there should be
        return None
    if not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE and height * width <= _most_pixels()):
        return None
    return Size(height, width), orientation


class _Window:
    """A file of which a few KiB are held at a time."""

    __slots__ = ("data", "read", "size", "start")

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self.read, self.size, self.start = read, size, 0
        self.data = read(0, WINDOW)

    def hold(self, place: int, length: int) -> int:
        """Where in `data` these bytes begin, after they were read; fewer are there where the file ends before."""
        offset = place - self.start
        if offset >= 0 and (offset + length <= len(self.data) or self.start + len(self.data) >= self.size):
            return offset
        self.data, self.start = self.read(place, max(length, WINDOW)), place
        return 0

    def at(self, place: int, length: int) -> bytes:
        """These bytes; fewer where the file ends before."""
        offset = self.hold(place, length)
        return self.data[offset : offset + length]


def _require(condition: bool) -> None:
    if not condition:
        raise _Unusual


def _most_pixels() -> int:
    """Pillow's limit, or what the program that imported Pillow has lowered it to."""
    lowered = getattr(sys.modules.get("PIL.Image"), "MAX_IMAGE_PIXELS", None)
    return MOST_PIXELS if lowered is None else min(lowered, MOST_PIXELS)


# ---------------------------------------------------------------- Exif

# The first directory nearly always follows the header at once: byte order, 42, and 8 as the place of the directory.
_ORDERS = {b"II*\0\b\0\0\0": ("<H", "<HHII", 0), b"MM\0*\0\0\0\b": (">H", ">HHII", 16)}
_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)  # a value of each type of TIFF 6.0, 1 to 12
_ORIENTATION = 0x0112
# XResolution, ResolutionUnit and Orientation: one rational, and one short each. Pillow computes with them when it opens
# a JPEG, and of some other types refuses the picture.
_TYPES = {0x011A: 5, 0x0128: 3, _ORIENTATION: 3}


def _exif(window: _Window, start: int, length: int) -> int:
    """Orientation from a TIFF structure (Exif 3.0, section 4.5.2) of `length` bytes; 0 where it has none.

    Tags must ascend, as TIFF asks, so that none stands twice, and every value must lie in the structure.
    """
    order, entry, shift = _ORDERS[window.at(start, 8)]
    (count,) = struct.unpack(order, window.at(start + 8, 2))
    _require(10 + 12 * count + 4 <= length)
    orientation, last = 0, -1
    for tag, kind, values, value in struct.iter_unpack(entry, window.at(start + 10, 12 * count)):
        size = values * _BYTES[kind]
        if tag <= last or (size > 4 and value + size > length):
            raise _Unusual
        if tag in _TYPES:
            _require(kind == _TYPES[tag] and values == 1)
            if tag == _ORIENTATION:
                orientation = value >> shift & 0xFFFF
                _require(1 <= orientation <= 8)
        last = tag
    return orientation


def _is_turned(xmp: bytes) -> bool:
    """Whether XMP tells another orientation than 1; Pillow 13 asks it where Exif has none (11.0 does not)."""
    return b"tiff:Orientation" in xmp and re.search(rb'tiff:Orientation(="|>)[02-9]', xmp) is not None


# ---------------------------------------------------------------- JPEG

_SEGMENT = struct.Struct(">BBH")
_AHEAD = 512  # bytes from a marker on that suffice for whatever is looked at in its segment
_SOS, _DQT, _APP1 = 0xDA, 0xDB, 0xE1
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_XMP, _BLOCKS = b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"
# Applications of whose segments Pillow reads more than the name, with the shortest that hold what it looks for; a file
# of several pictures (MPF) is never long enough.
_APPLICATIONS = {
    0xE0: ((b"JFIF", 14),),
    _APP1: (),
    0xE2: ((b"ICC_PROFILE\0", 16), (b"MPF\0", 2**16)),
    0xED: (),
    0xEE: ((b"Adobe", 14),),
}
_READ = _SOF | _APPLICATIONS.keys() | {_DQT}
# What it reads over: DHT, DAC, DRI, COM and the other applications.
_SKIPPED = frozenset((0xC4, 0xCC, 0xDD, 0xFE, *range(0xE0, 0xF0))) - _READ


def _jpeg(window: _Window) -> tuple[int, int, int]:
    """Height, width and orientation from the segments before the first scan (T.81, section B.1.1)."""
    frame, exif, turned = None, None, False
    for marker, offset, length in _segments(window):
        data = window.data
        if marker == _DQT:
            _check_tables(data, offset, length)
        elif marker in _SOF:
            frame = _frame(data, offset, length)
        elif marker == _APP1 and data.startswith(b"Exif\0\0", offset + 4):
            _require(exif is None)  # Pillow joins several
            exif = _exif(window, window.start + offset + 10, length - 8)
        elif data.startswith(_XMP, offset + 4):
            turned |= _is_turned(window.at(window.start + offset + 4, length - 2))
        elif data.startswith(_BLOCKS, offset + 4):
            _check_blocks(window.at(window.start + offset + 4, length - 2))
        else:
            _check_application(marker, data, offset, length)
    if frame is None or (turned and not exif):
        raise _Unusual
    return *frame, exif or 1


def _segments(window: _Window) -> Iterator[tuple[int, int, int]]:
    """Marker, place in the window and length of every segment before the scan that is more than read over."""
    place, unpack, size = 2, _SEGMENT.unpack_from, window.size
    for _ in range(MOST_SEGMENTS):
        offset = place - window.start
        if offset + _AHEAD > len(window.data):
            offset = window.hold(place, _AHEAD)
        first, marker, length = unpack(window.data, offset)
        if first == marker == 0xFF:  # any number of these may stand before a marker
            place += 1
            continue
        after = place + 2 + length
        if first != 0xFF or length < 2 or after > size:
            raise _Unusual
        if marker == _SOS:
            return
        if marker not in _SKIPPED:
            if marker not in _READ:
                raise _Unusual
            yield marker, offset, length
        place = after
    raise _Unusual


def _check_application(marker: int, data: bytes, offset: int, length: int) -> None:
    for name, shortest in _APPLICATIONS[marker]:
        if data.startswith(name, offset + 4) and length < shortest:
            raise _Unusual


def _check_blocks(content: bytes) -> None:
    """Photoshop's blocks: Pillow reads code, name and length one after another, and refuses a name that is cut off.

    Adobe Photoshop File Formats Specification, "Image Resource Blocks": names and data are padded to even lengths.
    """
    place = len(_BLOCKS)
    while content.startswith(b"8BIM", place):
        place += 7 + content[place + 6]
        place += place % 2
        (length,) = struct.unpack_from(">I", content, place)
        place += 4 + length
        place += place % 2


def _check_tables(data: bytes, offset: int, length: int) -> None:
    """Up to four tables of 8 bits: a byte whose upper half is 0, then 64 values (T.81, section B.2.4.1)."""
    if length > 2 + 4 * 65 or (length - 2) % 65 or max(data[offset + 4 : offset + 2 + length : 65], default=0) > 15:
        raise _Unusual


def _frame(data: bytes, offset: int, length: int) -> tuple[int, int]:
    """Height and width of a frame header (T.81, section B.2.2) of 8 bits and 1, 3 or 4 components, as Pillow asks."""
    bits, height, width, components = struct.unpack_from(">BHHB", data, offset + 4)
    _require(bits == 8 and components in (1, 3, 4) and length == 8 + 3 * components)
    return height, width


# ---------------------------------------------------------------- PNG

_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type, section 11.2.1
# Lengths of chunks that Pillow takes apart, and chunks that it only reads over, iDOT being Apple's.
_LENGTHS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9}
_READ_OVER = frozenset((b"PLTE", b"bKGD", b"hIST", b"sBIT", b"sPLT", b"tIME", b"cICP", b"mDCV", b"cLLI", b"iDOT"))
_TRANSPARENT = {0: 2, 2: 6}
# Keywords of text that Pillow takes for Exif or XMP.
_TELLING = (b"exif", b"Raw profile type", b"XML:", b"xmp")
_XMP_TEXT = b"XML:com.adobe.xmp\0\0\0"  # in an iTXt chunk that is not compressed


def _png(window: _Window) -> tuple[int, int, int]:
    """Height, width and orientation from the chunks (PNG, section 5.3) before the pixels, and from eXIf behind them."""
    body, place, exif = _chunk(window, 8), 33, None
    _require(len(body) == 17 and body.startswith(b"IHDR") and _limits_are_pillows())
    width, height, depth, colour, deflate, filtering, interlace = struct.unpack(">IIBBBBB", body[4:])
    _require(depth in _DEPTHS.get(colour, ()) and deflate == filtering == 0 and interlace < 2)
    while (kind := window.at(place, 8)[4:]) != b"IDAT":
        body = _chunk(window, place)
        if kind == b"eXIf":
            _require(exif is None)
            exif = _exif(window, place + 8, len(body) - 4)
        else:
            _check_chunk(kind, memoryview(body)[4:], colour)
        place += len(body) + 8
        _require(place <= MOST_BEFORE_PIXELS)
    return height, width, (_late_exif(window, place) if exif is None else exif) or 1


def _chunk(window: _Window, place: int) -> bytes:
    """Kind and data of a chunk whose checksum is right."""
    (length,) = struct.unpack(">I", window.at(place, 4))
    _require(length <= MOST_BEFORE_PIXELS)
    body = window.at(place + 4, length + 8)
    _require(struct.unpack(">I", body[length + 4 :]) == (zlib.crc32(body := body[: length + 4]),))
    return body


def _check_chunk(kind: bytes, data: memoryview, colour: int) -> None:
    if kind == b"tEXt":
        _require(not bytes(data[:16]).startswith(_TELLING))
    elif kind == b"iTXt":
        _require(bytes(data[:20]) == _XMP_TEXT and not _is_turned(bytes(data)))
    elif kind == b"iCCP":
        _check_profile(bytes(data))
    elif kind == b"tRNS":
        _require(len(data) == _TRANSPARENT.get(colour) if colour != 3 else len(data) <= 256)
    else:
        _require(kind in _READ_OVER or len(data) == _LENGTHS.get(kind))


def _check_profile(data: bytes) -> None:
    """A name, a null, method 0, and what inflates to no more than Pillow takes (`MAX_TEXT_CHUNK`)."""
    _, null, packed = data.partition(b"\0")
    inflate = zlib.decompressobj()
    _require(null == b"\0" and packed[0] == 0)
    try:
        inflate.decompress(packed[1:], _PILLOWS[0])
    except zlib.error:
        return  # Pillow does without
    _require(not inflate.unconsumed_tail)


_PILLOWS = (2**20, 64 * 2**20)  # bytes of text, in a chunk and in all


def _limits_are_pillows() -> bool:
    """Whether Pillow's limits on texts are as it comes; a program that imported it can change them."""
    plugin = sys.modules.get("PIL.PngImagePlugin")
    return plugin is None or (plugin.MAX_TEXT_CHUNK, plugin.MAX_TEXT_MEMORY) == _PILLOWS


def _late_exif(window: _Window, place: int) -> int:
    """Orientation of the first eXIf chunk from `place` on; bodies of others are skipped. As in `sources`."""
    while len(head := window.read(place, 8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"eXIf" and length < MOST_BEFORE_PIXELS:
            _require(place + 8 + length <= window.size)
            return _exif(window, place + 8, length)
        if kind == b"IEND":
            break
        place += 12 + length
    return 0


# ---------------------------------------------------------------- WebP

_ORDER = {b"ICCP": 0, b"ALPH": 1, b"VP8 ": 2, b"VP8L": 2, b"EXIF": 3, b"XMP ": 4}
_FLAGS = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}
_ALPHA, _KNOWN = 0x10, 0x3C


@cache
def _webp_is_read() -> bool:
    """Whether this Pillow was built with libwebp; without it a WebP is refused."""
    from importlib.util import find_spec

    return find_spec("PIL._webp") is not None


def _webp(window: _Window) -> tuple[int, int, int]:
    """Height, width and orientation of a still picture, simple or extended (RFC 9649, sections 2.5 to 2.7)."""
    riff, kind = struct.unpack("<I4x4s", window.at(4, 12))
    _require(riff + 8 == window.size)
    if kind != b"VP8X":
        [(kind, start, length)] = _webp_chunks(window, 12)
        return *_bitstream(window, kind, start, length), 1
    length, flags, first, second = struct.unpack("<IIHI", window.at(16, 14))
    _require(length == 10 and flags & ~_KNOWN == 0)
    chunks = {kind: (start, length) for kind, start, length in _webp_chunks(window, 30)}
    coded = b"VP8L" if b"VP8L" in chunks else b"VP8 "
    _require(coded in chunks and all((kind in chunks) == bool(flags & flag) for kind, flag in _FLAGS.items()))
    _require(b"ALPH" not in chunks or (coded == b"VP8 " and bool(flags & _ALPHA)))
    height, width = _bitstream(window, coded, *chunks[coded])
    _require((width, height) == (1 + (first | (second & 0xFF) << 16), 1 + (second >> 8)))
    orientation = _webp_exif(window, *chunks[b"EXIF"]) if b"EXIF" in chunks else 0
    if not orientation and b"XMP " in chunks:
        start, length = chunks[b"XMP "]
        _require(length <= MOST_BEFORE_PIXELS and not _is_turned(window.at(start, length)))
    return height, width, orientation or 1


def _webp_chunks(window: _Window, place: int) -> list[tuple[bytes, int, int]]:
    """Kind, start and length of the chunks, which must ascend in `_ORDER` and end where the file does."""
    found, last = [], -1
    while place < window.size:
        kind, length = struct.unpack("<4sI", window.at(place, 8))
        _require(_ORDER.get(kind, -1) > last)
        found.append((kind, place + 8, length))
        last, place = _ORDER[kind], place + 8 + length + length % 2
    _require(place == window.size)
    return found


def _bitstream(window: _Window, kind: bytes, start: int, length: int) -> tuple[int, int]:
    """Height and width of a frame: RFC 6386, section 9.1, or RFC 9649, section 3.4."""
    if kind == b"VP8L":
        signature, bits = struct.unpack("<BI", window.at(start, 5))
        _require(length >= 5 and signature == 0x2F and bits >> 29 == 0)
        return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)
    low, high, code, width, height = struct.unpack("<BH3sHH", window.at(start, 10))
    _require(kind == b"VP8 " and length >= 10 and code == b"\x9d\x01\x2a")
    # A key frame of a profile up to 3 that is shown, whose first partition is shorter than the chunk.
    tag = low | high << 8
    _require(tag & 1 == 0 and tag >> 1 & 7 <= 3 and tag >> 4 & 1 == 1 and tag >> 5 < length)
    return height & 0x3FFF, width & 0x3FFF


def _webp_exif(window: _Window, start: int, length: int) -> int:
    named = 6 if window.at(start, 6) == b"Exif\0\0" else 0  # some writers put JPEG's name in front
    return _exif(window, start + named, length - named)
