"""Sizes, grids and offsets: integers only, and the one place where their order is decided.

Height stands before width in code; on the command line a size is written `WIDTHxHEIGHT`, as people say it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate
from operator import index

from vistoken.errors import UsageError, shown
from vistoken.frozen import frozen

# A side above this is a mistake: JPEG ends at 65,535 pixels, and the longest scans in TIFF are well under 10 million.
MAX_SIDE = 100_000_000
_SIZE = re.compile(r"(\d+)x(\d+)", re.ASCII)


@frozen
class Size:
    """Height and width of a picture in pixels.

    >>> Size(height=720, width=1280)
    Size(height=720, width=1280)
    >>> str(Size.parse("1280x720"))
    '1280x720'

    Raises `UsageError` if a side is not an integer from 1 to 100,000,000.
    """

    height: int
    width: int

    def __post_init__(self) -> None:
        height, width = self.height, self.width
        if type(height) is int and type(width) is int and 0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE:
            return  # nearly always, and once a picture
        for name, side in (("height", self.height), ("width", self.width)):
            if type(side) is not int and type(side) is not bool and hasattr(side, "__index__"):
                side = index(side)  # numpy's integers
                object.__setattr__(self, name, side)
            if type(side) is not int or not 0 < side <= MAX_SIDE:
                raise UsageError(
                    f"{name} is {shown(side)}: a side must be a whole number of pixels from 1 to {MAX_SIDE:,}"
                )

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read `WIDTHxHEIGHT`, for example `1280x720`."""
        match = _SIZE.fullmatch(text.strip().lower()) if isinstance(text, str) and len(text) <= 30 else None
        if match is None:
            raise UsageError(f"{text!r} is not a size: write WIDTHxHEIGHT in pixels, for example 1280x720")
        width, height = int(match[1]), int(match[2])
        return cls(height=height, width=width)

    @classmethod
    def of(cls, value: object) -> Size:
        """A size given as `Size` or as text. Raises `UsageError` for anything else: a pair has no order."""
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls.parse(value)
        raise UsageError(f"{shown(value)} is not a size: write 'WIDTHxHEIGHT', or Size(height=..., width=...)")

    @property
    def pixels(self) -> int:
        return self.height * self.width

    @property
    def swapped(self) -> Size:
        """The size after a quarter turn."""
        return Size(height=self.width, width=self.height)

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@frozen
class Patch:
    """Height and width in pixels of one cell of a grid, and how many frames it spans."""

    height: int
    width: int
    frames: int = 1

    def __post_init__(self) -> None:
        if any(type(side) is not int or side < 1 for side in (self.height, self.width, self.frames)):
            raise UsageError(
                f"a patch of {self.width!r} x {self.height!r} pixels: sides are whole numbers of at least 1"
            )

    @classmethod
    def square(cls, side: int, frames: int = 1) -> Patch:
        return cls(side, side, frames)

    @classmethod
    def of(cls, value: object) -> Patch:
        """A patch that a caller gave as `Patch` or as the side of a square."""
        if isinstance(value, cls):
            return value
        if type(value) is int:
            return cls.square(value)
        raise UsageError(f"{value!r} is no patch: give the side of a square, or Patch(height=..., width=...)")

    def grid(self, size: Size) -> Grid:
        """The whole patches that fit into `size`; what remains at the right and bottom is not looked at.

        A convolution without padding does the same: 384 pixels hold 27 patches of 14, and the last
        6 rows and columns change nothing.
        """
        return Grid(rows=size.height // self.height, cols=size.width // self.width)

    def values(self, channels: int = 3) -> int:
        """Numbers in one patch."""
        return channels * self.frames * self.height * self.width

    def __str__(self) -> str:
        return f"{self.width}x{self.height}" + (f"x{self.frames}" if self.frames > 1 else "")


@frozen
class Grid:
    """Frames x rows x columns of patches."""

    rows: int
    cols: int
    frames: int = 1

    @property
    def patches(self) -> int:
        return self.frames * self.rows * self.cols

    def cells(self) -> Iterator[tuple[int, int]]:
        """(row, column) of every patch of one frame in raster order, the order of all tokens of vistoken."""
        return ((row, col) for row in range(self.rows) for col in range(self.cols))

    def __str__(self) -> str:
        return (f"{self.frames} x " if self.frames > 1 else "") + f"{self.rows} x {self.cols}"


@frozen
class Box:
    """A rectangle in a picture, in pixels from the left and top; may be fractional, right and bottom excluded."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top


def around(boxes: Iterable[Box]) -> Box:
    """The smallest box that holds all of them; there is at least one.

    >>> around([Box(0, 0, 2, 2), Box(4, 1, 6, 3)])
    Box(left=0, top=0, right=6, bottom=3)
    """
    lefts, tops, rights, bottoms = zip(*((box.left, box.top, box.right, box.bottom) for box in boxes), strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


def offsets(lengths: Iterable[int]) -> tuple[int, ...]:
    """Where each segment of a packed sequence begins, and where the last one ends.

    >>> offsets([3, 1, 4])
    (0, 3, 4, 8)
    """
    return (0, *accumulate(lengths))
