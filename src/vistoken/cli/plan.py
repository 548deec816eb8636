"""`vistoken plan`: its options, and which form of answer they ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from vistoken.cli import plan_job
from vistoken.cli.plan_asked import Asked, convention_option, geometry_options
from vistoken.cli.plan_devices import device_option, mode_option
from vistoken.cli.plan_llm import llm_option
from vistoken.cli.plan_reduce import reduce_option
from vistoken.cli.plan_report import report_option
from vistoken.cli.plan_shape import shape_option
from vistoken.cli.plan_table import Table, table_options
from vistoken.cli.plan_within import within_option
from vistoken.cli.shared import common_options, model_option, video_options
from vistoken.errors import MissingExtra, UsageError


@click.command(
    "plan",
    short_help="What a model costs: parameters, FLOPs, weight memory.",
    epilog="""\b
Examples:
  vistoken plan -m vit-b16-224 --head 1000
  vistoken plan -m vit-b16-224 -m clip-l14-336 -m dinov2-g14 -m siglip-so400m14-384
  vistoken plan 1280x720 -m siglip2-b16-naflex --set max_num_patches=1024 --batch 8 --dtype bfloat16
  vistoken plan 224x224 --patch 16 --dim 768 --depth 12 --heads 12
  vistoken plan 1280x720 -m qwen2.5-vl-7b --llm own
  vistoken plan -m siglip-so400m14-384 --batch 64 --dtype bfloat16 --device l4 --device h100
  vistoken plan 1280x720 -m qwen2.5-vl-7b -m internvl3-8b --within 'tokens<=1024'
  vistoken plan 1280x720 -m qwen2.5-vl-7b --llm own --dtype bfloat16 --device l4 -o report.html
  vistoken plan -m vit-b16-224 -m dinov2-b14 --dtype bfloat16 --batch 64 --device l4 --gpu-price 0.8 --sort cost
  vistoken plan --sweep 'patch=14,16 input=224,384,512 dim=768,1024 depth=12,24' --sort -macs
  vistoken plan 1280x720 -m internvl3-8b --frames 16 --reduce all
  vistoken plan -m llava-1.5-7b --reduce pool=2 --reduce shuffle=2 --device l4 --batch 8 --dtype bfloat16
  vistoken plan --shape so400m:2x
  vistoken plan photos/ -m siglip2-b16-naflex -m dinov2-b14 --dtype bfloat16 --device l4
  vistoken plan sizes.csv -m qwen2.5-vl-7b --llm own --width-column width --pack-tokens 16384""",
)
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@model_option(required=False)
@common_options
@click.option("--batch", default=1, show_default=True, help="How many pictures, or videos, at once.")
@click.option("--dtype", default="float32", show_default=True, help="Of the weights.")
@click.option("--head", default=0, metavar="CLASSES", help="Add a linear classifier.")
@click.option("--merge-tokens", default=0, metavar="R",
              help="Join R tokens a frame to similar ones in every block (ToMe).")  # fmt: skip
@convention_option
@video_options
@llm_option
@within_option
@reduce_option
@shape_option
@device_option
@mode_option
@table_options
@plan_job.job_options
@geometry_options
@report_option
@click.option("--calibrate", is_flag=False, flag_value="cpu", metavar="[cpu|cuda|mps]",
              help="Measure this machine, in under a minute, and store it as a device.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Of the CPU, for --calibrate.  [default: as torch]")
def command(
    calibrate: str | None, threads: int | None, within: str | None, reductions: tuple[str, ...], shape: str | None,
    pack_tokens: int, width_column: str, height_column: str, output: str | None, **options: Any,
) -> int:  # fmt: skip
    """Parameters, multiply-adds, FLOPs and weight memory, by part; several models side by side.

    A SOURCE is a size (WIDTHxHEIGHT), a picture or a video file; without one, the model's own size. Of a folder, a
    glob or a table (.csv, .tsv, .jsonl, .parquet) the whole job is summed up: tokens, packs, padding, memory, time,
    bytes on disk.
    Instead of a model, bare geometry: a plain ViT with class token from --patch, --dim, --depth and --heads. Several
    models on devices make one table, and so do --sort, --csv, --markdown, --gpu-price, --sweep and --chart.
    """
    table, columns = Table.take(options), (width_column, height_column)
    form = _form({"calibrate": calibrate, "shape": shape, "reduce": reductions, "within": within, "output": output})
    if not form and plan_job.is_job(options["sources"]):
        form = "a whole job"
    if output is not None and plan_job.is_job(options["sources"]):
        raise UsageError("--output writes a report of plans, and folders and tables are whole jobs: leave out one")
    if form != "a whole job":
        plan_job.check_unused(pack_tokens, columns)
    if form:
        table.refuse(form, options["sweep"])
    if calibrate is not None:
        return _calibrate(calibrate, threads, (*options["sources"], *options["models"]))
    if threads is not None:
        raise UsageError("--threads goes with --calibrate")
    if shape is not None:
        from vistoken.cli import plan_shape

        return plan_shape.answer(shape, options["sources"], options["as_json"])
    from vistoken.cli.one_video import spelt_out

    asked = Asked.parse(**spelt_out(options))
    if reductions:
        from vistoken.cli import plan_reduce

        return plan_reduce.answer(asked, reductions)
    if within is not None:
        from vistoken.cli import plan_within

        return plan_within.answer(asked, within)
    if output is not None:
        from vistoken.cli import plan_report

        return plan_report.answer(asked, output)
    if form:
        return plan_job.answer(asked, pack_tokens, columns)
    if table.asked_for(asked):
        return table.answer(asked)
    from vistoken.cli import plan_print

    return plan_print.answer(asked)


def _form(forms: Mapping[str, object]) -> str:
    """The one option whose answer is no table of plans, as it is written; empty where there is none."""
    given = [f"--{name}" for name, value in forms.items() if value not in (None, ())]
    if len(given) > 1:
        raise UsageError(f"{given[0]} has no use for {given[1]}: ask for one of them")
    return given[0] if given else ""


def _calibrate(where: str, threads: int | None, others: Sequence[str]) -> int:
    if others:
        raise UsageError(f"--calibrate measures this machine and takes no source and no model: leave out {others[0]}")
    try:
        from vistoken.calibration import calibrate
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "numpy", "safetensors"):
            raise
        raise MissingExtra(error.name, "encode", "vistoken plan --calibrate") from None
    from vistoken.planning.device_files import as_toml, user_files, write_device

    device, path = calibrate(where, threads), user_files()[0]
    write_device(device, path)
    click.echo(f"{as_toml(device)}\nstored in {path} as {device.name}")
    return 0
