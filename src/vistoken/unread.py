"""Model types that take pictures in transformers and that no family reads, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping

# Of transformers' mapping for image-text-to-text (`models/auto/modeling_auto.py`). A test holds families and this
# list together against the installed version.
UNREAD: Mapping[str, str] = {
    "evolla": "it reads proteins, not pictures",
    "mistral4": "it reads text alone: the checkpoint that sees pictures names mistral3",
    "vision-encoder-decoder": "a frame for any pair of an encoder and a decoder: ask for the encoder's own model type",
}
