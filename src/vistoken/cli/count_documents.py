"""`vistoken count report.pdf`: the documents and videos among the sources; documents page by page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import click
from click.core import ParameterSource

from vistoken.cli.shared import Failures, complain, dash, echo_json, note, print_table
from vistoken.errors import InputError, UsageError, printable

if TYPE_CHECKING:
    from vistoken.counting.documents import DocumentCount
    from vistoken.documents import Pages
    from vistoken.model_spec import ModelSpec

F = TypeVar("F", bound=Callable[..., object])

NAMED = 5  # pages of a document that fail and are named


def document_options(command: F) -> F:
    """--pages, --dpi and --all-frames."""
    for option in (
        click.option("--all-frames", is_flag=True, help="Of an animation: every frame.  [default: the first one]"),
        click.option("--dpi", type=float, metavar="N",
                     help="Of a PDF: dots per inch at which pages become pictures.  [default: 200]"),
        click.option("--pages", metavar="1-5,9", help="Of a document: these pages alone."),
    ):  # fmt: skip
        command = option(command)
    return command


def split(words: Sequence[str], all_frames: bool) -> tuple[list[str], list[str], list[str]]:
    """Files that are documents, files that are videos, and all other words.

    Patterns of documents and videos are spelt out. Folders are searched for pictures alone: what they hold besides is
    left aside with a note, as ever.
    """
    documents, films, others = list[str](), list[str](), list[str]()
    if not any(os.path.isfile(word) or _has_marks(word) for word in words):
        return documents, films, list(words)  # sizes and folders, for which nothing need be imported
    from vistoken.documents import is_document
    from vistoken.films import is_film

    for word in words:
        for file in _spelt_out(word):
            kept = documents if is_document(file, all_frames) else films if is_film(file) else others
            kept.append(file)
    return documents, films, others


def _has_marks(word: str) -> bool:
    return any(mark in word for mark in "*?[")


def _spelt_out(word: str) -> Iterator[str]:
    """The files of a pattern of documents or videos, by its ending; other patterns are for pictures, however many."""
    from vistoken.documents import ENDINGS
    from vistoken.films import ENDINGS as FILMS
    from vistoken.sources import expand

    if os.path.lexists(word) or not _has_marks(word) or not word.lower().endswith((*ENDINGS, *FILMS)):
        yield word
        return
    try:
        yield from (source.name for source in expand(word))
    except InputError:
        yield word  # which is told of where it is expanded again


def count_documents(
    paths: Sequence[str],
    specs: Sequence[ModelSpec],
    failures: Failures,
    *,
    pages: str | None,
    dpi: float | None,
    all_frames: bool,
    images_in_prompt: int,
    as_json: bool,
    explain: bool,
) -> None:
    """Print the count of every document; what cannot be read is a failure, and the others go on."""
    from vistoken.documents import DPI, read_pages

    typed = click.get_current_context().get_parameter_source("images_in_prompt") is not ParameterSource.DEFAULT
    in_prompt = images_in_prompt if typed else None  # as many as there are pages
    for path in paths:
        before = failures.count
        try:
            found = read_pages(path, pages=pages, dpi=DPI if dpi is None else dpi, all_frames=all_frames,
                               failed=partial(_name_first, failures, before + NAMED))  # fmt: skip
        except InputError as error:
            failures.add(error, path)
            continue
        if (more := failures.count - before - NAMED) > 0:
            complain(f"failed: {path}: {more:,} {found.unit}s more")
        if not found.numbers:  # of which each was told
            continue
        results = [_tried(spec, found, in_prompt, failures, len(specs) == 1) for spec in specs]
        _print(found, [result for result in results if result], as_json, explain)


def check_options(
    documents: Sequence[str], films: Sequence[str], rest: Sequence[str], options: Mapping[str, object]
) -> None:
    """Raise `UsageError` for options, by their names, that none of the sources has a use for."""
    given = {name for name, value in options.items() if value not in (None, False)}
    if not documents and (wrong := sorted(given & {"--pages", "--dpi", "--all-frames"})):
        raise UsageError(f"{wrong[0]} is for documents, and none of the sources is one (PDF, TIFF of several pages)")
    if not films and not rest and (wrong := sorted(given & {"--frames", "--duration", "--fps"})):
        raise UsageError(f"{wrong[0]} is for videos, and {documents[0]} is none: leave it out")
    if films and "--duration" in given:
        raise UsageError(f"{films[0]} tells its duration: leave out --duration")
    if (documents or films) and "--input" in given:
        raise UsageError(f"--input is for sizes and pictures: leave it out for {(*documents, *films)[0]}")


def _name_first(failures: Failures, most: int, error: InputError) -> None:
    """A broken document may have a hundred thousand broken pages: the first are named, and the others counted."""
    if failures.count < most:
        failures.add(error)
    else:
        failures.count += 1


def _tried(
    spec: ModelSpec, found: Pages, images_in_prompt: int | None, failures: Failures, alone: bool
) -> DocumentCount | None:
    from vistoken.counting.documents import count_pages

    try:
        return count_pages(spec, found, images_in_prompt)
    except (InputError, UsageError) as error:
        if isinstance(error, UsageError) and alone:
            raise
        failures.add(InputError(f"{spec.name}: {error}"), found.name)
        return None


def _print(found: Pages, results: Sequence[DocumentCount], as_json: bool, explain: bool) -> None:
    if as_json:
        for result in results:
            explanation = {"explanation": result.explain()} if explain else {}
            echo_json({"source": found.name, **result.as_dict(), **explanation})
    elif explain:
        for result in results:
            click.echo(result.explain())
    elif results:
        _notes(found, results)
        _print_table(found, results)


def _notes(found: Pages, results: Sequence[DocumentCount]) -> None:
    if found.dpi is not None and any(result.spec.pages is None for result in results):
        note(f"{found.name}: text that lies in the pages is not counted")
    for result in results:
        note(f"{result.model}: {found.unit}s: {result.basis}")
        for text in result.spec.notes:
            note(f"{result.model}: {text}")


def _print_table(found: Pages, results: Sequence[DocumentCount]) -> None:
    """Pages in a row that are alike share a line; the last one sums up."""
    models = [printable(result.model) for result in results]
    columns = models if len(results) > 1 else [f"a {found.unit}", "tokens"]
    cells = []
    for runs in zip(*(result.runs() for result in results), strict=True):
        run = runs[0]
        tokens = [run.tokens] * (len(runs) == 1) + [each.total for each in runs]
        cells.append([str(run), str(run.size), *map(dash, tokens)])
    pages = f"{len(results[0]):,} of {found.total:,}"
    cells.append([pages, "", *[""] * (len(results) == 1), *(dash(result.tokens) for result in results)])
    at = "" if found.dpi is None else f" at {found.dpi:g} dots per inch"
    what = printable(found.name) + (f": {models[0]}" if len(results) == 1 else "")
    click.echo(f"{what} ({found.kind}{at})\n")
    print_table([f"{found.unit}s", "size", *columns], cells, left=1, total=True)
    click.echo()
