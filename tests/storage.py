"""Bytes of tensors that are alive, storage by storage: the judge of planned memory.

A dispatch mode sees every operator of torch and, with it, every storage that is born; when a storage dies its bytes go.
With shape-only tensors (`shapes_only`) a model of any size is followed in seconds, and nothing is allocated: the same
operators run as with real tensors on a CPU, its fused attention included.
Left out: what a kernel allocates inside and gives back, contexts, and how an allocator rounds.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@dataclass(frozen=True)
class Stored:
    """A storage, by the operator that made it and the shape and dtype that it then had."""

    maker: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int


class StorageTracker(TorchDispatchMode):
    """`live` bytes, their `peak`, and `at_peak`: what lived then. Tensors in `known` count from the beginning."""

    def __init__(self, known: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.held: dict[int, Stored] = {}
        self.live = self.peak = 0
        self.at_peak: tuple[Stored, ...] = ()
        for tensor in known:
            self._meet(tensor, "known")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._meet(leaf, func.__name__)
        return result

    def _meet(self, tensor: Tensor, maker: str) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.held:
            return
        self.held[key] = Stored(maker, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), storage.nbytes())
        weakref.finalize(storage, self._bury, key)
        self.live += storage.nbytes()
        if self.live > self.peak:
            self.peak, self.at_peak = self.live, tuple(self.held.values())

    def _bury(self, key: int) -> None:
        self.live -= self.held.pop(key).bytes


def shapes_only() -> FakeTensorMode:
    """Within it tensors have shape, dtype and a storage of so many bytes, but no values."""
    return FakeTensorMode(allow_non_fake_inputs=True)
