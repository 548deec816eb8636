"""`vistoken plan --llm`: what the visual tokens cost in the language model behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vistoken.cli.shared import print_table

if TYPE_CHECKING:
    from vistoken.cli.plan_asked import Asked
    from vistoken.geometry import Size
    from vistoken.planning.llm import LlmCost, LlmSpec

OWN = "own"  # the word for the model's own LLM

llm_option = click.option(
    "--llm", metavar="NAME",
    help=f"Add the LLM behind: '{OWN}' for the model's, a name (qwen2.5-7b), or a folder with its config.json.",
)  # fmt: skip


def cost_of(asked: Asked, model: str, size: Size) -> LlmCost:
    """The cost of one picture or video of `size` in the prompt of the LLM that is asked for."""
    from vistoken import registry
    from vistoken.counting import count_views
    from vistoken.counting.tokens import video
    from vistoken.planning.llm import llm_cost

    assert asked.llm is not None
    spec = registry.describe(model, settings=asked.settings, revision=asked.revision)
    count = count_views(spec, size, asked.input, video(asked.frames, asked.duration, asked.fps))
    return llm_cost(find_behind(asked.llm, model, asked.revision), count.tokens, image_tokens=count.image_tokens)


def find_behind(llm: str, model: str, revision: str | None) -> LlmSpec:
    from vistoken.planning.llm_table import find_llm, llm_of

    return llm_of(model, revision=revision) if llm == OWN else find_llm(llm)


def print_llm(title: str, cost: LlmCost) -> None:
    """Cache, prefill and share of the context, with their conventions."""
    llm = cost.llm
    click.echo(f"\n{title}: {cost.tokens:,} tokens into {llm.name} ({llm.source})\n")
    rows = [[name, f"{value:,}", f"{value / cost.macs.total:.1%}"] for name, value in cost.macs.rows if value]
    print_table(["prefill, multiply-adds", "", "share"], [*rows, ["total", f"{cost.macs.total:,}", ""]], total=True)
    click.echo(f"({cost.macs.convention})\n")
    linear = f"{cost.linear_flops / 1e12:,.1f} of them linear"
    click.echo(f"prefill  {cost.macs.total / 1e12:,.2f} TMACs = {cost.flops.total / 1e12:,.1f} TFLOPs, {linear}")
    click.echo(f"cache    {cost.kv.total / 2**20:,.1f} MiB in {cost.dtype} ({cost.kv.convention})")
    met = f"a token meets {llm.linear_weights / 1e9:,.2f} G of them in the layers"
    click.echo(f"LLM      {llm.params / 1e9:,.2f} G parameters; {met}")
    left = f"{cost.left:,} are left" if cost.left >= 0 else f"{-cost.left:,} too many"
    click.echo(f"context  {cost.share:.2%} of {llm.context:,} tokens; {left}")
