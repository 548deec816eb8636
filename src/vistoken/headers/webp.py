"""WebP, RFC 9649: still pictures, simple or extended."""

from __future__ import annotations

import struct
from functools import cache

from vistoken.headers.exif import exif_orientation, is_turned
from vistoken.headers.window import Window, require

MOST_XMP = 2**20  # bytes
_ORDER = {b"ICCP": 0, b"ALPH": 1, b"VP8 ": 2, b"VP8L": 2, b"EXIF": 3, b"XMP ": 4}
_FLAGS = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}
_ALPHA, _KNOWN = 0x10, 0x3C


@cache
def webp_is_read() -> bool:
    """Whether this Pillow was built with libwebp; without it a WebP is refused."""
    from importlib.util import find_spec

    return find_spec("PIL._webp") is not None


def read_webp(window: Window) -> tuple[int, int, int]:
    """Height, width and orientation of a still picture, simple or extended (RFC 9649, sections 2.5 to 2.7)."""
    riff, kind = struct.unpack("<I4x4s", window.at(4, 12))
    require(riff + 8 == window.size)
    if kind != b"VP8X":
        [(kind, start, length)] = _webp_chunks(window, 12)
        return *_bitstream(window, kind, start, length), 1
    length, flags, first, second = struct.unpack("<IIHI", window.at(16, 14))
    require(length == 10 and flags & ~_KNOWN == 0)
    chunks = {kind: (start, length) for kind, start, length in _webp_chunks(window, 30)}
    coded = b"VP8L" if b"VP8L" in chunks else b"VP8 "
    require(coded in chunks and all((kind in chunks) == bool(flags & flag) for kind, flag in _FLAGS.items()))
    require(b"ALPH" not in chunks or (coded == b"VP8 " and bool(flags & _ALPHA)))
    height, width = _bitstream(window, coded, *chunks[coded])
    require((width, height) == (1 + (first | (second & 0xFF) << 16), 1 + (second >> 8)))
    orientation = _webp_exif(window, *chunks[b"EXIF"]) if b"EXIF" in chunks else 0
    if not orientation and b"XMP " in chunks:
        start, length = chunks[b"XMP "]
        require(length <= MOST_XMP and not is_turned(window.at(start, length)))
    return height, width, orientation or 1


def _webp_chunks(window: Window, place: int) -> list[tuple[bytes, int, int]]:
    """Kind, start and length of the chunks, which must ascend in `_ORDER` and end where the file does."""
    found, last = [], -1
    while place < window.size:
        kind, length = struct.unpack("<4sI", window.at(place, 8))
        require(_ORDER.get(kind, -1) > last)
        found.append((kind, place + 8, length))
        last, place = _ORDER[kind], place + 8 + length + length % 2
    require(place == window.size)
    return found


def _bitstream(window: Window, kind: bytes, start: int, length: int) -> tuple[int, int]:
    """Height and width of a frame: RFC 6386, section 9.1, or RFC 9649, section 3.4."""
    if kind == b"VP8L":
        signature, bits = struct.unpack("<BI", window.at(start, 5))
        require(length >= 5 and signature == 0x2F and bits >> 29 == 0)
        return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)
    low, high, code, width, height = struct.unpack("<BH3sHH", window.at(start, 10))
    require(kind == b"VP8 " and length >= 10 and code == b"\x9d\x01\x2a")
    # A key frame of a profile up to 3 that is shown, whose first partition is shorter than the chunk.
    tag = low | high << 8
    require(tag & 1 == 0 and tag >> 1 & 7 <= 3 and tag >> 4 & 1 == 1 and tag >> 5 < length)
    return height & 0x3FFF, width & 0x3FFF


def _webp_exif(window: Window, start: int, length: int) -> int:
    named = 6 if window.at(start, 6) == b"Exif\0\0" else 0  # some writers put JPEG's name in front
    return exif_orientation(window, start + named, length - named)
