"""PNG, third edition: the chunks before the pixels, and eXIf behind them."""

from __future__ import annotations

import struct
import sys
import zlib

from vistoken.headers.exif import exif_orientation, is_turned
from vistoken.headers.window import Window, require

MOST_BEFORE_PIXELS = 2**20  # bytes; of an eXIf chunk, too
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type, section 11.2.1
# Lengths of chunks that Pillow takes apart, and chunks that it only reads over, iDOT being Apple's.
_LENGTHS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9}
_READ_OVER = frozenset((b"PLTE", b"bKGD", b"hIST", b"sBIT", b"sPLT", b"tIME", b"cICP", b"mDCV", b"cLLI", b"iDOT"))
_TRANSPARENT = {0: 2, 2: 6}
# Keywords of text that Pillow takes for Exif or XMP.
_TELLING = (b"exif", b"Raw profile type", b"XML:", b"xmp")
_XMP_TEXT = b"XML:com.adobe.xmp\0\0\0"  # in an iTXt chunk that is not compressed


def read_png(window: Window) -> tuple[int, int, int]:
    """Height, width and orientation from the chunks (PNG, section 5.3) before the pixels, and from eXIf behind them."""
    body, place, exif = _chunk(window, 8), 33, None
    require(len(body) == 17 and body.startswith(b"IHDR") and _limits_are_pillows())
    width, height, depth, colour, deflate, filtering, interlace = struct.unpack(">IIBBBBB", body[4:])
    require(depth in _DEPTHS.get(colour, ()) and deflate == filtering == 0 and interlace < 2)
    while (kind := window.at(place, 8)[4:]) != b"IDAT":
        body = _chunk(window, place)
        if kind == b"eXIf":
            require(exif is None)
            exif = exif_orientation(window, place + 8, len(body) - 4)
        else:
            _check_chunk(kind, memoryview(body)[4:], colour)
        place += len(body) + 8
        require(place <= MOST_BEFORE_PIXELS)
    return height, width, (_late_exif(window, place) if exif is None else exif) or 1


def _chunk(window: Window, place: int) -> bytes:
    """Kind and data of a chunk whose checksum is right."""
    (length,) = struct.unpack(">I", window.at(place, 4))
    require(length <= MOST_BEFORE_PIXELS)
    body = window.at(place + 4, length + 8)
    require(struct.unpack(">I", body[length + 4 :]) == (zlib.crc32(body := body[: length + 4]),))
    return body


def _check_chunk(kind: bytes, data: memoryview, colour: int) -> None:
    if kind == b"tEXt":
        require(not bytes(data[:16]).startswith(_TELLING))
    elif kind == b"iTXt":
        require(bytes(data[:20]) == _XMP_TEXT and not is_turned(bytes(data)))
    elif kind == b"iCCP":
        _check_profile(bytes(data))
    elif kind == b"tRNS":
        require(len(data) == _TRANSPARENT.get(colour) if colour != 3 else len(data) <= 256)
    else:
        require(kind in _READ_OVER or len(data) == _LENGTHS.get(kind))


def _check_profile(data: bytes) -> None:
    """A name, a null, method 0, and what inflates to no more than Pillow takes (`MAX_TEXT_CHUNK`)."""
    _, null, packed = data.partition(b"\0")
    inflate = zlib.decompressobj()
    require(null == b"\0" and packed[0] == 0)
    try:
        inflate.decompress(packed[1:], _PILLOWS[0])
    except zlib.error:
        return  # Pillow does without
    require(not inflate.unconsumed_tail)


_PILLOWS = (2**20, 64 * 2**20)  # bytes of text, in a chunk and in all


def _limits_are_pillows() -> bool:
    """Whether Pillow's limits on texts are as it comes; a program that imported it can change them."""
    plugin = sys.modules.get("PIL.PngImagePlugin")
    return plugin is None or (plugin.MAX_TEXT_CHUNK, plugin.MAX_TEXT_MEMORY) == _PILLOWS


def _late_exif(window: Window, place: int) -> int:
    """Orientation of the first eXIf chunk from `place` on; bodies of others are skipped. As in `sources`."""
    while len(head := window.read(place, 8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"eXIf" and length < MOST_BEFORE_PIXELS:
            require(place + 8 + length <= window.size)
            return exif_orientation(window, place + 8, length)
        if kind == b"IEND":
            break
        place += 12 + length
    return 0
