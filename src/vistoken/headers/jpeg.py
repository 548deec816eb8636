"""JPEG, ITU-T T.81 annex B: the segments before the first scan."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from vistoken.headers.exif import exif_orientation, is_turned
from vistoken.headers.window import Unusual, Window, require

MOST_SEGMENTS = 1000  # and fill bytes, before the first scan
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


def read_jpeg(window: Window) -> tuple[int, int, int]:
    """Height, width and orientation from the segments before the first scan (T.81, section B.1.1)."""
    frame, exif, turned = None, None, False
    for marker, offset, length in _segments(window):
        data = window.data
        if marker == _DQT:
            _check_tables(data, offset, length)
        elif marker in _SOF:
            frame = _frame(data, offset, length)
        elif marker == _APP1 and data.startswith(b"Exif\0\0", offset + 4):
            require(exif is None)  # Pillow joins several
            exif = exif_orientation(window, window.start + offset + 10, length - 8)
        elif data.startswith(_XMP, offset + 4):
            turned |= is_turned(window.at(window.start + offset + 4, length - 2))
        elif data.startswith(_BLOCKS, offset + 4):
            _check_blocks(window.at(window.start + offset + 4, length - 2))
        else:
            _check_application(marker, data, offset, length)
    if frame is None or (turned and not exif):
        raise Unusual
    return *frame, exif or 1


def _segments(window: Window) -> Iterator[tuple[int, int, int]]:
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
            raise Unusual
        if marker == _SOS:
            return
        if marker not in _SKIPPED:
            if marker not in _READ:
                raise Unusual
            yield marker, offset, length
        place = after
    raise Unusual


def _check_application(marker: int, data: bytes, offset: int, length: int) -> None:
    for name, shortest in _APPLICATIONS[marker]:
        if data.startswith(name, offset + 4) and length < shortest:
            raise Unusual


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
        raise Unusual


def _frame(data: bytes, offset: int, length: int) -> tuple[int, int]:
    """Height and width of a frame header (T.81, section B.2.2) of 8 bits and 1, 3 or 4 components, as Pillow asks."""
    bits, height, width, components = struct.unpack_from(">BHHB", data, offset + 4)
    require(bits == 8 and components in (1, 3, 4) and length == 8 + 3 * components)
    return height, width
