"""`vistoken plan --device`: whether it fits there, and how long it takes; and what budgets of both are held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

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
                raise UsageError(
                    f"a budget of latency needs an upper bound, and {name} has none here: {each.reason}; "
                    "try a larger --batch"
                )
        return max(each.high or 0.0 for each in ranges.values())

    return {"memory": lambda plan: max(_needed(plan, device) for device in devices), "latency": seconds}


def _nowhere(plan: Plan) -> float:
    raise UsageError("a budget of latency is held on a device: add --device NAME")


def as_dict(plan: Plan, device: Device, mode: str) -> dict[str, Any]:
    """Plain values for JSON: bytes, seconds and pictures a second; null what is not known, with the reasons."""
    from vistoken.planning.choosing import known

    reasons: dict[str, None] = {}
    needed = known(lambda: _needed(plan, device), reasons)
    latency = known(lambda: _latency(plan, device, mode), reasons)
    return {
        "device": device.name,
        "memory": needed and {"needed": needed, "has": device.memory_bytes, "fits": needed <= device.memory_bytes},
        "latency": latency and latency.as_dict(),
        "reasons": list(reasons),
    }


def _needed(plan: Plan, device: Device | None) -> int:
    """Bytes at the peak of inference; on a GPU with what it takes beside live tensors."""
    peak = plan.memory.inference()
    return peak.on(device) if device else peak.total


def _latency(plan: Plan, device: Device, mode: str) -> Latency:
    from vistoken.planning.latency import latency

    return latency(plan.operations, device, dtype=plan.dtype, batch=plan.batch, mode=mode)
