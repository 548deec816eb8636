"""What every benchmark prints first, and how it takes medians."""

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Callable
from statistics import median


def heading(title: str, *packages: str) -> str:
    """The title, the date, the machine and the versions."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    return (
        f"{title}\n{datetime.date.today()}, {_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n"
        f"Python {platform.python_version()}, {versions}\n"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def interleaved(cases: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Each case once a round, in turn, so that drift of the machine hits all alike; the first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            value = case()
            if number:
                seconds[name].append(value)
    return seconds


def ratio(one: list[float], other: list[float]) -> float:
    """The median over rounds of one / other."""
    return median(a / b for a, b in zip(one, other, strict=True))
