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
import transformers
from transformers import image_processing_backends as backends
from transformers.utils.import_utils import is_torchvision_available

# Classes that normalise each picture by its own mean and deviation.
OWN_NORMALIZE: tuple[Any, ...] = (transformers.Kosmos2_5ImageProcessorPil, transformers.Pix2StructImageProcessorPil)


def blank(height: int, width: int) -> Any:
    """A picture of (3, height, width) bytes that takes no memory.

    Channels stand first: at the end, the reference could take a side of three pixels for them.
    """
    return np.broadcast_to(np.zeros((), np.uint8), (3, height, width))


def blank_frames(frames: int, height: int, width: int) -> Any:
    """Frames of (frames, 3, height, width) without content."""
    return torch.zeros((), dtype=torch.uint8, device="meta").expand(frames, 3, height, width)


def _np_resize(image: Any, size: tuple[int, int], **_: Any) -> Any:
    if not image.size:  # torchvision's classes refuse it too; Pillow makes it black
        raise ValueError("an empty picture cannot be resized")
    _refuse_nothing(size)
    return np.broadcast_to(np.zeros((), image.dtype), (*image.shape[:-2], int(size[0]), int(size[1])))


def _refuse_nothing(size: Any) -> None:
    """The real primitives refuse a side of 0 pixels, too."""
    if not all(int(side) > 0 for side in size):
        raise ValueError(f"height and width must be > 0, not {tuple(size)}")


def _same(image: Any, *_: Any, **__: Any) -> Any:
    return image


def _method(_: Any, image: Any, *__: Any, **___: Any) -> Any:
    return image


def _to_numpy(image: Any) -> Any:
    """Of frames on torch's device "meta", which have shapes and no values."""
    return np.broadcast_to(np.zeros((), np.uint8), tuple(image.shape))


def _torch_resize(image: Any, size: Any, **_: Any) -> Any:
    _refuse_nothing(size)
    return torch.zeros((), dtype=image.dtype, device=image.device).expand(*image.shape[:-2], int(size[0]), int(size[1]))


def _interpolate(image: Any, size: Any, **_: Any) -> Any:
    return _torch_resize(image, size)


def _floats(_: Any, image: Any, **__: Any) -> Any:
    return np.broadcast_to(np.zeros((), np.float32), image.shape)


def _ones(*args: Any, **kwargs: Any) -> Any:
    """Masks keep their values even where pixels have none: lengths of texts are read off them."""
    return _TORCH_ONES(*args, **{name: value for name, value in kwargs.items() if name != "device"})


_TORCH_ONES = torch.ones


@contextmanager
def shapes_only() -> Iterator[None]:
    """While it lasts, the reference's resizing and normalising make shapes, not pixels."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(backends, "np_resize", _np_resize))
        stack.enter_context(mock.patch.object(backends, "np_rescale", _same))
        stack.enter_context(mock.patch.object(backends, "np_normalize", _same))
        stack.enter_context(mock.patch.object(torch, "ones", _ones))
        stack.enter_context(mock.patch.object(backends.TorchvisionBackend, "rescale_and_normalize", _method))
        # A processor of before the backends, and two that look at a video's pixels for their shape alone.
        models = "transformers.models"
        stack.enter_context(mock.patch(f"{models}.video_llava.image_processing_video_llava.resize", _np_resize))
        for name in ("llava_next_video", "video_llava"):
            stack.enter_context(mock.patch(f"{models}.{name}.processing_{name}.to_numpy_array", _to_numpy))
        stack.enter_context(mock.patch.object(torch.nn.functional, "interpolate", _interpolate))
        for kind in OWN_NORMALIZE:
            stack.enter_context(mock.patch.object(kind, "normalize", _floats))
        if is_torchvision_available():
            from torchvision.transforms.v2 import functional

            stack.enter_context(mock.patch.object(functional, "resize", _torch_resize))
        yield
