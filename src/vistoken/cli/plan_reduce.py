"""`vistoken plan --reduce`: fewer visual tokens, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from vistoken.cli.shared import dash, echo_json, print_table
from vistoken.errors import InputError, UsageError

if TYPE_CHECKING:
    from vistoken.cli.plan_asked import Asked
    from vistoken.planning.llm import LlmSpec
    from vistoken.planning.reducing import Comparison, Reduced
    from vistoken.planning.reductions import Reduction

reduce_option = click.option(
    "--reduce", "reductions", multiple=True, metavar="WHAT=N",
    help="Compare a reduction of tokens: pool=2, shuffle=2, resample=64, frames=8, every=2, merge=16, drop=0.5, "
         "drop=0.5@6 (in front of block 6), fastv=0.5@2 (behind layer 2 of the LLM), or all for a standard set. "
         "Repeatable.",
)  # fmt: skip


def answer(asked: Asked, words: Sequence[str]) -> int:
    """One table for each size and model; the exit code. What was asked for by name and has no meaning is a failure."""
    from vistoken.planning.reducing import plan_reductions
    from vistoken.planning.reductions import ALL, parse_reductions

    asked.refuse("--reduce", head=asked.head, merge_tokens=asked.merge_tokens)
    if asked.geometry:
        raise UsageError("--reduce needs -m MODEL: bare geometry hands its tokens to nobody")
    named = parse_reductions([word for word in words if word != ALL])
    for number, (model, label, size, sources) in enumerate(asked.each()):
        assert model is not None
        width, height = (None, None) if size is None else (size.width, size.height)
        try:
            found = plan_reductions(
                model, words, width=width, height=height, input=asked.input, frames=asked.frames,
                duration=asked.duration, fps=asked.fps, llm=_llm(asked, model), batch=asked.batch, dtype=asked.dtype,
                revision=asked.revision, **asked.settings,
            )  # fmt: skip
        except InputError as error:  # one model may refuse what the others take
            asked.failures.add(InputError(f"{label}: {error}"))
            continue
        if asked.as_json:
            echo_json({"sources": sources, **found.as_dict(), "rows": _rows(found, asked)})
        else:
            click.echo("\n" * bool(number), nl=False)
            _print(found, asked, named)
        for reduction, reason in found.without:
            if reduction in named:
                asked.failures.add(InputError(f"{label}, {reduction}: {reason}"))
    return asked.failures.exit_code


def _llm(asked: Asked, model: str) -> LlmSpec | str | None:
    from vistoken.cli.plan_llm import OWN

    if asked.llm != OWN:
        return asked.llm
    from vistoken.planning.llm_table import llm_of

    return llm_of(model, revision=asked.revision)


def _rows(found: Comparison, asked: Asked) -> list[dict[str, Any]]:
    return [
        row.as_dict() | {"latency": [found.latency(row, card, asked.mode).as_dict() for card in asked.devices]}
        for row in found.rows
    ]


def _print(found: Comparison, asked: Asked, named: Sequence[Reduction]) -> None:
    """The table, and what it rests on; a reduction that was `named` and has no meaning is told as a failure."""
    plan, llm = found.plan, found.llm
    kind, what = ("video", f"{plan.frames} frames") if plan.frames else ("picture", "one picture")
    behind = f", in front of {llm.name}" if llm else ""
    table = [_line(found, row, asked) for row in found.rows]  # which may refuse a device
    click.echo(f"{plan.model} at {plan.size}, {what}{behind}\n")
    header = ["", "tokens", "dim", "tower, GFLOPs", "projector, GFLOPs"]
    header += ["prefill, TFLOPs", f"cache, MiB ({found.kv_dtype})"] if llm else []
    header += [f"{card.name}, ms" for card in asked.devices]
    print_table(header, table)
    tokens = "image and marker tokens for the LLM" if found.prompts else "patch tokens that are handed on"
    cache = "; MiB: 2^20 bytes, of one prompt" if llm else ""
    click.echo(f"\ntokens: {tokens}; FLOPs: two for each multiply-add, for one {kind}{cache}")
    if asked.devices:
        click.echo(f"ms: tower and projector, batch {plan.batch}, {plan.dtype}, {asked.mode}")
        for line in _reasons(found, asked):
            click.echo(line)
    for reduction, reason in found.without:
        if reduction not in named:
            click.echo(f"{reduction} has no meaning here: {reason}")
    if found.pools:
        _print_pools(found)


def _line(found: Comparison, row: Reduced, asked: Asked) -> list[str]:
    cells = [row.label, f"{row.tokens:,}", dash(row.dim), f"{row.tower_flops / 1e9:,.2f}"]
    cells.append(f"{row.projector_flops / 1e9:,.2f}")
    if row.prefill_flops is not None and row.kv_bytes is not None:
        cells += [f"{row.prefill_flops / 1e12:,.3f}", f"{row.kv_bytes / 2**20:,.1f}"]
    return cells + [str(found.latency(row, card, asked.mode).seconds.times(1000)) for card in asked.devices]


def _reasons(found: Comparison, asked: Asked) -> list[str]:
    """What the ranges rest on, each once."""
    reasons = dict[str, None]()
    for row in found.rows:
        for card in asked.devices:
            latency = found.latency(row, card, asked.mode)
            reasons |= dict.fromkeys([f"{card.name}: {latency.seconds.reason}", *latency.notes])
    return list(reasons)


def _print_pools(found: Comparison) -> None:
    """Which pooling gives what for one picture."""
    click.echo("\npooled, for one picture\n")
    rows = [
        [one.name, f"{one.tokens:,}", f"{one.dim:,}", f"{one.params:,}", f"{one.macs:,}", "yes" if one.own else ""]
        for one in found.pools
    ]
    print_table(["", "tokens", "dim", "parameters", "multiply-adds", "the model's own"], rows)
