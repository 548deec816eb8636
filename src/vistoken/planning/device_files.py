"""Device files: a small TOML file that adds devices or overrides figures of known ones. Hostile until checked.

    [devices.my-card]
    label = "My card"
    kind = "gpu"                       # or "cpu"
    memory = 24                        # GB
    bandwidth = 1008                   # GB/s
    source = "the vendor's datasheet"  # of every figure of this entry; and how sure they are:
    confidence = "B"
    seen = "2026-11-21"
    [devices.my-card.rates]            # TFLOP/s, dense
    float16 = 165.2
    [devices.my-card.efficiency.eager]
    compute = 0.93
    traffic = 2.4
    dtypes = ["float16"]

An entry that bears the name of a known device replaces what it names and keeps the rest.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from vistoken.errors import UsageError, did_you_mean, one_line, shown
from vistoken.planning.hardware import BYTES, CONFIDENCES, KINDS, MODES, Device, Efficiency, Figure

T = TypeVar("T", bound=str)

MAX_BYTES = 2**20
MAX_DEVICES = 1000
MAX_TEXT = 300
# The bounds of a figure: from a microcontroller to what no single device will be.
LOW, HIGH = 1e-6, 1e9

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ENTRY = ("label", "kind", "memory", "bandwidth", "source", "confidence", "seen", "rates", "efficiency")
_EFFICIENCY = ("compute", "traffic", "dtypes", "source")


def user_files() -> tuple[str, str]:
    """Where the user's devices are kept, in the configuration folder: measured ones, and those written by hand.

    Source: XDG Base Directory Specification 0.8 ($XDG_CONFIG_HOME, which must be absolute); %APPDATA% on Windows.
    """
    given = os.environ.get("APPDATA" if os.name == "nt" else "XDG_CONFIG_HOME", "")
    home = given if os.path.isabs(given) else os.path.join(os.path.expanduser("~"), ".config")
    folder = os.path.join(home, "vistoken")
    return os.path.join(folder, "calibrated.toml"), os.path.join(folder, "devices.toml")


def read_devices(path: str, known: Mapping[str, Device]) -> dict[str, Device]:
    """`known` with the devices of the file added. Raises `UsageError` that names the file, the entry and the rule."""
    try:
        entries = _table(_parsed(path), "", ("devices",)).get("devices", {})
        if len(_table(entries, "devices")) > MAX_DEVICES:
            raise ValueError(f"holds more than {MAX_DEVICES:,} devices")
        return {**known, **{name: _device(name, entry, known.get(name)) for name, entry in entries.items()}}
    except ValueError as error:
        raise UsageError(f"device file {path}: {error}") from None


def _parsed(path: str) -> dict[str, Any]:
    import tomllib

    text = _text(path)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"is not valid TOML: {one_line(str(error))}") from None


def _text(path: str) -> str:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device would block or never end
            raise ValueError("is not a regular file")
        if status.st_size > MAX_BYTES:
            raise ValueError(f"has {status.st_size:,} bytes, more than the {MAX_BYTES:,} allowed")
        with open(path, "rb") as file:
            return file.read(MAX_BYTES).decode("utf-8")  # no more, should it grow meanwhile
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None


# ---------------------------------------------------------------- one entry


def _device(name: str, entry: object, before: Device | None) -> Device:
    if not _NAME.fullmatch(name):
        raise ValueError(f"device name {shown(name)}: use up to 64 of a-z, 0-9, dash and underscore")
    values = _table(entry, name, _ENTRY)
    missing = [key for key in ("memory", "bandwidth", "rates") if key not in values]
    if missing and before is None:
        raise ValueError(f"{name} is no known device, so it needs {', '.join(missing)} too")
    figure = _figures(name, values)
    label = _text_of(values, name, "label", before.label if before else name)
    kind = _one_of(values, name, "kind", KINDS, before.kind if before else "gpu")
    rates = {dtype: figure(f"rates.{dtype}", rate) for dtype, rate in _rates(values, name)}
    efficiencies = {mode: _efficiency(name, mode, table) for mode, table in _modes(values, name)}
    bandwidth, memory = (figure(key, values[key]) if key in values else None for key in ("bandwidth", "memory"))
    if before is None:
        assert bandwidth is not None
        assert memory is not None
        return Device(name, label, kind, tuple(rates.items()), bandwidth, memory, tuple(efficiencies.values()))
    return replace(
        before,
        label=label,
        kind=kind,
        rates=tuple((dict(before.rates) | rates).items()),
        bandwidth=bandwidth or before.bandwidth,
        memory=memory or before.memory,
        efficiencies=tuple(({old.mode: old for old in before.efficiencies} | efficiencies).values()),
    )


def _figures(name: str, values: Mapping[str, Any]) -> Callable[[str, object], Figure]:
    """What makes figures of this entry, which share its source, date and confidence."""
    source = _text_of(values, name, "source", "a device file that names no source")
    seen = _text_of(values, name, "seen", "no date")
    confidence = _one_of(values, name, "confidence", CONFIDENCES, "C")
    return lambda key, value: Figure(_number(f"{name}.{key}", value), source, seen, confidence)


def _rates(values: Mapping[str, Any], name: str) -> Iterable[tuple[str, object]]:
    return _table(values.get("rates", {}), f"{name}.rates", tuple(BYTES)).items()


def _modes(values: Mapping[str, Any], name: str) -> Iterable[tuple[str, object]]:
    return _table(values.get("efficiency", {}), f"{name}.efficiency", MODES).items()


def _efficiency(name: str, mode: str, entry: object) -> Efficiency:
    where = f"{name}.efficiency.{mode}"
    values = _table(entry, where, _EFFICIENCY)
    missing = [key for key in ("compute", "traffic") if key not in values]
    if missing:
        raise ValueError(f"{where} needs {' and '.join(missing)}")
    dtypes = values.get("dtypes", list(BYTES))
    if not isinstance(dtypes, list) or not all(isinstance(dtype, str) and dtype in BYTES for dtype in dtypes):
        raise ValueError(f"{where}.dtypes is {shown(dtypes)}: it must be a list of {', '.join(BYTES)}")
    compute, traffic = (_number(f"{where}.{key}", values[key], 0.0) for key in ("compute", "traffic"))
    if not compute:
        raise ValueError(f"{where}.compute is 0: it is a share of the peak rate, above 0")
    source = _text_of(values, where, "source", "a device file that names no source")
    return Efficiency(_one_of({"mode": mode}, where, "mode", MODES, MODES[0]), compute, traffic, tuple(dtypes), source)


# ---------------------------------------------------------------- values


def _table(value: object, where: str, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """A table of TOML; with `keys`, no others may stand in it."""
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {shown(value)}: it must be a table")  # noqa: TRY004  # about the text
    for key in value:
        if keys and key not in keys:
            inside = f" in {where}" if where else ""
            raise ValueError(f"{shown(key)} is no key{inside}: known are {', '.join(keys)}.{did_you_mean(key, keys)}")
    return value


def _number(where: str, value: object, low: float = LOW) -> float:
    """A number in bounds; TOML also has booleans, dates, infinities, and NaN, which is in no bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= HIGH:
        raise ValueError(f"{where} is {shown(value)}: it must be a number from {low:g} to {HIGH:g}")
    return float(value)


def _text_of(values: Mapping[str, Any], where: str, key: str, default: str) -> str:
    value = values.get(key, default)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not value.isprintable():
        raise ValueError(f"{where}.{key} is {shown(value)}: it must be one line of up to {MAX_TEXT} characters")
    return value


def _one_of(values: Mapping[str, Any], where: str, key: str, allowed: tuple[T, ...], default: T) -> T:
    value = values.get(key, default)
    found = next((choice for choice in allowed if choice == value), None)
    if found is None:
        raise ValueError(f"{where}.{key} is {shown(value)}: it must be one of {', '.join(allowed)}")
    return found


# ---------------------------------------------------------------- writing


def write_device(device: Device, path: str) -> None:
    """Put the device into the file of measured ones, in place of an entry of its name; the others are kept.

    Raises `UsageError` where the file that is there is malformed, `OutputError` where it cannot be written.
    """
    from vistoken.errors import OutputError
    from vistoken.files import whole_file  # plans that only read do without it

    entries = read_devices(path, {}) if os.path.exists(path) else {}
    text = "\n".join(as_toml(entry) for entry in {**entries, device.name: device}.values())
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
    with whole_file(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(text)


def as_toml(device: Device) -> str:
    """The device as an entry of a device file; its source, date and confidence are those of its bandwidth."""
    about = device.bandwidth
    lines = [f"[devices.{device.name}]", f"label = {_quoted(device.label)}", f"kind = {_quoted(device.kind)}"]
    lines += [f"memory = {device.memory.value!r}", f"bandwidth = {about.value!r}", f"source = {_quoted(about.source)}"]
    lines += [f"seen = {_quoted(about.seen)}", f"confidence = {_quoted(about.confidence)}"]
    lines += [f"\n[devices.{device.name}.rates]", *(f"{dtype} = {rate.value!r}" for dtype, rate in device.rates)]
    for efficiency in device.efficiencies:
        lines += [
            f"\n[devices.{device.name}.efficiency.{efficiency.mode}]", f"compute = {efficiency.compute!r}",
            f"traffic = {efficiency.traffic!r}", f"dtypes = [{', '.join(map(_quoted, efficiency.dtypes))}]",
            f"source = {_quoted(efficiency.source)}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A basic string of TOML: printable text, as every text that is read or measured here is."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
