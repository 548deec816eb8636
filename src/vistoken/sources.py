"""What a user names on the command line: sizes, pictures, folders, globs. Pictures are asked for their size alone.

Only the header of a picture is read: no pixel is decoded, and orientation is applied. `headers` reads usual files,
Pillow all others.
"""

from __future__ import annotations

import os
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import IO, TYPE_CHECKING

from vistoken.errors import InputError, UsageError, printable
from vistoken.geometry import Size

if TYPE_CHECKING:
    from PIL import Image

    Picture = str | os.PathLike[str] | IO[bytes] | Image.Image

# The content decides the parser, not the name, and only these parsers may run: EPS, for one, starts Ghostscript.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "AVIF")
# Files of a folder that are taken for pictures; a file that is named itself may have any name.
SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".ppm", ".pgm", ".webp", ".tif", ".tiff", ".mpo", ".avif")
_ORIENTATION = 0x0112
_LONGEST_PATH = 4096  # Linux's PATH_MAX
_LOOKS_LIKE_SIZE = re.compile(r"[-+]?[\d.]+\s*[xX*×]\s*[-+]?[\d.]+")
# What Pillow's parsers raise on broken files, measured over its own 1,067 test images (218 fail, six families).
# AVIF and TIFF add more: whatever a parser of bytes can stumble over.
BROKEN = (OSError, ValueError, SyntaxError, NotImplementedError, OverflowError, MemoryError, struct.error, EOFError,
          RuntimeError, TypeError, KeyError, IndexError, AttributeError, ZeroDivisionError)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to look at: a bare size, or a picture's path whose size is read when asked for."""

    name: str
    given: Size | None = None
    problem: str = ""

    @property
    def is_picture(self) -> bool:
        return self.given is None

    def check(self) -> None:
        """Raise `InputError` if this stands for something that could not be looked into, such as a closed folder."""
        if self.problem:
            raise InputError(f"{self.name}: {self.problem}")

    @property
    def size(self) -> Size:
        """The size of the oriented picture. Raises `InputError` if it cannot be read."""
        self.check()
        return self.given or image_size(self.name)


def expand(word: str, note: Callable[[str], None] = lambda text: None) -> Iterator[Source]:
    """The sources that `word` means: a size `WIDTHxHEIGHT`, a picture, a folder (recursive, sorted) or a glob.

    `note` is told how many other files of a folder were left aside.
    Raises `UsageError` for a malformed size, `InputError` where nothing is found.

    >>> [str(source.size) for source in expand("1280x720")]
    ['1280x720']
    """
    if os.path.isdir(word):
        yield from _folder(word, note)
    elif os.path.lexists(word):
        yield Source(word)
    elif _LOOKS_LIKE_SIZE.fullmatch(word.strip()):
        yield Source(word, Size.parse(word))
    elif any(mark in word for mark in "*?["):
        yield from _glob(word)
    else:
        raise InputError(f"{word}: no such file or folder, and no size either (WIDTHxHEIGHT, for example 1280x720)")


def _folder(folder: str, note: Callable[[str], None]) -> Iterator[Source]:
    found, others, closed = False, 0, list[OSError]()
    for parent, folders, files in os.walk(folder, onerror=closed.append):  # links to folders are not followed: no loops
        folders.sort()
        for name in sorted(files):
            if name.lower().endswith(SUFFIXES):
                found = True
                yield Source(os.path.join(parent, name))
            else:
                others += 1
    yield from (Source(str(error.filename), problem=f"cannot be listed: {error.strerror}") for error in closed)
    if others:
        note(f"{folder}: {others} file{'s' * (others > 1)} left aside, whose ending is not that of a picture")
    if not found and not closed:
        raise InputError(f"{folder}: no pictures in this folder (looked for {', '.join(SUFFIXES)})")


def _glob(pattern: str) -> Iterator[Source]:
    from pathlib import Path  # whose `**` does not follow links, so that loops end

    anchor = Path(pattern).anchor
    try:
        found = Path(anchor).glob(pattern.removeprefix(anchor))
        paths = sorted(str(path) for path in found if path.is_file())
    except ValueError as error:  # `a**b` up to Python 3.12
        raise InputError(f"{pattern}: no pattern for files: {error}") from None
    if not paths:
        raise InputError(f"{pattern}: no file matches")
    yield from map(Source, paths)


def image_size(picture: Picture) -> Size:
    """The size of a picture after orientation, from its header.

    >>> str(image_size("examples/images/rocket.jpg"))
    '640x427'

    Usual files are answered by `headers`, and all others by Pillow, with the same result.
    Raises `InputError` that names the picture and what is wrong with it.
    """
    if found := _header_reader()(picture):
        size, turned = found
        return size.swapped if turned >= 5 else size
    return pillows_size(picture)


@cache
def _header_reader() -> Callable[[object], tuple[Size, int] | None]:
    """Found once: an import a picture costs a tenth of its header, and bare sizes need none."""
    from vistoken.headers import header

    return header


def pillows_size(picture: Picture) -> Size:
    """The same by Pillow alone."""
    from PIL import Image

    if isinstance(picture, Image.Image):
        return _oriented_size(picture)
    with open_image(picture) as image:
        return _oriented_size(image)


def _oriented_size(image: Image.Image) -> Size:
    try:
        size = Size(height=image.height, width=image.width)
    except UsageError as error:
        name = shown_name(picture_name(image))
        raise InputError(f"{name}: its header says {image.width}x{image.height}: {error}") from None
    return size.swapped if orientation(image) >= 5 else size


def open_image(picture: Picture, name: str = "") -> Image.Image:
    """Open a picture without decoding it, with the parsers of `FORMATS` alone. Raises `InputError`.

    `name` is what messages call it; its path where none is given.
    """
    from PIL import Image, UnidentifiedImageError

    name = shown_name(name or picture_name(picture))
    if isinstance(picture, Image.Image):
        return picture
    if not isinstance(picture, str | os.PathLike) and not hasattr(picture, "read"):
        raise UsageError(f"{name} is no picture: give a path, an open file or a PIL image")
    try:
        if isinstance(picture, str | os.PathLike):
            check_file(picture, name)
        with warnings.catch_warnings():
            # Pillow warns of corrupt metadata, and at 89 million pixels, where `pixels` has a limit of its own.
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(picture, formats=_formats())
    except Image.DecompressionBombError:
        raise InputError(
            f"{name}: more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels, which Pillow refuses to open; "
            "count it by its size, WIDTHxHEIGHT"
        ) from None
    except UnidentifiedImageError:
        raise InputError(f"{name}: not a picture in a format that is read ({', '.join(_formats())})") from None
    except InputError:
        raise
    except BROKEN as error:
        raise InputError(f"{name}: cannot be opened: {_reason(error)}") from None


@cache
def _formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow reads; their plugins are imported, and no others."""
    from importlib import import_module

    from PIL import Image

    for name in ("Jpeg", "Png", "Gif", "Bmp", "Ppm", "WebP", "Tiff", "Avif"):
        try:
            import_module(f"PIL.{name}ImagePlugin")
        except ImportError:  # AVIF came with Pillow 11.3
            continue
    return tuple(name for name in FORMATS if name in Image.OPEN)


def check_file(path: str | os.PathLike[str], name: str) -> None:
    """Refuse what is no file before it is opened: a pipe would block for ever."""
    if not os.path.exists(path):
        raise InputError(f"{name}: no such file")
    if not os.path.isfile(path):
        raise InputError(f"{name}: not a regular file")
    if not os.path.getsize(path):
        raise InputError(f"{name}: the file is empty")


def picture_name(picture: object) -> str:
    """What a picture is called: its path, exactly, or what kind of object it is."""
    if isinstance(picture, str | os.PathLike):
        return os.fsdecode(picture)
    name = getattr(picture, "filename", None) or getattr(picture, "name", None)
    if name and isinstance(name, str | bytes | os.PathLike):
        return os.fsdecode(name)
    return f"picture in memory ({type(picture).__name__})"


def shown_name(name: str) -> str:
    r"""A name as it stands in a message: on one line, and short where somebody took a picture's contents for its name.

    >>> shown_name("two\nlines.jpg")
    'two\\nlines.jpg'
    """
    name = printable(name)
    return name if len(name) <= _LONGEST_PATH else f"{name[:40]}... ({len(name):,} characters)"


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 (upright) to 8; what cannot be read is upright: bad metadata must not stop pixels.

    Pillow turns TIFF pictures by itself, size included. Of a PNG, chunks before the pixels are looked at, and an
    eXIf chunk behind them is found without decoding (Pillow's own `getexif` would decode the whole picture).
    """
    from PIL import Image

    if image.format == "TIFF":
        return 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "Corrupt EXIF data": upright, as said above
            value = Image.Image.getexif(image).get(_ORIENTATION)
            if value is None and image.format == "PNG":
                value = _late_png_orientation(image)
    except BROKEN:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _late_png_orientation(image: Image.Image) -> int | None:
    """Orientation in an eXIf chunk anywhere in the file: chunk headers are read, their bodies skipped."""
    from PIL import Image

    file = getattr(image, "fp", None)
    if file is None:  # already decoded: Pillow has merged late chunks
        return None
    place = file.tell()
    try:
        file.seek(8)  # the signature
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"eXIf" and length < 2**20:
                exif = Image.Exif()
                exif.load(b"Exif\x00\x00" + file.read(length))
                return exif.get(_ORIENTATION)
            if kind == b"IEND":
                return None
            file.seek(length + 4, os.SEEK_CUR)  # the body and its checksum
        return None
    finally:
        file.seek(place)
