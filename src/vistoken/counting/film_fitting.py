"""What of a video stays within a number of tokens: fewer frames, smaller pictures, or some of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from vistoken import registry
from vistoken.counting.fitting import MAX_LONG_SIDE, whole
from vistoken.counting.knobs import Knobs, Setting
from vistoken.counting.search import sizes_below
from vistoken.counting.tokens import chosen, count_views, video
from vistoken.errors import InputError, NothingFits, UsageError
from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.model_spec import ModelSpec
from vistoken.video import Clip, Source

# Every number of frames below is counted: some models make fewer tokens of more frames (Qwen3-VL shrinks them).
MOST_FRAMES = 4096


class Pair(NamedTuple):
    """So many frames of that size, and the tokens of all of them."""

    frames: int
    size: Size
    tokens: int

    def as_dict(self) -> dict[str, Any]:
        return {"frames": self.frames, "size": str(self.size), "tokens": self.tokens}


@frozen
class FilmFit:
    """What of a video of `frames` frames of `size` stays within `limit` tokens.

    `most` is the largest number of frames of the same size that does, None where not even one does. `pairs` are numbers
    of frames, halved from `frames` down to 1, with the largest size that fits for each (same aspect ratio, not above
    `size`); what another pair, or `most`, beats in frames and in size is left out. `settings` are values of the model's
    preprocessor with which the video itself fits. `counted` are its tokens as it is.
    """

    model: str
    limit: int
    size: Size
    frames: int
    counted: int | None
    most: Pair | None
    pairs: tuple[Pair, ...]
    settings: tuple[Setting, ...]

    @property
    def fits(self) -> bool:
        """Whether the video stays within the limit as it is."""
        return self.most is not None and self.most.frames == self.frames

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names, sizes are written as WIDTHxHEIGHT."""
        return {
            "model": self.model,
            "limit": self.limit,
            "size": str(self.size),
            "frames": self.frames,
            "counted": self.counted,
            "most": self.most.as_dict() if self.most else None,
            "pairs": [pair.as_dict() for pair in self.pairs],
            "settings": [setting.as_dict() for setting in self.settings],
        }


def within_video(
    model: str,
    *,
    tokens: int,
    width: int,
    height: int,
    frames: int | None = None,
    duration: float | None = None,
    fps: float | None = None,
    revision: str | None = None,
    **settings: Any,
) -> FilmFit:
    """The most frames of a video that stay within `tokens`, and the best pairs of frames and size.

    An answer of n frames is what `count(..., frames=n)` counts: the caller chooses them.

    Args:
        model: a built-in name or alias, a hub id, or a folder with `config.json`.
        tokens: that the video may become at most.
        width: of its frames in pixels, before the model's own resizing.
        height: likewise.
        frames: of the video, that are looked at.
        duration: in seconds, instead: then the model's own rule chooses the frames of which fewer may have to do.
        fps: frames a second of the video itself, with `duration`.
        revision: of the hub repository.
        settings: values of the model's own preprocessor under their own names.

    >>> fit = within_video("qwen2.5-vl-7b", width=1280, height=720, frames=64, tokens=16_384)
    >>> fit.most.frames, [(pair.frames, str(pair.size)) for pair in fit.pairs]
    (26, [(64, '854x480'), (32, '1190x669')])

    Raises `NothingFits` (exit code 3) that says by how much; `UsageError`, `ModelError` or `InputError`.
    """
    film = video(frames, duration, fps)
    if film is None:
        raise UsageError("give frames, or duration and fps; for a picture there is `within`")
    found = registry.find(model, settings=settings, revision=revision)
    return FilmFitter(found, model, settings, tokens, film).fit(Size(height=height, width=width))


class FilmFitter:
    """Fits videos of one model and one number of frames; what was found for a size is not kept, since few are asked."""

    def __init__(
        self, found: registry.Found, model: str, settings: Mapping[str, Any], limit: int, film: Clip | Source
    ) -> None:
        self.spec, self.limit, self.film = found.spec, whole("tokens", limit), film
        self.frames = chosen(found.spec, film).frames
        if self.frames > MOST_FRAMES:
            raise UsageError(
                f"{self.frames:,} frames: what fits is searched for from {MOST_FRAMES:,} down: choose so many first"
            )
        self._knobs = Knobs(found, settings, model)

    def fit(self, size: Size) -> FilmFit:
        """What fits of a video whose frames have this size. Raises `NothingFits` or `InputError`."""
        if max(size.width, size.height) > MAX_LONG_SIDE:
            raise InputError(f"{size}: the longer side to search from must be at most {MAX_LONG_SIDE:,} pixels")
        whole_film = _tokens(self.spec, size, self.film)
        most = next((pair for pair in self._at(size) if pair.tokens <= self.limit), None)
        fits = most is not None and most.frames == self.frames
        settings = (
            () if fits else self._knobs.within(lambda spec: count_views(spec, size, film=self.film).tokens, self.limit)
        )
        pairs = () if fits else tuple(self._pairs(size, most))
        if most is None and not pairs and not settings:
            raise self._refusal(size)
        return FilmFit(
            model=self.spec.name, limit=self.limit, size=size, frames=self.frames, counted=whole_film, most=most,
            pairs=pairs, settings=settings,
        )  # fmt: skip

    def _at(self, size: Size) -> Iterator[Pair]:
        """All numbers of frames of one size, the largest first, where the rule takes them."""
        for frames in range(self.frames, 0, -1):
            if (tokens := self._of(size, frames)) is not None:
                yield Pair(frames, size, tokens)

    def _pairs(self, bound: Size, most: Pair | None) -> Iterator[Pair]:
        best = 0  # the largest area that so many frames or more allow
        frames = self.frames
        while frames:
            if most and frames <= most.frames:
                return  # which has the full size
            pair = next((pair for pair in self._with(bound, frames) if pair.tokens <= self.limit), None)
            if pair and pair.size.pixels > best:
                best = pair.size.pixels
                yield pair
            frames //= 2

    def _with(self, bound: Size, frames: int) -> Iterator[Pair]:
        """All sizes of so many frames, the largest first, where the rule takes them."""
        for size in sizes_below(bound):
            if (tokens := self._of(size, frames)) is not None:
                yield Pair(frames, size, tokens)

    def _of(self, size: Size, frames: int) -> int | None:
        """Frames that the caller chooses; those that the model chose are counted as they are."""
        film = self.film if frames == self.frames else Clip.whole(Source(frames))
        return _tokens(self.spec, size, film)

    def _refusal(self, size: Size) -> NothingFits | InputError:
        least = min(self._with(size, 1), key=lambda pair: pair.tokens, default=None)
        if least is None:
            return InputError(f"{self.spec.name} takes no video of {size} with these settings")
        return NothingFits(
            f"not one frame of {size}, or smaller, stays within {self.limit:,} tokens of {self.spec.name}, and no "
            f"setting does it: {least.size} comes nearest with {least.tokens:,} tokens, "
            f"{least.tokens - self.limit:,} more"
        )


def _tokens(spec: ModelSpec, size: Size, film: Clip | Source) -> int | None:
    """The tokens, or None where the model's rule refuses such a video."""
    try:
        return count_views(spec, size, film=film).tokens
    except InputError:
        return None
