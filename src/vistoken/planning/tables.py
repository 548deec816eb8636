"""Tables of choices: their columns, in what order rows stand, and the table as CSV or Markdown.

A column has two faces: for people a number with its unit, for programs the plain number with the unit in its name.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from vistoken.errors import UsageError, did_you_mean, shown
from vistoken.frozen import frozen
from vistoken.planning.choosing import PER_GB, Choice
from vistoken.planning.latency import Range

NOTES = {
    "memory": "memory: live tensors at the peak of our encoder, fused attention; on a GPU with an allowance, by rule",
    "fits": "fits: what does not fit has no time",
    "per_gb": f"pictures/GB: {PER_GB}",
    "cost": "cost/million: of a million pictures, in the price's own currency",
}


@frozen
class Column:
    """One value of a choice.

    Attributes:
        name: for `--sort`.
        header: for people.
        key: for programs, with the unit.
        value: None where it is not known.
        text: how a value is shown.
    """

    name: str
    header: str
    key: str
    value: Callable[[Choice], Any]
    text: Callable[[Any], str] = str

    def show(self, row: Choice) -> str:
        value = self.value(row)
        return "-" if value is None else self.text(value)


def _count(value: int) -> str:
    return f"{value:,}"


def _millions(value: int) -> str:
    return f"{value / 1e6:,.2f} M"


def _gmacs(value: int) -> str:
    return f"{value / 1e9:,.2f}"


def _gib(value: int) -> str:
    return f"{value / 2**30:,.2f} GiB"


def _fits(spare: int) -> str:
    return "yes" if spare >= 0 else f"{_gib(-spare)} short"


def _milliseconds(value: Range) -> str:
    return str(value.times(1000))


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


COLUMNS = (
    Column("model", "model", "model", attrgetter("model")),
    Column("size", "size", "size", attrgetter("size")),
    Column("frames", "frames", "frames", attrgetter("frames"), _count),
    Column("batch", "batch", "batch", attrgetter("batch"), _count),
    Column("dtype", "dtype", "dtype", attrgetter("dtype")),
    Column("device", "device", "device", attrgetter("device")),
    Column("tokens", "tokens", "tokens_per_picture", attrgetter("tokens"), _count),
    Column("params", "parameters", "parameters", attrgetter("params"), _millions),
    Column("macs", "GMACs", "macs_per_picture", attrgetter("macs"), _gmacs),
    Column("weights", "weights", "weights_bytes", attrgetter("weights"), _gib),
    Column("memory", "memory", "memory_bytes", attrgetter("memory"), _gib),
    Column("has", "device has", "device_memory_bytes", attrgetter("has"), _gib),
    Column("fits", "fits", "spare_bytes", attrgetter("spare"), _fits),
    Column("per_gb", "pictures/GB", "pictures_per_gb", attrgetter("images_per_gb"), _digits),
    Column("ms", "ms a batch", "seconds_per_batch", attrgetter("seconds"), _milliseconds),
    Column("rate", "pictures/s", "pictures_per_second", attrgetter("images_per_second")),
    Column("cost", "cost/million", "cost_per_million_pictures", attrgetter("cost_per_million")),
)
# Where these hold one value in all rows, they stand once above the table.
SHARED = ("batch", "dtype")
# Left out for people where no row has a value; `weights` and `has` stand in `memory` and `fits` already.
OPTIONAL = ("frames", "device", "fits", "ms", "rate", "cost")
FOR_PROGRAMS = ("weights", "has")
RANGES = ("ms", "rate", "cost")
SOME = 3  # models that a reason names


def columns(rows: Sequence[Choice]) -> list[Column]:
    """All columns, what a sweep chose behind the model."""
    names = dict.fromkeys(name for row in rows for name, _ in row.settings)
    taken = {column.name for column in COLUMNS}
    swept = [(name, f"set {name}" if name in taken else name) for name in names]
    return [COLUMNS[0], *(Column(told, told, told, _setting(name)) for name, told in swept), *COLUMNS[1:]]


def for_people(rows: Sequence[Choice]) -> list[Column]:
    """Columns that tell these rows apart, or say something of them."""
    shown, swept = [], any(row.settings for row in rows)
    for column in columns(rows):
        values = {column.value(row) for row in rows}
        single = len(values) == 1 and (column.name in SHARED or (swept and column.name == "model"))
        empty = column.name in OPTIONAL and values == {None}
        if not (single or empty or column.name in FOR_PROGRAMS):
            shown.append(column)
    return shown


def ordered(rows: Sequence[Choice], by: str) -> list[Choice]:
    """The rows by a column, "-column" from the largest down; unknown ones last, equal ones as they stood.

    Ranges are compared by the end that is always known: the shortest time, the highest rate, the lowest cost.
    Raises `UsageError` for an unknown column.
    """
    known = {column.name: column for column in columns(rows)}
    name = by.removeprefix("-")
    if name not in known:
        raise UsageError(f"no column {shown(name)}: columns are {', '.join(known)}.{did_you_mean(name, known)}")
    value = known[name].value
    there = [row for row in rows if value(row) is not None]
    there.sort(key=lambda row: _rank(name, value(row)), reverse=by.startswith("-"))
    return there + [row for row in rows if value(row) is None]


def as_csv(rows: Sequence[Choice]) -> str:
    """RFC 4180: plain numbers with units in the header, a range in two columns, nothing where nothing is known."""
    text = io.StringIO()
    table, out = columns(rows), csv.writer(text)
    out.writerow([name for column in table for name in _keys(column)])
    out.writerows([cell for column in table for cell in _cells(column, row)] for row in rows)
    return text.getvalue()


def as_markdown(rows: Sequence[Choice]) -> str:
    """A table in GitHub's Markdown, columns as for people, numbers flush right."""
    table = for_people(rows)
    words = ("model", "size", "dtype", "device")
    lines = [[column.header for column in table]]
    lines.append([":---" if column.name in words else "---:" for column in table])
    lines += [[column.show(row) for column in table] for row in rows]
    return "".join(f"| {' | '.join(map(_escaped, line))} |\n" for line in lines)


def shared(rows: Sequence[Choice]) -> str:
    """What all rows have in common, and no column says."""
    first, told = rows[0], {column.name for column in for_people(rows)}
    common = {"model": first.model, "batch": f"batch {first.batch:,}", "dtype": first.dtype}
    return ", ".join(text for name, text in common.items() if name not in told)


def notes(rows: Sequence[Choice]) -> list[str]:
    """What the columns for people mean, and what the times of these rows rest on."""
    told = {column.name for column in for_people(rows)}
    counted = dict.fromkeys(row.convention for row in rows if row.convention)
    conventions = [f"GMACs: of one picture, GFLOPs are twice as many; {convention}" for convention in counted]
    if all(row.fits is not False for row in rows):
        told.discard("fits")
    lines = [*conventions, *(text for name, text in NOTES.items() if name in told)]
    modes = dict.fromkeys(f"times: of our encoder, {row.mode}, as a range" for row in rows if row.seconds)
    lines += modes
    return lines + list(dict.fromkeys(note for row in rows for note in row.notes))


def reasons(rows: Iterable[Choice]) -> list[str]:
    """Why cells are empty, each reason once with the models that it is true of."""
    models: dict[str, dict[str, None]] = {}
    for row in rows:
        for reason in row.reasons:
            models.setdefault(reason, {})[_title(row)] = None
    return [f"{_some(list(names))}: {reason}" for reason, names in models.items()]


def _some(names: Sequence[str]) -> str:
    more = len(names) - SOME
    return ", ".join(names[:SOME]) + (f" and {more:,} more" if more > 0 else "")


def _title(row: Choice) -> str:
    """The model and what a sweep chose."""
    return " ".join([row.model, *(f"{name}={value}" for name, value in row.settings)])


def _setting(name: str) -> Callable[[Choice], Any]:
    return lambda row: dict(row.settings).get(name)


def _rank(name: str, value: Any) -> Any:
    if name in RANGES:
        return value.high if name == "rate" else value.low
    if name == "size":
        return value.pixels, value.width
    return (0, value, "") if isinstance(value, int | float) else (1, 0, str(value))


def _keys(column: Column) -> list[str]:
    return [f"{column.key}_low", f"{column.key}_high"] if column.name in RANGES else [column.key]


def _cells(column: Column, row: Choice) -> list[Any]:
    value = column.value(row)
    if column.name in RANGES:
        return ["", ""] if value is None else [value.low, "" if value.high is None else value.high]
    return ["" if value is None else value]


def _escaped(cell: str) -> str:
    """A cell must not end the cell, nor the line."""
    return " ".join(cell.replace("\\", "\\\\").replace("|", "\\|").split())
