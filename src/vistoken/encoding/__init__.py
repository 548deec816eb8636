"""The verb encode: pixels to tokens, with torch. The only folder that imports torch.

Names are resolved when they are used, so that `python -m vistoken.encoding.frontend` runs the module once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vistoken.errors import MissingExtra

if TYPE_CHECKING:
    from vistoken.encoding.encoder import Encoder as Encoder
    from vistoken.encoding.frontend import PatchEmbed as PatchEmbed
    from vistoken.encoding.frontend import VisionFrontEnd as VisionFrontEnd
    from vistoken.encoding.frontend import synthesize_image as synthesize_image
    from vistoken.encoding.model import VisionEncoder as VisionEncoder
    from vistoken.encoding.output import ImageTokens as ImageTokens
    from vistoken.encoding.packing import Packed as Packed
    from vistoken.encoding.packing import pack as pack
    from vistoken.encoding.positions import sinusoidal_2d as sinusoidal_2d

_HOMES = {
    "Encoder": "encoder",
    "ImageTokens": "output",
    "Packed": "packing",
    "PatchEmbed": "frontend",
    "VisionEncoder": "model",
    "VisionFrontEnd": "frontend",
    "pack": "packing",
    "sinusoidal_2d": "positions",
    "synthesize_image": "frontend",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vistoken.encoding' has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(f"vistoken.encoding.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name in ("torch", "numpy", "safetensors"):
            raise MissingExtra(error.name, "encode", f"vistoken.{name}") from None
        raise
