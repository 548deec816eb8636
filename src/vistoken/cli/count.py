"""`vistoken count`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from vistoken.frozen import frozen

if TYPE_CHECKING:
    from vistoken.cli.count_files import Files
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
def command(messages: str | None, assume: str | None, **options: Any) -> int:
    """Count the visual tokens of pictures, folders and sizes, from sizes alone; of videos with --frames or --duration.

    A SOURCE is a size (WIDTHxHEIGHT), a picture, a folder of pictures (recursive, files by their ending), a glob, a
    document (PDF, TIFF), a video file, a table of sizes (.csv, .tsv, .jsonl, .parquet), an address of fsspec
    (s3://bucket/photos), or -, a list of sizes, pictures and folders on stdin. Of a picture only the header is read;
    its orientation is applied. Documents, whose pages share one prompt, and videos are told first.
    """
    within = {name: options.pop(name) for name in ("within", "context", "write", "max_image_pixels")}
    asked = Asked.parse(**options)
    fitting = any(value is not None for value in within.values())
    if messages is not None or assume is not None:
        return _prompt(asked, messages, assume, fitting)
    if not asked.sources:
        raise click.UsageError("Missing argument 'SOURCE...'.")
    asked.files.check(duration=asked.duration, fed=asked.input, frames=asked.frames, fps=asked.fps)
    return _fitting(asked, within) if fitting else _counted(asked)


@frozen
class Asked:
    """What the command line asks for; `frames`, `duration` and `fps` are of videos that are given as sizes."""

    sources: tuple[str, ...]
    models: tuple[str, ...]
    input: Size | None
    settings: Mapping[str, Any]
    revision: str | None
    as_json: bool
    explain: bool
    frames: int | None
    duration: float | None
    fps: float | None
    images_in_prompt: int
    prices: Prices | None
    many: Many
    files: Files

    @classmethod
    def parse(cls, *, input_size: str | None, settings: Sequence[str], prices: Sequence[str], **others: Any) -> Asked:
        """From the values of the options. Raises `UsageError` for what cannot be meant."""
        from vistoken.cli.count_files import Files

        many, files = Many.taken(others), Files.taken(others["sources"], others)
        many.check(others["sources"], as_json=others["as_json"], explain=others["explain"])
        given, fed = parse_settings(settings), parse_input(input_size)
        priced = _priced(prices, others["models"])
        return cls(settings=given, input=fed, prices=priced, many=many, files=files, **others)

    @property
    def film(self) -> Clip | Source | None:
        """The video that sizes and pictures stand for."""
        from vistoken.counting.tokens import video

        return video(self.frames, self.duration, self.fps) if self.files.others else None


def _prompt(asked: Asked, messages: str | None, assume: str | None, fitting: bool) -> int:
    others = (asked.sources, asked.input, asked.frames, asked.duration, asked.fps, asked.many.given, asked.files.option)
    more = any(others) or fitting or asked.images_in_prompt != 1
    return print_messages(
        messages, asked.models, asked.settings, asked.revision, assume, more, asked.as_json, asked.explain, asked.prices
    )


def _fitting(asked: Asked, within: Mapping[str, Any]) -> int:
    from vistoken.cli.count_within import Asked as Wanted
    from vistoken.cli.count_within import answer
    from vistoken.tables import is_table

    if asked.input or asked.explain:
        raise UsageError("--within, --context and --write have no use for --input and --explain: leave them out")
    asked.many.refuse("--within, --context and --write")
    for word in asked.sources:
        if word == "-" or is_table(word):
            raise UsageError(f"--within, --context and --write take no list and no table: leave out {word}")
    words, film = asked.files.fitted(asked.sources, asked.film, frames=asked.frames, fps=asked.fps)
    return answer(
        Wanted(
            words, asked.models, asked.settings, asked.revision, film, asked.images_in_prompt, asked.as_json,
            asked.prices, **within,
        )
    )  # fmt: skip


def _counted(asked: Asked) -> int:
    """Documents and videos, then everything else: a row an item, or a summary."""
    from vistoken import registry

    failures, how = Failures(), (asked.input, asked.film, asked.images_in_prompt)
    specs = [registry.describe(model, settings=asked.settings, revision=asked.revision) for model in asked.models]
    if asked.files.found:
        from vistoken.cli.count_files import OfFiles

        asked.many.refuse("documents and videos")
        shown = OfFiles(asked.models, specs, failures, asked.as_json, asked.explain, asked.prices)
        shown.show(asked.files, asked.images_in_prompt, asked.frames, asked.fps)
        if not asked.files.others:
            return failures.exit_code
    listed = items(failures, asked.files.others, asked.many.columns, asked.many.null)
    if asked.many.summary:
        from vistoken.cli import count_summary

        takers = [count_summary.Taker(spec, how, failures, len(specs) == 1) for spec in specs]
        sources = asked.sources if asked.as_json else None
        return count_summary.answer(listed, takers, asked.models, asked.many, asked.prices, sources)
    return _print(asked, specs, _rows(listed, specs, how, failures), failures)


def _print(asked: Asked, specs: Sequence[ModelSpec], rows: Iterable[Row], failures: Failures) -> int:
    if not asked.as_json and not asked.explain:  # which hold them
        notes(specs)
    if asked.prices and not asked.as_json:
        note(asked.prices.unit)
    out = printer(specs, asked.models, asked.prices, json=asked.as_json, csv=asked.many.csv, explain=asked.explain)
    for row in asked.many.limited(rows):
        out.add(row)
    out.end()
    return asked.many.exit_code(failures)


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
