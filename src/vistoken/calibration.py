"""Measuring this machine, so that latency can be forecast for it: `vistoken plan --calibrate`.

Four things are timed, in turn and each best of many: a matrix product (the peak rate), a copy (the bandwidth), and two
encoders of one block, of our own code with random weights, whose shares of products and other kernels differ. The model
of `planning/latency.py` has two constants, the `Efficiency` of a device; the two blocks are two equations for them.
"""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from vistoken import registry
from vistoken.encoding.model import VisionEncoder
from vistoken.encoding.packing import pack
from vistoken.errors import InputError, UsageError, did_you_mean, shown
from vistoken.frozen import frozen
from vistoken.geometry import Grid
from vistoken.planning.hardware import BYTES, Device, Efficiency, Figure
from vistoken.planning.operations import operations
from vistoken.spec import EncoderSpec

KINDS = ("cpu", "cuda", "mps")
ROUNDS = 20
# What is timed. Of one block each: the smaller the tokens, the larger the share of norms and activations.
BLOCKS, SIDE = ("vit-s16-224", "vit-b16-224"), 384
COPIED = 2**25  # elements of float32: 128 MiB, which no cache holds

# Seconds of a block: its products at the peak rate, its other kernels at the bandwidth, and what it took.
Terms = tuple[float, float, float]


def calibrate(where: str = "cpu", threads: int | None = None) -> Device:
    """Measure this machine; takes under a minute. Nothing is stored: see `device_files.write_device`.

    Args:
        where: "cpu", "cuda" or "mps".
        threads: for the CPU; by default as many as torch uses. With one, CPU time is taken, which does not count what
            other programs do meanwhile; with more it is the clock on the wall, and the machine should be idle.

    The device is named `this-cpu`, `this-cuda` or `this-mps`, and measured in float32 on a CPU, else in float16 too.
    Raises `UsageError` where torch has no such device, `InputError` where the measurements contradict one another.
    """
    if where not in KINDS:
        known = f"known are {', '.join(KINDS)}.{did_you_mean(where, KINDS)}"
        raise UsageError(f"{shown(where)} cannot be calibrated: {known}")
    if where != "cpu" and not getattr(torch, where).is_available():
        raise UsageError(f"torch finds no {where} device on this machine: calibrate the cpu")
    if not hasattr(os, "sysconf"):
        raise UsageError("the memory of this system cannot be read: write a device file by hand instead")
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        with torch.inference_mode():
            return _measured(Bench(where, 1 if where == "cpu" else 64, ROUNDS), threads or before)
    finally:
        torch.set_num_threads(before)


@frozen
class Bench:
    """Where things are timed, how many pictures go through a block at once, and how often all is timed."""

    where: str
    batch: int
    rounds: int

    def seconds(self, works: Sequence[Callable[[], object]]) -> list[float]:
        """The best time of each, after a round that is not counted.

        They are timed in turn, so that whatever else the machine does meanwhile meets all of them.
        """
        taken = [[self._once(work) for work in works] for _ in range(1 + self.rounds)]
        return [min(times) for times in zip(*taken[1:], strict=True)]

    def _once(self, work: Callable[[], object]) -> float:
        one_core = self.where == "cpu" and torch.get_num_threads() == 1
        clock = time.process_time if one_core else time.perf_counter
        began = clock()
        work()
        if self.where != "cpu":
            getattr(torch, self.where).synchronize()
        return clock() - began


def _measured(bench: Bench, threads: int) -> Device:
    dtypes = ("float32",) if bench.where == "cpu" else ("float32", "float16")
    specs = [_one_block(name) for name in BLOCKS]
    works = [_copy(bench), *(_block(bench, spec, dtypes[-1]) for spec in specs), *(_product(bench, d) for d in dtypes)]
    copied, smaller, larger, *multiplied = bench.seconds(works)
    bandwidth = 2 * 4 * COPIED / copied / 1e9
    rates = {dtype: 2 * _side(bench) ** 3 / taken / 1e12 for dtype, taken in zip(dtypes, multiplied, strict=True)}
    first, second = (
        _terms(spec, bench.batch, dtypes[-1], rates[dtypes[-1]], bandwidth, taken)
        for spec, taken in zip(specs, (smaller, larger), strict=True)
    )
    about = f"measured with torch {torch.__version__}" + f", {threads} threads" * (bench.where == "cpu")

    def figure(value: float) -> Figure:
        return Figure(value, about, datetime.date.today().isoformat(), "A")

    return Device(
        name=f"this-{bench.where}",
        label=_label(bench.where),
        kind="cpu" if bench.where == "cpu" else "gpu",
        rates=tuple((dtype, figure(rate)) for dtype, rate in rates.items()),
        bandwidth=figure(bandwidth),
        memory=figure(_memory(bench.where)),
        efficiencies=(_solved(first, second, dtypes[-1], about),),
    )


# ---------------------------------------------------------------- what is timed


def _side(bench: Bench) -> int:
    return 1024 if bench.where == "cpu" else 8192


def _product(bench: Bench, dtype: str) -> Callable[[], object]:
    """Of square matrices."""
    left, right = (
        torch.randn(_side(bench), _side(bench), device=bench.where).to(getattr(torch, dtype)) for _ in range(2)
    )
    return lambda: left @ right


def _copy(bench: Bench) -> Callable[[], object]:
    """Read once, written once."""
    source = torch.randn(COPIED, device=bench.where)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def _one_block(name: str) -> EncoderSpec:
    encoder = registry.describe(name).encoder
    assert encoder is not None
    return replace(encoder, depth=1)


def _block(bench: Bench, spec: EncoderSpec, dtype: str) -> Callable[[], object]:
    module = VisionEncoder(spec).eval().requires_grad_(False).to(bench.where, getattr(torch, dtype))
    for parameter in module.parameters():  # they are not initialised, and denormal numbers are slow
        parameter.normal_(0, 0.02)
    pixels = torch.randn(3, SIDE, SIDE, device=bench.where).to(getattr(torch, dtype))
    packed = pack([pixels] * bench.batch, spec.patch)
    return lambda: module(packed)


def _terms(spec: EncoderSpec, batch: int, dtype: str, rate: float, bandwidth: float, taken: float) -> Terms:
    """Of an encoder of one block; the time in which its weights are read is left out."""
    steps = operations(spec, [Grid(SIDE // spec.patch.height, SIDE // spec.patch.width)] * batch)
    per_second = 1e9 * bandwidth / BYTES[dtype]
    return (
        2 * sum(step.macs for step in steps) / (1e12 * rate),
        sum(step.moved for step in steps if not step.macs) / per_second,
        taken - sum(step.params for step in steps) / per_second,
    )


def _solved(first: Terms, second: Terms, dtype: str, about: str) -> Efficiency:
    """1/e and m from two blocks: products / e + m * others = seconds, by Cramer's rule."""
    (a, b, seconds), (c, d, longer) = first, second
    slowness = (seconds * d - longer * b) / (a * d - c * b)
    traffic = (a * longer - c * seconds) / (a * d - c * b)
    if slowness <= 0 or traffic < 0:
        raise InputError(
            f"calibration failed: the two blocks took {1000 * seconds:.1f} and {1000 * longer:.1f} ms, which no "
            "efficiency explains. The machine is busy with something else: try again later, or with one thread"
        )
    return Efficiency("eager", 1 / slowness, traffic, (dtype,), about)


def _label(where: str) -> str:
    """What the device calls itself, in printable characters."""
    name = torch.cuda.get_device_name() if where == "cuda" else platform.processor() or platform.machine()
    return "".join(filter(str.isprintable, name))[:100] or where


def _memory(where: str) -> float:
    """GB of 10^9 bytes: the card's own, or what the machine has."""
    if where == "cuda":
        return float(torch.cuda.get_device_properties(0).total_memory) / 1e9
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
