"""An image processor's file as its class reads it, and as config.json must have it."""

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


def agree(processor: Config, **ours: int) -> None:
    """Values that config.json says as well, in `ours`: both files must tell the same."""
    for name, value in ours.items():
        if (given := processor.integer(name, high=4096)) != value:
            raise processor.error(name, given, f"config.json says {value}: the two must agree")
