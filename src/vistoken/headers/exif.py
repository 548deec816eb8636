"""Orientation from Exif (CIPA DC-008, Exif 3.0) and XMP."""

from __future__ import annotations

import re
import struct

from vistoken.headers.window import Unusual, Window, require

# The first directory nearly always follows the header at once: byte order, 42, and 8 as the place of the directory.
_ORDERS = {b"II*\0\b\0\0\0": ("<H", "<HHII", 0), b"MM\0*\0\0\0\b": (">H", ">HHII", 16)}
_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)  # a value of each type of TIFF 6.0, 1 to 12
_ORIENTATION = 0x0112
# XResolution, ResolutionUnit and Orientation: one rational, and one short each. Pillow computes with them when it opens
# a JPEG, and of some other types refuses the picture.
_TYPES = {0x011A: 5, 0x0128: 3, _ORIENTATION: 3}


def exif_orientation(window: Window, start: int, length: int) -> int:
    """Orientation from a TIFF structure (Exif 3.0, section 4.5.2) of `length` bytes; 0 where it has none.

    Tags must ascend, as TIFF asks, so that none stands twice, and every value must lie in the structure.
    """
    order, entry, shift = _ORDERS[window.at(start, 8)]
    (count,) = struct.unpack(order, window.at(start + 8, 2))
    require(10 + 12 * count + 4 <= length)
    orientation, last = 0, -1
    for tag, kind, values, value in struct.iter_unpack(entry, window.at(start + 10, 12 * count)):
        size = values * _BYTES[kind]
        if tag <= last or (size > 4 and value + size > length):
            raise Unusual
        if tag in _TYPES:
            require(kind == _TYPES[tag] and values == 1)
            if tag == _ORIENTATION:
                orientation = value >> shift & 0xFFFF
                require(1 <= orientation <= 8)
        last = tag
    return orientation


def is_turned(xmp: bytes) -> bool:
    """Whether XMP tells another orientation than 1; Pillow 13 asks it where Exif has none (11.0 does not)."""
    return b"tiff:Orientation" in xmp and re.search(rb'tiff:Orientation(="|>)[02-9]', xmp) is not None
