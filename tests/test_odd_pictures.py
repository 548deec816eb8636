"""Odd pictures through the door of encode: the right pixels, or a clear error that names the picture.

Expected values are arithmetic on what the files hold, as their specifications say (EXIF 2.32, PNG third edition, TIFF
6.0, GIF89a), Pillow's documented conversions, or transformers' `convert_to_rgb`.
"""

import io
import os
import random
import struct
import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest
from conftest import PHOTOGRAPHS
from PIL import Image

from vistoken.encoding.inputs import read_picture
from vistoken.errors import InputError, VistokenError

RNG = np.random.default_rng(4)
SMALL = RNG.integers(0, 256, (9, 14, 3), np.uint8)  # neither square nor symmetric


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


# ---------------------------------------------------------------- orientation

# EXIF 2.32, tag 0x0112: which side of the scene the stored row 0 and column 0 are.
UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored[::-1].swapaxes(0, 1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: stored[:, ::-1].swapaxes(0, 1),
}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("value", UPRIGHT)
def test_all_orientations(form, value):
    exif = Image.Exif()
    exif[0x0112] = value
    image = Image.fromarray(SMALL)
    lossless = {"lossless": True} if form == "WEBP" else {}
    plain, turned = saved(image, form, **lossless), saved(image, form, exif=exif, **lossless)
    stored = np.asarray(Image.open(io.BytesIO(plain)))
    if form != "JPEG":
        np.testing.assert_array_equal(stored, SMALL)
    np.testing.assert_array_equal(read(turned), UPRIGHT[value](stored))
    assert not np.array_equal(UPRIGHT[value](stored), stored) or value == 1


@pytest.mark.parametrize("value", UPRIGHT)
def test_the_orientation_of_an_open_pil_image(value):
    """Whether it was decoded before or not, once; and the caller's picture stays as it is."""
    exif = Image.Exif()
    exif[0x0112] = value
    for decoded in (False, True):
        image = Image.open(io.BytesIO(saved(Image.fromarray(SMALL), "PNG", exif=exif)))
        if decoded:
            image.load()
        np.testing.assert_array_equal(read(image), UPRIGHT[value](SMALL))
        np.testing.assert_array_equal(np.asarray(image), SMALL)


# ---------------------------------------------------------------- modes and depths


def test_alpha_equals_the_library():
    transforms = pytest.importorskip("transformers.image_transforms")
    alpha = Image.fromarray(RNG.integers(0, 256, (40, 50, 4), np.uint8))
    for mode in ("RGBA", "LA", "PA"):
        image = alpha.convert(mode)
        assert image.mode == mode
        wanted = transforms.convert_to_rgb(image, return_numpy=True)
        np.testing.assert_array_equal(read(image), wanted)
        np.testing.assert_array_equal(read(saved(image.convert("RGBA"), "PNG")), wanted)


@pytest.mark.parametrize(
    ("mode", "values", "wanted"),
    [
        ("RGBA", [(200, 100, 0, 0), (200, 100, 0, 255), (0, 0, 0, 51)], [255, (200, 100, 0), 204]),
        ("LA", [(100, 0), (100, 255), (0, 51)], [255, 100, 204]),
        ("La", [(0, 0), (100, 255), (0, 51)], [255, 100, 204]),
        ("RGBa", [(0, 0, 0, 0), (9, 8, 7, 255), (0, 0, 0, 51)], [255, (9, 8, 7), 204]),
        ("RGBX", [(1, 2, 3, 0)], [(1, 2, 3)]),
        ("1", [0, 255], [0, 255]),
        ("L", [0, 7, 255], [0, 7, 255]),
        ("HSV", [(0, 0, 9), (0, 255, 255)], [9, (255, 0, 0)]),
        ("YCbCr", [(77, 128, 128)], [77]),
        # Pillow: (255 - c) * (255 - k) / 255, rounded.
        ("CMYK", [(0, 0, 0, 0), (255, 0, 0, 0), (255, 0, 100, 50), (0, 0, 0, 255)], [255, (0, 255, 255), (0, 205, 125), 0]),
    ],
)  # fmt: skip
def test_modes(mode, values, wanted):
    assert row(one_row(mode, values)) == wanted


def test_palettes():
    colours = [10, 20, 30, 40, 50, 60, 70, 80, 90]
    image = one_row("P", [0, 1, 2], colours)
    assert row(saved(image, "PNG")) == [(10, 20, 30), (40, 50, 60), (70, 80, 90)]
    assert row(saved(image, "GIF")) == [(10, 20, 30), (40, 50, 60), (70, 80, 90)]
    assert row(saved(image, "PNG", transparency=1)) == [(10, 20, 30), 255, (70, 80, 90)]
    assert row(saved(image, "GIF", transparency=1)) == [(10, 20, 30), 255, (70, 80, 90)]
    # 51 of 255 is a fifth: (10, 20, 30) / 5 + 255 * 4 / 5
    assert row(saved(image, "PNG", transparency=bytes([51, 0, 255]))) == [(206, 208, 210), 255, (70, 80, 90)]


def test_a_palette_with_alpha():
    image = one_row("PA", [(0, 0), (1, 255), (0, 255)], [10, 20, 30, 40, 50, 60])
    assert row(image) == [255, (40, 50, 60), (10, 20, 30)]


@pytest.mark.parametrize("adobe", [True, False])
def test_cmyk_jpeg(adobe):
    """Adobe stores the inverse, and Pillow takes every CMYK JPEG for such (its JPEG plugin, rawmode "CMYK;I")."""
    data = saved(Image.new("CMYK", (16, 16), (255, 0, 100, 50)), "JPEG", quality=100)
    place = data.index(b"\xff\xee\x00\x0eAdobe")
    data = data if adobe else data[:place] + data[place + 16 :]
    assert Image.open(io.BytesIO(data)).mode == "CMYK"
    np.testing.assert_allclose(read(data).astype(int), np.full((16, 16, 3), (0, 205, 125)), atol=1)


DEEP = [0, 1, 128, 129, 257, 385, 386, 32_767, 32_768, 40_000, 65_406, 65_407, 65_535]
# The nearest byte, value / 257: 128 is below a half, 129 above; 32,767 is 127.498, 32,768 is 127.502.
BYTES = [0, 0, 0, 1, 1, 1, 2, 127, 128, 156, 254, 255, 255]


def deep(order):
    return struct.pack(f"{order}{len(DEEP)}H", *DEEP)


def test_sixteen_bit_grey_is_scaled():
    width = len(DEEP)
    image = Image.frombytes("I;16", (width, 1), deep("<"))
    assert row(image) == BYTES
    assert row(Image.frombytes("I;16B", (width, 1), deep(">"))) == BYTES
    for form in ("PNG", "TIFF"):
        assert row(saved(image, form)) == BYTES
    assert row(png(width, 1, 16, 0, deep(">"))) == BYTES
    assert row(b"P5 %d 1 65535\n" % width + deep(">")) == BYTES
    for deflate in (False, True):
        assert row(tiff(width, 1, 16, 1, deep("<"), deflate=deflate)) == BYTES
        assert row(tiff(width, 1, 16, 0, deep("<"), deflate=deflate)) == [255 - value for value in BYTES]


def test_every_sixteen_bit_value():
    image = Image.fromarray(np.arange(65536, dtype=np.uint16).reshape(256, 256))
    np.testing.assert_array_equal(read(image)[..., 1].ravel(), np.round(np.arange(65536) / 257))


def test_twelve_bit_grey_is_scaled():
    """Four values of twelve bits in six bytes: 0, 0x123, 0x800, 0xFFF of 4095."""
    for deflate in (False, True):
        assert row(tiff(4, 1, 12, 1, bytes.fromhex("000123800fff"), deflate=deflate)) == [0, 18, 128, 255]


def test_sixteen_bit_colour():
    """Pillow decodes the upper byte alone: at most one step from the nearest."""
    pixels = [0, 257, 65_535, 32_896, 771, 1_285]
    packed = struct.pack(">6H", *pixels)
    assert row(png(2, 1, 16, 2, packed)) == [(0, 1, 255), (128, 3, 5)]
    assert row(tiff(2, 1, 16, 2, struct.pack("<6H", *pixels), samples=3)) == [(0, 1, 255), (128, 3, 5)]
    clear = struct.pack(">8H", 257, 514, 771, 65_535, 257, 514, 771, 0)
    assert row(png(2, 1, 16, 6, clear)) == [(1, 2, 3), 255]
    assert row(png(2, 1, 16, 4, struct.pack(">4H", 257, 65_535, 257, 0))) == [1, 255]


@pytest.mark.parametrize(
    ("depth", "colour", "samples", "key", "wanted"),
    [
        (1, 0, bytes([0b01000000]), (0,), [255, 255]),  # black is transparent
        (1, 0, bytes([0b01000000]), (1,), [0, 255]),
        (2, 0, bytes([0b01100000]), (1,), [255, 170]),
        (4, 0, bytes([0x4F]), (4,), [255, 255]),
        (4, 0, bytes([0x48]), (8,), [68, 255]),
        (8, 0, bytes([7, 8]), (7,), [255, 8]),
        (16, 0, struct.pack(">2H", 0x0707, 0x0107), (0x0107,), [7, 255]),
        (16, 0, struct.pack(">2H", 0x0101, 0x0100), (0x0100,), [1, 255]),
        (8, 2, bytes([1, 2, 3, 4, 5, 6]), (4, 5, 6), [(1, 2, 3), 255]),
        (16, 2, struct.pack(">6H", 0, 0, 0, 257, 65_535, 383), (257, 65_535, 383), [0, 255]),
        (16, 2, struct.pack(">6H", 0, 0, 0, 257, 65_535, 383), (256, 256, 256), [0, (1, 255, 1)]),
    ],
)
def test_the_transparent_colour_of_a_png(depth, colour, samples, key, wanted):
    """What equals the colour becomes white, whatever the depth (PNG, section 11.3.2.1)."""
    assert row(png(2, 1, depth, colour, samples, key)) == wanted


@pytest.mark.parametrize(
    ("mode", "values", "wanted"),
    [
        ("I", [0, 32_896, 65_535], [0, 128, 255]),  # fits 16 bits
        ("I", [0, 257, 514], [0, 1, 2]),
        ("I", [0, 100_000, 200_000], [0, 128, 255]),  # does not: from its own extremes
        ("I", [-(2**31), 0, 2**31 - 1], [0, 128, 255]),
        ("F", [0.0, 0.25, 1.0], [0, 64, 255]),
        ("F", [-3e38, 0.0, 3e38], [0, 128, 255]),
        ("F", [5.0, 5.0, 5.0], [0, 0, 0]),
    ],
)
def test_wide_greys(mode, values, wanted):
    assert row(one_row(mode, values)) == wanted
    assert row(saved(one_row(mode, values), "TIFF")) == wanted


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_no_number_is_refused(value, place):
    values = [0.0, 0.5, 1.0]
    values[place] = value
    with pytest.raises(InputError, match="cannot be scaled to 8 bits"):
        read(one_row("F", values))


def test_integers_that_pillow_reads_as_negative_are_refused():
    assert row(tiff(2, 1, 32, 1, struct.pack("<2I", 257, 65_535))) == [1, 255]
    with pytest.raises(InputError, match="32-bit values go beyond 2,147,483,647"):
        read(tiff(2, 1, 32, 1, struct.pack("<2I", 0, 2**32 - 1)))


@pytest.mark.parametrize(
    ("bits", "photometric", "data", "samples", "extra", "wanted"),
    [
        (8, 0, bytes([0, 10]), 1, None, [255, 245]),  # white is zero
        (8, 1, bytes([7, 255, 7, 0]), 2, 2, [7, 255]),  # grey and alpha
        (8, 1, bytes([7, 255, 0, 51]), 2, 1, [7, 204]),  # premultiplied
        (8, 2, bytes([1, 2, 3, 255, 0, 0, 0, 51]), 4, 1, [(1, 2, 3), 204]),
        (8, 2, bytes([1, 2, 3, 0, 4, 5, 6, 0]), 4, 0, [(1, 2, 3), (4, 5, 6)]),  # the fourth means nothing
        (8, 5, bytes([255, 0, 100, 50, 0, 0, 0, 0]), 4, None, [(0, 205, 125), 255]),
    ],
)  # fmt: skip
def test_tiffs(bits, photometric, data, samples, extra, wanted):
    assert row(tiff(2, 1, bits, photometric, data, samples, extra)) == wanted


# ---------------------------------------------------------------- several frames


@pytest.mark.parametrize(("form", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})])
def test_the_first_of_several_frames(form, options):
    first, second = (Image.new("RGB", (6, 5), colour) for colour in ((255, 0, 0), (0, 255, 0)))
    data = saved(first, form, save_all=True, append_images=[second], **options)
    assert Image.open(io.BytesIO(data)).n_frames == 2
    np.testing.assert_array_equal(read(data), np.full((5, 6, 3), (255, 0, 0)))


def test_a_frame_that_the_caller_chose():
    frames = [Image.new("RGB", (6, 5), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    image = Image.open(io.BytesIO(saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])))
    image.seek(1)
    np.testing.assert_array_equal(read(image), np.full((5, 6, 3), (0, 255, 0)))


# ---------------------------------------------------------------- broken and hostile files


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "AVIF"])
def test_a_truncated_file_is_named(form, tmp_path):
    if form == "AVIF" and ".avif" not in Image.registered_extensions():
        pytest.skip("this Pillow has no AVIF")
    data = saved(Image.fromarray(RNG.integers(0, 256, (40, 50, 3), np.uint8)), form)
    path = tmp_path / f"half.{form.lower()}"
    for part in (2, 20, len(data) // 2, len(data) * 3 // 4):
        path.write_bytes(data[:part])
        with pytest.raises(InputError, match=r"half\.\w+: (cannot be|not a picture)"):
            read_picture(path)


def patched(form, place, layout, *sizes):
    data = bytearray(saved(Image.new("RGB", (8, 8)), form, **({"lossless": True} if form == "WEBP" else {})))
    place = data.index(place) + len(place) if isinstance(place, bytes) else place
    struct.pack_into(layout, data, place, *sizes)
    return bytes(data)


BOMBS = {
    "large.png": png(30_000, 30_000, 8, 2, b"", filler=b"\0" * 100),
    "fine-for-pillow.png": png(12_000, 12_000, 8, 6, b""),
    "large.jpg": patched("JPEG", b"\xff\xc0\x00\x11\x08", ">HH", 65_500, 65_500),
    "large.gif": patched("GIF", 6, "<HH", 65_535, 65_535),
    "large.bmp": patched("BMP", 18, "<ii", 30_000, 30_000),
    "large.webp": patched("WEBP", b"\x2f", "<I", 16_382 | 16_382 << 14),
    "large.tif": tiff(60_000, 60_000, 8, 1, bytes(8)),
    "large.ppm": b"P6 30000 30000 255\n\0\0\0",
}
CHILD = """
import resource, sys
from vistoken.encoding.inputs import read_picture
from vistoken.errors import InputError
read_picture("{small}")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        read_picture(path)
    except InputError as error:
        print(error)
    else:
        sys.exit(path + " was decoded")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
read_picture("{honest}")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in KiB on Linux")
def test_bombs_are_refused_before_they_are_decoded(tmp_path):
    for name, content in BOMBS.items():
        (tmp_path / name).write_bytes(content)
    Image.new("L", (7000, 7000)).save(tmp_path / "honest.png")  # what is decoded shows: 49 MB, and 196 MB as RGB
    code = CHILD.format(small=PHOTOGRAPHS[-1], honest=tmp_path / "honest.png")
    command = [sys.executable, "-c", code, *(str(tmp_path / name) for name in BOMBS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    *messages, grown, control = done.stdout.splitlines()
    for name, message in zip(BOMBS, messages, strict=True):
        assert name in message
        assert "pixels" in message
    assert int(grown) < 16 * 1024 < 64 * 1024 < int(control), f"{grown} KiB, {control} KiB"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.jpg", None, "no such file"),
        ("empty.jpg", b"", "the file is empty"),
        ("text.jpg", b"dear diary, this is no picture\n" * 20, "not a picture in a format that is read"),
        ("page.png", b"<!doctype html><title>404</title>", "not a picture in a format that is read"),
        ("pointer.png", b"version https://git-lfs.github.com/spec/v1\n", "not a picture in a format that is read"),
        ("none.png", png(0, 5, 8, 2, b""), r"none\.png"),
    ],
)
def test_what_is_no_picture(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VistokenError, match=message) as error:
        read_picture(path)
    assert name in str(error.value)


def test_folders_pipes_and_devices_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    caught = []

    def attempt():
        for path in (tmp_path, tmp_path / "pipe.jpg", "/dev/zero"):
            with pytest.raises(InputError, match="not a regular file") as error:
                read_picture(path)
            caught.append(str(error.value))

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(20)
    assert len(caught) == 3


EXIF_START = b"Exif\0\0MM\0*\0\0\0\x08"


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0MM\0*\xff\xff\xff\xff",  # the directory lies outside
        EXIF_START,  # no directory at all
        EXIF_START + b"\xff\xff" + b"\0" * 50,  # 65,535 entries, most of them missing
        EXIF_START + struct.pack(">HHHII", 1, 0x0112, 2, 4, 0x7FFFFFFF),  # orientation is a text, elsewhere
        EXIF_START + struct.pack(">HHHIIHHHII", 2, 0x8769, 4, 1, 8, 0x0112, 5, 1, 0, 8),  # it holds itself
        EXIF_START + struct.pack(">HHHII", 1, 0x0112, 3, 1, 0x99990000) + b"\xee" * 65_000,  # huge
        b"Exif\0\0" + b"\xff" * 65_000,
        b"Exif\0\0",
        b"no exif",
    ],
)
def test_broken_metadata_does_not_stop_pixels(exif):
    image = Image.fromarray(SMALL)
    for form, options in (("JPEG", {"quality": 95}), ("PNG", {}), ("WEBP", {"lossless": True})):
        wanted = np.asarray(Image.open(io.BytesIO(saved(image, form, **options))))
        np.testing.assert_array_equal(read(saved(image, form, exif=exif, **options)), wanted)


@pytest.mark.parametrize(
    "name", [b"two\nlines.png", b"not utf-8 \xff\xfe.png", b"\x1b[31mred.png", "日本 é.png".encode()]
)
def test_names_of_any_bytes(tmp_path, name):
    """The name that comes back is the path, exactly; messages have it on one printable line."""
    path = os.path.join(os.fsencode(tmp_path), name)
    with open(path, "wb") as file:
        file.write(saved(Image.fromarray(SMALL), "PNG"))
    text = os.fsdecode(path)
    called, picture = read_picture(text)
    assert os.fsencode(called) == path
    np.testing.assert_array_equal(np.asarray(picture), SMALL)
    with open(path, "rb") as file:  # the name of an open file may be bytes
        assert read_picture(file)[0] == text
    os.truncate(path, 60)
    with pytest.raises(InputError) as error:
        read_picture(text)
    message = str(error.value)
    assert message.isprintable()
    message.encode("utf-8")
    assert message.startswith(str(tmp_path))


# ---------------------------------------------------------------- fuzz


@pytest.mark.parametrize("path", PHOTOGRAPHS, ids=lambda path: path.name)
def test_flipped_and_cut_photographs(path, tmp_path):
    """At 200 places a file: pixels or `InputError`, and never a picture of a file whose second half is missing."""
    rng, data, broken = random.Random(path.name), path.read_bytes(), tmp_path / path.name
    size, outcomes = Image.open(path).size, {"pixels": 0, "error": 0}
    for number in range(200):
        # Every other place is in the headers, where what is read is meant.
        place = rng.randrange(len(data) if number % 2 else 1024)
        if number % 4 < 2:
            changed = data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
        else:
            changed = data[:place] + data[place + rng.choice([1, 50, len(data)]) :]
        broken.write_bytes(changed)
        try:
            _, picture = read_picture(broken, max_pixels=2**22)
        except InputError as error:
            assert broken.name in str(error)
            outcomes["error"] += 1
        else:
            assert picture.mode == "RGB"
            assert len(changed) > len(data) // 2 or picture.size != size
            outcomes["pixels"] += 1
    assert outcomes["error"] > 20, outcomes
