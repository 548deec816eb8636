"""`vistoken models --verify`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from vistoken.cli.shared import complain, dash, echo_json, print_table
from vistoken.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from vistoken.family import Family, Published
    from vistoken.judge.verify import Verdict


def verify_models(names: Sequence[str], sizes: int, pixels: bool, as_json: bool) -> int:
    """Compare and print a verdict a model. The exit code tells whether all of them were compared and hold."""
    try:
        from vistoken.judge import verify
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "transformers", "verify", "comparing with the reference") from None
    verify.quiet()
    chosen: list[tuple[Family, Published]] = list(verify.chosen(names))
    verdicts: list[Verdict] = []
    with click.progressbar(chosen, label="comparing", file=sys.stderr) as models:
        for family, model in models:
            verdicts.append(verify.verdict(family, model, sizes, pixels))
    for verdict in verdicts:
        if as_json:
            echo_json(verdict.as_dict())
        for case in verdict.different[:5]:
            complain(f"differs: {case}")
    if not as_json:
        _print(verdicts, verify.VERSION)
    if names and all(verdict.without for verdict in verdicts):
        raise InputError("nothing was compared: transformers has no processor of these models")
    return 0 if all(verdict.holds for verdict in verdicts) else InputError.exit_code


def _print(verdicts: Sequence[Verdict], version: str) -> None:
    header = ["model", "view rule", "trust", "pictures", "videos", "refused", "differ", "remark"]
    rows = [
        [v.model, v.kind, v.trust, *map(dash, (v.pictures, v.films, v.refused, len(v.different))),
         v.skipped or v.without]
        for v in verdicts
    ]  # fmt: skip
    print_table(header, rows, left=3)
    compared = [v for v in verdicts if not v.without]
    differ, skipped = sum(bool(v.different) for v in compared), sum(bool(v.skipped) for v in compared)
    click.echo(
        f"\nagainst {version}: {len(compared)} model{'s' * (len(compared) != 1)}, {differ} differ, "
        f"{skipped} not compared in full; {len(verdicts) - len(compared)} have no reference"
    )
