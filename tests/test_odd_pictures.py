"""Odd pictures through the door of encode: orientations, modes, depths, transparency and frames give the right pixels.

Expected values are arithmetic on what the files hold, as their specifications say (EXIF 2.32, PNG third edition, TIFF
6.0), Pillow's documented conversions, or transformers' `convert_to_rgb`.
"""

import io
import struct

import numpy as np
import pytest
from handmade import SMALL, one_row, png, read, row, saved, tiff
from PIL import Image

from vistoken.errors import InputError

RNG = np.random.default_rng(4)

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


def test_what_a_pil_image_says_of_itself_is_left_alone():
    image = Image.open(io.BytesIO(png(2, 1, 2, 0, bytes([0b01100000]), (1,))))
    assert row(image) == [255, 170]
    assert image.info["transparency"] == 1


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
