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
    "pixel_values_local": with_tiles,
    "pixel_values_videos": stacked("pixel_values_videos"),
    "image_grid_hw": grid_hw,
    "whole_video": whole_video,
}
