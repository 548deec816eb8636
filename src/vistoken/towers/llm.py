"""What a tower's connector must know of the LLM behind it: its width."""

from __future__ import annotations

from collections.abc import Mapping

from vistoken.configs import Config
from vistoken.family import REFERENCE

# `hidden_size` of the text config's class, by `model_type`: published files leave out what equals it.
WIDTHS: Mapping[str, int] = {
    "llama": 4096, "mistral": 4096, "ministral3": 4096, "qwen2": 4096, "qwen3": 4096, "qwen3_moe": 2048,
    "gpt_oss": 2880, "gemma3_text": 2304, "gemma4_text": 2304, "cohere": 8192, "cohere2": 8192, "lfm2": 2560,
    "llama4_text": 5120, "deepseek_v3": 7168,
}  # fmt: skip


def text_width(config: Config, default: str) -> int:
    """Dimensions of the LLM's tokens; `default` is the kind of LLM that the model's config class assumes.

    Raises `ConfigError` where neither the file nor a known class tells it.
    """
    kind = config.child("text_config").with_defaults({"model_type": default}, f"the config class in {REFERENCE}")
    known = WIDTHS.get(str(kind.raw("model_type")))
    defaults = {} if known is None else {"hidden_size": known}
    text = kind.with_defaults(defaults, f"the text config's class in {REFERENCE}")
    return text.integer("hidden_size", high=65_536)
