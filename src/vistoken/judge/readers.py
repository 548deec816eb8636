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


def stacked(key: str = "pixel_values") -> Reader:
    """One array a view, (channels, height, width), all views of the picture one after another."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        for view in _flat(outputs[key]):
            yield 1, int(view.shape[-2]), int(view.shape[-1])

    return read


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
    "pixel_values_videos": stacked("pixel_values_videos"),
    "high_res_pixel_values": two_towers,
    "image_sizes": first_pixels,
    "flattened_patches": flattened,
}
