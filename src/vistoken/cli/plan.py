"""`vistoken plan`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from vistoken.cli.plan_devices import as_dict, device_option, forecasts, found, mode_option, print_devices
from vistoken.cli.plan_llm import cost_of, llm_option, print_llm
from vistoken.cli.plan_within import answer, within_option
from vistoken.cli.shared import (
    Failures,
    common_options,
    echo_json,
    model_option,
    parse_input,
    parse_settings,
    print_table,
)
from vistoken.errors import InputError, MissingExtra, UsageError

if TYPE_CHECKING:
    from vistoken.geometry import Size
    from vistoken.planning import Plan, Tally
    from vistoken.planning.llm import LlmCost
    from vistoken.spec import EncoderSpec


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
  vistoken plan 1280x720 -m qwen2.5-vl-7b -m internvl3-8b --within 'tokens<=1024'""",
)
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@model_option(required=False)
@common_options
@click.option("--batch", default=1, show_default=True, help="How many pictures at once.")
@click.option("--dtype", default="float32", show_default=True, help="Of the weights.")
@click.option("--head", default=0, metavar="CLASSES", help="Add a linear classifier.")
@click.option("--merge-tokens", default=0, metavar="R",
              help="Join R tokens a frame to similar ones in every block (ToMe).")  # fmt: skip
@llm_option
@within_option
@device_option
@mode_option
@click.option("--patch", metavar="N|WxH", help="Bare geometry: a patch's side, or width x height.")
@click.option("--dim", type=int, help="Bare geometry: width of the tokens.")
@click.option("--depth", type=int, help="Bare geometry: number of blocks.")
@click.option("--heads", type=int, help="Bare geometry: attention heads.")
@click.option("--mlp", type=int, help="Bare geometry: hidden size of the MLP.  [default: 4 x dim]")
@click.option("--calibrate", is_flag=False, flag_value="cpu", metavar="[cpu|cuda|mps]",
              help="Measure this machine, in under a minute, and store it as a device.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Of the CPU, for --calibrate.  [default: as torch]")
def command(
    sources: tuple[str, ...],
    models: tuple[str, ...],
    input_size: str | None,
    settings: tuple[str, ...],
    revision: str | None,
    as_json: bool,
    batch: int,
    dtype: str,
    head: int,
    merge_tokens: int,
    llm: str | None,
    within: str | None,
    devices: tuple[str, ...],
    mode: str,
    patch: str | None,
    dim: int | None,
    depth: int | None,
    heads: int | None,
    mlp: int | None,
    calibrate: str | None,
    threads: int | None,
) -> int:
    """Parameters, multiply-adds, FLOPs and weight memory, by part; several models side by side.

    A SOURCE is a size (WIDTHxHEIGHT), a picture, a folder or a glob; without one, the model's own size. Instead of a
    model, bare geometry: a plain ViT with class token from --patch, --dim, --depth and --heads.
    """
    if calibrate is not None:
        return _calibrate(calibrate, threads, (*sources, *models))
    if threads is not None:
        raise UsageError("--threads goes with --calibrate")
    geometry = {"patch": patch, "dim": dim, "depth": depth, "heads": heads}
    _check_what(models, geometry, mlp)
    failures, fed, given = Failures(), parse_input(input_size), parse_settings(settings)
    common = {"input": fed, "batch": batch, "dtype": dtype, "head": head, "revision": revision}
    common |= {"merge_tokens": merge_tokens, **given}
    if llm and not models:
        raise UsageError("--llm needs -m MODEL: bare geometry has no prompt")
    sizes, cards = _sizes(sources, failures), found(devices, mode)
    if within:
        _check_alone(input=fed, head=head, merge_tokens=merge_tokens)
        given |= {"batch": batch, "dtype": dtype, "revision": revision, **forecasts(cards, mode)}
        code = answer(within, models, sizes, as_json, llm, **given)
        return code or failures.exit_code
    plans: list[tuple[str, Plan]] = []
    costs: list[LlmCost] = []
    for size, names in sizes.items():
        for model in models or (_bare(geometry, mlp, fed or size),):
            label = model if isinstance(model, str) else "bare geometry"
            try:
                plans.append((label, _plan(model, size, common)))
                if llm and isinstance(model, str):
                    costs.append(cost_of(llm, model, plans[-1][1].size, fed, revision, given))
            except InputError as error:  # one model may refuse what the others take
                failures.add(InputError(f"{label}: {error}"))
                continue
            if as_json:
                behind: dict[str, object] = {"llm": costs[-1].as_dict()} if llm else {}
                if cards:
                    behind["devices"] = [as_dict(plans[-1][1], card, mode) for card in cards]
                echo_json({"sources": names, **plans[-1][1].as_dict(), **behind})
    if plans and not as_json:
        _print(plans, len(sizes))
        if cards:
            print_devices(plans, cards, mode)
        for (_, plan), cost in zip(plans, costs, strict=False):  # none without --llm
            print_llm(_title(plan), cost)
    return failures.exit_code


def _check_alone(**options: object) -> None:
    """Options that have no meaning where the view rule decides over every size."""
    for name, value in options.items():
        if value:
            raise UsageError(f"--within has no use for --{name.replace('_', '-')}: leave it out")


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


def _plan(model: str | EncoderSpec, size: Size | None, common: Mapping[str, Any]) -> Plan:
    from vistoken.planning import plan

    width, height = (None, None) if size is None else (size.width, size.height)
    return plan(model, width=width, height=height, **common)


def _check_what(models: Sequence[str], geometry: Mapping[str, object], mlp: int | None) -> None:
    missing = [f"--{name}" for name, value in geometry.items() if value is None]
    if models and (len(missing) < len(geometry) or mlp is not None):
        raise UsageError("give -m MODEL or bare geometry (--patch, --dim, --depth, --heads, --mlp), not both")
    if not models and missing:
        what = "give -m MODEL, or bare geometry: --patch, --dim, --depth and --heads"
        raise UsageError(what if len(missing) == len(geometry) else f"bare geometry lacks {' and '.join(missing)}")


def _sizes(sources: Sequence[str], failures: Failures) -> dict[Size | None, list[str]]:
    """Each size once, with the sources that have it; None, the model's own size, where there is no source."""
    if not sources:
        return {None: []}
    sizes: dict[Size | None, list[str]] = {}
    for source in failures.expand(sources):
        try:
            sizes.setdefault(source.size, []).append(source.name)
        except InputError as error:
            failures.add(error, source.name)
    return sizes


def _bare(geometry: Mapping[str, object], mlp: int | None, size: Size | None) -> EncoderSpec:
    from vistoken.geometry import Patch, Size
    from vistoken.planning import bare_encoder

    if size is None:
        raise UsageError("bare geometry needs a size, for example: vistoken plan 224x224 --patch 16 ...")
    text = str(geometry["patch"])
    if text.strip("0123456789xX"):
        raise UsageError(f"--patch {text}: write the side of a square patch, or WIDTHxHEIGHT, for example 16 or 32x16")
    sides = Size.parse(text if "x" in text.lower() else f"{text}x{text}")
    cell = Patch(height=sides.height, width=sides.width)
    return bare_encoder(patch=cell, table=size, mlp=mlp, **{k: v for k, v in geometry.items() if k != "patch"})  # type: ignore[arg-type]


# ---------------------------------------------------------------- printing


def scaled(value: int) -> str:
    """A count in millions or billions (G), exact below 100,000."""
    if value < 100_000:
        return f"{value:,}"
    return f"{value / 1e9:,.3f} G" if value >= 1e8 else f"{value / 1e6:,.2f} M"


def millions(value: int) -> str:
    return f"{value:,}" if value < 100_000 else f"{value / 1e6:,.2f} M"


def mebibytes(value: int) -> str:
    return f"{value / 2**20:,.1f} MiB"


def _print(plans: Sequence[tuple[str, Plan]], sizes: int) -> None:
    if len(plans) == 1:
        _print_one(plans[0][1])
    elif sizes > 1:
        _print_list(plans)
    else:
        _print_side_by_side(plans)


def _title(plan: Plan) -> str:
    return f"{plan.model} at {plan.size}"


def _print_one(plan: Plan) -> None:
    """Each part in full digits, with its share."""
    click.echo(f"{_title(plan)}: {plan.tokens:,} tokens a picture, batch {plan.batch}, weights {plan.dtype}\n")
    for name, tally in (("parameters", plan.params), ("multiply-adds", plan.macs)):
        rows = [[part, f"{value:,}", f"{value / tally.total:.1%}"] for part, value in tally.rows if value]
        print_table([name, "", "share"], [*rows, ["total", f"{tally.total:,}", ""]], total=True)
        click.echo(f"({tally.convention})\n")
    click.echo(f"compute  {scaled(plan.macs.total)}MACs = {scaled(plan.flops.total)}FLOPs")
    click.echo(f"weights  {mebibytes(plan.memory.total)} ({plan.memory.convention})")


def _print_list(plans: Sequence[tuple[str, Plan]]) -> None:
    """Several sizes: one line each; sizes that several pictures share appear once."""
    header = ["model", "size", "tokens", "parameters", "multiply-adds", "FLOPs", "weights"]
    rows = [
        [
            label, str(plan.size), f"{plan.tokens:,}", millions(plan.params.total), scaled(plan.macs.total),
         scaled(plan.flops.total), mebibytes(plan.memory.total)]
        for label, plan in plans
    ]  # fmt: skip
    click.echo(f"batch {plans[0][1].batch}, weights {plans[0][1].dtype}; each size once\n")
    print_table(header, rows)


def _print_side_by_side(pairs: Sequence[tuple[str, Plan]]) -> None:
    plans = [plan for _, plan in pairs]
    click.echo(f"batch {plans[0].batch}, weights {plans[0].dtype}\n")
    header = ["", *(label for label, _ in pairs)]
    rows = [
        ["size", *(str(plan.size) for plan in plans)],
        ["tokens a picture", *(f"{plan.tokens:,}" for plan in plans)],
    ]
    rows += _part_rows(plans, "parameters", lambda plan: plan.params, millions)
    rows += _part_rows(plans, "multiply-adds", lambda plan: plan.macs, scaled)
    rows.append(["FLOPs", *(scaled(plan.flops.total) for plan in plans)])
    rows.append(["weight memory", *(mebibytes(plan.memory.total) for plan in plans)])
    print_table(header, rows)
    click.echo(f"\nparameters: {plans[0].params.convention}\nmultiply-adds: {plans[0].macs.convention}")


def _part_rows(
    plans: Sequence[Plan], name: str, tally: Callable[[Plan], Tally], shown: Callable[[int], str]
) -> list[list[str]]:
    """A total, and below it every part that any of the plans has."""
    tables = [dict(tally(plan).rows) for plan in plans]
    parts = dict.fromkeys(part for table in tables for part, value in table.items() if value)
    rows = [[name, *(shown(tally(plan).total) for plan in plans)]]
    rows += [[f"  {part}", *(shown(table[part]) if table.get(part) else "-" for table in tables)] for part in parts]
    return rows
