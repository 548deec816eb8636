"""Pictures at addresses: the sizes that they have as files, and few bytes of each."""

import builtins
import io
import json

import pytest
from conftest import IMAGES, PHOTOGRAPHS
from PIL import Image

from vistoken import addresses
from vistoken.errors import InputError, MissingExtra, UsageError
from vistoken.sources import image_size

fsspec = pytest.importorskip("fsspec")
QWEN = "qwen2.5-vl-7b"


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    for path in PHOTOGRAPHS:
        system.pipe(f"/photos/{path.name}", path.read_bytes())
    system.pipe("/photos/deep/er/notes.txt", b"no picture")
    system.pipe("/photos/deep/er/broken.jpg", b"no picture")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def encoded(form, size=(64, 48), **more):
    file = io.BytesIO()
    Image.effect_noise(size, 80).save(file, form, **more)
    return file.getvalue()


def test_sizes_are_those_of_the_files(memory):
    found = {source.name: source for source in addresses.expand("memory://photos/*.*")}
    assert list(found) == sorted(f"memory:///photos/{path.name}" for path in PHOTOGRAPHS)
    for path in PHOTOGRAPHS:
        assert found[f"memory:///photos/{path.name}"].size == image_size(path)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_few_bytes_are_read_whatever_the_format(memory, form):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(form, (2000, 1500), **({"exif": exif} if form in ("JPEG", "PNG", "WEBP") else {}))
    assert len(data) > 5 * addresses.BLOCK
    memory.pipe("/large", data)
    read = []
    (source,) = addresses.expand("memory://large", read=read.append)
    assert str(source.size) == ("1500x2000" if form in ("JPEG", "PNG", "WEBP") else "2000x1500")
    assert read[0] <= 3 * addresses.BLOCK


def test_a_header_without_end_is_given_up(memory):
    """A JPEG of nothing but comments."""
    memory.pipe(
        "/endless.jpg",
        b"\xff\xd8"
        + b"\xff\xfe\xff\xff" * 2
        + b"\xff\xfe\xff\xff"
        + bytes(65_533)
        + (b"\xff\xfe\xff\xff" + bytes(65_533)) * 40,
    )
    read = []
    (source,) = addresses.expand("memory://endless.jpg", read=read.append)
    with pytest.raises(InputError, match=r"memory:///endless.jpg: .*no size in the 1,024 KiB"):
        source.size  # noqa: B018
    assert read == [addresses.MOST]


def test_an_orientation_far_behind_is_not_looked_for(memory):
    data = encoded("PNG", (1500, 1500))
    assert len(data) > 5 * addresses.MOST_OF_PNG
    memory.pipe("/large.png", data)
    read = []
    (source,) = addresses.expand("memory://large.png", read=read.append)
    assert str(source.size) == "1500x1500"
    assert read == [addresses.MOST_OF_PNG]


def test_blocks_read_as_a_file_does(memory):
    data = bytes(range(256)) * 1000
    memory.pipe("/bytes", data)
    file, twin = addresses.Blocks(memory, "/bytes", "bytes"), io.BytesIO(data)
    for place, whence, count in (
        (0, 0, 10),
        (65_530, 0, 20),
        (-7, 1, 100_000),
        (-5, 2, 10),
        (300_000, 0, 4),
        (0, 0, -1),
    ):
        assert (file.seek(place, whence), twin.seek(place, whence)) == (file.tell(), twin.tell())
        assert file.tell() == twin.tell()
        assert file.read(count) == twin.read(count)
    assert file.held == len(data)


def test_what_fails_while_metadata_is_read_is_not_passed_over(memory, monkeypatch):
    """A lost connection must not turn a picture upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    memory.pipe("/turned.png", encoded("PNG", (2000, 1500)))
    asked = memory.cat_file

    def lost(path, start=None, end=None):
        if start:
            raise ConnectionError("gone")
        return asked(path, start=start, end=end)

    monkeypatch.setattr(memory, "cat_file", lost)
    (source,) = addresses.expand("memory://turned.png")
    with pytest.raises(InputError, match=r"memory:///turned.png: cannot be read: gone"):
        source.size  # noqa: B018


def test_the_command_counts_them(run, memory):
    names = [f"memory:///photos/{path.name}" for path in PHOTOGRAPHS]
    code, out, err = run("count", "memory://photos", "-m", QWEN, "--json")
    rows = {row["source"]: row["tokens"] for row in map(json.loads, out.splitlines())}
    there = {
        row["source"]: row["tokens"]
        for row in map(json.loads, run("count", IMAGES, "-m", QWEN, "--json")[1].splitlines())
    }
    assert rows == {f"memory:///photos/{path.name}": there[str(path)] for path in PHOTOGRAPHS}
    assert list(rows) == sorted(names)
    assert code == 3
    assert "failed: memory:///photos/deep/er/broken.jpg: not a picture" in err
    assert "memory://photos: 1 file left aside" in err
    assert "bytes were read of 7 pictures at addresses" in err
    code, _, err = run(
        "count", "memory://none.jpg", "memory://none/*.jpg", "memory://photos/deep/er/notes.txt", "640x480", "-m", QWEN
    )
    assert code == 3
    assert "memory:///none.jpg: cannot be read: no such file" in err
    assert "memory://none/*.jpg: no pictures there" in err


def test_without_fsspec_the_error_names_the_extra(monkeypatch):
    known = builtins.__import__

    def missing(name, *more):
        if name.startswith("fsspec"):
            raise ModuleNotFoundError("No module named 'fsspec'", name="fsspec")
        return known(name, *more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtra, match=r"pip install 'vistoken\[bulk\]'"):
        list(addresses.expand("s3://bucket/a.png"))


def test_unknown_file_systems():
    with pytest.raises(UsageError, match=r"s3x://bucket/a.png: .*s3x"):
        list(addresses.expand("s3x://bucket/a.png"))
