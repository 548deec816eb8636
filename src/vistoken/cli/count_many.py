"""Options of `vistoken count` for many items: tables and lists, a summary, a limit, CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vistoken.cli.count_items import SIDES, column_options
from vistoken.cli.shared import note
from vistoken.errors import InputError, UsageError

if TYPE_CHECKING:
    from vistoken.cli.count_print import Row
    from vistoken.cli.shared import Failures

F = TypeVar("F", bound=Callable[..., Any])

BATCH = 8


def many_options(command: F) -> F:
    """--summary, --over, --batch, --csv, --null and the columns of tables."""
    command = column_options(command)
    for option in (
        click.option("-0", "--null", is_flag=True, help="Of a list on stdin: words end at NUL, not at a line break."),
        click.option("--csv", is_flag=True, help="Rows as CSV on stdout."),
        click.option("--batch", type=click.IntRange(1), metavar="N",
                     help=f"Pictures of a padded batch, whose waste the summary tells.  [default: {BATCH}]"),
        click.option("--over", type=click.IntRange(0), metavar="N",
                     help="Only items of more than N tokens; the exit code is 3 if there are any."),
        click.option("--summary", is_flag=True, help="Total, mean, percentiles, histogram, the worst items."),
    ):  # fmt: skip
        command = option(command)
    return command


class Many:
    """What these options say."""

    def __init__(
        self, *, summary: bool, over: int | None, batch: int | None, csv: bool, null: bool, width_column: str,
        height_column: str,
    ) -> None:  # fmt: skip
        self.summary, self.over, self.csv, self.null = summary, over, csv, null
        self.columns = (width_column, height_column)
        self._batch, self.found = batch, False

    @classmethod
    def taken(cls, options: dict[str, Any]) -> Many:
        """Take these options out of all that were given."""
        names = ("summary", "over", "batch", "csv", "null", "width_column", "height_column")
        return cls(**{name: options.pop(name) for name in names})

    @property
    def given(self) -> bool:
        """Whether some of these options is."""
        return any((self.summary, self.csv, self.null, self._batch, self.over is not None, self.columns != SIDES))

    @property
    def batch(self) -> int:
        return self._batch or BATCH

    def check(self, sources: Sequence[str], *, as_json: bool, explain: bool) -> None:
        """Raise `UsageError` for options that contradict one another, before anything is read."""
        if self._batch and not self.summary:
            raise UsageError("--batch goes with --summary, which tells what padded batches waste")
        for one, given in (("--summary", self.summary), ("--json", as_json), ("--explain", explain)):
            if self.csv and given:
                raise UsageError(f"--csv writes rows: leave out {one}, or --csv")
        if self.summary and explain:
            raise UsageError("--explain tells of single items: leave out --summary, or --explain")
        if self.null and "-" not in sources:
            raise UsageError("--null goes with -, a list on stdin: find . -print0 | vistoken count - --null ...")
        if sources.count("-") > 1:
            raise UsageError("- is given twice: there is one stdin")

    def refuse(self, others: str) -> None:
        """Raise `UsageError` where some of these options are given beside others that have no use for them."""
        if self.given:
            raise UsageError(f"{others} have no use for --summary, --over, --csv, - or tables: leave them out")

    def limited(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows, with --over those alone of which some model makes more tokens."""
        if self.over is None:
            yield from rows
            return
        seen = 0
        for seen, (name, size, results) in enumerate(rows, 1):  # noqa: B007
            kept = [result if result and result.tokens > self.over else None for result in results]
            if any(kept):
                self.found = True
                yield name, size, kept
        if not self.found:
            note(f"none of {seen:,} is over {self.over:,} tokens")

    def exit_code(self, failures: Failures) -> int:
        """3 where an item failed, or one is over the limit: the answer to --over is "no, not all stay within"."""
        return InputError.exit_code if self.found else failures.exit_code
