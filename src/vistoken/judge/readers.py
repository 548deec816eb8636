"""How the views can be read from what a reference's image processor returns: one function a convention."""

from __future__ import annotations

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


def chunks_thw(outputs: Any, processor: Any) -> Iterator[Shape]:
    """As `grid_thw`, for a video that is handed over in chunks of a few frames: all of them together."""
    chunks = _listed(outputs["video_grid_thw"])
    yield (
        sum(int(frames) for frames, _, _ in chunks),
        int(chunks[0][1]) * processor.patch_size,
        int(chunks[0][2]) * processor.patch_size,
    )


def cells_thw(outputs: Any, processor: Any) -> Iterator[Shape]:
    """As `grid_thw`, where the processor's `size` is that of one cell."""
    for frames, rows, cols in _listed(outputs["image_grid_thw"])[:1]:
        yield int(frames), int(rows) * processor.size.height, int(cols) * processor.size.width


def windows(outputs: Any, processor: Any) -> Iterator[Shape]:
    """Windows of the picture, if any, then the whole picture (Step 3.7)."""
    yield from stacked("pixel_values_local")(outputs, processor) if "pixel_values_local" in outputs else ()
    yield from stacked()(outputs, processor)


def positions(outputs: Any, processor: Any) -> Iterator[Shape]:
    """(column, row) of every patch, -1 for padding; the unified Gemma 4's patches are whole blocks of small ones."""
    cells = outputs["image_position_ids"][0]
    values = outputs["pixel_values"][0].shape[-1]
    side = round((values / 3) ** 0.5)
    yield 1, (int(cells[:, 1].max()) + 1) * side, (int(cells[:, 0].max()) + 1) * side


def stacked(key: str = "pixel_values") -> Reader:
    """One array a view, (channels, height, width), all views of the picture one after another."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        for view in _flat(outputs[key]):
            yield 1, int(view.shape[-2]), int(view.shape[-1])

    return read


def unpadded(outputs: Any, processor: Any) -> Iterator[Shape]:
    """Height and width before padding, and the patches that are kept of the padded picture (Fuyu)."""
    side = processor.patch_size.height
    rows = -(-int(outputs["image_unpadded_heights"][0][0]) // side)
    yield 1, rows * side, len(outputs["image_patches"]) // rows * side


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
    "video_chunks_thw": chunks_thw,
    "image_grid_of_cells": cells_thw,
    "windows": windows,
    "image_position_ids": positions,
    "image_unpadded": unpadded,
    "pixel_values": stacked(),
    "pixel_values_videos": stacked("pixel_values_videos"),
}
