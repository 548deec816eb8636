"""`vistoken count report.pdf`: documents, page by page and in all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from vistoken.cli.shared import Failures, complain, dash, note, print_table
from vistoken.errors import InputError, printable

if TYPE_CHECKING:
    from vistoken.cli.count_files import Files, OfFiles
    from vistoken.counting.documents import DocumentCount
    from vistoken.documents import Pages

NAMED = 5  # pages of a document that fail and are named


def count_documents(files: Files, asked: OfFiles, in_prompt: int | None) -> None:
    """Print the count of every document; what cannot be read is a failure, and the others go on."""
    from vistoken.counting.documents import count_pages
    from vistoken.documents import DPI, read_pages

    failures = asked.failures
    for path in files.documents:
        before = failures.count
        try:
            dpi, failed = DPI if files.dpi is None else files.dpi, partial(_name_first, failures, before + NAMED)
            found = read_pages(path, pages=files.pages, dpi=dpi, all_frames=files.all_frames, failed=failed)
        except InputError as error:
            failures.add(error, path)
            continue
        if (more := failures.count - before - NAMED) > 0:
            complain(f"failed: {path}: {more:,} {found.unit}s more")
        if not found.numbers:  # of which each was told
            continue
        results = asked.tried(path, partial(count_pages, pages=found, images_in_prompt=in_prompt))
        if not asked.tell({"source": path}, results) and any(results):
            kept = [(word, result) for word, result in zip(asked.words, results, strict=True) if result]
            _notes(found, [result for _, result in kept])
            _print_table(found, [result for _, result in kept])
            for word, result in kept:
                asked.tell_price(word, result.tokens, f"price, {printable(result.model)}")
            click.echo()


def _name_first(failures: Failures, most: int, error: InputError) -> None:
    """A broken document may have a hundred thousand broken pages: the first are named, and the others counted."""
    if failures.count < most:
        failures.add(error)
    else:
        failures.count += 1


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
