"""`vistoken plan --within`: what fits a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from vistoken.cli.shared import complain, dash, echo_json, print_table
from vistoken.errors import InputError, NothingFits, UsageError

if TYPE_CHECKING:
    from vistoken.geometry import Size
    from vistoken.planning.within import Within

within_option = click.option(
    "--within", metavar="BUDGETS",
    help="What fits: the largest picture, batch and number of pictures, for example 'tokens<=1024, kv<=1GiB'.",
)  # fmt: skip


def answer(
    budgets: str, models: Sequence[str], sizes: Mapping[Size | None, list[str]], as_json: bool, llm: str | None,
    **common: Any,
) -> int:  # fmt: skip
    """One line for each size and model; the exit code. Where nothing fits, stderr says by how much."""
    from vistoken.cli.plan_llm import OWN
    from vistoken.planning.within import plan_within

    if not models:
        raise UsageError("--within needs -m MODEL: bare geometry has no rule for pictures of other sizes")
    found: list[Within] = []
    failed = 0
    for size in sizes:
        width, height = (None, None) if size is None else (size.width, size.height)
        for model in models:
            try:
                behind = _own(model, common["revision"]) if llm == OWN else llm
                found.append(plan_within(model, budgets, llm=behind, width=width, height=height, **common))
            except (NothingFits, InputError) as error:  # one model may take what another does not
                complain(f"failed: {error}")
                failed = error.exit_code
                continue
            if as_json:
                echo_json(found[-1].as_dict())
    if found and not as_json:
        _print(found)
    return failed


def _own(model: str, revision: str | None) -> Any:
    from vistoken.planning.llm_table import llm_of

    return llm_of(model, revision=revision)


def _print(found: Sequence[Within]) -> None:
    click.echo(f"within {', '.join(map(str, found[0].budgets))}\n")
    rows = [
        [one.model, str(one.bound), str(one.image), str(one.gap or "-"), dash(one.batch), dash(one.images),
         "; ".join(f"{budget.quantity} {budget.show(value)}" for budget, value in one.uses)]
        for one in found
    ]  # fmt: skip
    print_table(["model", "up to", "largest", "but not", "batch", "in a prompt", "uses"], rows)
