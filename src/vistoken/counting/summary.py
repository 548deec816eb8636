"""Many counts in flat memory: how many pictures have each number of tokens, and the worst of them by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heappush, heapreplace
from typing import Any

from vistoken.counting.names import Name, called
from vistoken.errors import InputError, UsageError, shown
from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.padding import padded_cost

PERCENTILES = (50, 90, 95, 99)
WORST = 10  # items that are kept by name
BINS = 12  # of a histogram, at most


@frozen
class Bin:
    """Items with at least `start` and fewer than `stop` tokens."""

    start: int
    stop: int
    items: int


class Summary:
    """The tokens that many items have with one model.

    >>> summary = Summary()
    >>> for number, tokens in enumerate([10, 30, 20, 20]):
    ...     summary.add(tokens, f"picture {number}", Size(1, 1))
    >>> summary.items, summary.total, summary.mean, summary.percentile(50), summary.over(20)
    (4, 80, 20.0, 20, 1)
    """

    def __init__(self) -> None:
        self.spread: Counter[int] = Counter()  # items by their tokens
        self.items = 0
        self._worst: list[tuple[int, int, Name, Size]] = []  # a heap; of equal items the earlier ones stay
        self._least = -1  # what an item must exceed to be among the worst

    def add(self, tokens: int, name: Name, size: Size) -> None:
        self.items += 1
        self.spread[tokens] += 1
        if tokens > self._least:
            entry = (tokens, -self.items, name, size)
            if len(self._worst) < WORST:
                heappush(self._worst, entry)
            else:
                heapreplace(self._worst, entry)
            self._least = self._worst[0][0] if len(self._worst) == WORST else -1

    @property
    def total(self) -> int:
        return sum(tokens * items for tokens, items in self.spread.items())

    @property
    def mean(self) -> float:
        """Raises `InputError` where there is no item, as `percentile` does."""
        return self.total / self._some()

    def percentile(self, percent: int) -> int:
        """The smallest number of tokens that at least `percent` in a hundred items do not exceed.

        By nearest rank, so that some item has it: definition 1 of Hyndman and Fan, "Sample quantiles in statistical
        packages", The American Statistician 50 (1996); numpy's method "inverted_cdf".
        """
        if type(percent) is not int or not 0 <= percent <= 100:
            raise UsageError(f"percentile {shown(percent)}: it must be a whole number from 0 to 100")
        rank, below = max(1, -(-percent * self._some() // 100)), 0
        for tokens in sorted(self.spread):
            below += self.spread[tokens]
            if below >= rank:
                return tokens
        raise AssertionError("the items of the spread are fewer than those that were added")

    def over(self, limit: int) -> int:
        """Items of more than `limit` tokens."""
        return sum(items for tokens, items in self.spread.items() if tokens > limit)

    def wasted(self, batch: int) -> float:
        """The share of padded batches that is padding, from 0 to 1, as `vistoken.padding` defines it."""
        padded = padded_cost(self.spread, batch) if self._some() else 0.0
        return max(0.0, 1 - self.total / padded) if padded else 0.0

    @property
    def worst(self) -> Sequence[tuple[Name, Size, int]]:
        """The items of most tokens, the worst first; of equal ones the earlier."""
        return [(name, size, tokens) for tokens, _, name, size in sorted(self._worst, key=lambda e: (-e[0], -e[1]))]

    def histogram(self, bins: int = BINS) -> list[Bin]:
        """Bins of one width from the least to the most tokens, empty ones between them included."""
        self._some()
        least, most = min(self.spread), max(self.spread)
        width = _step(most - least + 1, bins)
        found: Counter[int] = Counter()
        for tokens, items in self.spread.items():
            found[tokens // width] += items
        return [Bin(n * width, (n + 1) * width, found[n]) for n in range(least // width, most // width + 1)]

    def as_dict(self, limit: int | None = None, batch: int = 8) -> dict[str, Any]:
        """Plain values for JSON; `limit` is that of `over`, `batch` that of `wasted`. Without items, their number."""
        if not self.items:
            return {"items": 0, "total": 0}
        return {
            "items": self.items,
            "total": self.total,
            "mean": self.mean,
            "min": min(self.spread),
            "max": max(self.spread),
            "percentiles": {str(percent): self.percentile(percent) for percent in PERCENTILES},
            "over": None if limit is None else {"limit": limit, "items": self.over(limit)},
            "padding": {"batch": batch, "wasted": self.wasted(batch)},
            "histogram": [{"start": b.start, "stop": b.stop, "items": b.items} for b in self.histogram()],
            "worst": [
                {"source": called(name), "width": size.width, "height": size.height, "tokens": tokens}
                for name, size, tokens in self.worst
            ],
        }

    def _some(self) -> int:
        if not self.items:
            raise InputError("nothing was counted: there is no item to sum up")
        return self.items


def _step(span: int, bins: int) -> int:
    """The least of 1, 2, 5, 10, 20, 50 ... of which `bins` - 1 span the whole: one more may be begun."""
    step = 1
    while True:
        for times in (1, 2, 5):
            if step * times * max(1, bins - 1) >= span:
                return step * times
        step *= 10
