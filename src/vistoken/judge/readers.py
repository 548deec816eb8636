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


def masked(key: str) -> Reader:
    """The part of each padded view that a mask of (height, width) leaves."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        for mask in _flat(outputs[key]):
            for view in mask:
                yield 1, int(view[:, 0].sum()), int(view[0].sum())

    return read


def frames(key: str) -> Reader:
    """One array a video, (frames, channels, height, width)."""

    def read(outputs: Any, processor: Any) -> Iterator[Shape]:
        video = outputs[key][0]
        yield int(video.shape[0]), int(video.shape[-2]), int(video.shape[-1])

    return read


def bare(outputs: Any, processor: Any) -> Iterator[Shape]:
    """The processor returns the views themselves, (views, channels, height, width)."""
    for view in _flat(outputs):
        yield 1, int(view.shape[-2]), int(view.shape[-1])


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
    "pixel_attention_mask": masked("pixel_attention_mask"),
    "frames of pixel_values": frames("pixel_values"),
    "array": bare,
}
