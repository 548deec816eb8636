"""Pictures as messages carry them: base64 text, data URLs, paths, bytes, open files. Only headers are decoded.

Base64 is read as a file is: four characters are three bytes, so the place of every byte in the text is known, and a
reader of headers that asks for a few bytes has a few characters decoded, wherever they lie. The text is never copied.
"""

from __future__ import annotations

import binascii
import io
import os
import re
from dataclasses import field
from typing import TYPE_CHECKING

from vistoken import sources
from vistoken.errors import InputError, one_line, shown
from vistoken.files import Placed
from vistoken.frozen import frozen

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from vistoken.geometry import Size

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")  # RFC 3986: a scheme and an authority
_WHITE = re.compile(r"\s+")
_LONGEST_HEAD = 300  # characters of a data URL before its comma
_LONGEST_PATH = 4096  # Linux's PATH_MAX: a longer text is no path
_LONGEST_LINE = 8192  # characters of base64 among which the first line break is looked for; RFC 2045 writes 76
_CHUNK = 1024  # bytes that are decoded at once: the header of most pictures
# Bytes of a picture that are decoded where Pillow wants the whole file to tell its size (some WebP, AVIF). OpenAI's
# guide allows 512 MB for all pictures of a request, which is the largest limit of the vendors.
_WHOLE = 512 * 10**6
# How base64 of JPEG, PNG, GIF and WebP begins.
_BEGINNINGS = ("/9j/", "iVBOR", "R0lGOD", "UklGR")
_SIGNATURES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG", "image/png"), (b"GIF8", "image/gif"),
               (b"RIFF", "image/webp"), (b"BM", "image/bmp"), (b"%PDF", "application/pdf"))  # fmt: skip


@frozen
class Base64:
    """Base64 text from `start` on, with the media type that was declared (empty where none was).

    `loose` also takes the URL-safe alphabet and missing padding, as Google's APIs do ("ProtoJSON format", bytes).
    """

    text: str = field(repr=False)
    start: int = 0
    media: str = ""
    loose: bool = False

    @property
    def name(self) -> str:
        return f"base64 of {self.media or 'a picture'}"


@frozen
class Local:
    """A file of this machine."""

    path: str

    @property
    def name(self) -> str:
        return self.path


@frozen
class Held:
    """What the caller holds in memory: bytes, an open file or a PIL image; with the media type that was declared."""

    picture: object = field(repr=False)
    media: str = ""

    @property
    def name(self) -> str:
        return "bytes" if isinstance(self.picture, bytes) else sources.picture_name(self.picture)


@frozen
class Absent:
    """What is not here, such as a URL, which is never fetched; with the reason."""

    name: str
    reason: str


Payload = Base64 | Local | Held | Absent


def from_text(text: str, folder: str = "", loose: bool = False) -> Payload:
    """What a string means that stands for a picture: a data URL, another URL, a path or base64; in this order.

    An existing file wins over base64, as in transformers (`image_utils.load_image`). `folder` is where relative paths
    begin; the working directory where it is empty.

    >>> from_text("https://example.org/cat.jpg?key=1").name
    'https://example.org/cat.jpg?...'
    """
    if text[:5].lower() == "data:":
        return from_data_url(text, loose)
    if text[:7].lower() == "file://":
        return Local(os.path.join(folder, _file_url(text)))
    if _URL.match(text):
        return Absent(address(text), "a URL, which is never fetched")
    if len(text) > _LONGEST_PATH:
        return Base64(text, loose=loose)
    path = os.path.join(folder, text)
    if not os.path.exists(path) and text.startswith(_BEGINNINGS):
        return Base64(text, loose=loose)
    return Local(path)


def address(text: str) -> str:
    """A URL or an id as it stands in a message: short, and without its query and its user, which may be secrets."""
    head, query, _ = text[:2000].partition("?")
    return one_line(re.sub("//[^/@]*@", "//...@", head) + "?..." * bool(query), 100)


def from_data_url(text: str, loose: bool = False) -> Base64:
    """The base64 text behind `data:image/png;base64,` (RFC 2397). Raises `InputError` where it is none."""
    comma = text.find(",", 0, _LONGEST_HEAD)
    media, *parameters = text[5:comma].lower().split(";") if comma > 0 else [""]
    if "base64" not in (parameter.strip() for parameter in parameters):
        raise InputError(f"{one_line(text, 40)} is no data URL of base64: write data:image/png;base64,...")
    return Base64(text, comma + 1, media.strip(), loose)


def _file_url(text: str) -> str:
    """The path of `file:///path`; also of `file://path`, which people write, though that is a host (RFC 8089)."""
    from urllib.parse import unquote

    return unquote(text[7 : 7 + 2 * _LONGEST_PATH].removeprefix("localhost/"))


def size_of(payload: Base64 | Local | Held) -> Size:
    """The size of the upright picture, from its header. Raises `InputError`, `UsageError` for what is no picture."""
    match payload:
        case Local():
            return sources.image_size(payload.path)
        case Base64():
            return sources.image_size(_open(payload))
        case Held(picture=bytes() as data):
            return sources.image_size(io.BytesIO(data))
        case Held():
            return sources.image_size(payload.picture)  # type: ignore[arg-type]  # which refuses what is none


def differs(payload: Payload) -> str:
    """A note where the declared media type is not that of the content, by its first bytes; empty where it is."""
    declared = getattr(payload, "media", "")
    if not declared.startswith("image/"):
        return ""
    if isinstance(payload, Base64):
        head = _open(payload).read(16)
    elif isinstance(payload, Held) and isinstance(payload.picture, bytes):
        head = payload.picture[:16]
    else:
        return ""
    found = next((media for begins, media in _SIGNATURES if head.startswith(begins)), declared)
    if found == declared.replace("image/jpg", "image/jpeg"):
        return ""
    return f"declared as {one_line(declared, 40)}, but it is {found}: some APIs refuse that"


def _open(payload: Base64) -> io.BufferedReader:
    return io.BufferedReader(Base64File(payload), _CHUNK)


class Base64File(Placed):
    """The bytes that base64 text stands for, each decoded when it is read.

    Lines of one length, as MIME has them (RFC 2045), are read too. Raises `InputError` for text that cannot be base64;
    of what is never read only the length and the padding are looked at.
    """

    def __init__(self, payload: Base64) -> None:
        self._text, self._loose, self.name = payload.text, payload.loose, payload.name
        self._start, stop = _stripped(payload.text, payload.start)
        if payload.text[self._start : self._start + 5].lower() == "data:":
            raise InputError(f"{self.name}: a data URL, where base64 alone is meant: leave out all up to the comma")
        if self._start >= stop:
            raise InputError(f"{self.name}: the text is empty")
        self._line, self._gap = _lines(payload.text, self._start, stop)
        self._characters = stop - self._start - (stop - self._start) // (self._line + self._gap) * self._gap
        self._length = self._measured(self._text.count("=", stop - 2, stop))

    def _measured(self, padding: int) -> int:
        """How many bytes the characters are, `padding` at their end."""
        written = self._characters - padding
        if written % 4 == 1 or (self._characters % 4 and not self._loose):
            raise InputError(
                f"{self.name}: {self._characters:,} characters, which is no multiple of 4: the text is cut off"
                + " or lacks its padding (=)" * (written % 4 != 1)
            )
        if written < 2:
            raise InputError(f"{self.name}: the text stands for no bytes")
        return written * 3 // 4

    @property
    def length(self) -> int:
        return self._length

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        piece = self._bytes(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def readall(self) -> bytes:
        """All that is left, for formats whose size Pillow tells from the whole file."""
        if (left := self._length - self._place) > _WHOLE:
            raise InputError(f"{self.name}: {left:,} bytes in a format that must be decoded whole: give its path")
        return self._bytes(left)

    def _bytes(self, wanted: int) -> bytes:
        """The next bytes, `wanted` or what is left."""
        end = min(self._place + wanted, self._length)
        if end <= self._place:
            return b""
        first = self._place // 3
        decoded = self._decoded(first * 4, min(-(-end // 3) * 4, self._characters))
        piece = decoded[self._place - first * 3 : end - first * 3]
        self._place += len(piece)
        return piece

    def _decoded(self, first: int, last: int) -> bytes:
        """The bytes of the characters `first` to `last`, line breaks not numbered."""
        text = self._text[self._at(first) : self._at(last)]
        if self._gap:
            text = self._joined(text.split(), first, last)
        if self._loose:
            text = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        try:
            return binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            raise InputError(f"{self.name}: {_fault(text, first)}") from None

    def _joined(self, lines: list[str], first: int, last: int) -> str:
        """Lines put together, after it was seen that each is as long as the first line of all."""
        text, ends = "".join(lines), self._line - first % self._line
        even = all(len(line) == self._line for line in lines[1:-1]) and (len(lines) < 2 or len(lines[0]) == ends)
        if not even or len(text) != last - first:
            raise InputError(f"{self.name}: white space within the text, other than breaks into equal lines: remove it")
        return text

    def _at(self, character: int) -> int:
        return self._start + character + character // self._line * self._gap


def _stripped(text: str, start: int) -> tuple[int, int]:
    """Where `text` from `start` on begins and ends without the whitespace around it (up to a thousand characters)."""
    head, tail = text[start : start + _CHUNK], text[max(start, len(text) - _CHUNK) :]
    return start + len(head) - len(head.lstrip()), max(start, len(text) - len(tail) + len(tail.rstrip()))


def _lines(text: str, start: int, stop: int) -> tuple[int, int]:
    """How long the lines are, and the white space between two; one line without any where nothing breaks it."""
    first = text[start : min(stop, start + _LONGEST_LINE)].split(maxsplit=1)[:1]  # faster than a search
    line = len(first[0]) if first else 1
    white = _WHITE.match(text, start + line, min(stop, start + line + _LONGEST_LINE))
    return (line, len(white[0])) if white else (stop, 0)


def _fault(text: str, first: int) -> str:
    """What is wrong with characters of base64 that could not be decoded."""
    if not (wrong := re.search(r"[^A-Za-z0-9+/=]", text)):
        return f"padding (=) within the text, after character {first:,}"
    advice = ", of the URL-safe alphabet: encode with + and /" if wrong[0] in "-_" else ""
    return f"{shown(wrong[0])} at character {first + wrong.start():,} is no base64{advice}"
