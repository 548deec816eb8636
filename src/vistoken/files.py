"""Reading files of a model folder that stay in it; writing a file whole or not at all."""

from __future__ import annotations

import io
import os
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from vistoken.errors import ConfigError, ModelError, OutputError, UsageError


def model_file(folder: str, name: str, kind: type[ModelError] = ConfigError) -> str:
    """The path of a file in a model folder. Raises `kind` where a link leaves the folder, or it is no regular file.

    The hub's cache keeps `snapshots/<commit>/<file>` as links into `blobs/` of the same repository, and these alone
    may be followed out of the folder (huggingface_hub, "Understand caching").
    """
    path = os.path.join(folder, name)
    real, homes = os.path.realpath(path), [os.path.realpath(folder)]
    snapshots = os.path.dirname(homes[0])
    if os.path.basename(snapshots) == "snapshots":
        homes.append(os.path.realpath(os.path.join(os.path.dirname(snapshots), "blobs")))
    if os.path.dirname(real) not in homes:
        raise kind(f"{path} is a link that leaves the folder: put the file itself there")
    if not os.path.isfile(real):
        raise kind(f"{path} is missing or not a regular file")
    return path


def check_writable(path: str, suffixes: tuple[str, ...]) -> None:
    """Refuse, before any work is done, a name without one of `suffixes` or a place that cannot be written to."""
    if os.path.splitext(path)[1].lower() not in suffixes:
        raise UsageError(f"{path}: the name must end in {' or '.join(suffixes)}, which decides the format")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise OutputError(f"{path}: there is no folder {folder}")
    if os.path.isdir(path) or not os.access(folder, os.W_OK):
        raise OutputError(f"{path} cannot be written: it is a folder, or its folder is read-only")


class Placed(io.RawIOBase):
    """A file that is only read, from any place: what reads it keeps `_place`, and tells how long it is."""

    _place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place}.get(whence)
        self._place = max(0, (self.length if start is None else start) + offset)
        return self._place

    @property
    @abstractmethod
    def length(self) -> int:
        """Bytes in all."""


@contextmanager
def whole_file(path: str, faults: tuple[type[Exception], ...] = ()) -> Iterator[str]:
    """A temporary name beside `path` to write to; it takes the place of `path` when all went well.

    An `OSError`, or one of `faults`, that a writer raises becomes an `OutputError`; what was there before stays.
    """
    import tempfile  # verbs that write nothing start without it

    temporary = ""
    caught: tuple[type[Exception], ...] = (OSError, *faults)
    try:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)), suffix=".part")
        os.close(handle)
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except caught as error:
        raise OutputError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from None
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def _umask() -> int:
    """The process's mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
