"""What may be handed to encode: every kind of input gives the same pixels, and what would have to be guessed is refused."""

import io
import os
import tempfile
import zipfile

import numpy as np
import pytest
import torch
from conftest import PHOTOGRAPHS
from PIL import Image

from vistoken.encoding.inputs import read_picture
from vistoken.errors import InputError, UsageError

PHOTO = next(path for path in PHOTOGRAPHS if path.name == "chelsea.png")
PIXELS = np.asarray(Image.open(PHOTO).convert("RGB"))
RNG = np.random.default_rng(5)


def pixels(*given, **options):
    _, picture = read_picture(*given, **options)
    assert picture.mode == "RGB"
    return np.asarray(picture)


def noise(*shape, dtype=np.uint8):
    return RNG.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


class BytesPath(os.PathLike):
    def __fspath__(self):
        return os.fsencode(PHOTO)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (str(PHOTO), str(PHOTO)),
        (PHOTO, str(PHOTO)),
        (np.array([str(PHOTO)])[0], str(PHOTO)),
        (BytesPath(), str(PHOTO)),
        (PHOTO.read_bytes(), "picture in memory (bytes)"),
        (bytearray(PHOTO.read_bytes()), "picture in memory (bytearray)"),
        (memoryview(PHOTO.read_bytes()), "picture in memory (memoryview)"),
        (memoryview(PHOTO.read_bytes()[::-1])[::-1], "picture in memory (memoryview)"),  # not contiguous
        (Image.open(PHOTO), str(PHOTO)),
        (Image.open(PHOTO).convert("RGB"), "picture in memory (Image)"),
        (PIXELS, "picture in memory (ndarray)"),
        (torch.from_numpy(PIXELS.copy()), "picture in memory (Tensor)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_all_kinds_give_the_same_pixels(given, name):
    called, picture = read_picture(given)
    assert called == name
    assert type(called) in (str, np.str_)
    np.testing.assert_array_equal(np.asarray(picture), PIXELS)


def test_open_files(tmp_path):
    """Read from the start wherever they stand, and left open; also what cannot be rewound."""
    with open(PHOTO, "rb") as file:
        file.seek(100)
        np.testing.assert_array_equal(pixels(file), PIXELS)
        assert not file.closed
        np.testing.assert_array_equal(pixels(file), PIXELS)
        assert read_picture(file)[0] == str(PHOTO)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(PHOTO, "inside.png")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, archive.open("inside.png") as file:
        name, picture = read_picture(file)
        assert name == "inside.png"
        np.testing.assert_array_equal(np.asarray(picture), PIXELS)
    reader, writer = os.pipe()
    os.write(writer, SMALL_FILE)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        assert pixels(file).shape == (3, 4, 3)
    with tempfile.SpooledTemporaryFile() as file:
        file.write(SMALL_FILE)
        assert pixels(file).shape == (3, 4, 3)


def small_file():
    file = io.BytesIO()
    Image.new("RGB", (4, 3), (1, 2, 3)).save(file, "PNG")
    return file.getvalue()


SMALL_FILE = small_file()


def test_files_that_cannot_be_read(tmp_path):
    closed = open(PHOTO, "rb")  # noqa: SIM115
    closed.close()
    with pytest.raises(InputError, match="closed file"):
        read_picture(closed)
    with open(PHOTO, encoding="latin-1") as file, pytest.raises(UsageError, match=r"chelsea\.png is open as text"):
        read_picture(file)
    with open(tmp_path / "new", "wb") as file, pytest.raises(InputError, match="new: cannot be opened"):
        read_picture(file)
    for data in (b"", b"photo.jpg", PHOTO.read_bytes()[:999]):
        with pytest.raises(InputError, match=r"picture in memory \(bytes\): (not a picture|cannot be)"):
            read_picture(data)
    gone = Image.open(PHOTO)
    gone.close()
    with pytest.raises(InputError, match=r"chelsea\.png: cannot be decoded"):
        read_picture(gone)


@pytest.mark.parametrize("thing", [None, 5, 1.5, ["photo.jpg"], {"image": PHOTO}, (PHOTO, "a cat"), object()])
def test_what_is_no_picture(thing):
    with pytest.raises(UsageError, match=r"is no picture: give a path, an open binary file, bytes, a PIL image"):
        read_picture(thing)


def test_contents_that_are_taken_for_a_name():
    with pytest.raises(InputError) as error:
        read_picture("data:image/png;base64," + "A" * 100_000)
    assert "no such file" in str(error.value)
    assert len(str(error.value)) < 200


def test_the_callers_objects_are_left_alone():
    array = noise(20, 30, 3)
    image, before = Image.fromarray(array), array.copy()
    for given in (image, array, torch.from_numpy(array)):
        _, picture = read_picture(given)
        picture.putpixel((0, 0), (1, 2, 3) if array[0, 0, 0] != 1 else (2, 2, 3))
        np.testing.assert_array_equal(array, before)
        np.testing.assert_array_equal(np.asarray(image), before)


# ---------------------------------------------------------------- arrays and tensors


def both(array):
    return (array, torch.from_numpy(np.ascontiguousarray(array)))


@pytest.mark.parametrize(
    "shape", [(20, 30), (20, 30, 1), (20, 30, 3), (3, 30), (1, 1), (20, 3), (500, 3, 3), (20, 1, 3)]
)
def test_shapes_that_are_plain(shape):
    array = noise(*shape)
    grey = array if array.ndim == 2 else array[..., 0]
    wanted = array if shape[2:] == (3,) else np.stack([grey] * 3, 2)
    for given in both(array):
        np.testing.assert_array_equal(pixels(given), wanted)


@pytest.mark.parametrize(
    "shape",
    [(3, 20, 30), (1, 20, 30), (4, 20, 30), (3, 500, 3), (4, 20, 4), (1, 500, 3), (3, 4, 1), (1, 1, 1), (3, 3, 3)],
)
def test_shapes_that_must_be_explained(shape):
    for given in both(noise(*shape)):
        with pytest.raises(UsageError, match=r"channels='first' for .* or channels='last' for"):
            read_picture(given)


@pytest.mark.parametrize("shape", [(3, 20, 30), (3, 500, 3), (3, 3, 3), (3, 20, 4), (3, 1, 1)])
def test_channels_first(shape):
    array = noise(*shape)
    for given in both(array):
        np.testing.assert_array_equal(pixels(given, channels="first"), np.stack(list(array), axis=2))


@pytest.mark.parametrize("shape", [(3, 500, 3), (3, 3, 3), (1, 7, 3), (20, 30, 3)])
def test_channels_last(shape):
    array = noise(*shape)
    for given in both(array):
        np.testing.assert_array_equal(pixels(given, channels="last"), array)


def test_grey_and_alpha_channels_first():
    grey = noise(1, 20, 30)
    np.testing.assert_array_equal(pixels(grey, channels="first"), np.stack([grey[0]] * 3, 2))
    alpha = noise(20, 30, 4)
    last, first = pixels(alpha), pixels(np.moveaxis(alpha, 2, 0), channels="first")
    np.testing.assert_array_equal(first, last)


def test_alpha_is_laid_on_white():
    """v * a + 255 * (1 - a), to one step; exact where the picture is opaque or transparent."""
    array = noise(40, 50, 4)
    array[:10, :, 3], array[10:20, :, 3] = 255, 0
    result, alpha = pixels(array), array[..., 3:] / 255
    np.testing.assert_allclose(result, array[..., :3] * alpha + 255 * (1 - alpha), atol=1)
    np.testing.assert_array_equal(result[:10], array[:10, :, :3])
    assert (result[10:20] == 255).all()


@pytest.mark.parametrize("shape", [(256, 256), (128, 512, 1), (64, 64, 3), (64, 64, 4)])
def test_sixteen_bits_are_scaled(shape):
    array = noise(*shape, dtype=np.uint16) if shape[-1] in (3, 4) else np.arange(65536, dtype=np.uint16).reshape(shape)
    if shape[-1] == 4:
        array[..., 3] = 65535
    wanted = np.round(array / 257).astype(np.uint8)
    wanted = wanted[..., :3] if shape[-1] in (3, 4) else np.stack([wanted.reshape(shape[:2])] * 3, 2)
    for given in (*both(array), array.astype(">u2")):
        np.testing.assert_array_equal(pixels(given), wanted)


@pytest.mark.parametrize(
    "view",
    [
        lambda array: array[::-1, ::2],
        lambda array: array[..., ::-1],
        lambda array: np.asfortranarray(array),
        lambda array: np.broadcast_to(array[:1], array.shape),
        lambda array: array.swapaxes(0, 1),
    ],
)
def test_arrays_in_any_order_of_memory(view):
    seen = view(noise(20, 30, 3))
    np.testing.assert_array_equal(pixels(seen), np.array(seen.tolist(), np.uint8))


def test_tensors_that_are_views_or_want_gradients():
    tensor = torch.from_numpy(noise(20, 30, 3))
    np.testing.assert_array_equal(pixels(tensor.permute(2, 0, 1), channels="first"), tensor.numpy())
    np.testing.assert_array_equal(pixels(torch.nn.Parameter(tensor, requires_grad=False)), tensor.numpy())


@pytest.mark.parametrize(
    "dtype",
    [
        np.float16,
        np.float32,
        np.float64,
        np.int8,
        np.int16,
        np.int64,
        np.uint32,
        np.uint64,
        bool,
        complex,
        object,
        "U3",
    ],
)
def test_other_types_are_refused(dtype):
    with pytest.raises(InputError, match=r"must be uint8 or uint16\. Floats from 0 to 1 .* encode_pixels"):
        read_picture(np.zeros((20, 30, 3), dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool])
def test_other_types_of_tensors_are_refused(dtype):
    for shape in ((3, 20, 30), (20, 30, 3)):
        with pytest.raises(InputError, match=r"must be uint8 or uint16\. .*normalised already goes to encode_pixels"):
            read_picture(torch.zeros(shape, dtype=dtype), channels="first")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (noise(20), r"shape \(20,\): it must be"),
        (noise(), r"shape \(\): it must be"),
        (noise(2, 20, 30, 3), r"give its pictures one by one, for example list\(batch\)"),
        (noise(2, 2, 20, 30, 3), "it must be"),
        (noise(20, 30, 2), "it has 2, and must have 1, 3 or 4"),
        (noise(20, 30, 5), "it has 5"),
        (np.zeros((0, 30, 3), np.uint8), "no pixels"),
        (np.zeros((20, 0), np.uint8), "no pixels"),
        (np.zeros((20, 30, 0), np.uint8), "no pixels"),
    ],
)
def test_shapes_that_are_no_pictures(array, message):
    for given in (array, torch.from_numpy(array) if isinstance(array, np.ndarray) else array):
        with pytest.raises(InputError, match=message):
            read_picture(given)


def test_stated_channels_that_do_not_fit():
    with pytest.raises(InputError, match="with channels first it has 20"):
        read_picture(noise(20, 30, 3), channels="first")
    with pytest.raises(InputError, match="with channels last it has 30"):
        read_picture(noise(3, 20, 30), channels="last")


@pytest.mark.parametrize("tensor", [torch.zeros(20, 30, 3, dtype=torch.uint8, device="meta"), torch.zeros(20, 30, dtype=torch.uint8).to_sparse()])  # fmt: skip
def test_tensors_without_plain_values(tensor):
    with pytest.raises(InputError, match=r"picture in memory \(Tensor\) .* cannot be read"):
        read_picture(tensor)


def test_the_area_is_bounded():
    for given in (PHOTO, PHOTO.read_bytes(), Image.open(PHOTO), PIXELS, torch.from_numpy(PIXELS.copy())):
        with pytest.raises(InputError, match="is 451x300: 135,300 pixels, more than the 135,299"):
            read_picture(given, max_pixels=135_299)
        assert read_picture(given, max_pixels=135_300)[1].size == (451, 300)
