"""`vistoken encode`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from vistoken.cli.shared import (
    Failures,
    common_options,
    echo_json,
    model_option,
    note,
    parse_input,
    parse_settings,
    pixel_limit_option,
    print_table,
)
from vistoken.errors import InputError, MissingExtra
from vistoken.files import check_writable

if TYPE_CHECKING:
    from torch import Tensor

    from vistoken.encoding import ImageTokens
    from vistoken.encoding.prepared import Prepared


@click.command(
    "encode",
    short_help="Make the tokens, and write them to a file.",
    epilog="""\b
Examples:
  vistoken encode photo.jpg -m vistoken/front-end -o tokens.safetensors
  vistoken encode photos/ -m facebook/dinov2-base -o tokens.npz
  vistoken encode photos/ -m ./my-checkpoint --dtype bfloat16 -o tokens.safetensors""",
)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@model_option(multiple=False)
@click.option("-o", "--output", required=True, metavar="FILE", help="Where to write: .safetensors or .npz.")
@common_options
@click.option("--device", help="Where to run, for example cuda.  [default: cpu]")
@click.option("--dtype", default="float32", show_default=True, help="float32 or bfloat16.")
@click.option("--attention", default="sdpa", show_default=True, help="The engine: sdpa or reference.")
@click.option("--pool", default="own", show_default=True, help="The pooled vector: own, cls, mean or attention.")
@click.option(
    "--max-tokens", type=click.IntRange(min=1), default=8192, show_default=True, help="Tokens encoded at once."
)
@pixel_limit_option
def command(
    sources: tuple[str, ...],
    models: str,
    output: str,
    input_size: str | None,
    settings: tuple[str, ...],
    revision: str | None,
    as_json: bool,
    device: str | None,
    dtype: str,
    attention: str,
    pool: str,
    max_tokens: int,
    max_image_pixels: int,
) -> int:
    """Turn pictures into tokens: patch tokens, prefix tokens, the pooled vector and the grid of each.

    A SOURCE is a picture, a folder (recursive, files by their ending) or a glob. The weights come from the folder, or
    from the hub's cache or the hub; vistoken/front-end needs none.
    """
    given, fed, failures = parse_settings(settings), parse_input(input_size), Failures()
    try:
        from vistoken.encoding.encoder import Encoder, with_progress
        from vistoken.encoding.output import FORMATS, write_tokens
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "encode", "vistoken encode") from None
    check_writable(output, FORMATS)
    encoder = Encoder.from_pretrained(models, revision, device, dtype, attention, pool, **given)
    for text in encoder.spec.notes:
        note(text)

    def prepared() -> Iterator[Prepared]:
        """Every picture that can be used; the others are failures, and the run goes on."""
        for source in failures.expand(sources):
            try:
                source.check()
                if not source.is_picture:
                    raise InputError(f"{source.name}: encoding needs a picture, not a size")
                yield encoder.prepare(source.name, input=fed, max_image_pixels=max_image_pixels)
            except InputError as error:
                failures.add(error, source.name)

    results = list(with_progress(encoder.run(prepared(), max_tokens), None))
    if results:
        write_tokens(output, results, encoder.spec.name)
        _report(results, output, as_json)
    else:
        note(f"nothing was encoded, {output} is not written")
    return failures.exit_code


def _report(results: Sequence[ImageTokens], output: str, as_json: bool) -> None:
    if as_json:
        for index, result in enumerate(results):
            shapes = {name: list(tensor.shape) for name, tensor in result.arrays().items()}
            echo_json({"source": result.source, "index": index, "output": output, "shapes": shapes})
        return
    rows = []
    for result in results:
        prefix = " + ".join(f"{len(tokens)} {name}" for name, tokens in result.prefix.items())
        grids = ", ".join(map(str, result.grids))
        rows.append([result.source, str(result.views[0].source), grids, _shape(result.patches),
                     prefix or "-", _shape(result.pooled)])  # fmt: skip
    print_table(["source", "size", "grid", "patches", "prefix", "pooled"], rows)
    size = os.path.getsize(output) / 2**20
    pictures = f"{len(results)} picture{'s' * (len(results) > 1)}"
    click.echo(f"\n{output}: {pictures}, {size:,.1f} MiB, attention {results[0].attention}")
    click.echo('tensors are named "INDEX/NAME", with NAME one of ' + ", ".join(results[0].arrays()))


def _shape(tensor: Tensor | None) -> str:
    return "-" if tensor is None else "x".join(map(str, tensor.shape))
