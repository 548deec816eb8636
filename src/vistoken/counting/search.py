"""Searches that the inverse of a count and of a plan share: sizes of one aspect ratio, and numbers that fit.

View rules are not monotonic: a larger picture may become fewer tokens, since another tiling then suits it better. So
every size of the aspect ratio is looked at, from the largest down, and the first that fits is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vistoken.geometry import Size
from vistoken.model_spec import ModelSpec

# Numbers of pictures are searched up to here; an answer that reaches it means "or more".
MOST = 65_536


def sizes_below(bound: Size) -> Iterator[Size]:
    """Sizes of the aspect ratio of `bound`, from it down: one for each length of the longer side.

    The shorter one is rounded; a size whose aspect ratio that changes by more than 1 % is left out. No two have the
    same area, so the longest side is the largest area.

    >>> [str(size) for size in sizes_below(Size(height=3, width=9))]
    ['9x3', '6x2', '3x1']
    """
    longer, shorter = max(bound.width, bound.height), min(bound.width, bound.height)
    for side in range(longer, 0, -1):
        other = (2 * side * shorter + longer) // (2 * longer)
        if other and 100 * abs(other * longer - side * shorter) <= side * shorter:
            yield Size(height=other, width=side) if bound.width >= bound.height else Size(height=side, width=other)


def last_that(fits: Callable[[int], bool], first: int, last: int) -> int:
    """The last number from `first`, which fits, to `last` that fits, where all below it do.

    >>> last_that(lambda number: number * 7 <= 100, 1, 1000)
    14
    """
    low, step = first, 1
    while low + step <= last and fits(low + step):
        low, step = low + step, 2 * step
    high = min(low + step, last + 1)  # does not fit, or is beyond
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def most_images(spec: ModelSpec, fits: Callable[[int], bool]) -> int:
    """How many pictures of one size may share a prompt; 0 where not even one fits.

    Some rules change where more pictures share a prompt; between two changes each adds the same.
    """
    ends = [*(crowd.above for crowd in spec.crowds), MOST]
    starts = [1, *(crowd.above + 1 for crowd in spec.crowds)]
    for first, last in zip(reversed(starts), reversed(ends), strict=True):
        if fits(first):
            return last_that(fits, first, last)
    return 0
