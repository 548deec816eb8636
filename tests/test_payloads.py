"""Base64, data URLs, paths and bytes: only headers are decoded, and what is wrong is said."""

import base64
import binascii
import io
import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vistoken.counting.payloads import Absent, Base64, Base64File, Held, Local, differs, from_text, size_of
from vistoken.errors import InputError


def picture(format="PNG", width=31, height=17, **how):
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, format, **how)
    return file.getvalue()


def text_of(data):
    return base64.b64encode(data).decode()


WRITTEN = {
    "plain": text_of,
    "MIME": lambda data: base64.encodebytes(data).decode(),  # lines of 76, RFC 2045
    "MIME with CR LF": lambda data: base64.encodebytes(data).decode().replace("\n", "\r\n"),
    "white around": lambda data: f" \n{text_of(data)}\n\n",
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_bytes_are_those_that_base64_decodes(written):
    for length in (1, 2, 3, 56, 57, 58, 3000, 3001):
        data = random.Random(length).randbytes(length)
        file = io.BufferedReader(Base64File(Base64(written(data))), 64)
        assert file.read() == data
        for place, wanted in ((0, 5), (length // 2, 100), (length - 1, 9), (length, 3), (length + 10, 1)):
            file.seek(place)
            assert file.read(wanted) == data[place : place + wanted]
        assert file.seek(-1, io.SEEK_END) == length - 1
        assert file.seek(-9999, io.SEEK_CUR) == 0


def test_the_url_safe_alphabet_and_missing_padding_only_where_they_are_documented():
    data = b"\xfb\xff\xbf" + picture()[:31]
    text = base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert {"-", "_"} <= set(text)
    assert len(text) % 4
    assert Base64File(Base64(text, loose=True)).readall() == data
    with pytest.raises(InputError, match="lacks its padding"):
        Base64File(Base64(text))
    with pytest.raises(InputError, match="stands for no bytes"):
        Base64File(Base64("A\n==", loose=True))
    with pytest.raises(InputError, match="'-' at character 0 is no base64, of the URL-safe alphabet"):
        Base64File(Base64(text + "=" * (-len(text) % 4))).readall()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the text is empty"),
        (" \n", "the text is empty"),
        ("A", "1 characters, which is no multiple of 4: the text is cut off"),
        (text_of(picture())[:-1], "lacks its padding"),
        ("iVB*" + "A" * 40, r"'\*' at character 3 is no base64"),
        ("iVBé" + "A" * 40, "'é' at character 3 is no base64"),
        ("iVB=" + "A" * 40, "padding .* within the text"),
        ("AA AAAA AAAAA AA" + "A" * 43, "white space within the text"),
        ("data:image/png;base64,iVBO", "a data URL, where base64 alone is meant"),
        (text_of(picture()[:20]), "cannot be opened|not a picture"),
        (text_of(b"%PDF-1.7" + b" " * 40), "not a picture"),
        (text_of(b"\0" * 3000), "not a picture"),
    ],
)
def test_broken_base64_is_named(text, said):
    with pytest.raises(InputError, match=said):
        size_of(Base64(text))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.text("ABC+/=-_ \n", max_size=200), st.booleans())
def test_any_text_is_decoded_as_the_library_does_or_refused(text, loose):
    try:
        data = Base64File(Base64(text, loose=loose)).readall()
    except InputError:
        return
    plain = "".join(text.split()).replace("-", "+").replace("_", "/") if loose else "".join(text.split())
    assert data == binascii.a2b_base64(plain + "=" * (-len(plain) % 4))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_every_format_as_base64_bytes_and_path(format, tmp_path):
    data = picture(format)
    path = tmp_path / "picture"
    path.write_bytes(data)
    for payload in (Base64(text_of(data)), Held(data), Held(io.BytesIO(data)), Local(str(path)),
                    Held(Image.open(io.BytesIO(data)))):  # fmt: skip
        assert str(size_of(payload)) == "31x17"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_applied(format):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert str(size_of(Base64(text_of(picture(format, exif=exif))))) == "17x31"


def test_what_a_string_means(tmp_path):
    (tmp_path / "a b.png").write_bytes(picture())
    (tmp_path / "iVBOR.png").write_bytes(picture())
    there = str(tmp_path)
    assert from_text("data:image/PNG;charset=x;base64,AAAA").media == "image/png"
    assert from_text("DATA:image;base64,AAAA").start == 18  # qwen-vl-utils writes no subtype
    assert from_text(f"file://{there}/a%20b.png") == Local(f"{there}/a b.png")
    assert from_text("a b.png", there) == Local(f"{there}/a b.png")
    assert from_text("iVBOR.png", there) == Local(f"{there}/iVBOR.png")  # a file that is there wins
    assert isinstance(from_text("iVBORw0KGgo="), Base64)
    assert isinstance(from_text("A" * 5000), Base64)
    for url in ("https://example.org/a.png", "gs://bucket/a", "s3://bucket/a", "HTTP://x"):
        assert isinstance(from_text(url), Absent)
    assert from_text("https://me:secret@example.org/a@b?key=1").name == "https://...@example.org/a@b?..."
    for text in ("data:image/png,AAAA", "data:image/png;base64", "data:", "data:text/plain;charset=utf-8,x"):
        with pytest.raises(InputError, match="is no data URL of base64"):
            from_text(text)


def test_the_declared_type_is_compared_with_the_content():
    assert "it is image/png" in differs(Base64(text_of(picture()), media="image/jpeg"))
    assert "it is image/gif" in differs(Held(picture("GIF"), "image/png"))
    assert not differs(Base64(text_of(picture("JPEG")), media="image/jpg"))
    assert not differs(Base64(text_of(picture())))


def peak(text):
    """The most memory that finding the size takes, in bytes."""
    assert str(size_of(Base64(text[:200_000]))) == "3000x2000"  # what is loaded once does not count
    tracemalloc.start()
    try:
        assert str(size_of(Base64(text))) == "3000x2000"
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "TIFF"])
def test_memory_stays_flat(format):
    data = picture(format, 3000, 2000)
    assert peak(text_of(data + bytes(-len(data) % 3)) + "A" * 20_000_000) < 2_000_000


def test_memory_of_300_megabytes_stays_flat():
    data = picture("JPEG", 3000, 2000)
    assert peak(text_of(data + bytes(-len(data) % 3)) + "A" * 300_000_000) < 2_000_000


@pytest.mark.slow
def test_memory_of_two_gigabytes_stays_flat():
    data = picture("JPEG", 3000, 2000)
    text = text_of(data + bytes(-len(data) % 3)) + "A" * 2_000_000_000
    assert peak(text) < 2_000_000
    with pytest.raises(InputError, match="not a picture"):
        size_of(Base64(text, start=4))
