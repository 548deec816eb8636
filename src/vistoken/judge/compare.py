"""Ours against the reference, size by size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from vistoken import registry
from vistoken.counting import TokenCount, count_views
from vistoken.errors import InputError
from vistoken.family import Family, Published
from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.judge.reference import Judge, Observed, Refused
from vistoken.model_spec import ModelSpec
from vistoken.video import Clip, Source


@frozen
class Film:
    """A video to compare on: `sampled` tells whether the model's own rule chooses frames."""

    size: Size
    source: Source
    sampled: bool

    def __str__(self) -> str:
        rate = f" at {self.source.fps:g} a second" if self.source.fps else ""
        return f"{self.size}, {self.source.frames} frames{rate}{', sampled' if self.sampled else ''}"


@frozen
class Case:
    """One picture or video with some settings, what the reference did and what we do."""

    model: str
    settings: Mapping[str, Any]
    given: Size | Film
    theirs: Observed | Refused
    ours: Observed | Refused

    @property
    def differs(self) -> bool:
        if isinstance(self.ours, Refused) or isinstance(self.theirs, Refused):
            return type(self.ours) is not type(self.theirs)
        if self.theirs.text is not None and self.theirs.text != self.ours.text:
            return True
        return self.theirs.views is not None and self.ours.views != self.theirs.views

    def __str__(self) -> str:
        settings = f", {dict(self.settings)}" if self.settings else ""
        return f"{self.model} {self.given}{settings}: theirs {_short(self.theirs)}, ours {_short(self.ours)}"


def pictures(family: Family, model: Published, settings: Mapping[str, Any], sizes: Iterable[Size]) -> Iterator[Case]:
    """Every size through both."""
    judge = Judge(family, model, settings)
    spec = registry.describe(model.name, settings=settings)
    for size in sizes:
        yield Case(model.name, settings, size, _useful(judge.picture(size), spec), ours(spec, size))


def _useful(theirs: Observed | Refused, spec: ModelSpec) -> Observed | Refused:
    """A processor that does not resize hands on pictures of less than a patch, of which the tower makes an error."""
    if isinstance(theirs, Refused) or not theirs.views:
        return theirs
    patch = spec.known_rule().patch
    if all(height < patch.height or width < patch.width for _, height, width in theirs.views):
        return Refused(f"no view holds a {patch} patch")
    return theirs


def films(family: Family, model: Published, settings: Mapping[str, Any], films: Iterable[Film]) -> Iterator[Case]:
    """Every video through both. Needs torchvision.

    Where these values choose no frames, there is nothing to compare on videos whose frames are to be chosen.
    """
    judge = Judge(family, model, settings)
    spec = registry.describe(model.name, settings=settings)
    for film in films:
        if film.sampled and spec.known_video().sampling is None:
            continue
        theirs = judge.clip(film.size, film.source, film.sampled)
        yield Case(model.name, settings, film, theirs, ours(spec, film.size, film))


def ours(spec: ModelSpec, size: Size, film: Film | None = None) -> Observed | Refused:
    """What vistoken makes of a size, in the reference's terms."""
    try:
        if film is None:
            return observed(count_views(spec, size))
        return observed(count_views(spec, size, film=film.source if film.sampled else Clip.whole(film.source)))
    except InputError as error:
        return Refused(f"{type(error).__name__}: {error}")


def observed(result: TokenCount) -> Observed:
    views = tuple((view.grid.frames, view.size.height, view.size.width) for view in result.views)
    if result.sequence is None:
        return Observed(views, None)
    if result.clip:
        token = result.spec.known_video().prompt.video_token
    else:
        assert result.spec.prompt is not None
        token = result.spec.prompt.image_token
    return Observed(views, result.sequence.render(token), result.marker_tokens)


def _short(seen: Observed | Refused) -> str:
    if isinstance(seen, Refused):
        return f"refused ({seen.error[:100]})"
    text = "" if seen.text is None else f" text of {len(seen.text)}: {seen.text[:60]}...{seen.text[-60:]}"
    if seen.views is None:
        return f"views unseen{text}"
    views = f"{seen.views[:3]}...{seen.views[-1]}" if len(seen.views) > 4 else str(seen.views)
    return f"{len(seen.views)} views {views}{text}"
