"""`vistoken count`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from vistoken.cli.shared import (
    Failures,
    common_options,
    dash,
    echo_json,
    model_option,
    note,
    parse_input,
    parse_settings,
    print_table,
    printable,
)

if TYPE_CHECKING:
    from vistoken.counting import TokenCount
    from vistoken.geometry import Size
    from vistoken.model_spec import ModelSpec

    Row = tuple[str, Size, list[TokenCount | None]]  # source, size, and the result of each model


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

    given, fed, failures = parse_settings(settings), parse_input(input_size), Failures()
    specs = [registry.describe(model, settings=given, revision=revision) for model in models]
    rows: list[Row] = []
    for row in _rows(sources, specs, fed, failures):
        rows.append(row)
        for result in filter(None, row[2]):
            if as_json:
                explanation = {"explanation": result.explain()} if explain else {}
                echo_json({"source": row[0], **result.as_dict(), **explanation})
            elif explain:
                click.echo(result.explain())
    if not as_json:
        _note_weak_settings(specs)
    if not as_json and not explain and any(result for _, _, results in rows for result in results):
        _print_one_model(rows, specs[0].name) if len(specs) == 1 else _print_models(rows, models)
    return failures.exit_code


def _rows(sources: Sequence[str], specs: Sequence[ModelSpec], fed: Size | None, failures: Failures) -> Iterator[Row]:
    """One row a source that can be read; None where a model refuses what others may take."""
    from vistoken.counting import count_views
    from vistoken.errors import InputError

    for source in failures.expand(sources):
        try:
            size = source.size
        except InputError as error:
            failures.add(error, source.name)
            continue
        results: list[TokenCount | None] = []
        for spec in specs:
            try:
                results.append(count_views(spec, size, fed))
            except InputError as error:
                failures.add(InputError(f"{spec.name}: {error}"), source.name)
                results.append(None)
        yield source.name, size, results


def _note_weak_settings(specs: Sequence[ModelSpec]) -> None:
    for spec in specs:
        if spec.trust.settings.weak:
            note(f"{spec.name}: settings {spec.trust.settings}")


def _print_one_model(rows: Sequence[Row], model: str) -> None:
    """One model: how each picture came to its number."""
    header = ["source", "size", "seen as", "grid", "patches", "prefix", "image tokens", "tokens"]
    cells, tokens = [], []
    for name, size, (result,) in rows:
        if result is None:
            continue
        views = result.views
        seen = str(views[0].size) if len(views) == 1 else f"{len(views)} views"
        grid = str(views[0].grid) if len(views) == 1 else "-"
        cells.append([name, str(size), seen, grid, dash(result.patches), dash(result.prefix_tokens),
                      dash(result.image_tokens), dash(result.tokens)])  # fmt: skip
        tokens.append(result.tokens)
    if len(cells) > 1:
        cells.append([f"{len(cells)} pictures", "", "", "", "", "", "", dash(sum(tokens))])
    click.echo(f"{printable(model)}\n")
    print_table(header, cells, left=1, total=len(tokens) > 1)


def _print_models(rows: Sequence[Row], models: Sequence[str]) -> None:
    """Several models side by side: tokens; a dash where a model refuses the picture."""
    table = [[None if result is None else result.tokens for result in results] for _, _, results in rows]
    cells = [[name, str(size), *map(dash, tokens)] for (name, size, _), tokens in zip(rows, table, strict=True)]
    if len(rows) > 1:
        sums = [sum(value or 0 for value in column) for column in zip(*table, strict=True)]
        cells.append([f"{len(rows)} pictures", "", *map(dash, sums)])
    print_table(["tokens", "size", *models], cells, left=1, total=len(rows) > 1)
