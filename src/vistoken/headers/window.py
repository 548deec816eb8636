"""A file of which a few KiB are held at a time, and what is raised where it is not as usual."""

from __future__ import annotations

from collections.abc import Callable

BYTES = 4096  # that are read at once


class Unusual(Exception):
    """The file is left to Pillow."""


def require(condition: bool) -> None:
    if not condition:
        raise Unusual


class Window:
    """A file of `size` bytes, of which `data` holds some KiB from `start` on."""

    __slots__ = ("data", "read", "size", "start")

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self.read, self.size, self.start = read, size, 0
        self.data = read(0, BYTES)

    def hold(self, place: int, length: int) -> int:
        """Where in `data` these bytes begin, after they were read; fewer are there where the file ends before."""
        offset = place - self.start
        if offset >= 0 and (offset + length <= len(self.data) or self.start + len(self.data) >= self.size):
            return offset
        self.data, self.start = self.read(place, max(length, BYTES)), place
        return 0

    def at(self, place: int, length: int) -> bytes:
        """These bytes; fewer where the file ends before."""
        offset = self.hold(place, length)
        return self.data[offset : offset + length]
