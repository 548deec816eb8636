"""A video file as the only source of `plan` or `count --within`: it stands for its size, duration and rate."""

from __future__ import annotations

import os
from typing import Any

from vistoken.cli.shared import note
from vistoken.errors import UsageError


def spelt_out(options: dict[str, Any]) -> dict[str, Any]:
    """The options as they are, or with a video file's size, duration and rate in its place.

    `--frames` and `--fps` win over what the file tells. Raises `UsageError` for a video beside other
    sources. Raises `InputError` for what cannot be read.
    """
    sources = options["sources"]
    if not any(os.path.isfile(word) for word in sources):
        return options
    from vistoken.counting.films import clip_of
    from vistoken.films import is_film, read_film
    from vistoken.video import Clip

    film_file = next((word for word in sources if is_film(word)), None)
    if film_file is None:
        return options
    if len(sources) > 1:
        raise UsageError(f"{film_file} is a video, which must be the only source here: leave out the others")
    if options["duration"] is not None:
        raise UsageError(f"{film_file} tells its duration: leave out --duration")
    film = read_film(film_file, options["fps"])
    source = film.source
    note(f"{film_file}: {film.size}, {source.frames:,} frames at {source.fps:g} a second")
    seen = clip_of(film, options["frames"])
    told = {"fps": seen.source.fps} if isinstance(seen, Clip) else {"duration": source.duration, "fps": source.fps}
    return {**options, "sources": (str(film.size),), **told}
