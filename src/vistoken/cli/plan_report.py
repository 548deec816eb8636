"""`vistoken plan -o FILE`: a report in which every number has its formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vistoken.cli.plan_llm import cost_of
from vistoken.cli.shared import echo_json
from vistoken.errors import InputError, UsageError

if TYPE_CHECKING:
    from vistoken.cli.plan_asked import Asked
    from vistoken.counting import TokenCount
    from vistoken.geometry import Size
    from vistoken.planning.report_cases import Case

MOST = 50  # plans in one report: beyond, nobody reads it

report_option = click.option(
    "-o", "--output", metavar="FILE",
    help="Write a report, each number with its formula: .md, .html (one page with charts) or .json.",
)  # fmt: skip


def answer(asked: Asked, output: str) -> int:
    """Every model at every size in one file, written whole or not at all; the exit code."""
    from vistoken.planning.report_files import check_report, write_report

    check_report(output)
    cases: list[Case] = []
    for model, label, size, _ in asked.each():
        if len(cases) == MOST:
            raise UsageError(f"a report holds {MOST} plans, one for each model and size: leave out some")
        try:
            cases.append(_case(asked, model, size))
        except InputError as error:  # one model may refuse what the others take
            asked.failures.add(InputError(f"{label}: {error}"))
    if cases:
        write_report(cases, output)
        titles = [case.title for case in cases]
        if asked.as_json:
            echo_json({"output": output, "plans": titles})
        else:
            click.echo(f"{output}: {'; '.join(titles)}")
    return asked.failures.exit_code


def _case(asked: Asked, model: str | None, size: Size | None) -> Case:
    from vistoken.planning.report_cases import Case

    plan = asked.plan(model, size)
    if model is None:
        return Case(plan, devices=asked.devices, mode=asked.mode)
    llm = cost_of(asked, model, plan.size) if asked.llm else None
    return Case(plan, _count(asked, model, plan.size), llm, asked.devices, asked.mode)


def _count(asked: Asked, model: str, size: Size) -> TokenCount:
    from vistoken import registry
    from vistoken.counting import count_views
    from vistoken.counting.tokens import video

    spec = registry.describe(model, settings=asked.settings, revision=asked.revision)
    return count_views(spec, size, asked.input, video(asked.frames, asked.duration, asked.fps))
