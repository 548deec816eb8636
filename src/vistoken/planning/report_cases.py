"""What a report is about: one plan with everything that is asked of it, and the same as plain values for JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from vistoken.errors import UsageError
from vistoken.frozen import frozen
from vistoken.planning.formulas import formulas
from vistoken.planning.latency import Latency, latency
from vistoken.planning.memory import DTYPES, IMPLEMENTATIONS, WEIGHT_ONLY, allowance

if TYPE_CHECKING:
    from collections.abc import Callable

    from vistoken.counting import TokenCount
    from vistoken.planning.hardware import Device
    from vistoken.planning.llm import LlmCost
    from vistoken.planning.memory import Peak
    from vistoken.planning.plans import Plan

WEIGHT_DTYPES = ("float32", "bfloat16", "int8", "int4")


@frozen
class Asked:
    """A peak that was asked for; where it is not known, `peak` is None and `reason` says why."""

    what: str
    peak: Peak | None
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"what": self.what, **(self.peak.as_dict() if self.peak else {"total": None, "reason": self.reason})}


@dataclass(frozen=True)
class Case:
    """One plan; `count` is None for bare geometry, `llm` where none was asked for.

    >>> from vistoken.planning import plan
    >>> case = Case(plan("vit-b16-224"))
    >>> dict(case.weights)["bfloat16"], case.inference[0].what
    (171597312, 'vistoken, fused attention')
    """

    plan: Plan
    count: TokenCount | None = None
    llm: LlmCost | None = None
    devices: tuple[Device, ...] = ()
    mode: str = "eager"

    @property
    def title(self) -> str:
        frames = f", {self.plan.frames:,} frames" if self.plan.frames else ""
        return f"{self.plan.model} at {self.plan.size}{frames}"

    @property
    def thing(self) -> str:
        """What tokens are counted of."""
        return "video" if self.plan.frames else "picture"

    @cached_property
    def weights(self) -> tuple[tuple[str, int], ...]:
        """Bytes in the common dtypes, and in the plan's own."""
        dtypes = dict.fromkeys((*WEIGHT_DTYPES, self.plan.dtype))
        return tuple((dtype, replace(self.plan, dtype=dtype).memory.total) for dtype in dtypes)

    @cached_property
    def inference(self) -> tuple[Asked, ...]:
        """Peaks of a forward pass, ours first."""
        inference = self.plan.memory.inference
        return tuple(
            _asked(f"{code}, {engine} attention", partial(inference, code, engine))
            for code in IMPLEMENTATIONS
            for engine in ("fused", "eager")
        )

    @cached_property
    def training(self) -> tuple[Asked, ...]:
        """Peaks of training steps with AdamW."""
        training = self.plan.memory.training
        hows = (("all activations kept", False), ("activation checkpointing", True))
        return tuple(
            _asked(f"transformers, fused attention, {how}", partial(training, checkpointing=checkpointing))
            for how, checkpointing in hows
        )

    @property
    def peak(self) -> Peak | None:
        """Of our encoder with fused attention, which devices are held against."""
        return self.inference[0].peak

    @cached_property
    def latencies(self) -> tuple[Latency, ...]:
        plan = self.plan
        return tuple(
            latency(plan.operations, device, dtype=plan.dtype, batch=plan.batch, mode=self.mode)
            for device in self.devices
        )

    def needed(self, device: Device) -> int | None:
        """Bytes of the peak, on a GPU with its allowance; None where the peak is not known."""
        return self.peak.on(device) if self.peak else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: bytes, seconds, multiply-adds; keys of the plan as in `Plan.as_dict`."""
        return {
            **self.plan.as_dict(),
            "count": self.count and {**self.count.as_dict(), "explanation": self.count.explain()},
            "operations": self._operations(),
            "weights_by_dtype": dict(self.weights),
            "inference": [each.as_dict() for each in self.inference],
            "training": [each.as_dict() for each in self.training],
            "allowance": self.peak and allowance(self.peak).as_dict(),
            "devices": [self._device(*pair) for pair in zip(self.devices, self.latencies, strict=True)],
            "llm": self.llm and _llm(self.llm),
        }

    def _operations(self) -> list[dict[str, Any]]:
        """For one picture."""
        rows = zip(self.plan.operations, formulas(self.plan), strict=True)
        return [
            {
                "part": step.part, "name": step.name, "params": step.params, "macs": step.macs,
                "params_formula": formula.params or None, "macs_formula": formula.macs or None,
            }
            for step, formula in rows
        ]  # fmt: skip

    def _device(self, device: Device, latency: Latency) -> dict[str, Any]:
        needed, has = self.needed(device), device.memory_bytes
        memory = {"needed": needed, "has": has, "fits": None if needed is None else needed <= has}
        figures = {"bandwidth": device.bandwidth, "memory": device.memory, "rate": device.rate(self.plan.dtype)}
        told = {
            name: {"value": f.value, "source": f.source, "seen": f.seen, "confidence": f.confidence}
            for name, f in figures.items()
        }
        return {"device": device.name, "memory": memory, "latency": latency.as_dict(), "figures": told}


def _asked(what: str, peak: Callable[[], Peak]) -> Asked:
    try:
        return Asked(what, peak())
    except UsageError as error:  # this implementation, or this dtype, has not been measured
        return Asked(what, None, str(error))


def _llm(cost: LlmCost) -> dict[str, Any]:
    from vistoken.planning.llm_formulas import cache_formulas, prefill_formulas

    return {**cost.as_dict(), "macs_formulas": prefill_formulas(cost), "kv_formulas": cache_formulas(cost)}


def width_of(dtype: str) -> int:
    """Bytes of a number outside of packed matrices."""
    return DTYPES["bfloat16" if dtype in WEIGHT_ONLY else dtype]
