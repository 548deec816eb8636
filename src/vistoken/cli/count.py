"""`vistoken count`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from vistoken.cli.count_messages import messages_options, print_messages
from vistoken.cli.count_options import price_option, within_options
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
    video_options,
)
from vistoken.errors import printable

if TYPE_CHECKING:
    from vistoken.cli.count_price import Prices
    from vistoken.counting import TokenCount
    from vistoken.geometry import Size
    from vistoken.model_spec import ModelSpec
    from vistoken.video import Clip, Source

    Row = tuple[str, Size, list[TokenCount | None]]  # source, size, and the result of each model


@click.command(
    "count",
    short_help="How many visual tokens, and why.",
    epilog="""\b
Examples:
  vistoken count 1280x720 -m qwen2.5-vl-7b
  vistoken count 1280x720 -m qwen2.5-vl-7b --set max_pixels=501760 --explain
  vistoken count 1280x720 -m internvl3-8b -m qwen2.5-vl-7b
  vistoken count 1280x720 -m qwen2.5-vl-7b --duration 60 --fps 30
  vistoken count 1280x720 -m qwen2.5-vl-7b --frames 32
  vistoken count 1280x720 -m qwen2.5-vl-7b --within 640 --context 32768
  vistoken count photos/ -m qwen2.5-vl-7b --within 640 --write smaller/
  vistoken count 1280x720 -m gpt-4o --price 3.00
  vistoken count photo.jpg photos/ -m clip-l14-336 -m siglip2-naflex
  vistoken count photos/ -m ./my-checkpoint --json
  vistoken count --messages request.json -m gpt-5-mini --assume 1024x1024""",
)
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@model_option()
@common_options
@video_options
@messages_options
@click.option(
    "--images-in-prompt", type=int, default=1, metavar="N", help="Pictures that share the prompt; some rules ask."
)
@within_options
@price_option
@click.option("--explain", is_flag=True, help="Show the steps with their numbers.")
def command(
    sources: tuple[str, ...],
    models: tuple[str, ...],
    input_size: str | None,
    settings: tuple[str, ...],
    revision: str | None,
    as_json: bool,
    frames: int | None,
    duration: float | None,
    fps: float | None,
    messages: str | None,
    assume: str | None,
    images_in_prompt: int,
    explain: bool,
    prices: tuple[str, ...],
    **within: Any,
) -> int:
    """Count the visual tokens of pictures, folders and sizes, from sizes alone; of videos with --frames or --duration.

    A SOURCE is a size (WIDTHxHEIGHT), a picture, a folder (recursive, files by their ending) or a glob. Of a picture
    only the header is read; its orientation is applied.
    """
    from vistoken import registry
    from vistoken.counting.tokens import video
    from vistoken.errors import UsageError

    given, fed, failures = parse_settings(settings), parse_input(input_size), Failures()
    priced = _priced(prices, models)
    if messages is not None or assume is not None:
        others = bool(sources or fed or frames or duration or fps) or images_in_prompt != 1
        others = others or any(value is not None for value in within.values())
        return print_messages(messages, models, given, revision, assume, others, as_json, explain, priced)
    if not sources:
        raise click.UsageError("Missing argument 'SOURCE...'.")
    film = video(frames, duration, fps)
    if any(value is not None for value in within.values()):
        from vistoken.cli.count_within import Asked, answer

        if fed or explain:
            raise UsageError("--within, --context and --write have no use for --input and --explain: leave them out")
        return answer(Asked(sources, models, given, revision, film, images_in_prompt, as_json, priced, **within))
    specs = [registry.describe(model, settings=given, revision=revision) for model in models]
    rows: list[Row] = []
    for row in _rows(sources, specs, (fed, film, images_in_prompt), failures):
        rows.append(row)
        for model, result in zip(models, row[2], strict=True):
            if result and as_json:
                explanation = {"explanation": result.explain()} if explain else {}
                cost = priced.twin(model, result.tokens) if priced else {}
                echo_json({"source": row[0], **result.as_dict(), **cost, **explanation})
            elif result and explain:
                click.echo(result.explain())
                if priced:
                    click.echo(f"  price: {priced.show(model, result.tokens)}")
    if not as_json and not explain:  # an explanation holds them
        _notes(specs)
    if priced and not as_json:
        note(priced.unit)
    if not as_json and not explain and any(result for _, _, results in rows for result in results):
        if len(specs) == 1:
            _print_one_model(rows, specs[0].name, models[0], priced)
        else:
            _print_models(rows, models, priced)
    return failures.exit_code


def _priced(words: Sequence[str], models: Sequence[str]) -> Prices | None:
    if not words:
        return None
    from vistoken.cli.count_price import Prices

    return Prices(words, models)


def _rows(
    sources: Sequence[str],
    specs: Sequence[ModelSpec],
    how: tuple[Size | None, Clip | Source | None, int],
    failures: Failures,
) -> Iterator[Row]:
    """One row a source that can be read; None where a model refuses what others may take."""
    from vistoken.counting import count_views
    from vistoken.errors import InputError, UsageError

    for source in failures.expand(sources):
        try:
            size = source.size
        except InputError as error:
            failures.add(error, source.name)
            continue
        results: list[TokenCount | None] = []
        for spec in specs:
            try:
                results.append(count_views(spec, size, *how))
            except (InputError, UsageError) as error:
                if isinstance(error, UsageError) and len(specs) == 1:
                    raise  # of several models, one that takes no video does not stop the others
                failures.add(InputError(f"{spec.name}: {error}"), source.name)
                results.append(None)
        yield source.name, size, results


def _notes(specs: Sequence[ModelSpec]) -> None:
    for spec in specs:
        for text in spec.notes:
            note(f"{spec.name}: {text}")
        if spec.trust.settings.weak:
            note(f"{spec.name}: settings {spec.trust.settings}")


def _print_one_model(rows: Sequence[Row], model: str, word: str, priced: Prices | None) -> None:
    """One model: how each picture came to its number."""
    header = ["source", "size", "seen as", "grid", "patches", "prefix", "image tokens", "markers", "tokens"]
    kept = [(name, size, result) for name, size, (result,) in rows if result]
    cells = [
        [name, str(size), *_seen(result), *map(dash, (result.patches, result.prefix_tokens, result.image_tokens,
                                                      result.marker_tokens, result.tokens))]
        for name, size, result in kept
    ]  # fmt: skip
    if len(cells) > 1:
        tokens = sum(result.tokens for _, _, result in kept)
        cells.append([f"{len(cells)} {_kind(kept[0][2])}", *[""] * (len(header) - 2), dash(tokens)])
    if not any(result.marker_tokens for _, _, result in kept):  # most models write none
        for row in (header, *cells):
            del row[-2]
    if priced:
        counted = [result.tokens for _, _, result in kept]
        header.append("price")
        for row, tokens in zip(cells, (*counted, sum(counted)), strict=len(cells) > 1):
            row.append(priced.show(word, tokens))
    for crossed in dict.fromkeys(result.cross_tokens for _, _, result in kept if result.cross_tokens):
        note(f"{model}: besides, the LLM reads {crossed:,} tokens a picture by cross-attention")
    click.echo(f"{printable(model)}\n")
    print_table(header, cells, left=1, total=len(kept) > 1)


def _seen(result: TokenCount) -> tuple[str, str]:
    """The size after resizing and the grid; of several views how many there are, and how they lie."""
    tiling = result.tiling
    if tiling.views == 1 and len(views := result.views) == 1:
        return str(views[0].size), str(views[0].grid)
    whole = " + 1" if tiling.overview else ""
    return f"{tiling.views:,} views", f"{tiling.rows} x {tiling.cols}{whole}"


def _kind(result: TokenCount) -> str:
    return "videos" if result.clip else "pictures"


def _print_models(rows: Sequence[Row], models: Sequence[str], priced: Prices | None) -> None:
    """Several models side by side: tokens; a dash where a model refuses the picture."""
    table = [[None if result is None else result.tokens for result in results] for _, _, results in rows]
    cells = [[name, str(size), *map(dash, tokens)] for (name, size, _), tokens in zip(rows, table, strict=True)]
    header = ["tokens", "size", *models]
    if len(rows) > 1:
        table.append([sum(value or 0 for value in column) for column in zip(*table, strict=True)])
        results = [result for _, _, row in rows for result in row if result]
        cells.append([f"{len(rows)} {_kind(results[0])}", "", *map(dash, table[-1])])
    if priced:
        header += [f"price, {model}" for model in models]
        for row, tokens in zip(cells, table, strict=True):
            row += map(priced.show, models, tokens)
    print_table(header, cells, left=1, total=len(rows) > 1)
