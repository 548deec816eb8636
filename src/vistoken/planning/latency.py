"""Latency as a range: a roofline with efficiencies, and how far it was off where it could be checked.

    seconds = batch * (2 * MACs / (e * peak) + m * E * bytes / bandwidth) + weights / bandwidth

E are the elements that the non-matrix kernels of one picture read and write (norms, residual additions, layer scale,
activations, rotary turning: rows of `operations.py` without multiply-adds). They are added, not overlapped: in the
measurements these kernels wait for the products. e and m are the device's `Efficiency`; where none was measured, those
of all GeForce cards together.

How well it holds, on 99 to 116 plain ViTs a file of timm's results (huggingface/pytorch-image-models at aa4b5850;
automatic mixed precision, batch 96 to 2048): a GeForce card forecast from the others is off by 6 to 8 % (compiled) or 8
to 10 % (eager) at the median, 12 to 15 % or 12 to 21 % at the 90th percentile, 26 % at worst. A card held back by its
power limit (RTX PRO 6000 Max-Q) takes up to 1.84 times what those constants say. `tests/test_latency.py` repeats this.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vistoken.errors import UsageError, did_you_mean, shown
from vistoken.frozen import frozen
from vistoken.planning.hardware import BYTES, Device, Efficiency, Mode, known_mode
from vistoken.planning.rows import ROTARY, Operation

# Fits to the GeForce files of timm's results, all cards of a mode together.
UNMEASURED = {"eager": (0.93, 2.4), "compiled": (1.0, 1.5)}
# A forecast is within this share of the measured time for all rows of a file, but for 2 of 99 on the RTX 3090.
OFF = 0.25
# No more than this many times the forecast was measured on a card that the constants were not fitted to, and, on one
# that they were, for rotary blocks in eager mode (EVA-02 Ti/14: 1.9 times).
AT_MOST = 2.0
# Seconds. No step in timm's files is shorter; below, starting the kernels may take longer than running them.
SHORTEST_STEP = 0.02


@frozen
class Range:
    """A number that is not known exactly. `high` is None where only a lower bound is known, `likely` where none is.

    >>> 1.2 in Range(1.0, None, 1.5, "an example"), 99 in Range(1.0, None, None, "a lower bound")
    (True, True)
    """

    low: float
    likely: float | None
    high: float | None
    reason: str

    def __contains__(self, value: float) -> bool:
        return self.low <= value and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if self.high is None:
            return f"at least {_digits(self.low)}"
        return f"{_digits(self.low)} to {_digits(self.high)}" if self.low else f"at most {_digits(self.high)}"

    def times(self, factor: float) -> Range:
        """The same in another unit, or of so many."""
        likely, high = (None if value is None else value * factor for value in (self.likely, self.high))
        return Range(self.low * factor, likely, high, self.reason)

    def per(self, count: float) -> Range:
        """What `count` over the number is; of a lower bound, something between 0 and what it allows."""
        likely = None if self.likely is None else count / self.likely
        return Range(0.0 if self.high is None else count / self.high, likely, count / self.low, self.reason)

    def as_dict(self) -> dict[str, Any]:
        return {"low": self.low, "likely": self.likely, "high": self.high, "reason": self.reason}


@frozen
class Latency:
    """How long one step, a batch of pictures, takes on a device.

    Attributes:
        seconds: the range.
        rows: the parts of the forecast in seconds, before it becomes a range; they sum to `total`.
        notes: what the figures behind it are worth: unconfirmed ones, and cards that nobody measured.
    """

    device: Device
    dtype: str
    mode: Mode
    batch: int
    seconds: Range
    rows: tuple[tuple[str, float], ...]
    notes: tuple[str, ...]

    @property
    def total(self) -> float:
        return sum(value for _, value in self.rows)

    @property
    def images_per_second(self) -> Range:
        return self.seconds.per(self.batch)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; times in seconds."""
        return {
            "device": self.device.name,
            "dtype": self.dtype,
            "mode": self.mode,
            "batch": self.batch,
            "seconds": self.seconds.as_dict(),
            "images_per_second": self.images_per_second.as_dict(),
            "rows": dict(self.rows),
            "notes": list(self.notes),
        }


def latency(
    operations: Iterable[Operation], device: Device, *, dtype: str = "bfloat16", batch: int = 1, mode: str = "eager"
) -> Latency:
    """How long a batch takes, from the operations of one picture.

    Args:
        operations: of one picture, as `Plan.operations` has them.
        device: from `hardware.device`.
        dtype: of weights and activations; the device needs a rate for it.
        batch: how many pictures at once.
        mode: "eager", or "compiled" by torch.compile.

    >>> from vistoken.planning import plan
    >>> from vistoken.planning.hardware import device
    >>> rate = latency(plan("vit-b16-224").operations, device("rtx4090"), batch=256, mode="compiled").images_per_second
    >>> 3000 in rate, rate.high < 5000
    (True, True)

    Raises `UsageError` for a mode or dtype that is unknown or that the device has no rate for.
    """
    return _latency(tuple(operations), device, dtype, _known(mode, dtype), batch, pictures=batch, passes=1)


def total_latency(
    operations: Iterable[Operation], device: Device, *, pictures: int, passes: int, dtype: str, mode: str = "eager"
) -> Latency:
    """How long `passes` steps take one after another, from the operations of all their `pictures` together.

    The work of all steps adds up whatever stands in each, and every step reads the weights; how wide the range is
    follows from the average step.
    """
    return _latency(tuple(operations), device, dtype, _known(mode, dtype), 1, pictures, passes)


def _known(mode: str, dtype: str) -> Mode:
    chosen = known_mode(mode)
    if not isinstance(dtype, str) or dtype not in BYTES:
        known = ", ".join(BYTES)
        raise UsageError(f"latency has no dtype {shown(dtype)}: known are {known}.{did_you_mean(dtype, BYTES)}")
    return chosen


def _latency(
    steps: tuple[Operation, ...], device: Device, dtype: str, mode: Mode, times: int, pictures: int, passes: int
) -> Latency:
    """`times` the operations, in `passes` steps over `pictures` in all."""
    measured = device.efficiency(mode, dtype)
    compute, traffic = (measured.compute, measured.traffic) if measured else UNMEASURED[mode]
    peak, bandwidth = 1e12 * device.rate(dtype).value, 1e9 * device.bandwidth.value / BYTES[dtype]
    rows = (
        ("matrix products", times * 2 * sum(step.macs for step in steps) / (compute * peak)),
        ("other kernels", times * traffic * sum(step.moved for step in steps if not step.macs) / bandwidth),
        ("reading the weights", passes * sum(step.params for step in steps) / bandwidth),
    )
    turned = mode == "eager" and any(step.name == ROTARY for step in steps)
    forecast = sum(value for _, value in rows)
    step = _range(forecast / passes, device, pictures / passes, measured is not None, turned)
    return Latency(device, dtype, mode, pictures, step.times(passes), rows, _notes(device, dtype, measured))


def _digits(value: float) -> str:
    """Three digits, and from 100 on whole numbers with thousands apart."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _range(forecast: float, device: Device, batch: float, measured: bool, turned: bool) -> Range:
    """How far the truth may be from the forecast in seconds, and why."""
    low = forecast / (1 + OFF)
    if device.kind == "gpu" and batch < 2:
        return Range(low, None, None, "a lower bound: with one picture a GPU waits for kernels to be started")
    if device.kind == "gpu" and forecast < SHORTEST_STEP:
        why = f"steps under {1000 * SHORTEST_STEP:.0f} ms were not measured, and starting kernels may take longer"
        return Range(low, None, None, f"a lower bound: {why}")
    if not measured:
        return Range(low, None, AT_MOST * forecast, "nobody measured this device: a power limit can double the time")
    if turned:
        return Range(low, None, AT_MOST * forecast, "rotary blocks in eager mode took up to 1.9 times the forecast")
    return Range(low, forecast, forecast / (1 - OFF), f"measured on this device; forecasts were within {OFF:.0%}")


def _notes(device: Device, dtype: str, measured: Efficiency | None) -> tuple[str, ...]:
    notes = [] if measured else [f"{device.name} is unvalidated for this mode and dtype: constants of GeForce cards"]
    for what, figure in (("rate", device.rate(dtype)), ("bandwidth", device.bandwidth)):
        if figure.confidence == "C":
            notes.append(f"the {what} of {device.name} is unconfirmed (C): {figure.source}")
    return tuple(notes)
