"""Broken and hostile picture files through the door of encode: pixels, or an error that names the picture."""

import io
import os
import random
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import PHOTOGRAPHS
from handmade import SMALL, png, read, saved, tiff
from PIL import Image

from vistoken.encoding.inputs import read_picture
from vistoken.errors import InputError, VistokenError

RNG = np.random.default_rng(4)


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
CHILD = r"""
import re, sys
from vistoken.encoding.inputs import read_picture
from vistoken.errors import InputError
def peak():  # not ru_maxrss, which counts what the parent held before this program was loaded
    return int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1])
read_picture("{small}")
before = peak()
for path in sys.argv[1:]:
    try:
        read_picture(path)
    except InputError as error:
        print(error)
    else:
        sys.exit(path + " was decoded")
print(peak() - before)
read_picture("{honest}")
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
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
