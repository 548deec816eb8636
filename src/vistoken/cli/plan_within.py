"""`vistoken plan --within`: what fits a budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from vistoken.cli.shared import complain, dash, echo_json, print_table
from vistoken.errors import InputError, NothingFits, UsageError

if TYPE_CHECKING:
    from vistoken.cli.plan_asked import Asked
    from vistoken.planning.within import Within

within_option = click.option(
    "--within", metavar="BUDGETS",
    help="What fits: the largest picture, batch and number of pictures, for example 'tokens<=1024, kv<=1GiB'.",
)  # fmt: skip


def answer(asked: Asked, budgets: str) -> int:
    """One line for each size and model; the exit code. Where nothing fits, stderr says by how much."""
    from vistoken.cli.plan_devices import forecasts
    from vistoken.cli.plan_llm import OWN
    from vistoken.planning.within import plan_within

    asked.refuse("--within", input=asked.input, head=asked.head, merge_tokens=asked.merge_tokens,
                 frames=asked.frames, duration=asked.duration, fps=asked.fps)  # fmt: skip
    if asked.geometry:
        raise UsageError("--within needs -m MODEL: bare geometry has no rule for pictures of other sizes")
    common = {**asked.settings, "batch": asked.batch, "dtype": asked.dtype, "revision": asked.revision}
    common |= forecasts(asked.devices, asked.mode)
    answers: list[Within] = []
    failed = 0
    for model, _, size, _ in asked.each():
        width, height = (None, None) if size is None else (size.width, size.height)
        assert model is not None
        try:
            behind = _own(model, asked.revision) if asked.llm == OWN else asked.llm
            answers.append(plan_within(model, budgets, llm=behind, width=width, height=height, **common))
        except (NothingFits, InputError) as error:  # one model may take what another does not
            complain(f"failed: {error}")
            failed = error.exit_code
            continue
        if asked.as_json:
            echo_json(answers[-1].as_dict())
    if answers and not asked.as_json:
        _print(answers)
    return failed or asked.failures.exit_code


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
