"""Choosing: one row for every model, setting and device, with what is known of it, and reasons for what is not.

Costs of one picture: tokens, multiply-adds. Of a batch: memory and time. What cannot be told of one row (memory that
nobody measured, a dtype without a rate) leaves its cells empty and never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from vistoken.errors import UsageError, did_you_mean, shown
from vistoken.frozen import frozen
from vistoken.geometry import Size

if TYPE_CHECKING:
    from vistoken.planning.hardware import Device
    from vistoken.planning.latency import Latency, Range
    from vistoken.planning.memory import Peak
    from vistoken.planning.plans import Plan

T = TypeVar("T")
Setting = int | float | str | bool | None

GB = 10**9
PER_GB = "how many more pictures fit at once with each further GB (10^9 bytes) of device memory, at this batch"


@frozen(kw_only=True)
class Choice:
    """One model at one size, on one device or on none. What is None is not known, and `reasons` say why.

    Attributes:
        model: as it was asked for.
        size: of the picture before the model's own resizing.
        settings: what a sweep chose, by name.
        frames: of a video, which then stands for the picture.
        device: its name, None where no device was asked for.
        mode: in which it is timed there: "eager" or "compiled".
        batch: how many pictures at once.
        dtype: of weights and activations.
        tokens: that the blocks work on, of one picture.
        params: how many there are.
        macs: multiply-adds of one picture.
        convention: what they count.
        weights: in bytes.
        memory: bytes at the peak of inference (our encoder, fused attention); on a GPU with `allowance`.
        has: bytes of the device.
        images_per_gb: how many more pictures fit at once with each further GB (10^9 bytes) of device memory.
        seconds: that a batch takes; None where it does not fit.
        images_per_second: likewise.
        cost_per_million: of a million pictures, in the price's own currency.
        reasons: why cells are empty.
        notes: what the latency rests on.
    """

    model: str
    size: Size | None
    settings: tuple[tuple[str, Setting], ...] = ()
    frames: int | None = None
    device: str | None = None
    mode: str | None = None
    batch: int
    dtype: str
    tokens: int | None = None
    params: int | None = None
    macs: int | None = None
    convention: str | None = None
    weights: int | None = None
    memory: int | None = None
    has: int | None = None
    images_per_gb: float | None = None
    seconds: Range | None = None
    images_per_second: Range | None = None
    cost_per_million: Range | None = None
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def spare(self) -> int | None:
        """Bytes of the device that are left; below 0 it is short of as many. None where either is not known."""
        return None if self.memory is None or self.has is None else self.has - self.memory

    @property
    def fits(self) -> bool | None:
        return None if self.spare is None else self.spare >= 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: bytes, seconds; ranges as objects."""
        ranges = {name: getattr(self, name) for name in ("seconds", "images_per_second", "cost_per_million")}
        return {
            "model": self.model,
            "width": self.size and self.size.width,
            "height": self.size and self.size.height,
            "frames": self.frames,
            "settings": dict(self.settings),
            **{name: getattr(self, name) for name in ("device", "mode", "batch", "dtype", "tokens", "params")},
            **{name: getattr(self, name) for name in ("macs", "convention")},
            **{name: getattr(self, name) for name in ("weights", "memory", "has", "spare", "fits", "images_per_gb")},
            **{name: value and value.as_dict() for name, value in ranges.items()},
            "reasons": list(self.reasons),
            "notes": list(self.notes),
        }


def choices(
    plan: Plan,
    devices: Sequence[Device] = (),
    *,
    mode: str = "eager",
    prices: Mapping[str, float] | None = None,
    model: str | None = None,
    settings: tuple[tuple[str, Setting], ...] = (),
) -> list[Choice]:
    """A row for every device, or one row without.

    Args:
        plan: of the model at its size, batch and dtype.
        devices: from `hardware.device`.
        mode: "eager", or "compiled" by torch.compile.
        prices: of an hour by the device's name, in whatever currency; costs are in the same.
        model: what the row is called; the plan's own name if not given.
        settings: what a sweep chose.

    >>> from vistoken.planning import plan
    >>> from vistoken.planning.hardware import device
    >>> planned = plan("vit-b16-224", batch=256, dtype="bfloat16")
    >>> [row] = choices(planned, [device("rtx4090")], prices={"rtx4090": 0.36})
    >>> row.fits, f"{row.memory / 2**30:.2f} GiB", str(row.cost_per_million)
    (True, '1.66 GiB', '0.0292 to 0.0487')

    Raises `UsageError` for an unknown mode.
    """
    from vistoken.planning.hardware import known_mode

    known_mode(mode)
    reasons: dict[str, None] = {}
    peak, per_gb = known(plan.memory.inference, reasons), known(lambda: _per_gb(plan), reasons)
    row = Choice(
        model=model or plan.model,
        size=plan.size,
        settings=settings,
        frames=plan.frames,
        batch=plan.batch,
        dtype=plan.dtype,
        tokens=plan.tokens,
        params=plan.params.total,
        macs=plan.macs.total // plan.batch,
        convention=plan.macs.convention,
        weights=plan.memory.total,
        memory=peak.total if peak else None,
        images_per_gb=per_gb,
        reasons=tuple(reasons),
    )
    return [_on(device, row, plan, peak, mode, (prices or {}).get(device.name)) for device in devices] or [row]


def refused(row: Choice, reason: object) -> Choice:
    """`row` with nothing but the reason for which there is no plan."""
    return replace(row, reasons=(*row.reasons, str(reason)))


def _on(device: Device, row: Choice, plan: Plan, peak: Peak | None, mode: str, price: float | None) -> Choice:
    """The row, on a device."""
    from vistoken.planning.latency import latency

    reasons = dict.fromkeys(row.reasons)
    needed = peak.on(device) if peak else None
    row = replace(row, device=device.name, mode=mode, memory=needed, has=device.memory_bytes)
    if row.fits is False:  # no time either; the column says by how much it does not fit
        return row
    found = known(lambda: latency(plan.operations, device, dtype=plan.dtype, batch=plan.batch, mode=mode), reasons)
    return _timed(replace(row, reasons=tuple(reasons)), found, price)


def _timed(row: Choice, found: Latency | None, price: float | None) -> Choice:
    if found is None:
        return row
    return replace(
        row,
        seconds=found.seconds,
        images_per_second=found.images_per_second,
        cost_per_million=None if price is None else found.seconds.times(1e6 / row.batch * price / 3600),
        notes=(f"{row.device}: {found.seconds.reason}", *found.notes),
    )


def known(ask: Callable[[], T], reasons: dict[str, None]) -> T | None:
    """What is asked for, or None and the reason."""
    try:
        return ask()
    except UsageError as error:
        reasons[str(error)] = None
        return None


def _per_gb(plan: Plan) -> float:
    """From what one picture more takes."""
    more, now = (each.memory.inference().total for each in (replace(plan, batch=plan.batch + 1), plan))
    return GB / (more - now)


# ---------------------------------------------------------------- what is asked for


def parse_prices(words: Iterable[str], devices: Sequence[Device]) -> dict[str, float]:
    """Prices of an hour by the device's name: "l4=0.8", or a bare number where there is one device alone.

    >>> from vistoken.planning.hardware import device
    >>> parse_prices(["l4=0.8", "h100=3.5"], [device("l4"), device("h100")])
    {'l4': 0.8, 'h100-sxm': 3.5}

    Raises `UsageError` for a device that is not among those asked for, a price that is none, or a second one.
    """
    names, prices = [device.name for device in devices], dict[str, float]()
    for word in words:
        given, _, text = word.rpartition("=")
        name = _priced(word, given, names)
        if name in prices:
            raise UsageError(f"price {shown(word)}: {name} has a price already")
        prices[name] = _price(word, text)
    return prices


def _priced(word: str, given: str, names: Sequence[str]) -> str:
    """The name of the device that has the price."""
    from vistoken.planning.cards import ALIASES

    if not names:
        raise UsageError(f"price {shown(word)}: of which device? Add --device NAME")
    if "=" not in word:
        if len(names) > 1:
            raise UsageError(f"price {shown(word)}: say of which device, for example {names[0]}={word}")
        return names[0]
    name = ALIASES.get(given, given)
    if name not in names:
        asked = ", ".join(names)
        hint = did_you_mean(given, names)
        raise UsageError(f"price {shown(word)}: {shown(given)} is not among the devices asked for, {asked}.{hint}")
    return name


def _price(word: str, text: str) -> float:
    try:
        price = float(text)
    except ValueError:
        price = 0.0
    if not 0 < price < float("inf"):
        raise UsageError(f"price {shown(word)}: write a number above 0, what an hour costs, for example 0.8")
    return price
