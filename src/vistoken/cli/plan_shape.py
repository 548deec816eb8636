"""`vistoken plan --shape`: the shape rule of SoViT, with its error and its domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from vistoken.cli.shared import echo_json, print_table
from vistoken.errors import UsageError

if TYPE_CHECKING:
    from vistoken.planning.shape import Advice

shape_option = click.option(
    "--shape", metavar="ANCHOR:FACTORx",
    help="Width, depth and MLP for more or less compute by SoViT's rule: so400m:10x, so150m:0.5x, or for a picture's "
         "multiply-adds so400m:macs=100G.",
)  # fmt: skip
_USED = {"shape", "sources", "as_json"}


def answer(text: str, sources: Sequence[str], as_json: bool) -> int:
    """The shape for one size of picture, 224x224 where none is given; the exit code."""
    from vistoken.geometry import Size
    from vistoken.planning.shape import advise

    _check_alone()
    if len(sources) > 1:
        raise UsageError(f"--shape takes one size, not {len(sources)}: write WIDTHxHEIGHT once, or leave it out")
    size = Size.parse(sources[0]) if sources else Size(224, 224)
    advice = advise(text, width=size.width, height=size.height)
    if as_json:
        echo_json(advice.as_dict())
    else:
        _print(advice)
    return 0


def _check_alone() -> None:
    """Raise `UsageError` for an option that says nothing about a shape."""
    context = click.get_current_context()
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if source is click.core.ParameterSource.COMMANDLINE and option.name not in _USED:
            raise UsageError(f"--shape has no use for {option.opts[-1]}: leave it out")


def _print(advice: Advice) -> None:
    from vistoken.planning.shape import DOMAIN, ERROR, EXPONENTS, HEADS, MULTIPLE, PATCH, SAYS_NOT

    plan, ranges = advice.plan, advice.ranges()
    click.echo(f"{advice.factor:,.4g} times the compute of {advice.anchor}, as the rule of SoViT shapes it\n")
    names = {"dim": "dim", "depth": "depth", "mlp": "MLP"}
    rows = [
        [label, f"{getattr(advice.shape, name):,.0f}", f"{getattr(advice.exact, name):,.1f}",
         f"{ranges[name][0]:,} to {ranges[name][1]:,}"]
        for name, label in names.items()
    ]  # fmt: skip
    print_table(["", "shape", "the rule says", "may be"], rows)
    exponents = ", ".join(f"{label} k^({EXPONENTS[name]:g}/3)" for name, label in names.items())
    click.echo(f"\n(for k times the compute: {exponents}; dim and MLP rounded to multiples of {MULTIPLE})\n")
    macs = plan.macs.total
    click.echo(f"parameters  {plan.params.total:,}, with patches of {PATCH}, {HEADS} heads and an attention pool")
    click.echo(f"compute     {macs / 1e9:,.2f} GMACs = {2 * macs / 1e9:,.2f} GFLOPs for a picture of {plan.size}")
    click.echo(
        f"error       the rule was up to {ERROR:.0%} off the two shapes that the paper trained (arXiv 2305.13035)"
    )
    click.echo(f"domain      {DOMAIN}")
    if advice.beyond:
        click.echo("            this compute is outside of what the paper has looked at")
    click.echo(f"\n{SAYS_NOT}")
