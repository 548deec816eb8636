"""Rows of `vistoken count`, printed as they come: for people, as JSON lines, as CSV."""

from __future__ import annotations

import errno
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import click

from vistoken.cli.shared import Table, dash, echo_json, note
from vistoken.errors import printable

if TYPE_CHECKING:
    from vistoken.cli.count_price import Prices
    from vistoken.counting import TokenCount
    from vistoken.geometry import Size
    from vistoken.model_spec import ModelSpec

    # Source, size, and the result of each model; None where it refuses the picture.
    Row: TypeAlias = tuple[str, Size, Sequence[TokenCount | None]]

# Attributes of a count that are one value, in the order of the columns; `--json` has them under the same names.
COLUMNS = ("model", "width", "height", "frames", "input", "patches", "prefix_tokens", "image_tokens", "marker_tokens",
           "cross_tokens", "tokens")  # fmt: skip
PRICES = ("price", "price_per_million")


class Printer(ABC):
    """What becomes of the rows."""

    @abstractmethod
    def add(self, row: Row) -> None: ...

    def end(self) -> None:
        """After the last row."""
        return


def printer(
    specs: Sequence[ModelSpec], models: Sequence[str], priced: Prices | None, *, json: bool, csv: bool, explain: bool
) -> Printer:
    """The one that the options ask for; `models` are the names as they were given."""
    if csv:
        return Csv(models, priced)
    if json:
        return JsonLines(models, priced, explain)
    if explain:
        return Explained(models, priced)
    return OneModel(specs[0], models[0], priced) if len(specs) == 1 else SideBySide(models, priced)


class JsonLines(Printer):
    """One object for each model and row."""

    def __init__(self, models: Sequence[str], priced: Prices | None, explain: bool) -> None:
        self.models, self.priced, self.explain = models, priced, explain

    def add(self, row: Row) -> None:
        for model, result in _results(self.models, row):
            cost = self.priced.twin(model, result.tokens) if self.priced else {}
            explanation = {"explanation": result.explain()} if self.explain else {}
            echo_json({"source": row[0], **result.as_dict(), **cost, **explanation})


class Explained(Printer):
    def __init__(self, models: Sequence[str], priced: Prices | None) -> None:
        self.models, self.priced = models, priced

    def add(self, row: Row) -> None:
        for model, result in _results(self.models, row):
            click.echo(result.explain())
            if self.priced:
                click.echo(f"  price: {self.priced.show(model, result.tokens)}")


def _results(models: Sequence[str], row: Row) -> Iterator[tuple[str, TokenCount]]:
    """The results that there are, with the word that names the model."""
    return ((model, result) for model, result in zip(models, row[2], strict=True) if result)


class Csv(Printer):
    """One line for each model and row, as JSON has them, of the values that are one number or word.

    What is None is an empty cell. A name is written with its own bytes, also where they are no UTF-8.
    """

    def __init__(self, models: Sequence[str], priced: Prices | None) -> None:
        import csv

        self.models, self.priced = models, priced
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        self._stdout = sys.stdout.buffer
        self._lines = csv.writer(self, lineterminator="\n")
        # Which csv of Python 3.11 does not quote by itself, although its reader takes a bare one for the end of a row.
        self._with_returns = csv.writer(self, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self._lines.writerow(["source", *COLUMNS, *(PRICES if priced else ())])

    def write(self, line: str) -> None:
        """What the writer of CSV calls."""
        self._stdout.write(line.encode("utf-8", "surrogateescape"))

    def add(self, row: Row) -> None:
        lines = self._with_returns if "\r" in row[0] else self._lines
        for model, result in _results(self.models, row):
            values = [row[0], result.model, row[1].width, row[1].height]
            values += (getattr(result, name) for name in COLUMNS[3:])
            if self.priced:
                cost = self.priced.twin(model, result.tokens)
                values += (cost.get(name) for name in PRICES)
            lines.writerow(["" if value is None else value for value in values])


class OneModel(Printer):
    """How each picture came to its number."""

    header = ("source", "size", "seen as", "grid", "patches", "prefix", "image tokens", "markers", "tokens")

    def __init__(self, spec: ModelSpec, model: str, priced: Prices | None) -> None:
        self.spec, self.model, self.priced = spec, model, priced
        self.count, self.tokens, self.kind = 0, 0, ""
        self.crossed = dict[int, None]()
        self.table = Table([*self.header, *(["price"] if priced else [])], spare=(self.header.index("markers"),))

    def add(self, row: Row) -> None:
        name, size, (result,) = row
        if not result:
            return
        if not self.count:
            click.echo(f"{printable(self.spec.name)}\n")
            self.kind = _kind(result)
        numbers = (result.patches, result.prefix_tokens, result.image_tokens, result.marker_tokens, result.tokens)
        self.table.add([name, str(size), *_seen(result), *map(dash, numbers), *self._price(result.tokens)])
        self.count, self.tokens = self.count + 1, self.tokens + result.tokens
        if result.cross_tokens:
            self.crossed[result.cross_tokens] = None

    def end(self) -> None:
        if not self.count:
            return
        total = [f"{self.count:,} {self.kind}", *[""] * (len(self.header) - 2), dash(self.tokens)]
        self.table.end([*total, *self._price(self.tokens)] if self.count > 1 else None)
        for crossed in self.crossed:
            note(f"{self.spec.name}: besides, the LLM reads {crossed:,} tokens a picture by cross-attention")

    def _price(self, tokens: int) -> list[str]:
        return [self.priced.show(self.model, tokens)] if self.priced else []


class SideBySide(Printer):
    """Several models: tokens; a dash where a model refuses the picture."""

    def __init__(self, models: Sequence[str], priced: Prices | None) -> None:
        self.models, self.priced = models, priced
        self.count, self.sums, self.kind = 0, [0] * len(models), ""
        self.table = Table(["tokens", "size", *models, *(f"price, {model}" for model in models if priced)])

    def add(self, row: Row) -> None:
        name, size, results = row
        if not self.kind and any(results):
            self.kind = _kind(next(filter(None, results)))
        tokens = [result.tokens if result else None for result in results]
        self.table.add([name, str(size), *self._cells(tokens)])
        self.count, self.sums = self.count + 1, [old + (new or 0) for old, new in zip(self.sums, tokens, strict=True)]

    def end(self) -> None:
        if self.kind:
            self.table.end([f"{self.count:,} {self.kind}", "", *self._cells(self.sums)] if self.count > 1 else None)

    def _cells(self, tokens: Sequence[int | None]) -> list[str]:
        prices = map(self.priced.show, self.models, tokens) if self.priced else ()
        return [*map(dash, tokens), *prices]


def notes(specs: Sequence[ModelSpec]) -> None:
    """What is to be known of the models."""
    for spec in specs:
        for text in spec.notes:
            note(f"{spec.name}: {text}")
        if spec.trust.settings.weak:
            note(f"{spec.name}: settings {spec.trust.settings}")


def _seen(result: TokenCount) -> tuple[str, str]:
    """The size after resizing and the grid; of several views how many there are, and how they lie."""
    tiling = result.tiling
    if tiling.views == 1 and len(views := result.views) == 1:
        return str(views[0].size), str(views[0].grid)
    whole = " + 1" if tiling.overview else ""
    return f"{tiling.views:,} views", f"{tiling.rows} x {tiling.cols}{whole}"


def _kind(result: TokenCount) -> str:
    return "videos" if result.clip else "pictures"
