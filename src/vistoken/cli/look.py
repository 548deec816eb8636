"""`vistoken look`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from vistoken.cli.shared import (
    common_options,
    echo_json,
    model_option,
    note,
    parse_input,
    parse_settings,
    pixel_limit_option,
)
from vistoken.errors import ModelError, NotAtHand, UsageError
from vistoken.files import check_writable, whole_file
from vistoken.pixels import MAX_PIXELS

if TYPE_CHECKING:
    from PIL import Image

    from vistoken.encoding.encoder import Encoder
    from vistoken.geometry import Size
    from vistoken.looking import Features


@click.command(
    "look",
    short_help="Draw what a model sees.",
    epilog="""\b
Examples:
  vistoken look photo.jpg -m clip-l14-336 -o look.png
  vistoken look photo.jpg -m qwen2.5-vl-7b --set max_pixels=501760 -o look.png
  vistoken look photo.jpg -m vistoken/front-end -o look.png
  vistoken look --numbers""",
)
@click.argument("sources", nargs=-1, metavar="[IMAGE]")
@model_option(required=False, multiple=False)
@click.option("-o", "--output", metavar="FILE.png", help="Where to draw.")
@common_options
@pixel_limit_option
@click.option("--numbers", is_flag=True, help="An 8x8 toy picture step by step, in numbers.")
def command(
    sources: tuple[str, ...],
    models: str | None,
    output: str | None,
    input_size: str | None,
    settings: tuple[str, ...],
    revision: str | None,
    as_json: bool,
    max_image_pixels: int,
    numbers: bool,
) -> int:
    """Draw a picture as the model sees it: the views, the grid over it with token numbers, the sequence.

    With the encoder installed and the model's weights at hand (a folder, or the hub's cache), also how similar its
    positions are and the norms of the tokens; else the drawing says what is missing.
    """
    if numbers:
        if any((sources, models, output, input_size, settings, revision, as_json, max_image_pixels != MAX_PIXELS)):
            raise UsageError("--numbers shows a toy picture of its own: leave out IMAGE and all other options")
        return _numbers()
    if len(sources) != 1 or models is None or output is None:
        raise UsageError("look needs one IMAGE, -m MODEL and -o FILE.png (or --numbers alone)")
    check_writable(output, (".png",))
    if os.path.exists(output) and os.path.exists(sources[0]) and os.path.samefile(output, sources[0]):
        raise UsageError(f"{output} is the picture itself: give the drawing another name")
    from vistoken import pixels, registry
    from vistoken.counting import count_views
    from vistoken.looking import draw

    given, fed = parse_settings(settings), parse_input(input_size)
    spec = registry.describe(models, settings=given, revision=revision)
    picture = pixels.load(_one_picture(sources[0]), max_image_pixels)
    encoder, missing = _encoder(models, revision, given) if spec.encoder else (None, "")
    if encoder:
        spec = encoder.spec  # the files' values, which win over what is built in
        for text in spec.notes:
            note(text)
    result = count_views(spec, pixels.size_of(picture), fed)
    features = _features(encoder, picture, fed) if encoder else None
    drawing = draw(picture, result, features, missing)
    with whole_file(output) as temporary:
        drawing.save(temporary, format="PNG")
    if as_json:
        echo_json({"source": sources[0], "output": output, "missing": missing or None, **result.as_dict()})
    else:
        click.echo(result.explain())
        click.echo(f"\n{output}: {drawing.width}x{drawing.height}")
        if missing:
            click.echo(f"left out: {missing}")
    return 0


def _one_picture(word: str) -> str:
    """The path that `word` means, which must be one."""
    from vistoken.sources import expand

    found = list(expand(word))
    if len(found) != 1 or not found[0].is_picture:
        raise UsageError(f"{word}: look needs one picture, not a size, a folder or several files")
    found[0].check()
    return found[0].name


def _numbers() -> int:
    from vistoken.looking import numbers

    click.echo(numbers())
    return 0


def _encoder(model: str, revision: str | None, settings: dict[str, Any]) -> tuple[Encoder | None, str]:
    """The encoder, if it is installed and its weights are at hand; else a sentence on what is missing."""
    try:
        from vistoken.encoding.encoder import Encoder
    except ModuleNotFoundError as error:
        return None, f"positions and norms: they need {error.name}, pip install 'vistoken[encode]'"
    try:
        return Encoder.from_pretrained(model, revision, cached=True, **settings), ""
    except NotAtHand:
        return None, "positions and norms: no weights at hand for this model"
    except ModelError as error:
        return None, f"positions and norms: {str(error).splitlines()[0]}"


def _features(encoder: Encoder, picture: Image.Image, fed: Size | None) -> Features:
    """Tokens and positions of the first view as plain arrays."""
    from vistoken.looking import Features

    tokens = next(encoder.stream([picture], input=fed, max_image_pixels=picture.width * picture.height))
    positions = encoder.module.embed.position.vectors(tokens.grids[0])
    assert tokens.patches is not None  # asked for by default
    first = tokens.patches[: tokens.grids[0].patches]
    return Features(
        tokens=first.float().numpy(),
        positions=None if positions is None else positions.detach().float().numpy(),
        prefix=_norms(tokens.prefix),
        source=f"weights of {encoder.spec.name}",
    )


def _norms(prefix: Mapping[str, Any]) -> dict[str, float]:
    """The norm of every prefix token; several of one name are numbered."""
    norms = {name: vectors.float().norm(dim=-1).tolist() for name, vectors in prefix.items()}
    return {
        name if len(values) == 1 else f"{name} {index}": value
        for name, values in norms.items()
        for index, value in enumerate(values)
    }
