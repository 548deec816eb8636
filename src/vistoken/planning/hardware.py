"""Devices that plans are made for: peak rates, bandwidth and memory, each figure with its source and how sure it is.

Rates are TFLOP/s (10^12, two for each multiply-add) of dense matrix products that add up in float32: not the figures
for sparse matrices, which are twice as high, nor for sums in float16. Bandwidth is in GB/s and memory in GB (10^9).

Confidence: A the vendor's own table (or a copy with its footnote on sparsity), or measured on the device itself; B two
independent sources, or maintained code that cites the vendor; C derived, from one source, or disputed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from vistoken.errors import UsageError, did_you_mean, shown
from vistoken.frozen import frozen

Confidence = Literal["A", "B", "C"]
Kind = Literal["gpu", "cpu"]
Mode = Literal["eager", "compiled"]

CONFIDENCES: tuple[Confidence, ...] = ("A", "B", "C")
KINDS: tuple[Kind, ...] = ("gpu", "cpu")
MODES: tuple[Mode, ...] = ("eager", "compiled")
# The dtypes a device may have a rate for, and the bytes of an element.
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@frozen
class Figure:
    """A number, where it was seen (source and date), and how sure it is."""

    value: float
    source: str
    seen: str
    confidence: Confidence


@frozen
class Efficiency:
    """How a device was measured to run encoders, against its peak rates.

    Attributes:
        mode: whether kernels run one by one (eager) or fused by torch.compile.
        compute: share of the peak rate that matrix products reach; above 1 where clocks run above the specification.
        traffic: how many times what non-matrix kernels are counted to move is really moved (casts, copies).
        dtypes: that were measured.
        source: of the measurement.
    """

    mode: Mode
    compute: float
    traffic: float
    dtypes: tuple[str, ...]
    source: str


def known_mode(mode: str) -> Mode:
    """The mode of this name. Raises `UsageError` for an unknown one."""
    found = next((known for known in MODES if known == mode), None)
    if found is None:
        raise UsageError(f"mode {shown(mode)} is unknown: known are {', '.join(MODES)}.{did_you_mean(mode, MODES)}")
    return found


@frozen
class Device:
    """One accelerator or processor.

    Attributes:
        rates: TFLOP/s by dtype; a dtype without a figure that can be named is left out.
        bandwidth: of its memory in GB/s.
        memory: in GB of 10^9 bytes, the smaller reading of vendors' figures.
        efficiencies: measured ones, at most one a mode; none where nobody published a measurement.
    """

    name: str
    label: str
    kind: Kind
    rates: tuple[tuple[str, Figure], ...]
    bandwidth: Figure
    memory: Figure
    efficiencies: tuple[Efficiency, ...] = ()

    @property
    def memory_bytes(self) -> int:
        return round(self.memory.value * 1e9)

    def rate(self, dtype: str) -> Figure:
        """The peak rate in TFLOP/s. Raises `UsageError` for a dtype that has none here."""
        rates = dict(self.rates)
        if dtype not in rates:
            known = f"has rates for {', '.join(rates)}" if rates else "has no rate that could be confirmed"
            raise UsageError(
                f"{self.name} has no rate for dtype {shown(dtype)}: it {known}.{did_you_mean(dtype, rates)} "
                "A device file can add one: [devices.NAME.rates]"
            )
        return rates[dtype]

    def efficiency(self, mode: str, dtype: str) -> Efficiency | None:
        """What was measured for this mode and dtype, or None."""
        return next((e for e in self.efficiencies if e.mode == mode and dtype in e.dtypes), None)


def device(name: str, file: str | None = None) -> Device:
    """A device by its name: from `file`, the user's own device files or the table here, in this order.

    >>> device("h100").memory.value, device("rtx4090").rate("bfloat16").confidence
    (80, 'B')

    Raises `UsageError` for an unknown name, with the closest known ones, and for a malformed file.
    """
    from vistoken.planning.cards import ALIASES

    known = devices(file)
    found = known.get(ALIASES.get(name, name)) if isinstance(name, str) else None
    if found is None:
        hint = did_you_mean(name, [*known, *ALIASES])
        raise UsageError(
            f"device {shown(name)} is unknown: known are {', '.join(known)}.{hint} "
            "Add one in a device file, or measure this machine: vistoken plan --calibrate"
        )
    return found


def devices(file: str | None = None) -> Mapping[str, Device]:
    """All devices by name: the table here, what was measured on this machine, the user's own file, and `file`.

    Later ones add to the earlier or override them.
    """
    import os

    from vistoken.planning.cards import cards
    from vistoken.planning.device_files import read_devices, user_files

    known = cards()
    for path in user_files():
        if os.path.exists(path):
            known = read_devices(path, known)
    return known if file is None else read_devices(file, known)
