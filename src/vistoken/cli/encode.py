"""`vistoken encode`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
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
from vistoken.errors import InputError, MissingExtra, UsageError
from vistoken.files import check_writable
from vistoken.packs import PACK_TOKENS

if TYPE_CHECKING:
    from torch import Tensor

    from vistoken.encoding import Encoder, ImageTokens
    from vistoken.encoding.passing import Wishes
    from vistoken.encoding.prepared import Prepared
    from vistoken.encoding.writing import Writer
    from vistoken.geometry import Size

# Pictures that the report lists by name; the others are counted.
MOST_ROWS = 200


@click.command(
    "encode",
    short_help="Make the tokens, and write them to a file.",
    epilog="""\b
Examples:
  vistoken encode photo.jpg -m vistoken/front-end -o tokens.safetensors
  vistoken encode photos/ -m vistoken/front-end --pool cls --what pooled,prefix -o tokens.npz
  vistoken encode photos/ -m facebook/dinov2-base --what pooled -o table.parquet
  vistoken encode photos/ -m facebook/dinov2-base --layers -2,-1 --attention-maps 0,11 -o tokens.npz
  vistoken encode photos/ -m facebook/dinov2-base --merge-tokens 8 -o tokens.safetensors
  vistoken encode photos/ -m ./my-checkpoint --what image_tokens --dtype bfloat16 -o tokens.safetensors""",
)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@model_option(multiple=False)
@click.option("-o", "--output", required=True, metavar="FILE",
              help="Where to write: .safetensors, .npz, or .parquet for pooled vectors.")  # fmt: skip
@common_options
@click.option("--what", "what", multiple=True, metavar="WORDS",
              help="Of patches, prefix, pooled, image_tokens, with commas between.  [default: all]")  # fmt: skip
@click.option("--layers", multiple=True, metavar="NUMBERS",
              help="Hidden states to add: 0 enters the first block, i leaves block i, -1 is the last.")  # fmt: skip
@click.option("--normed-layers", is_flag=True, help="Put those through the encoder's last norm.")
@click.option("--attention-maps", multiple=True, metavar="NUMBERS", help="Blocks, from 0, whose attention to add.")
@click.option("--attention-heads", multiple=True, metavar="NUMBERS", help="Heads, from 0, to limit that to.")
@click.option("--merge-tokens", default=0, metavar="R",
              help="Join R tokens a frame to similar ones in every block (ToMe).")  # fmt: skip
@click.option("--pool", default="own", show_default=True,
              help="The pooled vector: own, cls, mean, cls+mean or attention.")  # fmt: skip
@click.option("--dtype", default="float32", show_default=True, help="float32 or bfloat16.")
@click.option("--device", help="Where to run, for example cuda.  [default: cpu]")
@click.option("--attention", default="sdpa", show_default=True, help="The engine: sdpa, varlen or reference.")
@click.option(
    "--max-tokens", type=click.IntRange(min=1), default=PACK_TOKENS, show_default=True, help="Tokens encoded at once."
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
    what: tuple[str, ...],
    layers: tuple[str, ...],
    normed_layers: bool,
    attention_maps: tuple[str, ...],
    attention_heads: tuple[str, ...],
    merge_tokens: int,
    pool: str,
    dtype: str,
    device: str | None,
    attention: str,
    max_tokens: int,
    max_image_pixels: int,
) -> int:
    """Turn pictures into tokens: patch tokens, prefix tokens, the pooled vector, what an LLM receives, and the grids.

    A SOURCE is a picture, a folder (recursive, files by their ending) or a glob. The weights come from the folder, or
    from the hub's cache or the hub; vistoken/front-end needs none. Pictures are written as they are encoded, so that
    there may be any number of them.
    """
    given, fed, failures = parse_settings(settings), parse_input(input_size), Failures()
    try:
        from vistoken.encoding.encoder import Encoder, with_progress
        from vistoken.encoding.passing import Asked
        from vistoken.encoding.writing import FORMATS, open_writer
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "encode", "vistoken encode") from None
    check_writable(output, FORMATS)
    wishes: Wishes = {
        "layers": _numbers("--layers", layers), "attention_maps": _numbers("--attention-maps", attention_maps),
        "attention_heads": _numbers("--attention-heads", attention_heads), "normed_layers": normed_layers,
        "merge_tokens": merge_tokens,
    }  # fmt: skip
    wishes["what"] = words = _asked(what, bool(wishes["layers"] or wishes["attention_maps"]), output)
    encoder = Encoder.from_pretrained(models, revision, device, dtype, attention, pool, **given)
    if words and "prefix" in words and not encoder.module.spec.prefix:
        raise UsageError(f"{encoder.spec.name} has no prefix tokens: leave out prefix")
    asked = Asked.of(encoder.module, wishes)
    for text in encoder.spec.notes:
        note(text)
    prepared = _prepared(encoder, failures, sources, fed, max_image_pixels)
    results = iter(with_progress(encoder.run(prepared, max_tokens, asked), None))
    first = next(results, None)
    if first is None:
        note(f"nothing was encoded, {output} is not written")
        return failures.exit_code
    with open_writer(output, encoder.spec.name, encoder.module.pooled_dim) as writer:
        report = _write(writer, chain([first], results), Report(output, as_json), failures)
    report.end()
    return failures.exit_code


def _write(writer: Writer, results: Iterable[ImageTokens], report: Report, failures: Failures) -> Report:
    """Every result into the file and the report; what the format cannot hold is a failure, and the run goes on."""
    for result in results:
        try:
            writer.add(result)
        except InputError as error:
            failures.add(error, result.source)
        else:
            report.add(result)
    return report


def _prepared(
    encoder: Encoder, failures: Failures, sources: Sequence[str], fed: Size | None, max_pixels: int
) -> Iterator[Prepared]:
    """Every picture that can be used; the others are failures, and the run goes on."""
    for source in failures.expand(sources):
        try:
            source.check()
            if not source.is_picture:
                raise InputError(f"{source.name}: encoding needs a picture, not a size")
            yield encoder.prepare(source.name, input=fed, max_image_pixels=max_pixels)
        except InputError as error:
            failures.add(error, source.name)


def _words(given: Iterable[str]) -> list[str]:
    """Each word once, in order; an option may be repeated, and hold several with commas between."""
    return list(dict.fromkeys(word.strip() for text in given for word in text.split(",")))


def _numbers(option: str, given: Iterable[str]) -> list[int]:
    try:
        return list(dict.fromkeys(int(word) for word in _words(given)))
    except ValueError:
        raise UsageError(
            f"{option} {','.join(given)}: write whole numbers with commas between, for example 0,11"
        ) from None


def _asked(what: Sequence[str], more: bool, output: str) -> list[str] | None:
    """What is asked for; of a table, pooled vectors alone. Raises `UsageError` for what it cannot hold."""
    words = _words(what) or None
    if os.path.splitext(output)[1].lower() != ".parquet":
        return words
    if more or words not in (None, ["pooled"]):
        raise UsageError(f"{output}: a table holds one pooled vector a picture; write the rest to .safetensors or .npz")
    return ["pooled"]


class Report:
    """What was written: a line a picture at once as JSON, or a table at the end."""

    def __init__(self, output: str, as_json: bool) -> None:
        self.output, self.as_json, self.count = output, as_json, 0
        self.rows, self.names, self.attention = list[list[str]](), list[str](), ""

    def add(self, result: ImageTokens) -> None:
        if self.as_json:
            shapes = {name: list(tensor.shape) for name, tensor in result.arrays().items()}
            echo_json({"source": result.source, "index": self.count, "output": self.output, "shapes": shapes})
        elif self.count < MOST_ROWS:
            self.rows.append(_row(result))
            self.names, self.attention = list(result.arrays()), result.attention
        self.count += 1

    def end(self) -> None:
        if self.as_json:
            return
        header = ["source", "size", "grid", "patches", "prefix", "pooled", "image tokens"]
        if all(row[-1] == "-" for row in self.rows):
            header, self.rows = header[:-1], [row[:-1] for row in self.rows]
        print_table(header, self.rows)
        if self.count > len(self.rows):
            click.echo(f"... and {self.count - len(self.rows):,} more")
        size = os.path.getsize(self.output) / 2**20
        pictures = f"{self.count:,} picture{'s' * (self.count > 1)}"
        click.echo(f"\n{self.output}: {pictures}, {size:,.1f} MiB, attention {self.attention}")
        if self.output.lower().endswith(".parquet"):
            click.echo("columns: source, width, height, pooled")
        else:
            click.echo('tensors are named "INDEX/NAME", with NAME one of ' + ", ".join(self.names))


def _row(result: ImageTokens) -> list[str]:
    prefix = " + ".join(f"{len(tokens)} {name}" for name, tokens in result.prefix.items())
    grids = ", ".join(map(str, result.grids))
    tensors = [_shape(result.patches), prefix or "-", _shape(result.pooled), _shape(result.image_tokens)]
    return [result.source, str(result.scene.size), grids, *tensors]


def _shape(tensor: Tensor | None) -> str:
    return "-" if tensor is None else "x".join(map(str, tensor.shape))
