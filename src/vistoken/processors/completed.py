"""An image processor's file as its class reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vistoken.configs import Config


def completed(image: Config, defaults: Mapping[str, Any], source: str) -> Config:
    """`image` with the class's defaults, which stand for null too.

    Source: transformers 5.23.0, `image_processing_utils.py`, `BaseImageProcessor._set_attributes`.
    """
    given = {name: value for name, value in image.values.items() if value is not None}
    return Config(
        given, image.where, defaults=defaults, defaults_source=source, path=image.path, overrides=image.overrides,
        origins=image.origins,
    )  # fmt: skip
