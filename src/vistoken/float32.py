"""Single precision without numpy: for rules that compare or cut where the reference computes in 32 bits."""

from __future__ import annotations

import struct

_FLOAT = struct.Struct("f")


def float32(value: float) -> float:
    """The nearest number of 32 bits.

    >>> float32(0.1)
    0.10000000149011612
    """
    return _FLOAT.unpack(_FLOAT.pack(value))[0]  # type: ignore[no-any-return]
