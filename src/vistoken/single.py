"""Numbers as float32 holds them, for rules whose reference compares in it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from struct import Struct


@cache
def _packed(count: int) -> Struct:
    return Struct(f"{count}f")


def single(value: float) -> float:
    """`value` rounded to float32.

    >>> single(0.1)
    0.10000000149011612
    """
    return singles((value,))[0]


def singles(values: Iterable[float]) -> tuple[float, ...]:
    """All of `values` rounded to float32, in one step."""
    listed = tuple(values)
    packed = _packed(len(listed))
    return packed.unpack(packed.pack(*listed))
