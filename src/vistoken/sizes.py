"""Sizes of many pictures, in order: what a folder or a table of millions is before anything is computed of it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator

from vistoken.geometry import Size


class Sizes:
    """Sizes in their order, each distinct one kept once: four bytes a picture besides.

    >>> sizes = Sizes([Size(1, 2), Size(3, 4), Size(1, 2)])
    >>> len(sizes), sizes.distinct, list(sizes.order)
    (3, (Size(height=1, width=2), Size(height=3, width=4)), [0, 1, 0])
    """

    __slots__ = ("distinct", "order")

    def __init__(self, sizes: Iterable[Size]) -> None:
        numbers: dict[tuple[int, int], int] = {}  # pairs, which are hashed many times faster than a Size
        known, order = list[Size](), array("I")
        for size in sizes:
            number = numbers.setdefault((size.height, size.width), len(known))
            if number == len(known):
                known.append(size)
            order.append(number)
        self.distinct, self.order = tuple(known), order

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Size]:
        return map(self.distinct.__getitem__, self.order)

    @property
    def counter(self) -> Counter[Size]:
        """How many pictures have each size."""
        return Counter({self.distinct[number]: count for number, count in Counter(self.order).items()})
