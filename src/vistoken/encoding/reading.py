"""The values of tensors in a safetensors file, read piece by piece straight to where they belong.

Files are read, not mapped: a mapped file takes memory beside the model until it is let go, and a model that stays on
one changes when the file does, and crashes when it is cut short. So a model takes its weights and one piece at its
highest, and each piece is checked while it is still in the processor's cache.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO

import torch
from torch import Tensor

from vistoken.encoding.headers import FLOATS, Stored
from vistoken.errors import WeightsError
from vistoken.frozen import frozen

# Of one tensor that are read and checked at once: what the caches of a core hold, and what torch still works on in one
# thread (ATen, `TensorIterator.h`, `GRAIN_SIZE`): waking others so often takes many times as long on a busy machine.
PIECE = 2**15


@frozen
class Values:
    """An open file whose header is known; `start` is where its tensors begin."""

    path: str
    file: BinaryIO
    start: int
    tensors: Mapping[str, Stored]

    def read(self, name: str, target: Tensor, skip: int = 0, finite: bool = True) -> bool:
        """Fill `target`, which is contiguous, from tensor `name` without its first `skip` values.

        Tells whether any value is not zero. Raises `WeightsError` for values that are not finite in the target's type,
        and for NaN also where they need not be `finite`.
        """
        stored, flat = self.tensors[name], target.view(-1)
        dtype, something = FLOATS[stored.dtype], False
        between = torch.empty(0 if dtype == target.dtype else PIECE, dtype=dtype)
        self.file.seek(self.start + stored.begin + skip * dtype.itemsize)
        for begin in range(0, len(flat), PIECE):
            piece = flat[begin : begin + PIECE]
            raw = piece if dtype == target.dtype else between[: len(piece)]
            self._take(raw)
            if raw is not piece:
                piece.copy_(raw)
            # Both are NaN where any value is; a float64 may be finite and yet too large for float32.
            low, high = (bound.item() for bound in piece.aminmax())
            if math.isnan(low) or (finite and not (math.isfinite(low) and math.isfinite(high))):
                why = f"not finite: NaN, infinity, or too large for {target.dtype}"
                raise WeightsError(f"{name} in {self.path} holds values that are {why}")
            something = something or low != 0 or high != 0
        return something

    def _take(self, target: Tensor) -> None:
        """The next bytes of the file, as many as `target` holds."""
        room = target.view(torch.uint8).numpy().data
        while room:
            count = self.file.readinto(room)  # type: ignore[attr-defined]
            if not count:
                raise WeightsError(f"{self.path} was cut short while it was read; fetch it again")
            room = room[count:]


@contextmanager
def open_values(path: str, tensors: Mapping[str, Stored]) -> Iterator[Values]:
    """The file `path`, of which `tensors` are the header. Raises `WeightsError` where it has changed since."""
    try:
        with open(path, "rb", buffering=0) as file:
            start = 8 + int.from_bytes(file.read(8), "little")
            size = os.fstat(file.fileno()).st_size
            if size != start + max((tensor.end for tensor in tensors.values()), default=0):
                raise WeightsError(f"{path} was changed while it was read: load it again")
            yield Values(path, file, start, tensors)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from None
