"""The pixels of the views, read back from what a reference's processor returns: one function a convention.

The twin of `readers`, which reads shapes alone: the same names, the same order of views.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

# One view: (channels, height, width), normalised as the processor does it.
Pixels = np.ndarray[Any, Any]
Unpacker = Callable[[Any, Any], Iterator[Pixels]]


# ---------------------------------------------------------------- arrays of pixels


def stacked(*keys: str) -> Unpacker:
    """One array a view, of each of `keys` that is there."""

    def read(outputs: Any, processor: Any) -> Iterator[Pixels]:
        for key in keys:
            if key in outputs:
                yield from flat(outputs[key])

    return read


def bare(outputs: Any, processor: Any) -> Iterator[Pixels]:
    """The processor returns the views themselves."""
    yield from flat(outputs)


def counted(outputs: Any, processor: Any) -> Iterator[Pixels]:
    """Stacked views, of which only the first `num_tiles` are real: the rest fills a batch (Llama 3.2 Vision)."""
    number = outputs["num_tiles"]
    while isinstance(number, list):
        number = number[0]
    yield from list(flat(outputs["pixel_values"]))[: int(number)]


def masked(outputs: Any, processor: Any) -> Iterator[Pixels]:
    """The part of each padded view that a mask of (height, width) leaves (Idefics2)."""
    masks = (mask for picture in flat(outputs["pixel_attention_mask"]) for mask in picture)
    for view, mask in zip(flat(outputs["pixel_values"]), masks, strict=True):
        yield view[:, : int(mask[:, 0].sum()), : int(mask[0].sum())]


def sized(outputs: Any, processor: Any) -> Iterator[Pixels]:
    """The first picture without the padding that its batch needs (Emu3)."""
    height, width = (int(side) for side in outputs["image_sizes"][0])
    yield next(flat(outputs["pixel_values"]))[:, :height, :width]


# ---------------------------------------------------------------- rows of one patch each

# The axes of a processor's rows of patches, in its own order: f(rame in the group), b(lock row), r(ow in the block),
# y (row in the patch), d (block column), s (column in the block), x (column in the patch), c(hannel).
QWEN = "bdrscfyx"
# Sources: transformers 5.23.0, `patchify` of each of these classes.
AXES: Mapping[str, str] = {
    "HunYuanVLImageProcessor": "brdscfyx",
    "Cosmos3EdgeImageProcessor": "bdrsfyxc",
    "PaddleOCRVLImageProcessor": "brdscfyx",
    "Kimi_K25ImageProcessor": "brdscfyx",
    "MuseGlimmerImageProcessor": "brdsfcyx",
}


def blocks(outputs: Any, processor: Any) -> Iterator[Pixels]:
    """Rows of one patch each, block by block; a still picture is repeated for each frame of a group."""
    frames, rows, cols = (int(number) for number in np.asarray(outputs["image_grid_thw"])[0])
    side, merge = int(processor.patch_size), int(getattr(processor, "merge_size", 1))
    values = np.asarray(outputs["pixel_values"])
    axes = AXES.get(type(processor).__name__.removesuffix("Pil"), QWEN)
    lengths = {"b": rows // merge, "r": merge, "d": cols // merge, "s": merge, "y": side, "x": side, "c": 3}
    lengths["f"] = values.size // math.prod(lengths.values())
    film = np.einsum(f"{axes}->fcbrydsx", values.reshape([lengths[axis] for axis in axes]))
    film = film.reshape(lengths["f"], 3, rows * side, cols * side)
    assert frames == 1, "a still picture is one group of frames"
    assert all(np.array_equal(frame, film[0]) for frame in film), "the frames of a still picture are equal"
    yield film[0]


def shaped_rows(outputs: Any, processor: Any) -> Iterator[Pixels]:
    """Rows of (row, column, channel) patches, in raster order and padded; `spatial_shapes` counts them."""
    side = int(getattr(processor, "encoder_patch_size", None) or processor.patch_size)
    for patches, (rows, cols) in zip(outputs["pixel_values"], np.asarray(outputs["spatial_shapes"]), strict=True):
        yield raster(np.asarray(patches)[: rows * cols], int(rows), int(cols), side)


def positions(outputs: Any, processor: Any) -> Iterator[Pixels]:
    """As `shaped_rows`, with (column, row) beside every patch, -1 for padding (Gemma 4)."""
    cells, patches = np.asarray(outputs["image_position_ids"])[0], np.asarray(outputs["pixel_values"])[0]
    cols, rows = (int(most) + 1 for most in cells.max(axis=0))
    yield raster(patches[: rows * cols], rows, cols, math.isqrt(patches.shape[-1] // 3))


def square_rows(outputs: Any, processor: Any) -> Iterator[Pixels]:
    """(views, patches, values) of square views (Molmo2)."""
    side = int(processor.patch_size)
    for patches in np.asarray(outputs["pixel_values"]):
        cells = math.isqrt(len(patches))
        yield raster(patches, cells, cells, side)


def strips(outputs: Any, processor: Any) -> Iterator[Pixels]:
    """All patches side by side in one strip (channels, side, columns), view after view (MiniCPM-V 4.6)."""
    strip, side, start = np.asarray(outputs["pixel_values"])[0], int(processor.patch_size), 0
    for rows, cols in np.asarray(outputs["target_sizes"]):
        part = strip[:, :, start : start + rows * cols * side].reshape(3, side, rows, cols, side)
        yield np.einsum("cyrsx->crysx", part).reshape(3, rows * side, cols * side)
        start += rows * cols * side


# ---------------------------------------------------------------- all of them, by name

UNPACKERS: Mapping[str, Unpacker] = {
    "pixel_values": stacked("pixel_values"),
    "image_pixel_values": stacked("image_pixel_values"),
    "pixel_values_images": stacked("pixel_values_images"),
    "pixel_values_local": stacked("pixel_values_local", "pixel_values"),
    "high_res_pixel_values": stacked("pixel_values", "high_res_pixel_values"),
    "array": bare,
    "num_tiles": counted,
    "pixel_attention_mask": masked,
    "image_sizes": sized,
    "image_grid_thw": blocks,
    "spatial_shapes": shaped_rows,
    "target_sizes": strips,
    "molmo2_crops": square_rows,
    "image_position_ids": positions,
}


def flat(values: Any) -> Iterator[Pixels]:
    """The arrays of three dimensions within lists and arrays of more."""
    if not isinstance(values, list | tuple) and values.ndim == 3:
        yield torch.as_tensor(values).float().numpy()  # Llama 4 hands over bfloat16
    else:
        for value in values:
            yield from flat(value)


def raster(patches: Pixels, rows: int, cols: int, side: int) -> Pixels:
    """A view from its patches of (row, column, channel), in raster order."""
    cells: Pixels = np.einsum("rsyxc->crysx", patches.reshape(rows, cols, side, side, 3))
    return cells.reshape(3, rows * side, cols * side)
