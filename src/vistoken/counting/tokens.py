"""Token counts, from sizes alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vistoken import registry, sources
from vistoken.errors import UsageError
from vistoken.geometry import Size
from vistoken.model_spec import ModelSpec, Trust
from vistoken.sequence import Sequence
from vistoken.views import View

if TYPE_CHECKING:
    from vistoken.sources import Picture


@dataclass(frozen=True, slots=True, repr=False)
class TokenCount:
    """How many tokens one picture becomes.

    `patches` is what the vision tower computes over all views, `prefix_tokens` its class, register and distillation
    tokens. Where an LLM follows, `image_tokens` and `marker_tokens` are what stands in its prompt, and `tokens` is
    their sum; without an LLM they are None, and `tokens` is patches plus prefix. `input` is the size that the caller
    fed to the encoder directly, or None where the model's view rule decided.
    """

    spec: ModelSpec
    size: Size
    views: tuple[View, ...]
    sequence: Sequence | None
    input: Size | None = None

    def __repr__(self) -> str:
        return f"TokenCount(model={self.model!r}, size={self.size}, tokens={self.tokens})"

    @property
    def model(self) -> str:
        return self.spec.name

    @property
    def patches(self) -> int:
        return sum(view.grid.patches for view in self.views)

    @property
    def prefix_tokens(self) -> int:
        return self.spec.encoder.prefix_tokens * len(self.views) if self.spec.encoder else 0

    @property
    def image_tokens(self) -> int | None:
        return self.sequence.image_tokens if self.sequence else None

    @property
    def marker_tokens(self) -> int | None:
        return self.sequence.marker_tokens if self.sequence else None

    @property
    def tokens(self) -> int:
        return sum(value for _, value in self.rows)

    @property
    def text(self) -> tuple[str, ...]:
        """Plain text that the processor writes around the tokens."""
        return self.sequence.text if self.sequence else ()

    @property
    def rows(self) -> tuple[tuple[str, int], ...]:
        """Named parts that sum up to `tokens`."""
        if self.sequence:
            markers = self.sequence.marker_tokens
            return (("image tokens", self.sequence.image_tokens), *((("marker tokens", markers),) if markers else ()))
        prefix = self.spec.encoder.prefix if self.spec.encoder else ()
        return (
            ("patches", self.patches),
            *((token.label, token.count * len(self.views)) for token in prefix),
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
            "input": str(self.input) if self.input else None,
            "patches": self.patches,
            "prefix_tokens": self.prefix_tokens,
            "image_tokens": self.image_tokens,
            "marker_tokens": self.marker_tokens,
            "tokens": self.tokens,
            "text": list(self.text),
            "rows": dict(self.rows),
            "views": [
                {
                    "steps": [str(step) for step in view.steps],
                    "width": view.size.width,
                    "height": view.size.height,
                    "grid": [view.grid.frames, view.grid.rows, view.grid.cols],
                }
                for view in self.views
            ],
            "trust": {"level": self.trust.level, "rule": str(self.trust.rule), "settings": str(self.trust.settings)},
        }


def count(
    model: str,
    *,
    width: int | None = None,
    height: int | None = None,
    image: Picture | None = None,
    input: str | Size | None = None,
    revision: str | None = None,
    **settings: Any,
) -> TokenCount:
    """Count the visual tokens that `model` makes of one picture.

    Args:
        model: a built-in name or alias, a hub id, or a folder with `config.json`.
        width: of the picture in pixels, before the model's own resizing.
        height: likewise.
        image: instead of both: a picture, of which only the header is read; orientation is applied.
        input: a size (`"WIDTHxHEIGHT"`) that is fed to the encoder directly, skipping the model's view rule.
        revision: of the hub repository.
        settings: values of the model's own preprocessor under their own names, for example `max_pixels`.

    >>> count("qwen2.5-vl-7b", width=1280, height=720).tokens
    1196
    >>> count("qwen2.5-vl-7b", width=1280, height=720, max_pixels=501760).tokens
    594
    >>> count("openai/clip-vit-large-patch14-336", image="examples/images/rocket.jpg").rows
    (('patches', 576), ('class token', 1))

    Raises `UsageError`, `InputError`, `ModelError` (all of them `ValueError`s) with what would work.
    """
    return count_views(
        registry.describe(model, settings=settings, revision=revision), _size(width, height, image), input
    )


def count_views(spec: ModelSpec, size: Size, input: str | Size | None = None) -> TokenCount:
    """The count for a model that is already described, and a size."""
    input = None if input is None else Size.of(input)
    views = spec.views(size, input)
    sequence = spec.prompt.sequence([view.grid for view in views]) if spec.prompt else None
    return TokenCount(spec, size, views, sequence, input)


def _size(width: int | None, height: int | None, image: Picture | None) -> Size:
    if image is not None:
        if width is not None or height is not None:
            raise UsageError("give image, or width and height, not both")
        return sources.image_size(image)
    if width is None or height is None:
        raise UsageError("give width and height in pixels, or image")
    return Size(height=height, width=width)
