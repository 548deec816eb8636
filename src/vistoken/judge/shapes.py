"""Running the reference's processors for their shapes alone: the decisions are theirs, the pixels are left out.

Resizing and normalising cost a hundred times more than deciding on a size. Within `shapes_only`, the primitives of
transformers' two backends return an array of the right shape without computing it; every decision about sizes, crops,
pads and tokens is still made by the library's own code. `vistoken models --verify --pixels` does without.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from transformers import image_processing_backends as backends
from transformers.models.perception_lm import processing_perception_lm
from transformers.utils.import_utils import is_torchvision_available


def blank(height: int, width: int) -> Any:
    """A picture of (3, height, width) bytes that takes no memory.

    Channels stand first: at the end, the reference could take a side of three pixels for them.
    """
    return np.broadcast_to(np.zeros((), np.uint8), (3, height, width))


def blank_frames(frames: int, height: int, width: int) -> Any:
    """Frames of (frames, 3, height, width) without content."""
    return torch.zeros((), dtype=torch.uint8, device="meta").expand(frames, 3, height, width)


def _np_resize(image: Any, size: tuple[int, int], **_: Any) -> Any:
    return np.broadcast_to(np.zeros((), image.dtype), (*image.shape[:-2], int(size[0]), int(size[1])))


def _same(image: Any, *_: Any, **__: Any) -> Any:
    return image


def _method(_: Any, image: Any, *__: Any, **___: Any) -> Any:
    return image


def _numpy(image: Any) -> Any:
    return np.broadcast_to(np.zeros((), np.uint8), tuple(image.shape))


def _torch_resize(image: Any, size: Any, **_: Any) -> Any:
    return torch.zeros((), dtype=image.dtype, device=image.device).expand(*image.shape[:-2], int(size[0]), int(size[1]))


@contextmanager
def shapes_only() -> Iterator[None]:
    """While it lasts, the reference's resizing and normalising make shapes, not pixels."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(backends, "np_resize", _np_resize))
        stack.enter_context(mock.patch.object(backends, "np_rescale", _same))
        stack.enter_context(mock.patch.object(backends, "np_normalize", _same))
        stack.enter_context(mock.patch.object(backends.TorchvisionBackend, "rescale_and_normalize", _method))
        if is_torchvision_available():
            from torchvision.transforms.v2 import functional

            stack.enter_context(mock.patch.object(functional, "resize", _torch_resize))
            # It turns views into numpy arrays for their shapes, which frames without content cannot become.
            stack.enter_context(mock.patch.object(processing_perception_lm, "to_numpy_array", _numpy))
        yield
