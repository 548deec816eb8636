"""Whether a parameter is still what it was: tables and folded weights are kept as long as what they come from."""

from __future__ import annotations

from torch import Tensor


def state_of(*tensors: Tensor | None) -> tuple[object, ...] | None:
    """What becomes another one when any of these tensors does; None where torch keeps no account of changes.

    It keeps none of tensors that were made in inference mode, nor of what is written through `tensor.data`.
    """
    present = [tensor for tensor in tensors if tensor is not None]
    if any(tensor.is_inference() for tensor in present):
        return None
    return tuple((tensor.data_ptr(), tensor._version, tensor.device) for tensor in present)
