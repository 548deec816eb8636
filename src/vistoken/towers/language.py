"""What a connector needs to know of the language model behind it."""

from __future__ import annotations

from collections.abc import Mapping

from vistoken.configs import Config
from vistoken.family import REFERENCE

# `hidden_size` by class where a file leaves it out, as the library does with values equal to its class's defaults:
# attributes of the text models' configuration classes, by model_type.
WIDTHS: Mapping[str, int] = {
    "llama": 4096, "mistral": 4096, "ministral3": 4096, "qwen2": 4096, "qwen3": 4096, "qwen3_moe": 2048,
    "gpt_oss": 2880,
}  # fmt: skip


def text_config(config: Config, kind: str) -> Config:
    """`text_config` with the width of its class where it has none; `kind` is the class that the model itself names.

    Without any `text_config` the width stays unknown: each model then has a default text model of its own.
    """
    text = config.child("text_config")
    if not config.has("text_config"):
        return text
    named = text.raw("model_type") if text.has("model_type") else kind
    if named not in WIDTHS:
        return text  # a class whose defaults are not known here: the file must tell
    return text.with_defaults({"hidden_size": WIDTHS[named]}, f"the configuration class of {named} in {REFERENCE}")


def text_width(config: Config, kind: str) -> int:
    """Dimensions of the LLM's tokens."""
    return text_config(config, kind).integer("hidden_size", high=65_536)
