"""Picture files made for tests: by Pillow, or by hand as the formats' specifications say."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from vistoken.encoding.inputs import read_picture

SMALL = np.random.default_rng(4).integers(0, 256, (9, 14, 3), np.uint8)  # neither square nor symmetric


def read(content):
    """The pixels, (H, W, 3), of a PIL image or of the bytes of a file."""
    _, picture = read_picture(content)
    assert picture.mode == "RGB"
    return np.asarray(picture)


def row(content):
    """The pixels of a picture one row high, as tuples; greys as one number."""
    [pixels] = read(content).tolist()
    return [pixel[0] if len(set(pixel)) == 1 else tuple(pixel) for pixel in pixels]


def saved(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def one_row(mode, values, palette=None):
    image = Image.new(mode, (len(values), 1))
    if palette:
        image.putpalette(palette)
    image.putdata(values)
    return image


def png(width, height, depth, colour, samples, transparent=None, filler=b""):
    """A PNG made by hand: `samples` is one row as the file packs it (third edition, section 11.2)."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    key = b"" if transparent is None else chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent))
    rows = zlib.compress((b"\0" + samples) * min(height, 1)) + filler
    return b"\x89PNG\r\n\x1a\n" + head + key + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def tiff(width, height, bits, photometric, data, samples=1, extra=None, kind=None, deflate=False):
    """A TIFF of one strip made by hand, little endian (TIFF 6.0, section 2)."""
    data = zlib.compress(data) if deflate else data
    data += b"\0" * (len(data) % 2)
    tags = {256: width, 257: height, 258: bits, 259: 8 if deflate else 1, 262: photometric, 273: 8, 277: samples, 278: height, 279: len(data)}  # fmt: skip
    tags |= {} if extra is None else {338: extra}
    tags |= {} if kind is None else {339: kind}
    entries = [(tag, [value] * (samples if tag in (258, 339) else 1)) for tag, value in sorted(tags.items())]
    longer, table = b"", b""
    after = 8 + len(data) + 2 + 12 * len(entries) + 4
    for tag, values in entries:
        raw = struct.pack(f"<{len(values)}H", *values)
        if len(raw) > 4:
            longer, raw = longer + raw, struct.pack("<I", after + len(longer))
        table += struct.pack("<HHI", tag, 3, len(values)) + raw.ljust(4, b"\0")
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(entries)) + table + bytes(4) + longer  # fmt: skip
