"""What the words of a command line stand for, item by item: sizes, pictures, tables, addresses, a list on stdin."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from vistoken.cli.shared import Failures, complain, note
from vistoken.errors import InputError

if TYPE_CHECKING:
    from vistoken.counting.names import Name
    from vistoken.geometry import Size
    from vistoken.sources import Source

F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")

NAMED = 5  # rows of a table that are named one by one
SIDES = ("width", "height")


class Reads:
    """How much was read at addresses."""

    def __init__(self) -> None:
        self.bytes = self.pictures = 0

    def add(self, read: int) -> None:
        self.bytes += read
        self.pictures += 1


def column_options(command: F) -> F:
    """--width-column and --height-column."""
    for side in SIDES[::-1]:
        command = click.option(f"--{side}-column", default=side, show_default=True, metavar="NAME", help="Of a table.")(
            command
        )
    return command


def items(
    failures: Failures, words: Sequence[str], columns: tuple[str, str] = SIDES, null: bool = False
) -> Iterator[tuple[Name, Size]]:
    """The name and size of every item; what has none is a failure, and the others go on."""
    reads = Reads()
    for word in words:
        for each in _listed(failures, null) if word == "-" else (word,):
            yield from _of(each, failures, columns, reads)
    if reads.pictures:
        note(f"{reads.bytes:,} bytes were read of {reads.pictures:,} pictures at addresses")


def _listed(failures: Failures, null: bool) -> Iterator[str]:
    """The words on stdin: each as if it were an argument."""
    from vistoken.lists import LONGEST, read_words

    if sys.stdin is None:
        raise InputError("-: there is no stdin to read a list from")
    number = 0
    for number, word in enumerate(read_words(sys.stdin.buffer, null), 1):
        if word is None:
            failures.add(InputError(f"-: word {number:,} has more than {LONGEST:,} bytes, which no path has"))
        elif word == "-":
            failures.add(InputError("-: a list cannot name stdin, from which it comes; a file of this name is ./-"))
        else:
            yield word
    if not number:
        failures.add(InputError("-: the list on stdin is empty"))


def _of(word: str, failures: Failures, columns: tuple[str, str], reads: Reads) -> Iterator[tuple[Name, Size]]:
    for source in _sources(word, failures, reads):
        try:
            if _is_table(source):
                yield from rows(failures, source.name, columns)
            else:
                yield source.name, source.size
        except InputError as error:
            failures.add(error, source.name)


def _is_table(source: Source) -> bool:
    if not source.is_picture or source.problem:
        return False
    from vistoken.tables import is_table  # which a size has no use for

    return is_table(source.name)


def _sources(word: str, failures: Failures, reads: Reads) -> Iterator[Source]:
    if "://" not in word:
        yield from failures.expand([word])
        return
    from vistoken import addresses
    from vistoken.tables import is_table

    try:
        if is_table(word):
            raise InputError(f"{word}: tables are read from files of this machine alone: copy it here first")
        yield from addresses.expand(word, note, reads.add)
    except InputError as error:
        failures.add(error, word)


def rows(failures: Failures, path: str, columns: tuple[str, str]) -> Iterator[tuple[Name, Size]]:
    """The sizes of a table; of rows without one the first are named, and the others counted."""
    from vistoken.geometry import Size
    from vistoken.tables import read_sizes

    bad, what = 0, "row" if path.lower().endswith(".parquet") else "line"
    for number, found in read_sizes(path, *columns):
        if isinstance(found, Size):
            yield (path, number), found
            continue
        bad += 1
        if bad <= NAMED:
            failures.add(InputError(f"{path}: {what} {number:,}: {found.reason}"))
    count_others(failures, bad, f"{path}: {{}} rows without a size")


def count_others(failures: Failures, failed: int, text: str) -> None:
    """Of many failures the first were named: tell how many more there are."""
    if failed > NAMED:
        failures.count += failed - NAMED
        complain(f"failed: {text.format(f'{failed - NAMED:,} more')}")


def progress(items: Iterable[T]) -> Iterator[T]:
    """The same items, with how many there were so far on stderr, on a terminal alone, once a second."""
    if not sys.stderr.isatty():
        yield from items
        return
    told = time.monotonic()
    for number, item in enumerate(items, 1):
        if not number % 256 and time.monotonic() - told > 1:
            told = time.monotonic()
            click.echo(f"\r{number:,} pictures", nl=False, err=True)
        yield item
    click.echo("\r\033[K", nl=False, err=True)
