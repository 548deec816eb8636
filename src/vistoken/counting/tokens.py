"""Token counts, from sizes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vistoken import registry, sources
from vistoken.errors import InputError, UsageError
from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.model_spec import ModelSpec, Trust
from vistoken.sequence import Sequence

if TYPE_CHECKING:
    from vistoken.sources import Picture
    from vistoken.video import Clip, Source
    from vistoken.views.rule import Tiling
    from vistoken.views.steps import View


@frozen(repr=False)
class TokenCount:
    """How many tokens one picture (or video) becomes.

    `tiling` is the view rule's decision in integers and `views` the same spelt out. `patches` is what the vision tower
    computes over all views (None where nobody outside knows), `prefix_tokens` its class, register and distillation
    tokens. Where an LLM follows, `image_tokens` and `marker_tokens` are what stands in its prompt, and `tokens` is
    their sum; without an LLM they are None, and `tokens` is patches plus prefix. `cross_tokens` are read by
    cross-attention instead. `input` is the size that the caller fed to the encoder directly, or None where the model's
    view rule decided; `clip` are the frames of a video.
    """

    spec: ModelSpec
    size: Size
    tiling: Tiling
    sequence: Sequence | None
    input: Size | None = None
    clip: Clip | None = None

    def __repr__(self) -> str:
        return f"TokenCount(model={self.model!r}, size={self.size}, tokens={self.tokens})"

    @property
    def model(self) -> str:
        return self.spec.name

    @property
    def views(self) -> tuple[View, ...]:
        if self.clip is not None:
            return self.spec.known_video().rule.views(self.size, self.clip.frames)
        return self.spec.views(self.size, self.input)

    @property
    def patches(self) -> int | None:
        return self.tiling.patches if self.spec.computes else None

    @property
    def prefix_tokens(self) -> int:
        return self.spec.prefix_tokens * self.tiling.segments

    @property
    def image_tokens(self) -> int | None:
        return self.sequence.image_tokens if self.sequence else None

    @property
    def marker_tokens(self) -> int | None:
        return self.sequence.marker_tokens if self.sequence else None

    @property
    def cross_tokens(self) -> int | None:
        """Tokens that the LLM reads by cross-attention, outside of its prompt; None for most models."""
        return self.spec.prompt.cross_tokens(self.tiling) if self.spec.prompt else None

    @property
    def tokens(self) -> int:
        if self.sequence is None:
            return self.tiling.patches + self.prefix_tokens
        image, markers = self.sequence.counts
        return image + markers

    @property
    def text(self) -> tuple[str, ...]:
        """Plain text that the processor writes around the tokens."""
        return self.sequence.text if self.sequence else ()

    @property
    def frames(self) -> int | None:
        """Frames of a video that are looked at."""
        return self.clip.frames if self.clip else None

    @property
    def rows(self) -> tuple[tuple[str, int], ...]:
        """Named parts that sum up to `tokens`."""
        if self.sequence:
            image, markers = self.sequence.counts
            return (("image tokens", image), *((("marker tokens", markers),) if markers else ()))
        if self.spec.encoder is None:
            prefix = (("prefix tokens", self.prefix_tokens),) if self.spec.prefix_tokens else ()
            return (("patches", self.tiling.patches), *prefix)
        return (
            ("patches", self.tiling.patches),
            *((token.label, token.count * self.tiling.segments) for token in self.spec.encoder.prefix),
        )

    @property
    def trust(self) -> Trust:
        return self.spec.trust

    def explain(self) -> str:
        """The steps with their numbers, so that a person can redo them by hand."""
        from vistoken.counting.explanation import explain

        return explain(self)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names."""
        return {
            "model": self.model,
            "width": self.size.width,
            "height": self.size.height,
            "frames": self.frames,
            "input": str(self.input) if self.input else None,
            "patches": self.patches,
            "prefix_tokens": self.prefix_tokens,
            "image_tokens": self.image_tokens,
            "marker_tokens": self.marker_tokens,
            "cross_tokens": self.cross_tokens,
            "tokens": self.tokens,
            "text": list(self.text),
            "rows": dict(self.rows),
            "views": [
                {
                    "steps": [str(step) for step in view.steps],
                    "width": view.size.width,
                    "height": view.size.height,
                    "grid": [view.grid.frames, view.grid.rows, view.grid.cols],
                    "box": [view.box.left, view.box.top, view.box.right, view.box.bottom],
                }
                for view in self.views
            ],
            "trust": {"level": self.trust.level, "rule": str(self.trust.rule), "settings": str(self.trust.settings)},
            "notes": list(self.spec.notes),
        }


def count(
    model: str,
    *,
    width: int | None = None,
    height: int | None = None,
    image: Picture | None = None,
    frames: int | None = None,
    duration: float | None = None,
    fps: float | None = None,
    images_in_prompt: int = 1,
    input: str | Size | None = None,
    revision: str | None = None,
    **settings: Any,
) -> TokenCount:
    """Count the visual tokens that `model` makes of one picture, or of one video.

    Args:
        model: a built-in name or alias, a hub id, or a folder with `config.json`.
        width: of the picture or video in pixels, before the model's own resizing.
        height: likewise.
        image: instead of both: a picture, of which only the header is read; orientation is applied.
        frames: of a video, that are looked at: the caller has chosen them.
        duration: of a video, in seconds; then the model's own rule chooses the frames.
        fps: frames a second of the video itself: needed with `duration`, and with `frames` for time stamps.
        images_in_prompt: pictures that share the prompt with this one, itself included: it changes some rules.
        input: a size (`"WIDTHxHEIGHT"`) that is fed to the encoder directly, skipping the model's view rule.
        revision: of the hub repository.
        settings: values of the model's own preprocessor under their own names, for example `max_pixels`.

    >>> count("qwen2.5-vl-7b", width=1280, height=720).tokens
    1196
    >>> count("qwen2.5-vl-7b", width=1280, height=720, max_pixels=501760).tokens
    594
    >>> count("qwen2.5-vl-7b", width=1280, height=720, frames=8, max_pixels=501760).tokens
    2376
    >>> count("openai/clip-vit-large-patch14-336", image="examples/images/rocket.jpg").rows
    (('patches', 576), ('class token', 1))

    Raises `UsageError`, `InputError`, `ModelError` (all of them `ValueError`s) with what would work.
    """
    spec = registry.describe(model, settings=settings, revision=revision)
    return count_views(spec, asked_size(width, height, image), input, video(frames, duration, fps), images_in_prompt)


def count_views(
    spec: ModelSpec,
    size: Size,
    input: str | Size | None = None,
    film: Clip | Source | None = None,
    images_in_prompt: int = 1,
) -> TokenCount:
    """The count for a model that is already described, and a size.

    `film` is a `Source`, from which the model's own rule takes frames, or a `Clip`, whose frames are chosen.
    """
    if images_in_prompt != 1:
        spec = spec.among(images_in_prompt)
    if film is not None:
        if input is not None:
            raise UsageError("input is for pictures: leave it out for a video")
        return _count_video(spec, size, film)
    if input is not None:
        input = Size.of(input)
    tiling = spec.tiling(size, input)
    return TokenCount(spec, size, tiling, spec.prompt.sequence(tiling, size) if spec.prompt else None, input)


def _count_video(spec: ModelSpec, size: Size, film: Clip | Source) -> TokenCount:
    described, clip = spec.known_video(), chosen(spec, film)
    tiling = described.rule.tiling(size, clip.frames)
    return TokenCount(spec, size, tiling, described.prompt.sequence(tiling, size, clip), None, clip)


def chosen(spec: ModelSpec, film: Clip | Source) -> Clip:
    """The frames that are looked at: a clip's own, or those that the model's rule takes from a source."""
    from vistoken.video import Clip

    sampling = spec.known_video().sampling
    if isinstance(film, Clip):
        clip = film
    elif sampling is None:
        raise UsageError(f"{spec.name} has no rule of its own for choosing frames: give frames, those it is to look at")
    else:
        clip = sampling.clip(film)
    if not clip.indices:
        raise InputError(f"no frame of the video is looked at: it has {clip.source.frames}")
    return clip


def video(frames: int | None, duration: float | None, fps: float | None) -> Clip | Source | None:
    """What the three arguments of `count` say: nothing for a picture. Raises `UsageError` where they contradict."""
    if frames is None and duration is None and fps is None:
        return None
    from vistoken.video import Clip, Source

    if frames is not None:
        if duration is not None:
            raise UsageError("give frames, or duration and fps, not both")
        return Clip.whole(Source(frames, fps))
    if duration is None or fps is None:
        given, missing = ("duration", "fps, of the video itself") if fps is None else ("fps", "duration in seconds")
        raise UsageError(f"{given} needs {missing}")
    return Source.lasting(duration, fps)


def asked_size(width: int | None, height: int | None, image: Picture | None) -> Size:
    if image is not None:
        if width is not None or height is not None:
            raise UsageError("give image, or width and height, not both")
        return sources.image_size(image)
    if width is None or height is None:
        raise UsageError("give width and height in pixels, or image")
    return Size(height=height, width=width)
