"""`vistoken count --within`: what fits a number of tokens, and the pictures written so that they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import click

from vistoken.cli.shared import Failures, dash, echo_json, note, print_table
from vistoken.errors import InputError, NothingFits, UsageError
from vistoken.frozen import frozen

if TYPE_CHECKING:
    from vistoken.cli.count_price import Prices
    from vistoken.counting.fitting import Fit
    from vistoken.counting.knobs import Setting
    from vistoken.geometry import Size
    from vistoken.sources import Source
    from vistoken.video import Clip
    from vistoken.video import Source as Film

T = TypeVar("T")


class Asked(NamedTuple):
    """What the command line asks for; `within` and `context` are tokens, `write` a folder."""

    sources: Sequence[str]
    models: Sequence[str]
    settings: Mapping[str, Any]
    revision: str | None
    film: Clip | Film | None
    images_in_prompt: int
    as_json: bool
    prices: Prices | None
    within: int | None
    context: int | None
    write: str | None
    max_image_pixels: int | None


@frozen
class Found(Generic[T]):
    """What fits of one source for one model; `word` is what the user wrote for the source, `model` for the model."""

    word: str
    source: Source
    model: str
    fit: T


def answer(asked: Asked) -> int:
    """One row, or object, for each source and model; the exit code. Where nothing fits, stderr says by how much."""
    _check(asked)
    failures = Failures()
    if asked.film:
        from vistoken.cli.count_films import show_films

        show_films(asked, failures)
    else:
        _show_pictures(asked, failures)
    if asked.prices and not asked.as_json:
        note(asked.prices.unit)
    return failures.exit_code


def _check(asked: Asked) -> None:
    """Raises `UsageError` for options that need, or contradict, one another."""
    if asked.within is None and asked.context is None:
        raise UsageError("--write writes pictures that fit: give --within N, the tokens that each may become")
    if asked.write == "":
        raise UsageError("--write needs the name of a folder")
    if asked.write is None and asked.max_image_pixels is not None:
        raise UsageError("--max-image-pixels is for --write: nothing else is decoded")
    if asked.film and (asked.write is not None or asked.context is not None):
        raise UsageError("--write and --context are for pictures: of a video --within tells frames and sizes")
    if asked.film and asked.images_in_prompt != 1:
        raise UsageError("--images-in-prompt is for pictures: leave it out for a video")
    if asked.write is not None and len(asked.models) > 1:
        raise UsageError("--write needs one model: pictures are written to fit it")


def found_of(asked: Asked, fitters: Sequence[Callable[[Size], T]], failures: Failures) -> Iterator[Found[T]]:
    """What each of `fitters`, one a model, makes of every source; what fits for none of them is a failure."""
    for word in asked.sources:
        for source in failures.expand((word,)):
            try:
                size = source.size
            except InputError as error:
                failures.add(error, source.name)
                continue
            for model, fit in zip(asked.models, fitters, strict=True):
                try:
                    yield Found(word, source, model, fit(size))
                except (InputError, NothingFits) as error:  # one model may take what another does not
                    failures.add(InputError(f"{source.name}: {model}: {error}"), source.name)


def _show_pictures(asked: Asked, failures: Failures) -> None:
    from vistoken import registry
    from vistoken.counting.fitting import Fitter

    def fitter(model: str) -> Callable[[Size], Fit]:
        found = registry.find(model, settings=asked.settings, revision=asked.revision)
        return Fitter(found, model, asked.settings, asked.within, asked.context, asked.images_in_prompt).fit

    found = list(found_of(asked, [fitter(model) for model in asked.models], failures))
    if asked.write is not None:
        from vistoken.cli.count_write import write  # which decodes

        write(asked.write, found, asked.max_image_pixels, failures)
    if asked.as_json:
        for one in found:
            cost = asked.prices.twin(one.model, one.fit.tokens) if asked.prices else {}
            echo_json({"source": one.source.name, **one.fit.as_dict(), **cost})
    elif found:
        _print_pictures(found, asked)


def _print_pictures(found: Sequence[Found[Fit]], asked: Asked) -> None:
    """The size that fits, beside the mildest setting that leaves the file as it is."""
    several, prices, first = len(asked.models) > 1, asked.prices, found[0].fit
    header = ["source", *["model"] * several, "size", "tokens", "largest", "tokens", *["price"] * bool(prices),
              f"in {first.context:,}", "or as it is, with"]  # fmt: skip
    rows = [
        [one.source.name, *[one.model] * several, str(fit.size), dash(fit.counted), str(fit.image or "-"),
         dash(fit.tokens), *([prices.show(one.model, fit.tokens)] if prices else []), dash(fit.images),
         "fits" if fit.fits else shown_setting(fit.settings)]
        for one in found for fit in (one.fit,)
    ]  # fmt: skip
    total = len(rows) > 1 and not several
    if total:
        counted, fitting = (sum(one.fit.counted or 0 for one in found), sum(one.fit.tokens or 0 for one in found))
        price = [prices.show(asked.models[0], fitting)] if prices else []
        rows.append([f"{len(found)} pictures", "", dash(counted), "", dash(fitting), *price, "", ""])
    click.echo(f"within {first.limit:,} tokens a picture\n")
    print_table(header, rows, left=1 + several, total=total)


def shown_setting(settings: Sequence[Setting]) -> str:
    """The one with most tokens; of long lists only the beginning, which --json has in full."""
    if not settings:
        return "-"
    text = str(settings[0])
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({settings[0].tokens:,})"
