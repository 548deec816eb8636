"""`vistoken count holiday.mp4`: video files, a line each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from vistoken.cli.shared import dash, note, print_table
from vistoken.errors import InputError, printable

if TYPE_CHECKING:
    from vistoken.cli.count_files import OfFiles
    from vistoken.counting import TokenCount
    from vistoken.films import Film

    Row = tuple[Film, list[TokenCount | None]]


def count_videos(paths: Sequence[str], asked: OfFiles, *, frames: int | None, fps: float | None) -> None:
    """Print the count of every video file; what cannot be read is a failure, and the others go on."""
    from vistoken.counting.films import count_film
    from vistoken.films import read_film

    rows: list[Row] = []
    for path in paths:
        try:
            film = read_film(path, fps)
        except InputError as error:
            asked.failures.add(error, path)
            continue
        results = asked.tried(path, partial(count_film, film=film, frames=frames))
        source = film.source
        head = {"source": path, "frames_in_file": source.frames, "fps": source.fps, "duration": source.duration}
        if not asked.tell(head, results) and any(results):
            rows.append((film, results))
    if rows:
        _notes(asked)
        _print(rows, asked)


def _notes(asked: OfFiles) -> None:
    for spec in asked.specs:
        for text in spec.notes:
            note(f"{spec.name}: {text}")
        if spec.trust.settings.weak:
            note(f"{spec.name}: settings {spec.trust.settings}")


def _print(rows: Sequence[Row], asked: OfFiles) -> None:
    """One line a file, and for each model the frames that it looks at and the tokens."""
    header = ["video", "size", "frames", "a second"]
    cells = [[film.name, str(film.size), dash(film.source.frames), f"{film.source.fps:g}"] for film, _ in rows]
    total = [f"{len(rows)} videos", "", "", ""]
    prices, alone = asked.prices, len(asked.specs) == 1
    for place, (word, spec) in enumerate(zip(asked.words, asked.specs, strict=True)):
        column = [results[place] for _, results in rows]
        header += ["looked at", "tokens" if alone else spec.name, *["price"] * bool(prices)]
        for line, result in zip(cells, column, strict=True):
            tokens = result.tokens if result else None
            line += [dash(result.frames if result else None), dash(tokens)]
            line += [prices.show(word, tokens)] if prices else []
        tokens = sum(result.tokens for result in column if result)
        total += ["", dash(tokens), *([prices.show(word, tokens)] if prices else [])]
    if alone:
        click.echo(f"{printable(asked.specs[0].name)}\n")
    print_table(header, [*cells, *[total] * (len(rows) > 1)], left=1, total=len(rows) > 1)
    click.echo()
