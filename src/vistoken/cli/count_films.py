"""`vistoken count --within` for videos: how many frames, of which size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from vistoken.cli.count_within import Asked, Found, found_of, shown_setting
from vistoken.cli.shared import Failures, dash, echo_json, note, print_table

if TYPE_CHECKING:
    from vistoken.counting.film_fitting import FilmFit, Pair
    from vistoken.geometry import Size


def show_films(asked: Asked, failures: Failures) -> None:
    """One object, or several rows, for each source and model."""
    from vistoken import registry
    from vistoken.counting.film_fitting import FilmFitter

    def fitter(model: str) -> Callable[[Size], FilmFit]:
        assert asked.film is not None
        assert asked.within is not None
        found = registry.find(model, settings=asked.settings, revision=asked.revision)
        return FilmFitter(found, model, asked.settings, asked.within, asked.film).fit

    found = list(found_of(asked, [fitter(model) for model in asked.models], failures))
    if not asked.as_json and found:
        _print(found, asked)
    for one in found * asked.as_json:
        cost = asked.prices.twin(one.model, one.fit.most.tokens if one.fit.most else None) if asked.prices else {}
        echo_json({"source": one.source.name, **one.fit.as_dict(), **cost})


def _pairs(fit: FilmFit) -> list[Pair]:
    """From many small frames to few large ones."""
    return [*fit.pairs, *([fit.most] if fit.most else [])]


def _print(found: Sequence[Found[FilmFit]], asked: Asked) -> None:
    several, prices = len(asked.models) > 1, asked.prices
    header = ["source", *["model"] * several, "frames", "size", "tokens", *["price"] * bool(prices)]
    rows = [
        [one.source.name, *[one.model] * several, f"{pair.frames:,}", str(pair.size), dash(pair.tokens),
         *([prices.show(one.model, pair.tokens)] if prices else [])]
        for one in found for pair in _pairs(one.fit)
    ]  # fmt: skip
    click.echo(f"within {asked.within:,} tokens a video\n")
    print_table(header, rows, left=1 + several)
    for one in found:
        fit = one.fit
        said = "fits" if fit.fits else f"fits as it is with {shown_setting(fit.settings)}" if fit.settings else ""
        model = f", {one.model}" * several
        note(f"{one.source.name}{model}: {fit.frames:,} frames, {dash(fit.counted)} tokens{said and '; ' + said}")
