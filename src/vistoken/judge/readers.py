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
}
