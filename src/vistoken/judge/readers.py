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
    """A list of (rows, columns) in patches, one for each view (LFM2-VL)."""
    side = processor.encoder_patch_size
    for rows, cols in _listed(outputs["spatial_shapes"]):
        yield 1, int(rows) * side, int(cols) * side


def square_rows(key: str, frames: bool = False) -> Reader:
    """An array (views, patches, values) of square views, or of the `frames` of one (Molmo2)."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        views, patches = outputs[key].shape[:2]
        side = math.isqrt(patches) * processor.patch_size
        yield from [(views, side, side)] if frames else [(1, side, side)] * views

    return read


def stacked_frames(key: str) -> Reader:
    """The frames of a video in one array, (frames, channels, height, width)."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        frames, _, height, width = outputs[key][0].shape
        yield int(frames), int(height), int(width)

    return read


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


READERS: Mapping[str, Reader] = {
    "image_grid_thw": grid_thw("image_grid_thw"),
    "video_grid_thw": grid_thw("video_grid_thw"),
    "pixel_values": stacked(),
    "image_pixel_values": stacked("image_pixel_values"),
    "num_tiles": counted("pixel_values", "num_tiles"),
    "spatial_shapes": spatial_shapes,
    "molmo2_crops": square_rows("pixel_values"),
    "stacked_frames": stacked_frames("pixel_values_videos"),
    "molmo2_frames": square_rows("pixel_values_videos", frames=True),
    "pixel_values_videos": stacked("pixel_values_videos"),
}
