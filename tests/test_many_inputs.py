"""Many pictures: any iterable, one at a time, and what becomes of the bad ones."""

import io
import itertools
import pathlib
import pickle

import numpy as np
import pytest
import torch
from conftest import PHOTOGRAPHS
from PIL import Image

from vistoken.encoding.inputs import Failed, read_all
from vistoken.errors import InputError, MissingExtra, UsageError, VistokenError

PHOTO = next(path for path in PHOTOGRAPHS if path.name == "chelsea.png")
PIXELS = np.asarray(Image.open(PHOTO).convert("RGB"))


def noise(*shape):
    return np.random.default_rng(5).integers(0, 256, shape, np.uint8)


def small_file():
    file = io.BytesIO()
    Image.new("RGB", (4, 3), (1, 2, 3)).save(file, "PNG")
    return file.getvalue()


def sizes(read):
    return [entry.index if isinstance(entry, Failed) else entry[1].size for entry in read]


@pytest.mark.parametrize("make", [list, tuple, iter, lambda images: (image for image in images), lambda images: dict.fromkeys(images).keys(),
                                  lambda images: map(str, images), lambda images: np.array(list(map(str, images)))])  # fmt: skip
def test_any_iterable(make):
    assert sizes(read_all(make(PHOTOGRAPHS))) == [Image.open(path).size for path in PHOTOGRAPHS]


def test_a_sequence_of_the_old_kind():
    class Dataset:
        def __getitem__(self, index):
            return PHOTOGRAPHS[index]

    assert len(list(read_all(Dataset()))) == len(PHOTOGRAPHS)


def test_a_batch_is_many_pictures():
    batch = noise(5, 20, 30, 3)
    for given in (batch, torch.from_numpy(batch)):
        for (_, picture), wanted in zip(read_all(given), batch, strict=True):
            np.testing.assert_array_equal(np.asarray(picture), wanted)
    assert sizes(read_all(np.moveaxis(batch, 3, 1), channels="first")) == [(30, 20)] * 5
    assert list(read_all([])) == []


def test_pictures_are_read_when_they_are_asked_for():
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield Image.new("RGB", (number + 1, 1))

    read = read_all(endless())
    assert taken == []
    assert sizes(itertools.islice(read, 3)) == [(1, 1), (2, 1), (3, 1)]
    assert taken == [0, 1, 2]


@pytest.mark.parametrize(
    "images",
    ["photo.jpg", PHOTO, PHOTO.read_bytes(), bytearray(b"x"), Image.new("RGB", (8, 8)), io.BytesIO(small_file()), PIXELS, PIXELS[..., 0],
     torch.from_numpy(PIXELS.copy()), pathlib.PurePath("a.jpg"), 5, None],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_one_picture_is_not_a_list_of_pictures(images):
    """Refused at the call, before anything is asked for."""
    with pytest.raises(UsageError, match=r"images is one \w+: give a list of pictures, for example encode\(\['photo"):
        read_all(images)


def bad_ones(tmp_path):
    broken = tmp_path / "broken\n.jpg"
    broken.write_bytes(PHOTOGRAPHS[3].read_bytes()[:5000])
    return [PHOTO, broken, noise(3, 20, 30), None, PIXELS, np.zeros((4, 5)), tmp_path / "gone.png"]


def test_a_bad_picture_is_named_with_its_position(tmp_path):
    images = bad_ones(tmp_path)
    for index, kind, message in (
        (1, InputError, rf"^picture 0 \({tmp_path}/broken\\n\.jpg\): (cannot be|not a)"),
        (2, UsageError, r"^picture 0 \(picture in memory \(ndarray\)\): has shape|^picture 0 .*channels='first'"),
        (3, UsageError, r"^picture 0 \(picture in memory \(NoneType\)\): .*is no picture"),
        (6, InputError, r"^picture 0 \(.*gone\.png\): no such file$"),
    ):
        with pytest.raises(kind, match=message):
            next(read_all(images[index:]))
    read = read_all(images)
    assert next(read)[0] == str(PHOTO)
    with pytest.raises(InputError, match=r"^picture 1 \("):
        next(read)


def test_a_bad_picture_becomes_an_entry(tmp_path):
    images = bad_ones(tmp_path)
    found = list(read_all(iter(images), on_error="return"))
    assert len(found) == len(images)
    assert [isinstance(entry, Failed) for entry in found] == [False, True, True, True, False, True, True]
    np.testing.assert_array_equal(np.asarray(found[4][1]), PIXELS)
    for index, entry in enumerate(found):
        if isinstance(entry, Failed):
            assert entry.index == index
            assert isinstance(entry.error, VistokenError)
            assert str(entry.error).startswith(f"picture {index} (")
            assert str(entry.error).isprintable()
            assert str(pickle.loads(pickle.dumps(entry)).error) == str(entry.error)
    assert found[1].name == str(images[1])
    with pytest.raises(AttributeError):
        found[1].index = 5


def test_channels_and_area_hold_for_all():
    first = np.moveaxis(PIXELS, 2, 0)
    for _, picture in read_all([first, PHOTO, first], channels="first"):
        np.testing.assert_array_equal(np.asarray(picture), PIXELS)
    assert sizes(read_all([PHOTO, small_file()], max_pixels=100, on_error="return")) == [0, (4, 3)]


def test_errors_of_the_iterable_go_through():
    def failing():
        yield PHOTO
        raise KeyError("of the caller")

    read = read_all(failing(), on_error="return")
    next(read)
    with pytest.raises(KeyError, match="of the caller"):
        next(read)
    missing = MissingExtra("av", "video", "a frame")
    with pytest.raises(MissingExtra):
        next(read_all(raising(missing), on_error="return"))


def raising(error):
    raise error
    yield


@pytest.mark.parametrize(("options", "message"), [({"on_error": "ignore"}, "on_error='ignore': choose 'raise' or 'return'"),
                                                  ({"on_error": "retrun"}, "Did you mean return"), ({"on_error": None}, "choose"),
                                                  ({"channels": "frist"}, "channels='frist': choose .* Did you mean first"), ({"channels": 0}, "choose 'first' or 'last'")])  # fmt: skip
def test_unknown_choices_are_refused_at_the_call(options, message):
    with pytest.raises(UsageError, match=message):
        read_all([PHOTO], **options)
