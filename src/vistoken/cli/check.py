"""`vistoken models NAME|FOLDER --check`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from vistoken.cli.shared import echo_json, print_table
from vistoken.errors import InputError, MissingExtra, UsageError

if TYPE_CHECKING:
    from vistoken.judge.check import Record


def check_models(names: Sequence[str], revision: str | None, image: str | None, as_json: bool) -> int:
    """Compare each and print what was found. The exit code tells whether all of them agree."""
    if not names:
        raise UsageError("--check compares one model with the reference: give its NAME or FOLDER")
    try:
        from vistoken.judge.check import check
        from vistoken.judge.verify import quiet
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "transformers", "verify", "comparing with the reference") from None
    quiet()
    verdicts = set()
    for name in names:
        record = check(name, revision, image)
        verdicts.add(record.verdict)
        if as_json:
            echo_json(record.as_dict())
        else:
            _print(record)
    return 0 if verdicts == {"agrees"} else InputError.exit_code


def _print(record: Record) -> None:
    versions = record.versions
    files = f"{len(record.weights)} file{'s' * (len(record.weights) > 1)}"
    total = record.used + sum(map(len, record.ignored.values()))
    click.echo(f"{record.model}: {total:,} tensors in {files}, {record.used:,} used, {total - record.used:,} left out")
    for why, names in record.ignored.items():
        click.echo(f"  {len(names):,} left out, {why}: {', '.join(names[:3])}{', ...' * (len(names) > 3)}")
    reference = record.reference or "no model"
    click.echo(f"against {reference} of transformers {versions['transformers']}, in float32, on {record.picture}\n")
    if record.states:
        rows = [
            [state.name, *([state.fault, "-"] if state.fault else [f"{state.difference:.2g}", f"{state.largest:.4g}"]),
             "yes" if state.ok else "no"]
            for state in record.states
        ]  # fmt: skip
        print_table(["state", "largest difference", "largest value", "ok"], rows)
        click.echo()
    for text in record.missing:
        click.echo(f"not compared: {text}")
    click.echo(_conclusion(record))


def _conclusion(record: Record) -> str:
    if record.first:
        return f"differs, first in {record.first.name}"
    if record.verdict == "not compared":
        return "what was compared agrees, but not all was compared" if record.states else "nothing was compared"
    return f"agrees: within {record.tolerance:g} x max(1, largest value) everywhere"
