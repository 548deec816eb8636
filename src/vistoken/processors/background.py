"""The colour that image processors pad with, where it is not black."""

from __future__ import annotations

from collections.abc import Iterable

from vistoken.configs import Config
from vistoken.views.steps import GREY, Colour


def mean_colour(config: Config, name: str = "image_mean", without: Colour = GREY) -> Colour:
    """The mean called `name` in bytes, cut to whole ones: 0.5 is 127. `without` stands for a mean that is null.

    Sources: transformers 5.23.0, `models/llava/image_processing_pil_llava.py` (`background_color` in `_preprocess`)
    and `models/janus/image_processing_pil_janus.py` (`__init__`).
    """
    if config.raw(name) is None:
        return without
    return _colour(int(mean * 255) for mean in config.numbers(name, 3, -1e6, 1e6))


def zero_colour(config: Config) -> Colour:
    """The byte nearest to what 0 stands for after normalising: the mean, in the scale of `rescale_factor`."""
    scale = config.number("rescale_factor", 1e-9, 1e9) if config.flag("do_rescale") else 1.0
    mean = config.numbers("image_mean", 3, -1e6, 1e6) if config.flag("do_normalize") else (0.0, 0.0, 0.0)
    return _colour(round(value / scale) for value in mean)


def background(config: Config) -> Colour:
    """`background_color`: red, green and blue, or one number for all."""
    return _colour(int(value) for value in config.numbers("background_color", 3, 0, 255))


def _colour(values: Iterable[int]) -> Colour:
    red, green, blue = (min(max(value, 0), 255) for value in values)
    return red, green, blue
