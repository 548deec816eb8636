"""`vistoken plan` as it prints: one plan part by part, several side by side or a line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from vistoken.cli.plan_asked import Asked
from vistoken.cli.plan_devices import as_dict
from vistoken.cli.plan_llm import cost_of, print_llm
from vistoken.cli.shared import echo_json, print_table
from vistoken.errors import InputError

if TYPE_CHECKING:
    from vistoken.geometry import Size
    from vistoken.planning import Plan, Tally
    from vistoken.planning.llm import LlmCost


def answer(asked: Asked) -> int:
    """Every model at every size; the exit code."""
    plans: list[tuple[str, Plan]] = []
    costs: list[LlmCost] = []
    sizes: set[Size | None] = set()
    for model, label, size, names in asked.each():
        sizes.add(size)
        try:
            plan = asked.plan(model, size)
            behind = [cost_of(asked, model, plan.size)] if asked.llm and model else []
        except InputError as error:  # one model may refuse what the others take
            asked.failures.add(InputError(f"{label}: {error}"))
            continue
        plans.append((label, plan))
        costs += behind
        if asked.as_json:
            echo_json({"sources": names, **plan.as_dict(), **_more(asked, plan, behind)})
    if plans and not asked.as_json:
        _print(plans, len(sizes))
        if asked.devices:
            _print_devices(asked, plans)
        for (_, plan), cost in zip(plans, costs, strict=False):  # none without --llm
            print_llm(_title(plan), cost)
    return asked.failures.exit_code


def _more(asked: Asked, plan: Plan, behind: Sequence[LlmCost]) -> dict[str, object]:
    """What --llm and --device add to the JSON of a plan."""
    more: dict[str, object] = {}
    if behind:
        more["llm"] = behind[0].as_dict()
    if asked.devices:
        more["devices"] = [as_dict(plan, card, asked.mode) for card in asked.devices]
    return more


def scaled(value: int) -> str:
    """A count in millions or billions (G), exact below 100,000."""
    if value < 100_000:
        return f"{value:,}"
    return f"{value / 1e9:,.3f} G" if value >= 1e8 else f"{value / 1e6:,.2f} M"


def millions(value: int) -> str:
    return f"{value:,}" if value < 100_000 else f"{value / 1e6:,.2f} M"


def mebibytes(value: int) -> str:
    return f"{value / 2**20:,.1f} MiB"


def _print(plans: Sequence[tuple[str, Plan]], sizes: int) -> None:
    if len(plans) == 1:
        _print_one(plans[0][1])
    elif sizes > 1:
        _print_list(plans)
    else:
        _print_side_by_side(plans)


def _title(plan: Plan) -> str:
    return f"{plan.model} at {plan.size}" + (f", {plan.frames:,} frames" if plan.frames else "")


def _print_one(plan: Plan) -> None:
    """Each part in full digits, with its share."""
    one = "video" if plan.frames else "picture"
    tokens = f"{plan.tokens:,} tokens a {one} in the blocks"
    click.echo(f"{_title(plan)}: {tokens}, batch {plan.batch}, weights {plan.dtype}\n")
    for name, tally in (("parameters", plan.params), ("multiply-adds", plan.macs)):
        rows = [[part, f"{value:,}", f"{value / tally.total:.1%}"] for part, value in tally.rows if value]
        print_table([name, "", "share"], [*rows, ["total", f"{tally.total:,}", ""]], total=True)
        click.echo(f"({tally.convention})\n")
    click.echo(f"compute  {scaled(plan.macs.total)}MACs = {scaled(plan.flops.total)}FLOPs")
    click.echo(f"weights  {mebibytes(plan.memory.total)} ({plan.memory.convention})")


def _print_devices(asked: Asked, plans: Sequence[tuple[str, Plan]]) -> None:
    from vistoken.cli.plan_table import print_rows
    from vistoken.planning.choosing import choices

    click.echo()
    print_rows([row for label, plan in plans for row in choices(plan, asked.devices, mode=asked.mode, model=label)])


def _print_list(plans: Sequence[tuple[str, Plan]]) -> None:
    """Several sizes: one line each; sizes that several pictures share appear once."""
    header = ["model", "size", "tokens", "parameters", "multiply-adds", "FLOPs", "weights"]
    rows = [
        [
            label, str(plan.size), f"{plan.tokens:,}", millions(plan.params.total), scaled(plan.macs.total),
         scaled(plan.flops.total), mebibytes(plan.memory.total)]
        for label, plan in plans
    ]  # fmt: skip
    click.echo(f"batch {plans[0][1].batch}, weights {plans[0][1].dtype}; each size once\n")
    print_table(header, rows)


def _print_side_by_side(pairs: Sequence[tuple[str, Plan]]) -> None:
    plans = [plan for _, plan in pairs]
    click.echo(f"batch {plans[0].batch}, weights {plans[0].dtype}\n")
    header = ["", *(label for label, _ in pairs)]
    rows = [
        ["size", *(str(plan.size) for plan in plans)],
        ["tokens", *(f"{plan.tokens:,}" for plan in plans)],
    ]
    rows += _part_rows(plans, "parameters", lambda plan: plan.params, millions)
    rows += _part_rows(plans, "multiply-adds", lambda plan: plan.macs, scaled)
    rows.append(["FLOPs", *(scaled(plan.flops.total) for plan in plans)])
    rows.append(["weight memory", *(mebibytes(plan.memory.total) for plan in plans)])
    print_table(header, rows)
    click.echo(f"\nparameters: {plans[0].params.convention}\nmultiply-adds: {plans[0].macs.convention}")


def _part_rows(
    plans: Sequence[Plan], name: str, tally: Callable[[Plan], Tally], shown: Callable[[int], str]
) -> list[list[str]]:
    """A total, and below it every part that any of the plans has."""
    tables = [dict(tally(plan).rows) for plan in plans]
    parts = dict.fromkeys(part for table in tables for part, value in table.items() if value)
    rows = [[name, *(shown(tally(plan).total) for plan in plans)]]
    rows += [[f"  {part}", *(shown(table[part]) if table.get(part) else "-" for table in tables)] for part in parts]
    return rows
