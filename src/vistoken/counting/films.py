"""Counting video files, from what their headers tell."""

from __future__ import annotations

import os
from typing import Any

from vistoken import registry
from vistoken.counting.tokens import TokenCount, count_views
from vistoken.errors import InputError, UsageError
from vistoken.films import Film, read_film
from vistoken.model_spec import ModelSpec
from vistoken.sources import shown_name
from vistoken.video import Clip, Source


def count_video(
    model: str,
    path: str | os.PathLike[str],
    *,
    frames: int | None = None,
    fps: float | None = None,
    revision: str | None = None,
    **settings: Any,
) -> TokenCount:
    """Count the visual tokens that `model` makes of a video file; no frame is decoded (extra `video`).

    The model's own rule chooses frames, as it does in `Encoder.encode_video`.

    Args:
        model: a built-in name or alias, a hub id, or a folder with `config.json`.
        path: of the file.
        frames: how many are looked at instead, evenly over the video.
        fps: frames a second of the file, where it does not tell or tells wrongly.
        revision: of the hub repository.
        settings: values of the model's own preprocessor under their own names.

    >>> count_video("qwen2.5-vl-7b", "holiday.mp4").tokens  # doctest: +SKIP
    11908

    Raises `UsageError`, `InputError`, `ModelError`, `MissingExtra`.
    """
    spec = registry.describe(model, settings=settings, revision=revision)
    return count_film(spec, read_film(path, fps), frames)


def count_film(spec: ModelSpec, film: Film, frames: int | None = None) -> TokenCount:
    """The count for a model that is already described, and a file that is already read."""
    if spec.video is None:
        raise UsageError(f"{shown_name(film.name)} is a video, and {spec.name} takes none: count frames as pictures")
    return count_views(spec, film.size, film=clip_of(film, frames))


def clip_of(film: Film, frames: int | None) -> Clip | Source:
    """The whole film, or so many of its frames as if it had no others: over the same time, at a lower rate."""
    if frames is None:
        return film.source
    told, fps = film.source.frames, film.source.fps
    assert fps is not None, "read_film tells a rate"
    Source(frames, None)  # which refuses what is no number of frames
    if frames > told:
        raise InputError(
            f"{shown_name(film.name)} has {told:,} frame{'s' * (told > 1)}: {frames:,} cannot be looked at"
        )
    return Clip.whole(Source(frames, fps * frames / told))
