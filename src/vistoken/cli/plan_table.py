"""`vistoken plan --sort, --csv, --markdown, --gpu-price, --sweep, --chart`: models and devices in one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vistoken.cli.shared import complain, echo_json, print_table
from vistoken.errors import InputError, UsageError
from vistoken.frozen import frozen

if TYPE_CHECKING:
    from vistoken.cli.plan_asked import Asked
    from vistoken.planning.choosing import Choice

F = TypeVar("F", bound=Callable[..., Any])


def table_options(command: F) -> F:
    """--sort, --csv, --markdown, --gpu-price, --sweep and --chart."""
    for option in (
        click.option("--chart", metavar="FILE.png", help="Draw GMACs, or with --device the time, over the input size."),
        click.option("--sweep", metavar="'NAME=A,B ...'",
                     help="All combinations of patch, dim, depth, heads, mlp, input, batch, dtype; with -m of input, "
                     "batch, dtype and the model's own settings."),
        click.option("--gpu-price", "prices", multiple=True, metavar="[DEVICE=]PRICE",
                     help="What an hour costs: adds the cost of a million pictures, in the price's own currency."),
        click.option("--markdown", is_flag=True, help="The table in Markdown."),
        click.option("--csv", "as_csv", is_flag=True, help="The table as CSV."),
        click.option("--sort", metavar="COLUMN",
                     help="Rows by macs, memory, per_gb, rate, cost, ...; -COLUMN from the largest down."),
    ):  # fmt: skip
        command = option(command)
    return command


@frozen
class Table:
    """What is asked of the table; a sweep itself stands in `Asked`."""

    sort: str | None
    as_csv: bool
    markdown: bool
    prices: tuple[str, ...]
    chart: str | None

    @classmethod
    def take(cls, options: dict[str, Any]) -> Table:
        """The options of the table, taken out of all `options`."""
        return cls(**{field.name: options.pop(field.name) for field in fields(cls)})

    def refuse(self, option: str, sweep: str | None) -> None:
        """Raise `UsageError` where something is asked of a table that `option` does not print."""
        for name in (*self.given(), *(() if sweep is None else ("sweep",))):
            raise UsageError(f"{option} has no use for --{name}: leave it out")

    def given(self) -> list[str]:
        """The options that were given."""
        names = {"as_csv": "csv", "prices": "gpu-price"}
        values = {names.get(field.name, field.name): getattr(self, field.name) for field in fields(self)}
        return [name for name, value in values.items() if value not in (None, False, ())]

    def asked_for(self, asked: Asked) -> bool:
        """Several models on devices are printed as a table, and any of its options makes one."""
        several = len(asked.models) > 1 and bool(asked.devices) and not asked.llm and not asked.as_json
        return several or asked.sweep is not None or bool(self.given())

    def answer(self, asked: Asked) -> int:
        """A line for each model, combination, size and device; the exit code."""
        from vistoken.planning.choosing import parse_prices
        from vistoken.planning.tables import ordered

        asked.refuse("a table", llm=asked.llm)
        self.check(asked)
        self.check_sort(asked)
        prices = parse_prices(self.prices, asked.devices)
        rows = (_swept if asked.sweep else _each)(asked, prices)
        rows = rows if self.sort is None else ordered(rows, self.sort)
        if rows:
            self.show(rows, asked)
        if self.chart is not None:
            from vistoken.looking.chart import draw

            draw(rows, self.chart)
        refused = sum(row.tokens is None for row in rows)
        if refused:
            complain(f"failed: {refused:,} of {len(rows):,} rows could not be planned")
        return InputError.exit_code if refused else asked.failures.exit_code

    def check(self, asked: Asked) -> None:
        """Refuse what contradicts itself before anything is planned."""
        forms = {"--json": asked.as_json, "--csv": self.as_csv, "--markdown": self.markdown}
        given = [name for name, value in forms.items() if value]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)}: choose one")
        if self.chart is not None:
            from vistoken.files import check_writable
            from vistoken.looking.chart import figures

            check_writable(self.chart, (".png",))
            figures()

    def check_sort(self, asked: Asked) -> None:
        """Refuse a column in which nothing would stand."""
        name = (self.sort or "").removeprefix("-")
        if name == "cost" and not self.prices:
            raise UsageError("rows are sorted by cost where there is a price: give --gpu-price")
        if name in ("device", "has", "fits", "ms", "rate") and not asked.devices:
            raise UsageError(f"rows are sorted by {name} on devices: give --device")

    def show(self, rows: Sequence[Choice], asked: Asked) -> None:
        """In the form that was asked for. Reasons that it has no room for go to stderr."""
        from vistoken.planning import tables

        if asked.as_json:
            for row in rows:
                echo_json(row.as_dict())
        elif self.as_csv:
            click.echo(tables.as_csv(rows), nl=False)
            for reason in tables.reasons(rows):
                complain(f"unknown: {reason}")
        elif self.markdown:
            notes = [*tables.notes(rows), *tables.reasons(rows)]
            click.echo("\n".join([tables.as_markdown(rows), *(f"- {note}" for note in notes)]))
        else:
            print_rows(rows)


def _each(asked: Asked, prices: dict[str, float]) -> list[Choice]:
    """Every model at every size; a model may refuse a size that the others take, but wrong use is of all of them."""
    from vistoken.planning.choosing import Choice, choices

    rows: list[Choice] = []
    refused: list[UsageError | InputError] = []
    for model, label, size, _ in asked.each():
        try:
            plan = asked.plan(model, size)
        except (InputError, UsageError) as error:
            refused.append(error)
            where = asked.input or size
            rows.append(Choice(model=label, size=where, batch=asked.batch, dtype=asked.dtype, reasons=(str(error),)))
            continue
        rows += choices(plan, asked.devices, mode=asked.mode, prices=prices, model=label)
    if len(refused) == len(rows) and refused and isinstance(refused[0], UsageError):
        raise refused[0]
    return rows


def _swept(asked: Asked, prices: dict[str, float]) -> list[Choice]:
    """Every combination of the sweep, for every model and size."""
    from vistoken.planning.sweeps import check_most, parse_sweep, sweep_plans

    assert asked.sweep
    models, sizes = asked.models or (None,), list(asked.sizes())
    sweep = parse_sweep(asked.sweep.text, bare=not asked.models)
    check_most(len(sweep) * len(models) * len(sizes))
    common = {**asked.common(), "geometry": asked.sweep.geometry, "devices": asked.devices, "mode": asked.mode}
    rows: list[Choice] = []
    refused: list[UsageError | InputError] = []
    for size, model in product(sizes, models):
        try:
            rows += sweep_plans(sweep, model=model, size=size, prices=prices, **common)
        except (InputError, UsageError) as error:  # no combination of this model can be
            refused.append(error)
    if refused and not rows:
        raise refused[0]
    for reason in refused:
        asked.failures.add(InputError(str(reason)))
    return rows


def print_rows(rows: Sequence[Choice]) -> None:
    """The table for people, with what its numbers rest on."""
    from vistoken.planning import tables

    table = tables.for_people(rows)
    click.echo(f"{tables.shared(rows)}\n")
    left = next((n for n, column in enumerate(table) if column.name == "tokens"), 1)
    print_table([column.header for column in table], [[column.show(row) for column in table] for row in rows], left)
    click.echo()
    for line in (*tables.notes(rows), *tables.reasons(rows)):
        click.echo(line)
