"""What readers of kind A share: a budget given as the edges of `size`, and pictures that are not resized."""

from __future__ import annotations

from collections.abc import Callable

from vistoken.configs import Config
from vistoken.geometry import Patch
from vistoken.views.guarded import WholeTokens
from vistoken.views.steps import Filter

# The most pixels that a budget may have.
MAX_PIXELS = 10**12


def edges(processor: Config, defaults: tuple[int, int]) -> tuple[int, int]:
    """The least and the most pixels where the class knows `size` alone: its edges, in pixels for all their name.

    The caller's `min_pixels` and `max_pixels` stand for the two.
    """
    return _budget(processor, defaults, processor.overrides.__contains__)


def pixels(processor: Config, defaults: tuple[int, int]) -> tuple[int, int]:
    """The least and the most pixels where `min_pixels` and `max_pixels` of the file win over the edges of `size`."""
    return _budget(processor, defaults, processor.has)


def whole_tokens(patch: Patch, merge: int, filter: Filter) -> WholeTokens:
    """Where `do_resize` is off."""
    return WholeTokens(patch.height * merge, filter, patch)


def _budget(processor: Config, defaults: tuple[int, int], spelled: Callable[[str], bool]) -> tuple[int, int]:
    size = processor.child("size")
    if not size.values:
        names = dict(zip(("shortest_edge", "longest_edge"), defaults, strict=True))
        size = size.with_defaults(names, processor.defaults_source)
    low, high = (
        processor.integer(name, high=MAX_PIXELS) if spelled(name) else size.integer(edge, high=MAX_PIXELS)
        for name, edge in (("min_pixels", "shortest_edge"), ("max_pixels", "longest_edge"))
    )
    if low <= high:
        return low, high
    if spelled("max_pixels"):
        raise processor.error("max_pixels", high, f"it must not be less than the minimum, which is {low:,}")
    where, name = (processor, "min_pixels") if spelled("min_pixels") else (size, "shortest_edge")
    raise where.error(name, low, f"it must not be more than the maximum, which is {high:,}")
