"""Tables with the widths and heights of pictures: CSV, TSV, JSON lines and Parquet, row by row in flat memory.

A table comes from anywhere, so nothing of it is trusted: lines have a longest length, bytes that are no UTF-8 are read
past, and a row that holds no size is handed on as a `Problem`, with the line it stands on, for the caller to count.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import IO, Any

from vistoken.errors import InputError, MissingExtra, UsageError, did_you_mean, one_line, shown
from vistoken.frozen import frozen
from vistoken.geometry import MAX_SIDE, Size

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
# Bytes of one line; a longer one is skipped and named. (A single cell of CSV ends at 128 KiB, the limit of `csv`.)
MAX_LINE = 16 * 2**20
# Lines of JSON that are looked at for the columns there are; their number is what is held in memory.
PEEK = 16
# Distinct pairs of cells that are remembered, so that equal rows are checked once.
REMEMBERED = 100_000
BATCH = 65_536  # rows of a Parquet file that are held at once
_WHOLE = re.compile(r"\+?(\d{1,15})(?:\.0*)?", re.ASCII)
# How tables write that there is no value: nothing, SQL, Python, pandas, R.
_NOTHING = ("", "null", "none", "nan", "na", "n/a", "<na>", r"\n")


@frozen
class Problem:
    """Why a row holds no size."""

    reason: str


# Number of a row, and what it holds: in text, of the line on which the row begins, the header being line 1; in Parquet
# of the row, from 1.
Row = tuple[int, Size | Problem]


def is_table(path: str) -> bool:
    """Whether the ending is that of a table.

    >>> is_table("sizes.CSV"), is_table("sizes.jpg")
    (True, False)
    """
    return path.lower().endswith(SUFFIXES)


def read_sizes(path: str, width: str = "width", height: str = "height") -> Iterator[Row]:
    """The sizes of a table, row by row; what is no size is a `Problem`. Empty lines are no rows.

    Args:
        path: its ending tells the format. CSV has a header, and commas or, where the header has none, semicolons.
        width: name of the column with widths, in pixels.
        height: likewise.

    >>> list(read_sizes("tests/data/sizes.csv"))[:2]
    [(2, Size(height=480, width=640)), (3, Size(height=720, width=1280))]

    Raises `InputError` for a table that cannot be read or lacks the columns, and names those that it has;
    `MissingExtra` where Parquet needs pyarrow.
    """
    if width == height:
        raise UsageError(f"one column, {shown(width)}, cannot be both width and height: name two")
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: a table ends in {', '.join(SUFFIXES)}")
    if not os.path.isfile(path):
        raise InputError(f"{path}: {'not a regular file' if os.path.lexists(path) else 'no such file'}")
    if suffix == ".parquet":
        yield from _parquet(path, (width, height))
        return
    read = _json if suffix in (".jsonl", ".ndjson") else _csv
    try:
        with open(path, "rb") as file:
            yield from read(path, file, (width, height))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


class _Pairs:
    """Pairs of cells -> Size or Problem; equal pairs are checked once, and are one object."""

    def __init__(self, names: tuple[str, str]) -> None:
        self.names = names
        self.known: dict[tuple[Any, Any], Size | Problem] = {}
        self.sides: dict[str, int] = {}  # of text, whose few distinct sides make up many distinct pairs

    def __call__(self, width: Any, height: Any) -> Size | Problem:
        try:
            found = self.known.get((width, height))
        except TypeError:  # a list, which has no hash
            return self._check(width, height)
        if found is not None:
            return found
        found = self._check(width, height)
        # A side of 1 is left out: True would be found in its place.
        if len(self.known) < REMEMBERED and isinstance(found, Size) and min(found.height, found.width) > 1:
            self.known[width, height] = found
        return found

    def _check(self, width: object, height: object) -> Size | Problem:
        across, down = self._side(self.names[0], width), self._side(self.names[1], height)
        if isinstance(across, Problem):
            return across
        return down if isinstance(down, Problem) else Size(width=across, height=down)

    def _side(self, name: str, value: object) -> int | Problem:
        if not isinstance(value, str):
            return _side(name, value)
        side = self.sides.get(value) or _side(name, value)
        if isinstance(side, int) and len(self.sides) < REMEMBERED:
            self.sides[value] = side
        return side


def _side(name: str, value: object) -> int | Problem:
    """A whole number of pixels, from a number or its digits; 640.0 is one, since columns with gaps turn into floats."""
    if value is None or value != value or (isinstance(value, str) and value.strip().lower() in _NOTHING):
        return Problem(f"{name} is missing")
    match = _WHOLE.fullmatch(value.strip()) if isinstance(value, str) else None
    number = int(match[1]) if match else value
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int):
        return Problem(f"{name} is {one_line(shown(value))}, which is no whole number of pixels")
    if not 0 < number <= MAX_SIDE:
        return Problem(f"{name} is {one_line(shown(number))}: a side has from 1 to {MAX_SIDE:,} pixels")
    return number


def _places(path: str, columns: Sequence[str], wanted: tuple[str, str]) -> tuple[int, int]:
    """Where the columns stand. Raises `InputError` that lists those that there are."""
    for name in wanted:
        if columns.count(name) != 1:
            what = f"has {columns.count(name)} columns named" if name in columns else "has no column"
            there = ", ".join(one_line(column, 40) for column in columns[:30]) or "none"
            more = f" and {len(columns) - 30:,} more" if len(columns) > 30 else ""
            raise InputError(
                f"{path}: {what} {name!r}; it has: {there}{more}.{did_you_mean(name, columns[:1000])} "
                "Say which to take with --width-column and --height-column"
            )
    return columns.index(wanted[0]), columns.index(wanted[1])


# ---------------------------------------------------------------- lines of text


def _lines(path: str, file: IO[bytes]) -> Iterator[str | None]:
    """Lines as text, None for one that is too long. Bytes that are no UTF-8 are replaced: digits are never among them.

    Raises `InputError` for UTF-16, which spreadsheets write as "Unicode text".
    """
    first = True
    while line := file.readline(MAX_LINE + 1):
        if first and line.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise InputError(f"{path}: the text is UTF-16: save it as UTF-8")
        if len(line) > MAX_LINE:
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE)
            yield None
        else:
            yield line.decode("utf-8-sig" if first else "utf-8", "replace")
        first = False


def _too_long() -> Problem:
    return Problem(f"the line is longer than {MAX_LINE // 2**20} MiB")


def _csv(path: str, file: IO[bytes], names: tuple[str, str]) -> Iterator[Row]:
    """Quoted cells may hold line breaks; strict, so that a quote that is never closed does not swallow the rest."""
    long = list[int]()  # numbers of lines too long, which the reader sees as empty

    def fed() -> Iterator[str]:
        for number, line in enumerate(_lines(path, file), 1):
            if line is None:
                long.append(number)
            yield line or "\n"

    lines = fed()
    header = next(lines, "")
    reader = csv.reader(chain([header], lines), delimiter=_delimiter(path, header), strict=True)
    try:
        columns = [cell.strip() for cell in next(reader, [])]
    except csv.Error as error:
        raise InputError(f"{path}: line 1, its header, cannot be read: {error}") from None
    width, height = _places(path, columns, names)
    pairs, last = _Pairs(names), max(width, height)
    while True:
        before = reader.line_num
        try:
            for cells in reader:
                if long:
                    yield from ((number, _too_long()) for number in long)
                    long.clear()
                if len(cells) > last:
                    yield before + 1, pairs(cells[width], cells[height])
                elif cells:
                    yield before + 1, Problem(f"the row has {len(cells)} of {len(columns)} columns")
                before = reader.line_num
            yield from ((number, _too_long()) for number in long)
            return
        except csv.Error as error:  # the reader starts afresh with the next line
            lost = f"; lines {before + 1:,} to {reader.line_num:,}" if reader.line_num > before + 1 else ""
            yield before + 1, Problem(f"no row of a table: {error}{lost}")


def _delimiter(path: str, header: str) -> str:
    if path.lower().endswith(".tsv"):
        return "\t"
    return ";" if ";" in header and "," not in header else ","


def _json(path: str, file: IO[bytes], names: tuple[str, str]) -> Iterator[Row]:
    """One object a line; the columns are the keys of the first lines together."""
    rows = (
        (number, _object(line)) for number, line in enumerate(_lines(path, file), 1) if line is None or line.strip()
    )
    first = list(islice(rows, PEEK))
    keys = dict.fromkeys(key for _, row in first if isinstance(row, dict) for key in row)
    _places(path, list(keys), names)
    pairs, (width, height) = _Pairs(names), names
    for number, row in chain(first, rows):
        yield number, row if isinstance(row, Problem) else pairs(row.get(width), row.get(height))


def _object(line: str | None) -> dict[str, Any] | Problem:
    if line is None:
        return _too_long()
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return Problem(f"no JSON: {error.msg}, at character {error.pos + 1:,}")
    except ValueError:
        return Problem("a number of thousands of digits")
    except RecursionError:
        return Problem("JSON that is nested too deeply")
    return value if isinstance(value, dict) else Problem(f"no JSON object but {one_line(shown(value))}")


# ---------------------------------------------------------------- Parquet


def _parquet(path: str, names: tuple[str, str]) -> Iterator[Row]:
    """The two columns alone are read, some rows at a time."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "bulk", "reading a .parquet file") from None
    try:
        with parquet.ParquetFile(path) as file:
            _places(path, file.schema_arrow.names, names)
            batches = file.iter_batches(BATCH, columns=list(names), use_threads=False)
            yield from _rows(_Pairs(names), batches, names)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path}: cannot be read as Parquet: {one_line(str(error))}") from None


def _rows(check: Callable[[Any, Any], Size | Problem], batches: Iterable[Any], names: tuple[str, str]) -> Iterator[Row]:
    before = 0
    for batch in batches:
        widths, heights = (batch.column(name).to_pylist() for name in names)
        for number, pair in enumerate(zip(widths, heights, strict=True), before + 1):
            yield number, check(*pair)
        before += len(widths)
