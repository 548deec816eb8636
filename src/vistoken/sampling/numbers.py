"""Evenly spaced numbers as the reference's libraries compute them: the last bit decides which frame is taken."""

from __future__ import annotations

from array import array

from vistoken.single import single


def spaced(start: float, stop: float, count: int) -> list[float]:
    """`count` numbers from `start` to `stop`, both included, in double precision.

    Source: numpy 2, `linspace`: one step, multiplied; the last number is `stop` itself.
    """
    if count < 2:
        return [float(start)] * count
    step = (stop - start) / (count - 1)
    numbers = [number * step + start for number in range(count)]
    numbers[-1] = float(stop)
    return numbers


def spaced_in_single(stop: int, count: int) -> list[float]:
    """`count` numbers from 0 to `stop`, both included, in single precision.

    The first half is counted from the start, the second half from the end, each product and difference rounded.
    Source: PyTorch, `linspace`, `aten/src/ATen/native/cpu/RangeFactoriesKernel.cpp`.
    """
    if count == 1:
        return [0.0]
    end = single(stop)
    step = single(end / (count - 1))
    first = [single(step * number) for number in range(count // 2)]
    return first + [single(end - single(step * number)) for number in range(count - count // 2 - 1, -1, -1)]


def stepped(step: float, count: int, start: float = 0.0) -> array[float]:
    """The first `count` of `start`, `start` + `step`, ... in single precision.

    Up to the last multiple of 16 they come in vectors of eight: the first number of a vector is rounded before the
    others are added to it. The rest is computed one by one. In long videos that decides on which side of a whole
    number a frame falls.
    Source: PyTorch, `arange`, `aten/src/ATen/native/cpu/RangeFactoriesKernel.cpp`; compared with 2.13 on x86.
    """
    whole = count - count % 16
    firsts = array("f", [start + number * step for number in range(0, whole, 8)])
    vectors = [first + lane * step for first in firsts for lane in range(8)]
    return array("f", vectors + [start + number * step for number in range(whole, count)])
