"""One model, many sizes: a function that holds the described model and returns plain integers."""

from __future__ import annotations

from typing import Any, Protocol

from vistoken import registry
from vistoken.errors import VistokenError
from vistoken.geometry import MAX_SIDE, Size
from vistoken.model_spec import ModelSpec
from vistoken.prompts.layout import OneGrid
from vistoken.views.rule import OneView


class Counter(Protocol):
    """A function of a picture's size in pixels that returns its tokens."""

    def __call__(self, *, width: int, height: int) -> int: ...


def counter(model: str, *, images_in_prompt: int = 1, revision: str | None = None, **settings: Any) -> Counter:
    """A function that counts pictures of any size for `model`, equal to `count(...).tokens` and quicker.

    It builds no result: use it where a million sizes are counted, and `count` where one is looked at. The arguments
    are those of `count`.

    >>> tokens = counter("qwen2.5-vl-7b", max_pixels=501760)
    >>> tokens(width=1280, height=720), tokens(width=640, height=480)
    (594, 391)

    Raises `UsageError`, `ModelError`; the function raises what `count` raises for a size.
    """
    spec = registry.describe(model, settings=settings, revision=revision)
    if images_in_prompt != 1:
        spec = spec.among(images_in_prompt)
    return counter_of(spec)


def counter_of(spec: ModelSpec) -> Counter:
    """As `counter`, for a model that is already described."""
    return _constant(spec) or _one_grid(spec) or _following(spec)


def _following(spec: ModelSpec) -> Counter:
    prompt, prefix, tiling_of = spec.prompt, spec.prefix_tokens, spec.tiling

    def tokens(*, width: int, height: int) -> int:
        size = Size(height, width)
        tiling = tiling_of(size)
        return prompt.length(tiling, size) if prompt else tiling.patches + prefix * tiling.segments

    return tokens


def _constant(spec: ModelSpec) -> Counter | None:
    """For a model that makes the same of every picture; None for one whose prompt or views follow the size."""
    most = spec.known_rule().up_to
    if not most or (spec.prompt and spec.prompt.follows_size):
        return None
    slow = _following(spec)
    answer = slow(width=most, height=most)

    def tokens(*, width: int, height: int) -> int:
        # Everything else, wrong values among it, takes the slow road, which knows the rule's refusals.
        if type(width) is int and type(height) is int and 0 < width <= most and 0 < height <= most:
            return answer
        return slow(width=width, height=height)

    return tokens


def _one_grid(spec: ModelSpec) -> Counter | None:
    """For a model whose prompt follows from the rows and columns of one view; None for others."""
    rule, prompt = spec.known_rule(), spec.prompt
    if not isinstance(rule, OneView) or not isinstance(prompt, OneGrid):
        return None
    slow, cells, tokens_of = _following(spec), rule.cells, prompt.tokens_of

    def tokens(*, width: int, height: int) -> int:
        if type(width) is int and type(height) is int and 0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE:
            try:
                rows, cols = cells(height, width)
                if rows and cols:
                    return tokens_of(rows, cols)
            except VistokenError:  # said again by the slow road, with the picture's size
                return slow(width=width, height=height)
        return slow(width=width, height=height)

    return tokens
