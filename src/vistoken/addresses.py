"""Pictures at addresses such as `s3://bucket/photos`, through fsspec: of each only the first blocks are read."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

from vistoken.errors import InputError, MissingExtra, UsageError, one_line
from vistoken.files import Placed
from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.headers import parse
from vistoken.sources import SUFFIXES, Source, pillows_size

# Bytes that are asked for at once, and at most for one picture. A size stands in the first block but for long metadata;
# a TIFF may have it at its end. Of a PNG it is always at the beginning; what follows is searched for an orientation, if
# need be through the whole file: one further behind is not found at an address.
BLOCK = 64 * 2**10
MOST, MOST_OF_PNG = 16 * BLOCK, 2 * BLOCK
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::[A-Za-z][A-Za-z0-9+.-]*)*://.+", re.DOTALL)


def nobody(what: object) -> None:
    """To whom a caller tells what nobody wants to hear."""


def is_address(word: str) -> bool:
    """Whether a word names a file system, as `memory://a.png` does.

    >>> is_address("s3://bucket/a.png"), is_address("photos/a.png")
    (True, False)
    """
    return _ADDRESS.match(word) is not None


@frozen
class Remote(Source):
    """A picture at an address; `read` is told how many bytes of it were."""

    system: Any = None
    path: str = ""
    read: Callable[[int], None] = nobody

    @property
    def size(self) -> Size:
        file = Blocks(self.system, self.path, self.name)
        try:
            size = _header_size(file) or pillows_size(cast(IO[bytes], file))
        finally:
            self.read(file.held)
        if file.failed:  # while metadata was read, whose faults are passed over otherwise
            raise file.failed
        return size


def _header_size(file: Blocks) -> Size | None:
    """The upright size of a usual file; None where Pillow has to look."""
    try:
        found = parse(file.part, file.seek(0, io.SEEK_END))
    except OSError:  # more than is read of one picture
        found = None
    file.seek(0)
    return (found[0].swapped if found[1] >= 5 else found[0]) if found else None


def expand(word: str, note: Callable[[str], None] = nobody, read: Callable[[int], None] = nobody) -> Iterator[Source]:
    """The pictures at an address: one file, a folder (recursive, sorted) or a glob.

    `note` is told how many other files were left aside, `read` the bytes that were read of each picture.

    Raises `MissingExtra` without fsspec, `UsageError` for a file system that it does not know or that has not been
    installed, `InputError` where nothing is found.
    """
    system, path = _system(word)
    try:
        found, others = _found(system, path)
    except Exception as error:  # noqa: BLE001  # every file system has exceptions of its own
        raise InputError(f"{word}: {_reason(error)}") from None
    if others:
        note(f"{word}: {others:,} file{'s' * (others > 1)} left aside, whose ending is not that of a picture")
    if not found:
        raise InputError(f"{word}: no pictures there")
    yield from (Remote(system.unstrip_protocol(each), system=system, path=each, read=read) for each in found)


def _found(system: Any, path: str) -> tuple[list[str], int]:
    """Paths of pictures, and how many other files there are."""
    if any(mark in path for mark in "*?[") and not system.exists(path):
        return sorted(each for each in system.glob(path) if not system.isdir(each)), 0
    if not system.isdir(path):
        return [path], 0  # what is wrong with it is told when it is read
    files = system.find(path)
    pictures = sorted(each for each in files if each.lower().endswith(SUFFIXES))
    return pictures, len(files) - len(pictures)


def _system(word: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError:
        raise MissingExtra("fsspec", "bulk", f"reading {one_line(word, 100)}") from None
    try:
        found: tuple[Any, str] = url_to_fs(word)
    except (ValueError, ImportError, OSError) as error:
        raise UsageError(f"{one_line(word)}: {_reason(error)}") from None
    return found


class Blocks(Placed):
    """The beginning of a remote file, and what else of it is asked for, block by block."""

    def __init__(self, system: Any, path: str, name: str) -> None:
        self.name, self._system, self._path = name, system, path
        self._blocks: dict[int, bytes] = {}
        self._length = -1
        self.held = 0
        self.failed: InputError | None = None

    @property
    def length(self) -> int:
        if self._length < 0:
            self._length = self._ask(lambda: int(self._system.size(self._path)))
        return self._length

    def readinto(self, buffer: Any) -> int:
        number, start = divmod(self._place, BLOCK)
        part = self._block(number)[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)

    def part(self, place: int, length: int) -> bytes:
        """These bytes."""
        self.seek(place)
        return self.read(length)

    def read(self, size: int = -1) -> bytes:
        """As many bytes as there are, not only to the end of a block: parsers count on it."""
        parts, left = list[bytes](), size if size >= 0 else MOST + 1
        while left > 0:
            part = super().read(min(left, BLOCK))
            if not part:
                break
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            most = MOST_OF_PNG if self._blocks.get(0, b"").startswith(b"\x89PNG") else MOST
            if self.held >= most:
                raise OSError(f"no size in the {most // 2**10:,} KiB of it that are read")
            start = number * BLOCK
            found = self._ask(lambda: self._system.cat_file(self._path, start=start, end=start + BLOCK))
            self._blocks[number] = found[:BLOCK]
            self.held += len(found)
        return self._blocks[number]

    def _ask(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except Exception as error:  # noqa: BLE001  # every file system has exceptions of its own
            self.failed = InputError(f"{self.name}: cannot be read: {_reason(error)}")
            raise self.failed from None


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file or folder"
    return one_line(str(error) or type(error).__name__)
