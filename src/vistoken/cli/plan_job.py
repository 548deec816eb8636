"""`vistoken plan FOLDER|GLOB|TABLE`: one summary of the whole job for each model."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vistoken.cli.count_items import NAMED, SIDES, column_options, count_others, items, progress
from vistoken.cli.shared import dash, echo_json, print_table
from vistoken.errors import InputError, UsageError
from vistoken.packs import PACK_TOKENS

if TYPE_CHECKING:
    from vistoken.cli.plan_asked import Asked
    from vistoken.planning.hardware import Device
    from vistoken.planning.jobs import Job, Prefill
    from vistoken.planning.latency import Range
    from vistoken.sizes import Sizes

F = TypeVar("F", bound=Callable[..., Any])

JOB = "a folder, glob or table"


def job_options(command: F) -> F:
    """--pack-tokens, --width-column and --height-column."""
    option = click.option("--pack-tokens", type=click.IntRange(1), default=PACK_TOKENS, show_default=True, metavar="N",
                          help="Of a folder, glob or table: tokens encoded at once.")  # fmt: skip
    return option(column_options(command))


def is_job(sources: Sequence[str]) -> bool:
    """Whether one of the words stands for many pictures: a folder, a glob, a table, an address, a list on stdin."""
    return any(
        word == "-" or "://" in word or os.path.isdir(word) or _is_table(word) or _is_glob(word) for word in sources
    )


def _is_table(word: str) -> bool:
    if "." not in word:  # as in a size, for which nothing need be imported
        return False
    from vistoken.tables import is_table

    return is_table(word)


def _is_glob(word: str) -> bool:
    return not os.path.lexists(word) and any(mark in word for mark in "*?[")


def check_unused(pack_tokens: int, columns: tuple[str, str]) -> None:
    """Raise `UsageError` for options that have no meaning for sizes and single pictures."""
    if pack_tokens != PACK_TOKENS or columns != SIDES:
        option = "--pack-tokens" if pack_tokens != PACK_TOKENS else "--width-column and --height-column"
        raise UsageError(f"{option}: only {JOB} as a whole job has a use for that; leave it out")


def answer(asked: Asked, pack_tokens: int, columns: tuple[str, str]) -> int:
    """Every model over all pictures; the exit code."""
    from vistoken.sizes import Sizes

    _check(asked)
    _rehearse(asked, pack_tokens)
    sizes = Sizes(size for _, size in progress(items(asked.failures, asked.sources, columns)))
    unread = asked.failures.count
    jobs: list[tuple[str, Job, Prefill | None]] = []
    for model in asked.models if len(sizes) or not unread else ():
        try:
            job = _job(asked, model, sizes, pack_tokens)
        except InputError as error:  # one model may refuse what the others take
            asked.failures.add(error, model)
            continue
        _name_refused(asked, job)
        jobs.append((model, job, _behind(asked, model, job)))
        if asked.as_json:
            echo_json({"sources": asked.sources, "unread": unread, **_as_dict(asked, *jobs[-1][1:])})
    if jobs and not asked.as_json:
        _print(asked, jobs)
    return asked.failures.exit_code


def _check(asked: Asked) -> None:
    asked.refuse(JOB, head=asked.head, merge_tokens=asked.merge_tokens, frames=asked.frames,
                 duration=asked.duration, fps=asked.fps)  # fmt: skip
    if asked.geometry:
        raise UsageError(f"{JOB} needs -m MODEL: bare geometry has no rule for pictures of other sizes")


def _rehearse(asked: Asked, pack_tokens: int) -> None:
    """Every model with one picture: what is wrong with the words is told before millions of rows are read."""
    from vistoken.geometry import Size
    from vistoken.sizes import Sizes

    for model in asked.models:
        try:
            job = _job(asked, model, Sizes([Size(448, 448)]), pack_tokens)
        except InputError:  # a rule that refuses this size may take others
            continue
        _as_dict(asked, job, _behind(asked, model, job))


def _job(asked: Asked, model: str, sizes: Sizes, pack_tokens: int) -> Job:
    from vistoken.planning.jobs import plan_job

    batch = None if asked.batch == 1 else asked.batch  # one picture is never padded
    return plan_job(
        model, sizes, input=asked.input, dtype=asked.dtype, pack_tokens=pack_tokens, batch=batch,
        revision=asked.revision, **asked.settings,
    )  # fmt: skip


def _behind(asked: Asked, model: str, job: Job) -> Prefill | None:
    if not asked.llm:
        return None
    from vistoken.cli.plan_llm import find_behind

    return job.prefill(find_behind(asked.llm, model, asked.revision))


def _name_refused(asked: Asked, job: Job) -> None:
    """Sizes that the model refuses: the first are named, and the others counted."""
    for one in job.refused[:NAMED]:
        asked.failures.add(InputError(f"{job.model}: {one.pictures:,} of {one.size}: {one.reason}"))
    count_others(asked.failures, len(job.refused), f"{job.model}: {{}} sizes that are refused")


# ---------------------------------------------------------------- printing


def _as_dict(asked: Asked, job: Job, behind: Prefill | None) -> dict[str, Any]:
    more: dict[str, Any] = {"llm": behind.as_dict()} if behind else {}
    if asked.devices:
        more["devices"] = [_on(job, device, asked.mode) for device in asked.devices]
    return {**job.as_dict(), **more}


def _on(job: Job, device: Device, mode: str) -> dict[str, Any]:
    from vistoken.planning.choosing import known

    reasons: dict[str, None] = {}
    needed, latency = job.needed(device), known(partial(job.latency, device, mode), reasons)
    memory = {"needed": needed, "has": device.memory_bytes, "fits": needed and needed <= device.memory_bytes}
    took = latency and latency.as_dict()
    return {"device": device.name, "memory": memory, "latency": took, "reasons": list(reasons)}


def _print(asked: Asked, rows: Sequence[tuple[str, Job, Prefill | None]]) -> None:
    facts = [_facts(job, behind) for _, job, behind in rows]
    names = dict.fromkeys(name for each in facts for name in each)
    limit = rows[0][1].packs.limit
    click.echo(f"weights {asked.dtype}, packs of up to {limit:,} tokens in the order of the pictures\n")
    print_table(
        ["", *(label for label, _, _ in rows)], [[name, *(each.get(name, "-") for each in facts)] for name in names]
    )
    if asked.devices:
        _print_devices(asked, [(label, job) for label, job, _ in rows])
    click.echo(
        "\npadding: batches in shuffled order, each padded to its longest picture; packs have none (arXiv 2307.06304)\n"
        "memory: live tensors of our encoder while the fullest pack runs, fused attention\n"
        "on disk: what encode --what writes to .safetensors, but for its header"
    )


def _facts(job: Job, behind: Prefill | None) -> dict[str, str]:
    """What is told of a job, in order; a dash stands for what a model does not have."""
    padding, each = job.padding, job.tokens / job.pictures
    facts = {
        "pictures": f"{job.pictures:,}",
        "distinct sizes": f"{job.sizes:,}",
        "tokens in the blocks": f"{job.tokens:,}",
        "  a picture": f"{each:,.1f}",
        "image tokens for the LLM": dash(job.image_tokens),
        "multiply-adds": f"{scaled(job.macs.total)}MACs",
        "FLOPs": f"{scaled(job.flops.total)}FLOPs",
    }
    if behind:
        facts |= _facts_behind(behind)
    facts |= {
        "packs": f"{job.packs.count:,}",
        "  the fullest": f"{job.packs.fullest:,} tokens",
        "padded batches instead": f"of {padding.batch:,} pictures",
        "  tokens wasted": f"{padding.wasted_tokens:.1%}",
        "  multiply-adds wasted": f"{padding.wasted_macs:.1%}",
        "memory of a pack": size(job.peak.total) if job.peak else "not measured",
    }
    for output in job.outputs:
        facts[f"on disk, {output.what}"] = " or ".join(f"{size(output.total(t))} {t}" for t in ("float32", "bfloat16"))
    return facts


def _facts_behind(behind: Prefill) -> dict[str, str]:
    largest = behind.largest
    return {
        f"prefill of {largest.llm.name}": f"{scaled(2 * behind.macs.total)}FLOPs",
        "  the longest prompt": f"{largest.tokens:,} tokens, {largest.share:.1%} of its context",
        "  its KV cache": f"{size(largest.kv.total)} {largest.dtype}",
    }


def _print_devices(asked: Asked, jobs: Sequence[tuple[str, Job]]) -> None:
    from vistoken.planning.choosing import known

    rows, reasons = [], dict[str, None]()
    for label, job in jobs:
        for device in asked.devices:
            took, needed = known(partial(job.latency, device, asked.mode), reasons), job.needed(device)
            fits = "-" if needed is None else "yes" if needed <= device.memory_bytes else f"no: {size(needed)}"
            if took is None:
                rows.append([label, device.name, fits, "-", "-"])
                continue
            rows.append([label, device.name, fits, duration(took.seconds), str(took.images_per_second)])
            reasons |= dict.fromkeys([f"{device.name}: {took.seconds.reason}", *took.notes])
    click.echo(f"\nour encoder, fused attention, {asked.mode}, pack after pack; without decoding and writing\n")
    print_table(["model", "device", "fits", "takes", "pictures a second"], rows)
    click.echo("\n" + "\n".join(reasons))


def duration(seconds: Range) -> str:
    """A range of seconds in the largest unit of which there is at least one: s, min or h."""
    unit, length = next(((u, n) for u, n in (("h", 3600), ("min", 60)) if seconds.low >= n), ("s", 1))
    return f"{seconds.times(1 / length)} {unit}"


def scaled(value: int) -> str:
    """A count with the largest prefix of which there is at least one: M, G, T, P or E.

    >>> scaled(1_386_265_706_496_000)
    '1.386 P'
    """
    steps = ((10**18, "E"), (10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"))
    step, prefix = next(((step, prefix) for step, prefix in steps if value >= step), (1, ""))
    return f"{value / step:,.3f} {prefix}" if prefix else f"{value:,} "


def size(value: int) -> str:
    """Bytes in KiB, MiB, GiB or TiB (2^10, 2^20, 2^30, 2^40)."""
    steps = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"))
    step, unit = next(((step, unit) for step, unit in steps if value >= step), (2**10, "KiB"))
    return f"{value / step:,.2f} {unit}"
