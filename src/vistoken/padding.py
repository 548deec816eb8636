"""What padding wastes: batches padded to their longest picture, against packs without padding.

Definition. Pictures are shuffled and cut into batches of B in that order, the last of which may be smaller. Each
picture of a batch then costs as much as the dearest of it, since it is padded to that. The padded cost is the sum over
batches of (pictures of the batch) x (largest cost in it); its expectation over all orders is computed, not sampled. The
waste is the share of it that is padding: 1 - (sum of own costs) / (padded cost). A cost is a picture's tokens in the
blocks, or its multiply-adds. That packing avoids this waste: NaViT, arXiv 2307.06304.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import exp, lgamma
from typing import Any

from vistoken.errors import UsageError, shown
from vistoken.frozen import frozen


@frozen
class Padding:
    """What padded batches of `batch` pictures cost in expectation, and how much of that is waste, from 0 to 1."""

    batch: int
    tokens: float
    macs: float
    wasted_tokens: float
    wasted_macs: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names."""
        return {name: getattr(self, name) for name in self.__match_args__}


def padding(tokens: Mapping[int, int], macs: Mapping[int, int], batch: int) -> Padding:
    """From how many pictures have each number of tokens, and of multiply-adds.

    >>> padding({200: 1, 400: 1}, {5: 1, 10: 1}, batch=2)
    Padding(batch=2, tokens=800.0, macs=20.0, wasted_tokens=0.25, wasted_macs=0.25)
    """
    padded = [padded_cost(costs, batch) for costs in (tokens, macs)]
    own = [sum(cost * count for cost, count in costs.items()) for costs in (tokens, macs)]
    wasted = [max(0.0, 1 - mine / all) if all else 0.0 for mine, all in zip(own, padded, strict=True)]
    return Padding(batch, *padded, *wasted)


def padded_cost(costs: Mapping[int, int], batch: int) -> float:
    """The expected cost of padded batches; `costs` tells how many pictures have each cost.

    Raises `UsageError` for a batch that holds nothing.
    """
    if type(batch) is not int or batch < 1:
        raise UsageError(f"batch is {shown(batch)}: it must be a whole number of at least 1")
    pictures = sum(costs.values())
    full, rest = divmod(pictures, batch)
    last = rest * _expected_largest(costs, pictures, rest) if rest else 0.0
    return full * batch * _expected_largest(costs, pictures, batch) + last if full else last


def _expected_largest(costs: Mapping[int, int], pictures: int, drawn: int) -> float:
    """The expected maximum over `drawn` of the pictures, drawn without replacement.

    The maximum is at most c with probability C(n_c, drawn) / C(n, drawn), where n_c pictures cost at most c.
    """
    ordered, below = sorted(costs), 0
    expected = float(ordered[-1])
    for cost, dearer in pairwise(ordered):
        below += costs[cost]
        if below >= drawn:
            expected -= (dearer - cost) * exp(_log_choices(below, drawn) - _log_choices(pictures, drawn))
    return expected


def _log_choices(among: int, drawn: int) -> float:
    """The logarithm of C(among, drawn), but for a term that every `among` shares."""
    return lgamma(among + 1) - lgamma(among - drawn + 1)
