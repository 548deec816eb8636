"""`vistoken plan --device`: whether it fits there, and how long it takes; and what budgets of both are held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from vistoken.cli.shared import print_table
from vistoken.errors import UsageError

if TYPE_CHECKING:
    from vistoken.planning import Plan
    from vistoken.planning.hardware import Device
    from vistoken.planning.latency import Latency

device_option = click.option(
    "--device", "devices", multiple=True, metavar="NAME",
    help="Add a device: what fits its memory, and how fast. Repeat it for several.",
)  # fmt: skip
EAGER = "eager"
mode_option = click.option(
    "--mode", default=EAGER, show_default=True, help="For --device: eager, or compiled by torch.compile."
)


def found(names: Sequence[str], mode: str) -> tuple[Device, ...]:
    """The devices of these names. Raises `UsageError` for an unknown one, and for a mode of none."""
    if not names:
        if mode != EAGER:
            raise UsageError("--mode goes with --device: add --device NAME")
        return ()
    from vistoken.planning.hardware import device

    return tuple(device(name) for name in names)


def forecasts(devices: Sequence[Device], mode: str) -> dict[str, Callable[[Plan], float]]:
    """Bytes and seconds of a plan, for `plan_within`; seconds are those of the slowest device, at the worst."""
    if not devices:
        return {"memory": lambda plan: _needed(plan, None), "latency": _nowhere}

    def seconds(plan: Plan) -> float:
        ranges = {device.name: _latency(plan, device, mode).seconds for device in devices}
        for name, each in ranges.items():
            if each.high is None:
                raise UsageError(f"a budget of latency needs an upper bound, and {name} has none here: {each.reason}")
        return max(each.high or 0.0 for each in ranges.values())

    return {"memory": lambda plan: max(_needed(plan, device) for device in devices), "latency": seconds}


def _nowhere(plan: Plan) -> float:
    raise UsageError("a budget of latency is held on a device: add --device NAME")


def as_dict(plan: Plan, device: Device, mode: str) -> dict[str, Any]:
    """Plain values for JSON: bytes, seconds and pictures a second."""
    needed, latency = _needed(plan, device), _latency(plan, device, mode)
    memory = {"needed": needed, "has": device.memory_bytes, "fits": needed <= device.memory_bytes}
    return {"device": device.name, "memory": memory, "latency": latency.as_dict()}


def print_devices(plans: Sequence[tuple[str, Plan]], devices: Sequence[Device], mode: str) -> None:
    """One line for each plan and device, then what the numbers rest on."""
    rows, reasons = [], dict[str, None]()
    for label, plan in plans:
        for device in devices:
            latency = _latency(plan, device, mode)
            rows.append([label, str(plan.size), device.name, *_fit(plan, device), *_speed(latency)])
            reasons |= dict.fromkeys([f"{device.name}: {latency.seconds.reason}", *latency.notes])
    click.echo(f"\nour encoder, fused attention, {mode}, batch {plans[0][1].batch}, {plans[0][1].dtype}\n")
    print_table(["model", "size", "device", "memory", "fits", "ms a batch", "pictures a second"], rows)
    click.echo("\nmemory: live tensors at the peak, and on a GPU a stated allowance for its context and allocator")
    for reason in reasons:
        click.echo(reason)


def _fit(plan: Plan, device: Device) -> tuple[str, str]:
    needed = _needed(plan, device)
    short = needed - device.memory_bytes
    return _gib(needed), "yes" if short <= 0 else f"no, {_gib(short)} short of {_gib(device.memory_bytes)}"


def _speed(latency: Latency) -> tuple[str, str]:
    return str(latency.seconds.times(1000)), str(latency.images_per_second)


def _needed(plan: Plan, device: Device | None) -> int:
    """Bytes at the peak of inference; on a GPU with what it takes beside live tensors."""
    from vistoken.planning.memory import allowance

    peak = plan.memory.inference()
    return peak.total + (allowance(peak).total if device and device.kind == "gpu" else 0)


def _latency(plan: Plan, device: Device, mode: str) -> Latency:
    from vistoken.planning.latency import latency

    return latency(plan.operations, device, dtype=plan.dtype, batch=plan.batch, mode=mode)


def _gib(value: int) -> str:
    return f"{value / 2**30:,.2f} GiB"
