"""`vistoken count --price`: what the tokens cost, at prices that the caller gives; none are built in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from vistoken.errors import UsageError, did_you_mean, one_line

_NUMBER = re.compile(r"\d{1,10}(\.\d{1,9})?", re.ASCII)
# Above any price of a million tokens, in any currency.
_MOST = Decimal(10**9)
_MILLION = -6  # as a power of ten, negative: so many further decimals a price of one token has


class Prices:
    """What a million input tokens of each model cost, in the caller's own currency; exact, as decimals.

    `models` are the words that name the models. Raises `UsageError` for what is no price, or of none of them.
    """

    def __init__(self, words: Sequence[str], models: Sequence[str]) -> None:
        self._models, self._known = models, dict[str, Decimal]()
        given = dict[str, Decimal]()
        for word in words:
            model, equals, text = word.rpartition("=")
            if equals and model not in models:
                raise UsageError(
                    f"--price {one_line(word)}: {one_line(model)} is none of the models asked for, "
                    f"{', '.join(models)}.{did_you_mean(model, models)}"
                )
            if model in given:
                raise UsageError(f"--price {one_line(word)}: the price of {one_line(model) or 'all'} is given twice")
            given[model] = _price(word, text)
        for model in models:
            if (price := given.get(model, given.get(""))) is not None:
                self._known[model] = price

    def __bool__(self) -> bool:
        return bool(self._known)

    def of(self, model: str, tokens: int | None) -> Decimal | None:
        """What so many tokens of a model cost; None where its price, or their number, is not known."""
        price = self._known.get(model)
        return None if price is None or tokens is None else (price * tokens).scaleb(_MILLION)

    def show(self, model: str, tokens: int | None) -> str:
        """As `of`, with the decimals that one token has; a dash where there is none."""
        value = self.of(model, tokens)
        return "-" if value is None else f"{value:,.{self._places(model)}f}"

    def twin(self, model: str, tokens: int | None) -> dict[str, Any]:
        """For JSON: the price of these tokens and of a million; empty where none was given."""
        value = self.of(model, tokens)
        return {} if value is None else {"price": float(value), "price_per_million": float(self._known[model])}

    def _places(self, model: str) -> int:
        exponent = self._known[model].as_tuple().exponent
        assert isinstance(exponent, int)
        return -exponent - _MILLION

    @property
    def unit(self) -> str:
        """What the numbers mean, for a note."""
        one = {f"{price:f}" for price in self._known.values()}
        each = ", ".join(f"{price:f} a million of {model}" for model, price in self._known.items())
        rate = f"{one.pop()} a million" if len(one) == 1 and len(self._known) == len(set(self._models)) else each
        return f"price: of input tokens, in the currency of the price given ({rate})"


def _price(word: str, text: str) -> Decimal:
    """The shortest form of a price, without an exponent: 3.00 and 3 are one."""
    if not _NUMBER.fullmatch(text) or (price := Decimal(text)) > _MOST:
        raise UsageError(
            f"--price {one_line(word)}: write what a million input tokens cost, a number from 0 to "
            f"{_MOST:,}, for example 3.00, or MODEL=3.00"
        )
    price = price.normalize()
    return price if int(price.as_tuple().exponent) < 0 else price.quantize(Decimal(1))
