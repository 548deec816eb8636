"""Headers are read as Pillow reads them: the same size and orientation, or it is left to Pillow, for every file.

Expected values are Pillow's, or what was written into the file; never those of `headers` itself.
"""

import io
import os
import random
import struct
import subprocess
import sys
import zlib

import pytest
from conftest import PHOTOGRAPHS, ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from vistoken import headers
from vistoken.errors import InputError, UsageError
from vistoken.geometry import Size
from vistoken.headers import header
from vistoken.sources import image_size, open_image, orientation, pillows_size

WIDTH, HEIGHT = 53, 37
SIZE = Size(height=HEIGHT, width=WIDTH)
PICTURE = Image.frombytes("RGB", (WIDTH, HEIGHT), random.Random(1).randbytes(3 * WIDTH * HEIGHT))
THUMBNAIL = random.Random(2).randbytes(3000)
SHORT, LONG, RATIONAL, ASCII = 3, 4, 5, 2


def saved(form, image=PICTURE, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def pillow(content):
    """What Pillow makes of a file: size as stored and orientation, or None where it refuses."""
    try:
        with open_image(io.BytesIO(content)) as image:
            return Size(height=image.height, width=image.width), orientation(image)
    except (InputError, UsageError):
        return None


def ours(content):
    return header(io.BytesIO(content))


def agrees(content):
    """The law: what we answer is what Pillow answers."""
    answer = ours(content)
    assert answer is None or answer == pillow(content), content[:64]
    return answer is not None


# ---------------------------------------------------------------- files made by hand


def entry(order, tag, kind, values, value):
    """A directory's entry (TIFF 6.0, section 2); `value` is an integer, or the four bytes themselves."""
    if isinstance(value, int):
        value = struct.pack(order + ("HH" if kind == SHORT else "I"), *((value, 0) if kind == SHORT else (value,)))
    return struct.pack(order + "HHI", tag, kind, values) + value


def exif(order="<", *entries, start=8, after=b"\0\0\0\0"):
    """A TIFF structure of these entries, with a make and a resolution whose values stand behind the directory."""
    place = start + 2 + 12 * (len(entries) + 2) + 4
    make, resolution = entry(order, 0x010F, ASCII, 6, place), entry(order, 0x011A, RATIONAL, 1, place + 6)
    every = sorted([make, resolution, *entries], key=lambda item: struct.unpack(order + "H", item[:2]))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", start)
    directory = struct.pack(order + "H", len(every)) + b"".join(every) + after
    return head.ljust(start, b"\0") + directory + b"Maker\0" + struct.pack(order + "II", 72, 1) + THUMBNAIL


def turned(value, order="<", kind=SHORT, values=1):
    return exif(order, entry(order, 0x0112, kind, values, value))


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def app1(tiff):
    return segment(0xE1, b"Exif\0\0" + tiff)


JPEG = saved("JPEG")
XMP, TURNED_XMP = b'<x:xmpmeta tiff:Orientation="1"/>', b"<tiff:Orientation>6</tiff:Orientation>"
ADOBE = b"http://ns.adobe.com/xap/1.0/\0"
BLOCKS = b"Photoshop 3.0\0" + b"8BIM\4\4\3abc\0\0\0\5hello\0" + b"8BIM\3\xed\0\0\0\0\0\x10" + bytes(16)


def jpeg(*segments, base=JPEG):
    """A JPEG with these segments behind its first marker."""
    return base[:2] + b"".join(segments) + base[2:]


def chunk(kind, data=b"", wrong=0):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ wrong)


def png(*before, after=(), ihdr=None, width=WIDTH, height=HEIGHT, depth=8, colour=2):
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0) if ihdr is None else ihdr
    rows = zlib.compress(bytes(100))
    pixels = [chunk(b"IDAT", rows[:9]), chunk(b"IDAT", rows[9:])]
    return b"\x89PNG\r\n\x1a\n" + b"".join([chunk(b"IHDR", head), *before, *pixels, *after, chunk(b"IEND")])


def text(kind=b"tEXt", key=b"Comment", data=b"hello"):
    return chunk(kind, key + b"\0" + data)


def profile(size=3000, packed=None):
    return chunk(b"iCCP", b"name\0\0" + (zlib.compress(bytes(size)) if packed is None else packed))


RAW_EXIF = b"\nexif\n   9\n" + turned(6)[:100].hex().encode()


def webp(*chunks, riff=None):
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


def extended(flags, *chunks, width=WIDTH, height=HEIGHT):
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp((b"VP8X", bytes([flags, 0, 0, 0]) + sides), *chunks)


LOSSY, LOSSLESS = saved("WEBP"), saved("WEBP", lossless=True)
VP8, VP8L = ((data[12:16], data[20 : 20 + struct.unpack("<I", data[16:20])[0]]) for data in (LOSSY, LOSSLESS))
FADED = PICTURE.convert("RGBA")
FADED.putalpha(Image.frombytes("L", (WIDTH, HEIGHT), random.Random(3).randbytes(WIDTH * HEIGHT)))
FRAMES = {"save_all": True, "append_images": [Image.new("RGB", (WIDTH, HEIGHT))]}

# Files as writers have them, and their orientation: these must not be left to Pillow.
USUAL = {
    "plain.jpg": (JPEG, 1),
    "progressive.jpg": (saved("JPEG", progressive=True), 1),
    "grey.jpg": (saved("JPEG", PICTURE.convert("L")), 1),
    "cmyk.jpg": (saved("JPEG", PICTURE.convert("CMYK")), 1),
    "420.jpg": (saved("JPEG", subsampling=2, dpi=(300, 300), comment=b"hello"), 1),
    "444.jpg": (saved("JPEG", subsampling=0, quality=100, optimize=True), 1),
    "restart.jpg": (saved("JPEG", restart_marker_blocks=2), 1),
    "profile.jpg": (saved("JPEG", icc_profile=bytes(70_000)), 1),
    "xmp.jpg": (jpeg(segment(0xE1, ADOBE + XMP)), 1),
    "exif and xmp.jpg": (jpeg(app1(turned(3)), segment(0xE1, ADOBE + TURNED_XMP)), 3),
    "no orientation.jpg": (jpeg(app1(exif())), 1),
    "photoshop.jpg": (jpeg(app1(turned(8)), segment(0xED, BLOCKS), segment(0xEE, b"Adobe" + bytes(7))), 8),
    "filled.jpg": (JPEG[:2] + b"\xff" * 20 + JPEG[2:], 1),
    "long.jpg": (jpeg(app1(turned(5)), *[segment(0xE5, bytes(60_000))] * 3), 5),
    "named wrongly.png": (JPEG, 1),
    "plain.png": (saved("PNG"), 1),
    "grey.png": (saved("PNG", PICTURE.convert("L")), 1),
    "palette.png": (saved("PNG", PICTURE.convert("P"), transparency=3), 1),
    "alpha.png": (saved("PNG", FADED), 1),
    "interlaced.png": (png(ihdr=struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1)), 1),
    "sixteen bits.png": (png(depth=16, colour=0), 1),
    "screenshot.png": (png(profile(), chunk(b"pHYs", bytes(9)), chunk(b"eXIf", exif()), chunk(b"iDOT", bytes(28))), 1),
    "described.png": (png(text(), text(b"iTXt", b"XML:com.adobe.xmp", bytes(4) + XMP)), 1),
    "colours.png": (png(chunk(b"gAMA", bytes(4)), chunk(b"cHRM", bytes(32)), chunk(b"sRGB", b"\0")), 1),
    "exif.png": (png(chunk(b"eXIf", turned(6))), 6),
    "late exif.png": (png(after=[text(), chunk(b"eXIf", turned(7))]), 7),
    "lossy.webp": (LOSSY, 1),
    "lossless.webp": (LOSSLESS, 1),
    "alpha.webp": (saved("WEBP", FADED, exif=b"Exif\0\0" + turned(6)), 6),
    "lossless alpha.webp": (saved("WEBP", FADED, lossless=True), 1),
    "profile.webp": (saved("WEBP", icc_profile=bytes(301), xmp=XMP), 1),
    "exif.webp": (extended(0x08, VP8, (b"EXIF", turned(8))), 8),
    "named exif.webp": (extended(0x08, VP8L, (b"EXIF", b"Exif\0\0" + turned(5))), 5),
}

# Files as hardly anybody has them: answered or not, but never otherwise than by Pillow.
ODD = {
    "mpo.jpg": saved("MPO", **FRAMES),
    "xmp turned.jpg": jpeg(segment(0xE1, ADOBE + TURNED_XMP)),
    "xmp turned and exif.jpg": jpeg(app1(exif()), segment(0xE1, ADOBE + TURNED_XMP)),
    "two exif.jpg": jpeg(app1(turned(6)), app1(turned(3))),
    "exif in two.jpg": jpeg(app1(turned(6)[:100]), app1(turned(6)[100:])),
    "exif twice named.jpg": jpeg(segment(0xE1, b"Exif\0\0Exif\0\0" + turned(6))),
    "exif behind the frame.jpg": JPEG.replace(b"\xff\xda", app1(turned(6)) + b"\xff\xda", 1),
    "empty exif.jpg": jpeg(segment(0xE1, b"Exif\0\0")),
    "garbage.jpg": JPEG[:20] + b"garbage" + JPEG[20:],
    "escaped.jpg": JPEG[:20] + b"\xff\0" + JPEG[20:],
    "many fill bytes.jpg": JPEG[:2] + b"\xff" * 3000 + JPEG[2:],
    "fill bytes before exif.jpg": JPEG.replace(b"\xff\xda", b"\xff" * 3000 + app1(turned(6)) + b"\xff\xda", 1),
    "restart before the scan.jpg": JPEG[:20] + b"\xff\xd0" + JPEG[20:],
    "bare marker.jpg": JPEG[:20] + b"\xff\x01" + JPEG[20:],
    "dnl.jpg": jpeg(segment(0xDC, b"\0\x25")),
    "no lines.jpg": JPEG.replace(struct.pack(">HH", HEIGHT, WIDTH), struct.pack(">HH", 0, WIDTH)),
    "no columns.jpg": JPEG.replace(struct.pack(">HH", HEIGHT, WIDTH), struct.pack(">HH", HEIGHT, 0)),
    "huge.jpg": JPEG.replace(struct.pack(">HH", HEIGHT, WIDTH), b"\xff\xff\xff\xff"),
    "large.jpg": JPEG.replace(struct.pack(">HH", HEIGHT, WIDTH), struct.pack(">HH", 10_000, 10_000)),
    "twelve bits.jpg": JPEG.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
    "two frames.jpg": jpeg(segment(0xC0, struct.pack(">BHHB", 8, 9, 7, 1) + bytes(3))),
    "two components.jpg": jpeg(segment(0xC0, struct.pack(">BHHB", 8, 9, 7, 2) + bytes(6))),
    "odd frame.jpg": JPEG.replace(b"\xff\xc0\0\x11", b"\xff\xc0\0\x10"),
    "no scan.jpg": JPEG[: JPEG.index(b"\xff\xda")],
    "short table.jpg": jpeg(segment(0xDB, bytes(64))),
    "wide table.jpg": jpeg(segment(0xDB, b"\x10" + bytes(128))),
    "long table.jpg": jpeg(segment(0xDB, bytes(65 * 5))),
    "short jfif.jpg": jpeg(segment(0xE0, b"JFIF\0\1")),
    "short adobe.jpg": jpeg(segment(0xEE, b"Adobe\0")),
    "short profile.jpg": jpeg(segment(0xE2, b"ICC_PROFILE\0\1")),
    "cut blocks.jpg": jpeg(segment(0xED, b"Photoshop 3.0\x008BIM\4\4")),
    "no length.jpg": jpeg(b"\xff\xe5\0\0"),
    "apng.png": saved("PNG", **FRAMES),
    "bad frames.png": png(chunk(b"acTL", struct.pack(">II", 1, 0)), chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 99, 9, 0, 0, 1, 1, 0, 0))),
    "bad checksum.png": png(chunk(b"gAMA", bytes(4), wrong=1)),
    "bad checksum late.png": png(after=[chunk(b"eXIf", turned(6), wrong=1)]),
    "short gamma.png": png(chunk(b"gAMA", bytes(3))),
    "short transparency.png": png(chunk(b"tRNS", bytes(5))),
    "no depth.png": png(depth=3),
    "filter.png": png(ihdr=struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 1, 0)),
    "method.png": png(ihdr=struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 1, 0, 0)),
    "short head.png": png(ihdr=bytes(12)),
    "no width.png": png(width=0),
    "huge.png": png(width=2**31 - 1, height=2**31 - 1),
    "long.png": png(width=80_000_000, height=1),
    "too long.png": png(width=100_000_001, height=1),
    "large.png": png(width=10_000, height=10_000),
    "head first.png": png(ihdr=b"").replace(chunk(b"IHDR"), text()),
    "two heads.png": png(chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 7, 8, 2, 0, 0, 0))),
    "unknown.png": png(chunk(b"teSt", b"hello"), chunk(b"te\0t")),
    "exif text.png": png(text(key=b"Raw profile type exif", data=RAW_EXIF)),
    "exif as text.png": png(text(key=b"exif", data=turned(6))),
    "exif as a key.png": png(chunk(b"tEXt", b"exif")),
    "packed text.png": png(text(b"zTXt", data=b"\0" + zlib.compress(bytes(9)))),
    "bomb of text.png": png(text(b"zTXt", data=b"\0" + zlib.compress(bytes(2**21)))),
    "much text.png": png(*[text(data=bytes(2**20))] * 2),
    "bomb of a profile.png": png(profile(2**21)),
    "just no bomb.png": png(profile(2**20)),
    "bad profile.png": png(profile(packed=b"hello")),
    "unknown method.png": png(chunk(b"iCCP", b"name\0\1" + zlib.compress(b"hello"))),
    "cut profile.png": png(chunk(b"iCCP", b"name\0")),
    "xmp turned.png": png(text(b"iTXt", b"XML:com.adobe.xmp", bytes(4) + TURNED_XMP)),
    "two exif.png": png(chunk(b"eXIf", turned(6)), chunk(b"eXIf", turned(3))),
    "second exif plain.png": png(chunk(b"eXIf", turned(6)), chunk(b"eXIf", exif())),
    "cut late exif.png": png(after=[chunk(b"eXIf", turned(6))]).partition(b"Maker\0")[0],
    # A directory that is cut off where the chunk ends; checksum, length and kind of what follows look like its entry.
    "cut directory.png": png(after=[struct.pack(">I", 10) + b"eXIfMM\0*\0\0\0\b\0\1" + b"\1\x12\0\3\0\0\0\1\0\6\0\0" + bytes(99)]),
    "exif before and after.png": png(chunk(b"eXIf", exif()), after=[chunk(b"eXIf", turned(6))]),
    "two late exif.png": png(after=[chunk(b"eXIf", turned(6)), chunk(b"eXIf", turned(3))]),
    "broken exif.png": png(chunk(b"eXIf", b"hello")),
    "long late exif.png": png(after=[chunk(b"eXIf", turned(6) + bytes(2**20))]),
    "exif behind the end.png": png() + chunk(b"eXIf", turned(6)),
    "endless.png": png()[:-20],
    "animated.webp": saved("WEBP", **FRAMES),
    "other canvas.webp": extended(0, VP8, width=WIDTH + 1),
    "profile without its flag.webp": extended(0, (b"ICCP", bytes(9)), VP8),
    "exif without its flag.webp": extended(0, VP8, (b"EXIF", turned(6))),
    "flag without exif.webp": extended(0x08, VP8),
    "exif before.webp": extended(0x08, (b"EXIF", turned(6)), VP8),
    "two exif.webp": extended(0x08, VP8, (b"EXIF", turned(6)), (b"EXIF", turned(3))),
    "two frames.webp": extended(0, VP8, VP8),
    "no frame.webp": extended(0x08, (b"EXIF", turned(6))),
    "alpha of lossless.webp": extended(0x10, (b"ALPH", b"\0" + bytes(WIDTH * HEIGHT)), VP8L),
    "alpha without its flag.webp": extended(0, (b"ALPH", b"\0" + bytes(WIDTH * HEIGHT)), VP8),
    "unknown.webp": extended(0, VP8, (b"test", b"hello")),
    "reserved.webp": extended(0xC1, VP8),
    "xmp turned.webp": extended(0x04, VP8, (b"XMP ", TURNED_XMP)),
    "simple and more.webp": webp(VP8, (b"EXIF", turned(6))),
    "simple alpha.webp": webp((b"ALPH", bytes(9)), VP8),
    "trailing.webp": LOSSY + b"hello",
    "short riff.webp": webp(VP8, riff=50),
    "long riff.webp": webp(VP8, riff=10_000),
    "long chunk.webp": LOSSY[:16] + struct.pack("<I", len(VP8[1]) + 100) + LOSSY[20:],
    "no key frame.webp": webp((b"VP8 ", bytes([VP8[1][0] | 1]) + VP8[1][1:])),
    "unshown.webp": webp((b"VP8 ", bytes([VP8[1][0] & ~16]) + VP8[1][1:])),
    "cut frame.webp": webp((b"VP8 ", VP8[1][:9])),
    "cut lossless.webp": webp((b"VP8L", VP8L[1][:4])),
    "partition.webp": webp((b"VP8 ", VP8[1][:10] + bytes(2))),
    "version.webp": webp((b"VP8L", VP8L[1][:4] + b"\xff" + VP8L[1][5:])),
    "scaled.webp": webp((b"VP8 ", VP8[1][:7] + bytes([VP8[1][7] | 0xC0]) + VP8[1][8:])),
    "no width.webp": webp((b"VP8 ", VP8[1][:6] + bytes(2) + VP8[1][8:])),
    "huge.webp": webp((b"VP8L", struct.pack("<BI", 0x2F, 2**28 - 1) + VP8L[1][5:])),
    "picture.gif": saved("GIF"),
    "picture.bmp": saved("BMP"),
    "picture.tif": saved("TIFF"),
    "text.jpg": b"not a picture at all",
    "soi.jpg": b"\xff\xd8\xff",
    "riff.webp": b"RIFF\0\0\0\0WEBP",
    "signature.png": b"\x89PNG\r\n\x1a\n",
}  # fmt: skip


@pytest.mark.parametrize("name", USUAL)
def test_usual_files_are_answered(name, tmp_path):
    content, value = USUAL[name]
    path = tmp_path / name
    path.write_bytes(content)
    assert pillow(content) == (SIZE, value)
    assert ours(content) == header(path) == header(str(path)) == (SIZE, value)
    assert image_size(path) == pillows_size(path) == (SIZE.swapped if value > 4 else SIZE)


def test_photographs():
    for path in PHOTOGRAPHS:
        assert header(path) == pillow(path.read_bytes())


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_never_answered_otherwise(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(ODD[name])
    agrees(ODD[name])
    assert outcome(image_size, path) == outcome(pillows_size, path)


def outcome(function, picture):
    """The size, or the error's text."""
    try:
        return function(picture)
    except (InputError, UsageError) as error:
        return type(error), str(error)


# ---------------------------------------------------------------- Exif

FORMS = {
    "jpeg": lambda tiff: jpeg(app1(tiff)),
    "png": lambda tiff: png(chunk(b"eXIf", tiff)),
    "late png": lambda tiff: png(after=[chunk(b"eXIf", tiff)]),
    "webp": lambda tiff: extended(0x08, VP8, (b"EXIF", tiff)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("order", "<>")
def test_all_orientations(form, order):
    for value in range(1, 9):
        content = FORMS[form](turned(value, order))
        assert ours(content) == pillow(content) == (SIZE, value)
    for value in (0, 9, 255, 256, 65_535):
        agrees(FORMS[form](turned(value, order)))
    for kind in range(20):
        for values in (0, 1, 2, 3, 2**31, 2**32 - 1):
            agrees(FORMS[form](turned(6, order, kind, values)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("order", "<>")
def test_odd_directories(form, order):
    six = entry(order, 0x0112, SHORT, 1, 6)
    beyond = entry(order, 0x010E, ASCII, 99, 2**31)
    directories = [
        exif(order, six, entry(order, 0x0112, SHORT, 1, 3)),  # twice
        exif(order, six, beyond),  # a value that lies outside, before it
        exif(order, six, entry(order, 0x0131, ASCII, 99, 2**31)),  # behind it
        exif(order, six, *[entry(order, tag, ASCII, 3000, 60) for tag in (0x0131, 0x0132, 0x013B)]),  # overlapping
        exif(order, six, entry(order, 0x9000, 13, 1, 8), entry(order, 0x9001, 16, 1, 8), entry(order, 0x9002, 0, 9, 8)),
        exif(order, six, entry(order, 0x0128, ASCII, 1, b"\0\0\0\0")),
        exif(order, six, entry(order, 0x011A, ASCII, 1, b"\0\0\0\0")),  # behind a good one
        exif(order, six, start=10),
        exif(order, six, start=2000),
        exif(order, six)[:40],
        exif(order, six).replace(b"*", b"+", 1),
        exif(order, six).replace(b"*", b"-", 1),
        b"",
        b"II",
    ]
    for tiff in directories:
        agrees(FORMS[form](tiff))
    for kind in range(20):  # Pillow computes with the resolution
        for values in (0, 1, 2):
            agrees(FORMS[form](resolved(exif(order, six), order, kind, values)))


def resolved(tiff, order, kind, values):
    """The structure with another type of resolution, whose value in place is zero."""
    place = tiff.index(struct.pack(order + "HH", 0x011A, RATIONAL))
    return tiff[:place] + entry(order, 0x011A, kind, values, bytes(4)) + tiff[place + 12 :]


def test_a_resolution_for_which_pillow_refuses_a_jpeg():
    """An empty text where a number should be: it is looked at when a JPEG without JFIF's own is opened."""
    tiff = exif("<", entry("<", 0x0112, SHORT, 1, 6), entry("<", 0x0128, SHORT, 1, 2))
    assert ours(jpeg(app1(tiff), base=JPEG[:2] + JPEG[20:])) == (SIZE, 6)
    content = jpeg(app1(resolved(tiff, "<", ASCII, 1)), base=JPEG[:2] + JPEG[20:])
    assert pillow(content) is None
    assert ours(content) is None


@settings(max_examples=150)
@given(
    st.sampled_from(sorted(FORMS)),
    st.sampled_from("<>"),
    st.lists(
        st.tuples(
            st.sampled_from([0x0112, 0x0112, 0x011A, 0x0128, 0x010F, 0x0100, 0xFFFF]) | st.integers(0, 65_535),
            st.integers(0, 17),
            st.sampled_from([0, 1, 1, 1, 2, 5, 2**32 - 1]),
            st.binary(min_size=4, max_size=4) | st.integers(0, 200).map(lambda place: struct.pack("<HH", place, 0)),
        ),
        max_size=5,
    ),
    st.booleans(),
)
def test_any_directory(form, order, entries, ascending):
    entries = sorted(entries) if ascending else entries
    table = b"".join(struct.pack(order + "HHI", *item[:3]) + item[3] for item in entries)
    head = b"II*\0\b\0\0\0" if order == "<" else b"MM\0*\0\0\0\b"
    agrees(
        FORMS[form](head + struct.pack(order + "H", len(entries)) + table + bytes(4) + random.Random(5).randbytes(99))
    )


# ---------------------------------------------------------------- truncated, flipped, limits

MADE = {
    "exif.jpg": jpeg(app1(turned(6, ">")), base=saved("JPEG", PICTURE.resize((200, 150)))),
    "rich.jpg": jpeg(segment(0xED, BLOCKS), segment(0xE1, ADOBE + XMP), base=saved("JPEG", progressive=True, icc_profile=bytes(500))),
    "rich.png": png(profile(), text(), chunk(b"pHYs", bytes(9)), chunk(b"eXIf", turned(6)), after=[text()]),
    "late.png": png(after=[text(), chunk(b"eXIf", turned(7))]),
    "apng.png": ODD["apng.png"],
    "lossy.webp": LOSSY,
    "lossless.webp": LOSSLESS,
    "rich.webp": saved("WEBP", FADED, exif=turned(6), icc_profile=bytes(300), xmp=XMP),
    "animated.webp": ODD["animated.webp"],
}  # fmt: skip


def truncated(content, places):
    return sum(agrees(content[:place]) for place in places)


def flipped(content, places, seed=0):
    """One byte changed, half of the time with a PNG's checksums mended, so that what is behind them is reached."""
    chance = random.Random(seed)
    for place in places:
        other = bytearray(content)
        other[place] = chance.randrange(256)
        agrees(mended(other) if chance.random() < 0.5 else bytes(other))


def mended(content):
    place = 8
    while content.startswith(b"\x89PNG") and place + 12 <= len(content):
        end = place + 8 + int.from_bytes(content[place : place + 4], "big")
        if end + 4 <= len(content):
            content[end : end + 4] = struct.pack(">I", zlib.crc32(content[place + 4 : end]))
        place = end + 4
    return bytes(content)


@pytest.mark.parametrize("name", MADE)
def test_truncated_and_flipped_at_every_byte_of_a_header(name):
    content = MADE[name]
    answered = truncated(content, range(min(4097, len(content))))
    assert answered > 0 or name.endswith("webp") or name == "apng.png", "a cut within the pixels does not matter"
    for seed in range(8):
        flipped(content, range(min(700, len(content))), seed)


@settings(max_examples=150)
@given(st.sampled_from(sorted(MADE)), st.integers(0, 700), st.integers(0, 12), st.binary(max_size=12))
def test_bytes_taken_out_and_put_in(name, place, out, put):
    content = bytearray(MADE[name])
    content[place : place + out] = put
    agrees(bytes(content))
    agrees(mended(content))


@pytest.mark.parametrize("limit", [None, 10**12, 2_000, 1_000, 0])
def test_limits_that_a_program_sets(limit, monkeypatch):
    """The picture has 1,961 pixels: within the limit, above it (Pillow warns), and above twice (Pillow refuses)."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    for name in ("plain.jpg", "plain.png", "lossy.webp"):
        assert agrees(USUAL[name][0]) == (limit in (None, 10**12, 2_000))


@pytest.mark.parametrize("name", ["MAX_TEXT_CHUNK", "MAX_TEXT_MEMORY"])
def test_limits_of_texts_that_a_program_sets(name, monkeypatch):
    content = png(profile(), text())
    assert agrees(content)
    monkeypatch.setattr(PngImagePlugin, name, 3)
    assert pillow(content) is None
    assert not agrees(content)


# ---------------------------------------------------------------- what is handed in


def test_what_is_no_file(tmp_path):
    empty = tmp_path / "empty.jpg"
    empty.touch()
    closed = tmp_path / "closed.jpg"
    closed.write_bytes(JPEG)
    with closed.open("rb") as file:
        pass
    for odd in (empty, tmp_path, tmp_path / "missing.jpg", "nu\0ll.jpg", "", file, None, 3, JPEG, PICTURE):
        assert header(odd) is None
    assert image_size(PICTURE) == SIZE
    for odd, reason in ((empty, "empty"), (tmp_path, "not a regular file"), (tmp_path / "missing.jpg", "no such file")):
        with pytest.raises(InputError, match=reason):
            image_size(odd)
    with pytest.raises(UsageError, match="is no picture"):
        image_size(JPEG)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_pipes_are_neither_opened_nor_emptied(tmp_path):
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    assert header(pipe) is None  # opening it would wait for a writer
    reading, writing = os.pipe()
    os.write(writing, JPEG)
    os.close(writing)
    with open(reading, "rb") as file:
        assert header(file) is None
        assert image_size(file) == SIZE


def test_open_files(tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(USUAL["photoshop.jpg"][0])
    with path.open("rb") as file:
        file.seek(77)
        assert header(file) == (SIZE, 8)
        assert image_size(file) == SIZE.swapped
    memory = io.BytesIO(path.read_bytes())
    memory.seek(77)
    assert image_size(memory) == SIZE.swapped
    memory.write(b"not held by us")


def test_a_few_kib_are_read():
    content = jpeg(app1(turned(6) + bytes(40_000)), base=saved("JPEG", Image.effect_noise((900, 900), 90)))
    asked = []

    def read(place, length):
        asked.append(length)
        return content[place : place + length]

    assert headers.parse(read, len(content)) == (Size(height=900, width=900), 6)
    assert len(content) > 300_000
    assert sum(asked) <= 3 * 4096
    for content in (
        png()[:33] + struct.pack(">I", 2**31 - 1) + b"tEXt" + bytes(9999),
        png(*[text(data=bytes(2**19))] * 3),
    ):
        asked.clear()
        assert headers.parse(read, len(content)) is None
        assert max(asked) < 2**20


def test_webp_where_pillow_cannot(monkeypatch):
    monkeypatch.setattr(headers, "webp_is_read", lambda: False)
    assert ours(LOSSY) is None
    assert ours(JPEG) == (SIZE, 1)


def test_usual_files_need_no_pillow():
    script = """
import sys
import vistoken as vt
assert vt.count("clip-b32", image="examples/images/rocket.jpg").tokens
assert "PIL.Image" not in sys.modules
vt.count("clip-b32", image="examples/images/LICENSES.md")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stderr.splitlines()[-1].startswith("vistoken.errors.InputError: examples/images/LICENSES.md")
