"""Evenly spaced numbers as the reference libraries compute them: the last bit decides which frame is taken."""

from __future__ import annotations

import math
import struct


def spaced(start: float, stop: float, count: int) -> list[float]:
    """`count` numbers from `start` to `stop`, both included.

    Source: numpy 2, `linspace`: one step, multiplied; the last number is `stop` itself.
    """
    if count < 2:
        return [float(start)] * count
    step = (stop - start) / (count - 1)
    numbers = [number * step + start for number in range(count)]
    numbers[-1] = float(stop)
    return numbers


def single(number: float) -> float:
    """The number in single precision."""
    return float(struct.unpack("f", struct.pack("f", number))[0])


def strides(total: int, wanted: float) -> list[int]:
    """Whole parts of the multiples of `total` / `wanted` below `total`.

    Source: PyTorch, `arange(0, total, total / wanted).int()`: single precision before the cut.
    """
    step = total / wanted
    return [int(single(number * step)) for number in range(math.ceil(total / step))]
