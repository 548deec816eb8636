"""Pictures: sizes from headers, orientation, every mode to RGB, steps against the reference's processors."""

import io
import struct
import warnings
import zlib

import pytest
from conftest import PHOTOGRAPHS
from PIL import Image, ImageOps

from vistoken import pixels, registry, sources
from vistoken.errors import InputError, UsageError
from vistoken.geometry import Patch, Size
from vistoken.views import Pad, Resize, View

ORIENTATION = 0x0112


def rocket():
    return Image.open(PHOTOGRAPHS[-1]).convert("RGB").resize((60, 40))


def with_exif(path, value, **options):
    exif = Image.Exif()
    exif[ORIENTATION] = value
    rocket().save(path, exif=exif, **options)
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("value", range(1, 9))
def test_all_orientations(tmp_path, suffix, value):
    """Header and pixels agree with each other, and with Pillow's own way of turning."""
    path = with_exif(tmp_path / f"a{suffix}", value)
    upright = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    size = sources.image_size(str(path))
    assert (size.width, size.height) == upright.size == ((40, 60) if value >= 5 else (60, 40))
    assert pixels.load(path).tobytes() == upright.tobytes()


@pytest.mark.parametrize("value", [0, 9, 77])
def test_impossible_orientations_are_upright(tmp_path, value):
    assert str(sources.image_size(with_exif(tmp_path / "a.jpg", value))) == "60x40"


def test_orientation_behind_the_pixels_of_a_png(tmp_path):
    """An eXIf chunk may stand after IDAT; it is found without decoding, and count and encode agree."""
    path = with_exif(tmp_path / "a.png", 6)
    data = path.read_bytes()
    start = data.index(b"eXIf") - 4
    length = 12 + struct.unpack(">I", data[start : start + 4])[0]
    chunk, end = data[start : start + length], data.index(b"IEND") - 4
    path.write_bytes(data[:start] + data[start + length : end] + chunk + data[end:])
    assert "exif" not in Image.open(path).info
    assert str(sources.image_size(path)) == "40x60"
    assert pixels.load(path).size == (40, 60)


def test_only_the_header_is_read(tmp_path):
    """A JPEG whose pixels are cut off still has a size."""
    for path in PHOTOGRAPHS:
        data = path.read_bytes()
        cut = tmp_path / f"cut{path.suffix}"
        cut.write_bytes(data[: len(data) // 2])
        assert sources.image_size(cut) == sources.image_size(path)
        with pytest.raises(InputError, match=r"cut\.\w+: cannot be decoded"):
            pixels.load(cut)


def test_broken_metadata_does_not_stop_pixels(tmp_path):
    path = tmp_path / "a.jpg"
    rocket().save(path, exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert str(sources.image_size(path)) == "60x40"
    assert pixels.load(path).size == (60, 40)


# ---------------------------------------------------------------- modes


def grey(mode, values):
    image = Image.new(mode, (len(values), 1))
    image.putdata(values)
    return image


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    ramp = [0, 257, 32_896, 65_535]
    image = Image.frombytes("I;16", (4, 1), struct.pack("<4H", *ramp))
    image.save(tmp_path / "a.png")
    assert list(pixels.load(tmp_path / "a.png").tobytes()[::3]) == [0, 1, 128, 255]


@pytest.mark.parametrize(("mode", "values", "wanted"), [("F", [0.0, 0.5, 1.0], [0, 128, 255]), ("I", [0, 32_896, 65_535], [0, 128, 255]),
                                                        ("F", [7.0, 7.0], [0, 0]), ("I", [-100, 1, 100], [0, 129, 255])])  # fmt: skip
def test_wide_greys_are_scaled(tmp_path, mode, values, wanted):
    grey(mode, values).save(tmp_path / "a.tif")
    assert list(pixels.load(tmp_path / "a.tif").tobytes()[::3]) == wanted


def test_not_a_number_is_refused(tmp_path):
    grey("F", [0.0, float("inf"), 1.0]).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match="cannot be scaled"):
        pixels.load(tmp_path / "a.tif")


def test_transparency_is_laid_on_white(tmp_path):
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert pixels.load(tmp_path / "a.png").getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (2, 2), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.save(tmp_path / "p.png", transparency=1)
    assert pixels.load(tmp_path / "p.png").getpixel((0, 0)) == (255, 255, 255)
    palette.save(tmp_path / "q.png")
    assert pixels.load(tmp_path / "q.png").getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_every_mode_becomes_rgb(mode):
    image = rocket().convert("L" if mode in ("I;16", "LA") else mode)
    image = image.convert(mode) if image.mode != mode else image
    rgb = pixels.load(image)
    assert (rgb.mode, rgb.size) == ("RGB", (60, 40))


def test_rgb_conversion_equals_the_library():
    """On 8-bit modes: alpha, palettes and CMYK as transformers' convert_to_rgb makes them."""
    transforms = pytest.importorskip("transformers.image_transforms")
    import numpy as np

    alpha = rocket().convert("RGBA")
    alpha.putalpha(Image.linear_gradient("L").resize(alpha.size))
    for image in (rocket(), rocket().convert("L"), rocket().convert("CMYK"), alpha, rocket().convert("P")):
        np.testing.assert_array_equal(
            np.asarray(pixels.load(image)), transforms.convert_to_rgb(image, return_numpy=True)
        )


def test_the_callers_picture_is_left_alone():
    image = rocket()
    before = image.tobytes()
    loaded = pixels.load(image)
    loaded.putpixel((0, 0), (1, 2, 3))
    assert image.tobytes() == before
    image.load()  # not closed


# ---------------------------------------------------------------- hostile and broken files


def png(width, height, body=b""):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.jpg", None, "no such file"),
        ("empty.jpg", b"", "the file is empty"),
        ("text.jpg", b"this is a text, not a picture", "not a picture in a format that is read"),
        ("cut.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF", r"cut\.jpg: (cannot be opened|not a picture)"),
        ("script.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", "not a picture"),
        ("archive.png", b"PK\x03\x04" + b"\0" * 100, "not a picture"),
        ("bomb.png", png(60_000, 60_000), r"more than .* pixels, which Pillow refuses"),
        ("zero.png", png(0, 5), r"zero\.png"),
    ],
)
def test_bad_files_name_file_and_reason(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    for read in (sources.image_size, pixels.load):
        with pytest.raises((InputError, UsageError), match=message) as error:
            read(str(path))
        assert name in str(error.value)
        assert len(str(error.value).splitlines()) == 1


def test_a_large_picture_is_counted_but_not_decoded(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(png(9000, 9000, zlib.compress(b"\0" * 100)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert str(sources.image_size(path)) == "9000x9000"
    with pytest.raises(InputError, match=r"large\.png is 9000x9000: 81,000,000 pixels, more than the 67,108,864"):
        pixels.load(path)
    with pytest.raises(InputError, match="cannot be decoded"):
        pixels.load(path, max_pixels=10**8)


def test_a_step_that_needs_too_many_pixels_is_refused():
    from vistoken.geometry import Patch
    from vistoken.views import ShortSideCrop

    view = ShortSideCrop(224, Size(224, 224), "bicubic", Patch.square(16)).views(Size(height=2, width=4000))[0]
    with pytest.raises(InputError, match="more than the"):
        pixels.carry_out(Image.new("RGB", (4000, 2)), view)


def test_a_pipe_does_not_block(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(InputError, match="not a regular file"):
        sources.image_size(tmp_path / "pipe.jpg")


@pytest.mark.parametrize("suffix", [".avif", ".tif", ".jpg", ".webp", ".gif"])
def test_flipped_bytes_are_an_input_error_or_a_picture(tmp_path, suffix):
    """Every header byte of a small picture set to other values: never anything but `InputError`."""
    path = tmp_path / f"a{suffix}"
    try:
        rocket().resize((16, 12)).save(path)
    except (OSError, KeyError, ValueError):
        pytest.skip(f"this Pillow does not write {suffix}")
    data = path.read_bytes()
    for place in range(min(len(data), 300)):
        for value in (0, 2, 7, 255):
            path.write_bytes(data[:place] + bytes([value]) + data[place + 1 :])
            try:
                pixels.load(path, max_pixels=10**6)
            except InputError as error:
                assert path.name in str(error)


def test_a_header_beyond_all_sizes(tmp_path):
    path = tmp_path / "big.bmp"
    path.write_bytes(b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 150_000_000, 1, 1, 24, 0, 0, 0, 0, 0, 0))
    with pytest.raises(InputError, match=r"big\.bmp: its header says 150000000x1"):
        sources.image_size(path)


def test_files_in_memory():
    data = io.BytesIO(PHOTOGRAPHS[-1].read_bytes())
    assert str(sources.image_size(data)) == "640x427"
    with pytest.raises(InputError, match=r"picture in memory \(BytesIO\): not a picture"):
        sources.image_size(io.BytesIO(b"text"))


# ---------------------------------------------------------------- sources


def test_folders_are_walked_in_order_without_loops(tmp_path):
    for name in ("b.png", "a.JPG", "sub/c.webp", "note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    notes = []
    found = [source.name.removeprefix(f"{tmp_path}/") for source in sources.expand(str(tmp_path), notes.append)]
    assert found == ["a.JPG", "b.png", "sub/c.webp"]
    assert notes == [f"{tmp_path}: 1 file left aside, whose ending is not that of a picture"]
    assert [s.name for s in sources.expand(f"{tmp_path}/*.png")] == [f"{tmp_path}/b.png"]


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("nowhere.jpg", InputError),
        ("1280*720", UsageError),
        ("0x10", UsageError),
        ("-5x5", UsageError),
        ("*.nothing", InputError),
    ],
)
def test_sources_that_mean_nothing(word, error):
    with pytest.raises(error):
        list(sources.expand(word))


def test_an_empty_folder_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no pictures in this folder"):
        list(sources.expand(str(tmp_path)))


def test_a_file_named_like_a_size_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rocket().save("640x480", format="PNG")
    [source] = sources.expand("640x480")
    assert str(source.size) == "60x40"


# ---------------------------------------------------------------- steps


@pytest.mark.parametrize(
    "name", ["internvl3-8b", "llava-next", "idefics3-8b", "deepseek-vl-7b", "gemma-3-4b", "molmo2-4b"]
)
def test_views_together_are_the_views_one_by_one(name):
    image = Image.open(PHOTOGRAPHS[0]).convert("RGB").resize((900, 500))
    views = registry.describe(name).views(Size(height=500, width=900))
    together = list(pixels.carry_out_all(image, views))
    assert len(together) == len(views)
    for view, made in zip(views, together, strict=True):
        assert made.size == (view.size.width, view.size.height)
        assert made.tobytes() == pixels.carry_out(image, view).tobytes()


def test_what_views_begin_with_is_done_once(monkeypatch):
    done = []
    after = pixels._after
    monkeypatch.setattr(pixels, "_after", lambda image, step: done.append(step) or after(image, step))
    image = Image.new("RGB", (900, 500))
    views = registry.describe("internvl3-8b").views(Size(height=500, width=900))
    assert len(list(pixels.carry_out_all(image, views))) == 3
    assert sum(isinstance(step, Resize) for step in done) == 2  # the canvas and the overview
    done.clear()
    assert len(list(pixels.carry_out_all(image, (views[-1],) * 2))) == 2  # a view that comes twice


def test_padding_has_its_colour_and_black_is_the_default():
    image = Image.new("RGB", (2, 1), (9, 9, 9))
    for fill in ((0, 0, 0), (1, 2, 3)):
        view = View.of(Size(1, 2), (Pad(1, 0, Size(2, 2), fill),), Patch.square(1))
        made = pixels.carry_out(image, view)
        assert [made.getpixel((0, row)) for row in (0, 1)] == [fill, (9, 9, 9)]
    assert Pad(0, 0, Size(1, 1)).fill == (0, 0, 0)


def test_without_antialiasing_pixels_between_the_samples_are_lost():
    stripes = Image.new("RGB", (400, 8))
    stripes.paste((255, 255, 255), (200, 0, 201, 8))
    lost, kept = (
        pixels.carry_out(stripes, View.of(Size(8, 400), (Resize(Size(8, 10), "bilinear", smooth),), Patch.square(1)))
        for smooth in (False, True)
    )
    assert not any(lost.tobytes())
    assert any(kept.tobytes())
