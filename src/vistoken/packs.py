"""Which pictures share a pass through the encoder, and in which order their views stand there.

One home for what encoding does and planning foretells. Packing as in NaViT (arXiv 2307.06304), with two
differences: pictures keep their order, and a pack ends where its last picture does, so that nothing is padded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from vistoken.geometry import Grid

T = TypeVar("T")

# Tokens that go through the encoder at once. Larger packs gain nothing on a CPU and cost memory.
PACK_TOKENS = 8192


def packs(items: Iterable[T], tokens: Callable[[T], int], limit: int = PACK_TOKENS) -> Iterator[list[T]]:
    """Items in their order, as many at once as hold up to `limit` tokens together; one that holds more goes alone.

    >>> list(packs([3, 4, 9, 1], tokens=int, limit=7))
    [[3, 4], [9], [1]]
    """
    waiting, held = list[T](), 0
    for item in items:
        more = tokens(item)
        if waiting and held + more > limit:
            yield waiting
            waiting, held = [], 0
        waiting.append(item)
        held += more
    if waiting:
        yield waiting


def by_shape(grid: Grid) -> tuple[int, int, int]:
    """The order of views within a pack: those of one shape side by side, so that attention takes them as one batch."""
    return grid.rows * grid.cols, grid.rows, grid.frames
