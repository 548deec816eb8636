"""How the views can be read from what a reference's image processor returns: one function a convention."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Shape = tuple[int, int, int]
Reader = Callable[[Any, Any], Iterator[Shape]]


def grid_thw(key: str) -> Reader:
    """A list of (frames, rows, columns) in patches."""

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


def stacked(key: str = "pixel_values") -> Reader:
    """One array a view, (channels, height, width), all views of the picture one after another."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        for view in _flat(outputs[key]):
            yield 1, int(view.shape[-2]), int(view.shape[-1])

    return read


def counted(key: str, number: str) -> Reader:
    """Stacked views, of which only the first `number` are real: the rest fills a batch (Llama 3.2 Vision)."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        yield from list(stacked(key)(outputs, processor))[: _first(outputs[number])]

    return read


def spatial_shapes(outputs: Any, processor: Any) -> Iterator[Shape]:
    """A list of (rows, columns) in patches, one for each view, the arrays themselves padded (NaFlex, LFM2-VL)."""
    side = getattr(processor, "encoder_patch_size", None) or processor.patch_size
    for rows, cols in _listed(outputs["spatial_shapes"]):
        yield 1, int(rows) * side, int(cols) * side


def square_rows(key: str, frames: bool = False) -> Reader:
    """An array (views, patches, values) of square views, or of the `frames` of one (Molmo2)."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        views, patches = outputs[key].shape[:2]
        side = math.isqrt(patches) * processor.patch_size
        yield from [(views, side, side)] if frames else [(1, side, side)] * views

    return read


def target_sizes(outputs: Any, processor: Any) -> Iterator[Shape]:
    """A list of (rows, columns) in patches, one for each view, the patches themselves in one row (MiniCPM-V)."""
    for rows, cols in _listed(outputs["target_sizes"]):
        yield 1, int(rows) * processor.patch_size, int(cols) * processor.patch_size


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


def filmed(key: str = "pixel_values_videos") -> Reader:
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


def bare(outputs: Any, processor: Any) -> Iterator[Shape]:
    """The processor returns the views themselves, (views, channels, height, width)."""
    for view in _flat(outputs):
        yield 1, int(view.shape[-2]), int(view.shape[-1])


def two_towers(outputs: Any, processor: Any) -> Iterator[Shape]:
    """One array for each of two towers."""
    yield from stacked()(outputs, processor)
    yield from stacked("high_res_pixel_values")(outputs, processor)


def first_pixels(outputs: Any, processor: Any) -> Iterator[Shape]:
    """The array of the first picture alone, without the padding that its batch needs."""
    height, width = outputs["image_sizes"][0]
    yield 1, int(height), int(width)


def flattened(outputs: Any, processor: Any) -> Iterator[Shape]:
    """Rows of one patch each, which begin with the numbers of its row and column, counted from 1."""
    patches, patch = outputs["flattened_patches"][0], processor.patch_size
    yield 1, int(patches[:, 0].max()) * patch["height"], int(patches[:, 1].max()) * patch["width"]


def with_tiles(outputs: Any, processor: Any) -> Iterator[Shape]:
    """Tiles and overviews in arrays of their own: the tiles first, as the model puts them together."""
    if "pixel_values_local" in outputs:
        yield from stacked("pixel_values_local")(outputs, processor)
    yield from stacked()(outputs, processor)


def grid_hw(outputs: Any, processor: Any) -> Iterator[Shape]:
    """A list of (rows, columns) in patches."""
    for rows, cols in _listed(outputs["image_grid_hw"])[:1]:
        yield 1, int(rows) * processor.patch_size, int(cols) * processor.patch_size


def whole_video(outputs: Any, processor: Any) -> Iterator[Shape]:
    """One array of (frames, channels, height, width), as one view."""
    video = outputs["pixel_values_videos"][0]
    yield int(video.shape[0]), int(video.shape[-2]), int(video.shape[-1])


def stacked_frames(key: str) -> Reader:
    """The frames of a video in one array, (frames, channels, height, width)."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        frames, _, height, width = outputs[key][0].shape
        yield int(frames), int(height), int(width)

    return read


def unpadded(outputs: Any, processor: Any) -> Iterator[Shape]:
    """Height and width before padding, and the patches that are kept of the padded picture (Fuyu)."""
    side = processor.patch_size.height
    rows = -(-int(outputs["image_unpadded_heights"][0][0]) // side)
    yield 1, rows * side, len(outputs["image_patches"]) // rows * side


def cells_thw(outputs: Any, processor: Any) -> Iterator[Shape]:
    """As `grid_thw`, where the processor's `size` is that of one cell (Inkling 2)."""
    for frames, rows, cols in _listed(outputs["image_grid_thw"])[:1]:
        yield int(frames), int(rows) * processor.size.height, int(cols) * processor.size.width


def positions(outputs: Any, processor: Any) -> Iterator[Shape]:
    """(column, row) of every patch, -1 for padding, beside rows of one patch each (Gemma 4)."""
    cells, patches = outputs["image_position_ids"][0], outputs["pixel_values"][0]
    side = math.isqrt(patches.shape[-1] // 3)  # the unified model's patches are blocks of the processor's own
    yield 1, (int(cells[:, 1].max()) + 1) * side, (int(cells[:, 0].max()) + 1) * side


READERS: Mapping[str, Reader] = {
    "image_grid_thw": grid_thw("image_grid_thw"),
    "video_grid_thw": grid_thw("video_grid_thw"),
    "video_grid_thw in chunks": chunked_thw("video_grid_thw"),
    "pixel_values": stacked(),
    "image_pixel_values": stacked("image_pixel_values"),
    "num_tiles": counted("pixel_values", "num_tiles"),
    "spatial_shapes": spatial_shapes,
    "target_sizes": target_sizes,
    "molmo2_crops": square_rows("pixel_values"),
    "molmo2_frames": square_rows("pixel_values_videos", frames=True),
    "pixel_values_videos": stacked("pixel_values_videos"),
    "pixel_values_images": stacked("pixel_values_images"),
    "frames": filmed(),
    "pixel_attention_mask": masked("pixel_attention_mask"),
    "frames of pixel_values": filmed("pixel_values"),
    "array": bare,
    "high_res_pixel_values": two_towers,
    "image_sizes": first_pixels,
    "flattened_patches": flattened,
    "pixel_values_local": with_tiles,
    "image_grid_hw": grid_hw,
    "whole_video": whole_video,
    "stacked_frames": stacked_frames("pixel_values_videos"),
    "image_unpadded_heights": unpadded,
    "image_grid_thw of cells": cells_thw,
    "image_position_ids": positions,
}
