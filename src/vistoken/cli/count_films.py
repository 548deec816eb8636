"""`vistoken count holiday.mp4`: video files, a line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from vistoken.cli.shared import Failures, dash, echo_json, note, print_table
from vistoken.errors import InputError, UsageError, printable

if TYPE_CHECKING:
    from vistoken.counting import TokenCount
    from vistoken.films import Film
    from vistoken.model_spec import ModelSpec

    Row = tuple[Film, list[TokenCount | None]]


def count_films(
    paths: Sequence[str],
    specs: Sequence[ModelSpec],
    failures: Failures,
    *,
    frames: int | None,
    fps: float | None,
    as_json: bool,
    explain: bool,
) -> None:
    """Print the count of every video file; what cannot be read is a failure, and the others go on."""
    from vistoken.films import read_film

    rows: list[Row] = []
    for path in paths:
        try:
            film = read_film(path, fps)
        except InputError as error:
            failures.add(error, path)
            continue
        results = [_tried(spec, film, frames, failures, len(specs) == 1) for spec in specs]
        rows.append((film, results))
        for result in filter(None, results):
            if as_json:
                explanation = {"explanation": result.explain()} if explain else {}
                echo_json({"source": film.name, **_told(film), **result.as_dict(), **explanation})
            elif explain:
                click.echo(result.explain())
    if not as_json and not explain and any(result for _, results in rows for result in results):
        _print(rows, specs)


def _told(film: Film) -> dict[str, object]:
    source = film.source
    return {"frames_in_file": source.frames, "fps": source.fps, "duration": source.duration}


def _tried(spec: ModelSpec, film: Film, frames: int | None, failures: Failures, alone: bool) -> TokenCount | None:
    from vistoken.counting.films import count_film

    try:
        return count_film(spec, film, frames)
    except (InputError, UsageError) as error:
        if isinstance(error, UsageError) and alone:
            raise
        failures.add(InputError(f"{spec.name}: {error}"), film.name)
        return None


def _print(rows: Sequence[Row], specs: Sequence[ModelSpec]) -> None:
    """One line a file, and for each model the frames that it looks at and the tokens."""
    for spec in specs:
        for text in spec.notes:
            note(f"{spec.name}: {text}")
        if spec.trust.settings.weak:
            note(f"{spec.name}: settings {spec.trust.settings}")
    header = ["video", "size", "frames", "a second"]
    cells = [[film.name, str(film.size), dash(film.source.frames), f"{film.source.fps:g}"] for film, _ in rows]
    for spec, column in zip(specs, zip(*(results for _, results in rows), strict=True), strict=True):
        header += ["looked at", "tokens" if len(specs) == 1 else spec.name]
        for row, result in zip(cells, column, strict=True):
            row += [dash(result.frames if result else None), dash(result.tokens if result else None)]
    if len(rows) > 1:
        sums = [dash(sum(r.tokens for r in column if r)) for column in zip(*(r for _, r in rows), strict=True)]
        cells.append([f"{len(rows)} videos", "", "", "", *(cell for total in sums for cell in ("", total))])
    if len(specs) == 1:
        click.echo(f"{printable(specs[0].name)}\n")
    print_table(header, cells, left=1, total=len(rows) > 1)
    click.echo()
