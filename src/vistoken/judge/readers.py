"""How the views can be read from what a reference's processor returns: one function a convention."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

# Frames (or groups of them), height and width in pixels of one view.
Shape = tuple[int, int, int]
Reader = Callable[[Any, Any], Iterator[Shape]]


# ---------------------------------------------------------------- arrays of pixels


def stacked(*keys: str) -> Reader:
    """One array a view, (channels, height, width), all views of the picture one after another.

    Of several `keys`, in this order, those that are there: tiles and overviews in arrays of their own, or the arrays of
    several towers.
    """

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        for key in keys:
            if key in outputs:
                yield from bare(outputs[key], processor)

    return read


def bare(outputs: Any, processor: Any) -> Iterator[Shape]:
    """The processor returns the views themselves, (views, channels, height, width)."""
    for view in _flat(outputs):
        yield 1, int(view.shape[-2]), int(view.shape[-1])


def counted(key: str, number: str) -> Reader:
    """Stacked views, of which only the first `number` are real: the rest fills a batch (Llama 3.2 Vision)."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        yield from list(stacked(key)(outputs, processor))[: _first(outputs[number])]

    return read


def filmed(key: str) -> Reader:
    """One array a video, (frames, channels, height, width), whose frames are one view each of the same size."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        frames, _, height, width = outputs[key][0].shape
        yield int(frames), int(height), int(width)

    return read


def masked(key: str) -> Reader:
    """The part of each padded view that a mask of (height, width) leaves."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        for mask in _flat(outputs[key]):
            for view in mask:
                yield 1, int(view[:, 0].sum()), int(view[0].sum())

    return read


def first_pixels(outputs: Any, processor: Any) -> Iterator[Shape]:
    """The array of the first picture alone, without the padding that its batch needs."""
    height, width = outputs["image_sizes"][0]
    yield 1, int(height), int(width)


# ---------------------------------------------------------------- grids, in patches


def grid_thw(key: str) -> Reader:
    """A list of (frames, rows, columns)."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        side = processor.patch_size
        for frames, rows, cols in _listed(outputs[key])[:1]:
            yield int(frames), int(rows) * side, int(cols) * side

    return read


def chunked_thw(key: str) -> Reader:
    """As `grid_thw` where one video is handed over in several chunks of frames."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        chunks, side = _listed(outputs[key]), processor.patch_size
        yield sum(int(frames) for frames, _, _ in chunks), int(chunks[0][1]) * side, int(chunks[0][2]) * side

    return read


def cells_thw(outputs: Any, processor: Any) -> Iterator[Shape]:
    """As `grid_thw`, where the processor's `size` is that of one cell (Inkling 2)."""
    for frames, rows, cols in _listed(outputs["image_grid_thw"])[:1]:
        yield int(frames), int(rows) * processor.size.height, int(cols) * processor.size.width


def grid_hw(key: str) -> Reader:
    """A list of (rows, columns), one for each view, the patches themselves padded or in one row."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        side = getattr(processor, "encoder_patch_size", None) or processor.patch_size
        for rows, cols in _listed(outputs[key]):
            yield 1, int(rows) * side, int(cols) * side

    return read


# ---------------------------------------------------------------- rows of one patch each


def square_rows(key: str) -> Reader:
    """An array (views, patches, values) of square views."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        for _ in range(outputs[key].shape[0]):
            yield 1, *_square(outputs[key], processor)

    return read


def square_frames(key: str) -> Reader:
    """As `square_rows`, of the frames of one view (Molmo2)."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        yield int(outputs[key].shape[0]), *_square(outputs[key], processor)

    return read


def flattened(outputs: Any, processor: Any) -> Iterator[Shape]:
    """Rows that begin with the numbers of the patch's row and column, counted from 1."""
    patches, patch = outputs["flattened_patches"][0], processor.patch_size
    yield 1, int(patches[:, 0].max()) * patch["height"], int(patches[:, 1].max()) * patch["width"]


def positions(outputs: Any, processor: Any) -> Iterator[Shape]:
    """(column, row) of every patch, -1 for padding, beside the rows (Gemma 4)."""
    cells, patches = outputs["image_position_ids"][0], outputs["pixel_values"][0]
    side = math.isqrt(patches.shape[-1] // 3)  # the unified model's patches are blocks of the processor's own
    yield 1, (int(cells[:, 1].max()) + 1) * side, (int(cells[:, 0].max()) + 1) * side


def unpadded(outputs: Any, processor: Any) -> Iterator[Shape]:
    """Height and width before padding, and the patches that are kept of the padded picture (Fuyu)."""
    side = processor.patch_size.height
    rows = -(-int(outputs["image_unpadded_heights"][0][0]) // side)
    yield 1, rows * side, len(outputs["image_patches"]) // rows * side


# ---------------------------------------------------------------- all of them, by name

READERS: Mapping[str, Reader] = {
    "pixel_values": stacked("pixel_values"),
    "image_pixel_values": stacked("image_pixel_values"),
    "pixel_values_images": stacked("pixel_values_images"),
    "pixel_values_local": stacked("pixel_values_local", "pixel_values"),
    "high_res_pixel_values": stacked("pixel_values", "high_res_pixel_values"),
    "array": bare,
    "num_tiles": counted("pixel_values", "num_tiles"),
    "frames": filmed("pixel_values_videos"),
    "frames of pixel_values": filmed("pixel_values"),
    "pixel_attention_mask": masked("pixel_attention_mask"),
    "image_sizes": first_pixels,
    "image_grid_thw": grid_thw("image_grid_thw"),
    "image_grid_thw of cells": cells_thw,
    "video_grid_thw": grid_thw("video_grid_thw"),
    "video_grid_thw in chunks": chunked_thw("video_grid_thw"),
    "image_grid_hw": grid_hw("image_grid_hw"),
    "spatial_shapes": grid_hw("spatial_shapes"),
    "target_sizes": grid_hw("target_sizes"),
    "molmo2_crops": square_rows("pixel_values"),
    "molmo2_frames": square_frames("pixel_values_videos"),
    "flattened_patches": flattened,
    "image_position_ids": positions,
    "image_unpadded_heights": unpadded,
}


def _first(values: Any) -> int:
    """The first number within nested lists."""
    return _first(values[0]) if isinstance(values, list) else int(values)


def _flat(values: Any) -> Iterator[Any]:
    """The arrays of three dimensions within lists and arrays of more."""
    if not isinstance(values, list | tuple) and values.ndim == 3:
        yield values
    else:
        for value in values:
            yield from _flat(value)


def _listed(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _square(array: Any, processor: Any) -> tuple[int, int]:
    """Height and width of square views in an array (views, patches, values)."""
    side = math.isqrt(array.shape[1]) * int(processor.patch_size)
    return side, side
