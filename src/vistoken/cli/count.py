"""`vistoken count`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from vistoken.cli.count_items import items
from vistoken.cli.count_many import Many, many_options
from vistoken.cli.count_messages import messages_options, print_messages
from vistoken.cli.count_options import document_options, price_option, within_options
from vistoken.cli.count_print import notes, printer
from vistoken.cli.shared import (
    Failures,
    common_options,
    model_option,
    note,
    parse_input,
    parse_settings,
    video_options,
)
from vistoken.errors import UsageError

if TYPE_CHECKING:
    from vistoken.cli.count_price import Prices
    from vistoken.cli.count_print import Row
    from vistoken.counting import TokenCount
    from vistoken.counting.names import Name
    from vistoken.geometry import Size
    from vistoken.model_spec import ModelSpec
    from vistoken.video import Clip, Source


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
  vistoken count report.pdf -m gemini-3-pro -m claude-opus-5 --pages 1-5,9
  vistoken count holiday.mp4 -m qwen2.5-vl-7b
  vistoken count photos/ -m ./my-checkpoint --json
  vistoken count sizes.csv -m qwen2.5-vl-7b -m internvl3-8b --summary
  vistoken count photos/ -m qwen2.5-vl-7b --csv
  vistoken count --messages request.json -m gpt-5-mini --assume 1024x1024""",
)
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@model_option()
@common_options
@video_options
@document_options
@messages_options
@click.option(
    "--images-in-prompt", type=int, default=1, metavar="N", help="Pictures that share the prompt; some rules ask."
)
@within_options
@price_option
@click.option("--explain", is_flag=True, help="Show the steps with their numbers.")
@many_options
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
    **options: Any,
) -> int:
    """Count the visual tokens of pictures, folders and sizes, from sizes alone; of videos with --frames or --duration.

    A SOURCE is a size (WIDTHxHEIGHT), a picture, a folder of pictures (recursive, files by their ending), a glob, a
    document (PDF, TIFF), a video file, a table of sizes (.csv, .tsv, .jsonl, .parquet), an address of fsspec
    (s3://bucket/photos), or -, a list of sizes, pictures and folders on stdin. Of a picture only the header is read;
    its orientation is applied. Documents, whose pages share one prompt, and videos are told first.
    """
    from vistoken import registry
    from vistoken.cli.count_files import Files, OfFiles
    from vistoken.counting.tokens import video

    many, files, within = Many.taken(options), Files.taken(sources, options), options
    many.check(sources, as_json=as_json, explain=explain)
    given, fed, failures = parse_settings(settings), parse_input(input_size), Failures()
    priced = _priced(prices, models)
    fitting = any(value is not None for value in within.values())
    if messages is not None or assume is not None:
        others = bool(sources or fed or frames or duration or fps or many.given or fitting) or images_in_prompt != 1
        others = others or bool(files.option)
        return print_messages(messages, models, given, revision, assume, others, as_json, explain, priced)
    if not sources:
        raise click.UsageError("Missing argument 'SOURCE...'.")
    files.check(duration=duration, fed=fed, frames=frames, fps=fps)
    how = (fed, video(frames, duration, fps) if files.others else None, images_in_prompt)
    if fitting:
        from vistoken.cli.count_within import Asked, answer

        if fed or explain:
            raise UsageError("--within, --context and --write have no use for --input and --explain: leave them out")
        many.refuse("--within, --context and --write")
        words, film = files.fitted(sources, how[1], frames=frames, fps=fps)
        return answer(Asked(words, models, given, revision, film, images_in_prompt, as_json, priced, **within))
    specs = [registry.describe(model, settings=given, revision=revision) for model in models]
    if files.found:
        many.refuse("documents and videos")
        OfFiles(models, specs, failures, as_json, explain, priced).show(files, images_in_prompt, frames, fps)
        if not files.others:
            return failures.exit_code
    listed = items(failures, files.others, many.columns, many.null)
    if many.summary:
        from vistoken.cli import count_summary

        takers = [count_summary.Taker(spec, how, failures, len(specs) == 1) for spec in specs]
        return count_summary.answer(listed, takers, models, many, priced, sources if as_json else None)
    if not as_json and not explain:  # which hold them
        notes(specs)
    if priced and not as_json:
        note(priced.unit)
    out = printer(specs, models, priced, json=as_json, csv=many.csv, explain=explain)
    for row in many.limited(_rows(listed, specs, how, failures)):
        out.add(row)
    out.end()
    return many.exit_code(failures)


def _priced(words: Sequence[str], models: Sequence[str]) -> Prices | None:
    if not words:
        return None
    from vistoken.cli.count_price import Prices

    return Prices(words, models)


def _rows(
    listed: Iterable[tuple[Name, Size]],
    specs: Sequence[ModelSpec],
    how: tuple[Size | None, Clip | Source | None, int],
    failures: Failures,
) -> Iterator[Row]:
    """One row an item; None where a model refuses what others may take."""
    from vistoken.counting import count_views
    from vistoken.counting.names import called
    from vistoken.errors import InputError

    for name, size in listed:
        results: list[TokenCount | None] = []
        for spec in specs:
            try:
                results.append(count_views(spec, size, *how))
            except (InputError, UsageError) as error:
                if isinstance(error, UsageError) and len(specs) == 1:
                    raise  # of several models, one that takes no video does not stop the others
                failures.add(InputError(f"{spec.name}: {error}"), called(name))
                results.append(None)
        yield called(name), size, results
