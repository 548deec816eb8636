"""`vistoken look`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from vistoken.cli.shared import common_options, echo_json, model_option, parse_input, parse_settings
from vistoken.errors import ModelError, OutputError, UsageError

if TYPE_CHECKING:
    from PIL import Image

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
@click.option("--numbers", is_flag=True, help="An 8x8 toy picture step by step, in numbers.")
def command(
    sources: tuple[str, ...],
    models: str | None,
    output: str | None,
    input_size: str | None,
    settings: tuple[str, ...],
    revision: str | None,
    as_json: bool,
    numbers: bool,
) -> int:
    """Draw a picture as the model sees it: the views, the grid over it with token numbers, the sequence.

    With the encoder installed and the model's weights at hand (a folder, or the hub's cache), also how similar its
    positions are and the norms of the tokens; else the drawing says what is missing.
    """
    if numbers:
        return _numbers(sources, models)
    if len(sources) != 1 or models is None or output is None:
        raise UsageError("look needs one IMAGE, -m MODEL and -o FILE.png (or --numbers alone)")
    _check_output(output)
    from vistoken import pixels, registry
    from vistoken.counting import count_views
    from vistoken.looking import draw

    given, fed = parse_settings(settings), parse_input(input_size)
    spec = registry.describe(models, settings=given, revision=revision)
    picture = pixels.load(sources[0])
    result = count_views(spec, pixels.size_of(picture), fed)
    features, missing = _features(models, revision, given, picture, fed) if spec.encoder else (None, "")
    drawing = draw(picture, result, features, missing)
    _save(drawing, output)
    if as_json:
        echo_json({"source": sources[0], "output": output, **result.as_dict()})
    else:
        click.echo(result.explain())
        click.echo(f"\n{output}: {drawing.width}x{drawing.height}")
        if missing:
            click.echo(f"left out: {missing}")
    return 0


def _numbers(sources: tuple[str, ...], model: str | None) -> int:
    if sources or model:
        raise UsageError("--numbers shows a toy picture of its own: leave out IMAGE and -m")
    from vistoken.looking import numbers

    click.echo(numbers())
    return 0


def _features(
    model: str, revision: str | None, settings: dict[str, Any], picture: Image.Image, fed: Size | None
) -> tuple[Features | None, str]:
    """Tokens and positions as plain arrays, or a sentence on what is missing."""
    try:
        from vistoken.encoding.encoder import Encoder
    except ModuleNotFoundError as error:
        return None, f"positions and norms need {error.name}: pip install 'vistoken[encode]'"
    try:
        encoder = Encoder.from_pretrained(model, revision, cached=True, **settings)
    except ModelError as error:
        return None, f"positions and norms need the weights: {str(error).splitlines()[0]}"
    from vistoken.looking import Features

    [tokens] = encoder.encode([picture], input=fed)
    positions = encoder.module.embed.position.vectors(tokens.grids[0])
    first = tokens.patches[: tokens.grids[0].patches]
    return Features(
        tokens=first.float().numpy(),
        positions=None if positions is None else positions.detach().float().numpy(),
        prefix=_norms(tokens.prefix),
        source=f"weights of {encoder.spec.name}",
    ), ""


def _norms(prefix: dict[str, Any]) -> dict[str, float]:
    """The norm of every prefix token; several of one name are numbered."""
    norms = {name: vectors.float().norm(dim=-1).tolist() for name, vectors in prefix.items()}
    return {
        name if len(values) == 1 else f"{name} {index}": value
        for name, values in norms.items()
        for index, value in enumerate(values)
    }


def _check_output(path: str) -> None:
    if not path.lower().endswith(".png"):
        raise UsageError(f"{path}: the drawing is a PNG, so the name must end in .png")
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise OutputError(f"{path}: there is no folder {os.path.dirname(os.path.abspath(path))}")


def _save(drawing: Image.Image, path: str) -> None:
    try:
        drawing.save(path, format="PNG")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None
