"""`vistoken count`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from vistoken.cli.shared import (
    Failures,
    common_options,
    dash,
    echo_json,
    model_option,
    parse_input,
    parse_settings,
    print_table,
)

if TYPE_CHECKING:
    from vistoken.counting import TokenCount


@click.command(
    "count",
    short_help="How many visual tokens, and why.",
    epilog="""\b
Examples:
  vistoken count 1280x720 -m qwen2.5-vl-7b
  vistoken count 1280x720 -m qwen2.5-vl-7b --set max_pixels=501760 --explain
  vistoken count photo.jpg photos/ -m clip-l14-336 -m siglip2-naflex
  vistoken count photos/ -m ./my-checkpoint --json""",
)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@model_option()
@common_options
@click.option("--explain", is_flag=True, help="Show the steps with their numbers.")
def command(
    sources: tuple[str, ...],
    models: tuple[str, ...],
    input_size: str | None,
    settings: tuple[str, ...],
    revision: str | None,
    as_json: bool,
    explain: bool,
) -> int:
    """Count the visual tokens of pictures, folders and sizes, from sizes alone.

    A SOURCE is a size (WIDTHxHEIGHT), a picture, a folder (recursive, files by their ending) or a glob. Of a picture
    only the header is read; its orientation is applied.
    """
    from vistoken import registry
    from vistoken.counting import count_views
    from vistoken.errors import InputError

    given, fed, failures = parse_settings(settings), parse_input(input_size), Failures()
    specs = [registry.describe(model, settings=given, revision=revision) for model in models]
    rows: list[tuple[str, list[TokenCount]]] = []
    for source in failures.expand(sources):
        try:
            results = [count_views(spec, source.size, fed) for spec in specs]
        except InputError as error:
            failures.add(error, source.name)
            continue
        rows.append((source.name, results))
        for result in results:
            if as_json:
                echo_json({"source": source.name, **result.as_dict()})
            elif explain:
                click.echo(result.explain())
    if rows and not as_json and not explain:
        _print_one_model(rows) if len(specs) == 1 else _print_models(rows)
    return failures.exit_code


def _print_one_model(rows: Sequence[tuple[str, list[TokenCount]]]) -> None:
    """One model: how each picture came to its number."""
    header = ["source", "size", "resized to", "grid", "patches", "prefix", "image tokens", "tokens"]
    cells = []
    for name, (result,) in rows:
        views = result.views
        sizes = str(views[0].size) if len(views) == 1 else f"{len(views)} views"
        grid = str(views[0].grid) if len(views) == 1 else "-"
        cells.append([name, str(result.size), sizes, grid, dash(result.patches), dash(result.prefix_tokens),
                      dash(result.image_tokens), dash(result.tokens)])  # fmt: skip
    if len(rows) > 1:
        total = sum(result.tokens for _, (result,) in rows)
        cells.append([f"{len(rows)} pictures", "", "", "", "", "", "", dash(total)])
    click.echo(f"{rows[0][1][0].model}\n")
    print_table(header, cells, left=1, total=len(rows) > 1)


def _print_models(rows: Sequence[tuple[str, list[TokenCount]]]) -> None:
    """Several models side by side: tokens."""
    header = ["tokens", "size", *(result.model for result in rows[0][1])]
    cells = [[name, str(results[0].size), *(dash(result.tokens) for result in results)] for name, results in rows]
    if len(rows) > 1:
        sums = [sum(results[column].tokens for _, results in rows) for column in range(len(rows[0][1]))]
        cells.append([f"{len(rows)} pictures", "", *map(dash, sums)])
    print_table(header, cells, left=1, total=len(rows) > 1)
