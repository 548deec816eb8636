"""Budgets as people write them: "memory<=24GB, latency<=50ms, tokens<=1024"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Literal, get_args

from vistoken.errors import UsageError, did_you_mean, one_line
from vistoken.frozen import frozen

Quantity = Literal["tokens", "context", "kv", "memory", "latency"]
# What callers may write; `context` follows from an LLM.
WORDS: tuple[Quantity, ...] = ("memory", "latency", "tokens", "kv")

# Bytes and seconds in the units that are read: decimal ones as on datasheets, binary ones as tools show them.
_BYTES = {"MB": Fraction(10**6), "GB": Fraction(10**9), "MiB": Fraction(2**20), "GiB": Fraction(2**30)}
_SECONDS = {"ms": Fraction(1, 1000), "s": Fraction(1)}
_TOKENS = {"": Fraction(1)}
UNITS: Mapping[Quantity, Mapping[str, Fraction]] = {
    "tokens": _TOKENS, "context": _TOKENS, "kv": _BYTES, "memory": _BYTES, "latency": _SECONDS,
}  # fmt: skip
_BUDGET = re.compile(r"\s*([^\s<>=≤≥]+)\s*([<>=≤≥]+)\s*(\d{1,15}(?:\.\d{1,15})?)\s*([A-Za-z]*)\s*", re.ASCII)
MAX_TEXT = 500
EXAMPLE = "for example 'memory<=24GB, latency<=50ms, tokens<=1024'"


@frozen
class Budget:
    """At most `limit` of a quantity, in tokens, bytes or seconds; `unit` is the one in which it was given."""

    quantity: Quantity
    limit: float  # whole for tokens and bytes
    unit: str = ""

    def __post_init__(self) -> None:
        assert self.quantity in get_args(Quantity)
        assert self.unit in UNITS[self.quantity]

    def allows(self, value: float) -> bool:
        return value <= self.limit

    def show(self, value: float) -> str:
        """The value in the budget's own unit, to four digits; tokens in full."""
        amount = Fraction(value) / UNITS[self.quantity][self.unit]
        return f"{float(amount):,.4g} {self.unit}" if self.unit else f"{int(amount):,}"

    def excess(self, value: float) -> str:
        """How much a value is above the limit; empty where it is not."""
        if self.allows(value):
            return ""
        return f"{self.quantity} {self.show(value)}, {self.show(value - self.limit)} more than {self.show(self.limit)}"

    def __str__(self) -> str:
        return f"{self.quantity}<={self.show(self.limit)}"


def parse_budgets(text: str) -> tuple[Budget, ...]:
    """The budgets in `text`, separated by commas; each quantity once.

    memory and kv are in GB, GiB, MB or MiB, latency in ms or s, tokens without a unit.

    >>> [str(budget) for budget in parse_budgets("memory<=24GB, latency <= 50 ms, tokens<=1024")]
    ['memory<=24 GB', 'latency<=50 ms', 'tokens<=1,024']
    >>> parse_budgets("kv<=1.5GiB")[0].limit
    1610612736

    Raises `UsageError` that names the piece and what would work.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT:
        raise UsageError(f"budgets are text of up to {MAX_TEXT} characters, {EXAMPLE}")
    budgets: dict[str, Budget] = {}
    for piece in text.split(","):
        budget = _parse(piece)
        if budget.quantity in budgets:
            raise UsageError(f"budget {budget.quantity} is given twice: give it once")
        budgets[budget.quantity] = budget
    return tuple(budgets.values())


def _parse(piece: str) -> Budget:
    said = f"budget {one_line(piece.strip())!r}"
    match = _BUDGET.fullmatch(piece)
    if match is None:
        raise UsageError(f"{said} is none: write QUANTITY<=NUMBER and a unit, {EXAMPLE}")
    word, sign, number, unit = match.groups()
    quantity = next((known for known in WORDS if known == word.lower()), None)
    if quantity is None:
        raise UsageError(f"{said}: {word} is unknown; known are {', '.join(WORDS)}.{did_you_mean(word, WORDS)}")
    if sign != "<=":
        raise UsageError(f"{said}: budgets are upper limits, written {word}<={number}{unit}")
    units = UNITS[quantity]
    if unit not in units:
        raise UsageError(f"{said}: {_no_unit(quantity, unit)}")
    limit = Fraction(number) * units[unit]
    if not limit or (not unit and limit.denominator != 1):
        raise UsageError(f"{said}: the limit must be above 0" + ", and whole for tokens" * (not unit))
    return Budget(quantity, float(limit) if quantity == "latency" else int(limit), unit)


def _no_unit(quantity: Quantity, unit: str) -> str:
    known = list(UNITS[quantity])
    if known == [""]:
        return f"{quantity} are counted, without a unit: leave out {unit}"
    asked = f"{unit} is no unit of {quantity}" if unit else f"{quantity} needs a unit"
    return f"{asked}: {', '.join(known)}.{did_you_mean(unit, known)}"
