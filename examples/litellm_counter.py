"""Pictures counted exactly in LiteLLM: text by its own counter, pictures by vistoken.

LiteLLM 1.106.2 counts a picture by GPT-4o's rule whatever the model, an unsaid detail as low, and fetches the picture
behind an address (`litellm_core_utils/token_counter.py`, `calculate_img_tokens`). Here nothing is fetched: pictures
that are not at hand are an error, or have the size that `assume` says.

    pip install vistoken litellm
    python examples/litellm_counter.py hosted_vllm/Qwen/Qwen2.5-VL-7B-Instruct examples/images/rocket.jpg
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import litellm
from litellm.integrations.custom_logger import CustomLogger

import vistoken as vt

PICTURES = ("image", "image_url")  # the blocks that LiteLLM takes for pictures, in OpenAI's and Anthropic's words
NESTS = ("content", "source")  # where blocks stand in blocks


def token_counter(model: str, messages: list[dict[str, Any]], assume: str | None = None, **options: Any) -> int:
    """As `litellm.token_counter`, which gets the `options` (tools, custom_tokenizer), with exact pictures."""
    text = _without_pictures(messages)
    pictures = 0 if text == messages else visual_tokens(model, messages, assume)  # of text alone, any model will do
    return pictures + litellm.token_counter(model=model, messages=text, **options)


def visual_tokens(model: str, messages: list[dict[str, Any]], assume: str | None = None) -> int:
    """The tokens of all pictures; `model` is LiteLLM's name, `provider/model`, of which vistoken knows the model."""
    counted = vt.count_messages(messages, model=litellm.get_llm_provider(model)[0], assume=assume)
    for block in (block for block in counted.unknown if block.kind == "image"):  # documents are left to LiteLLM
        raise ValueError(f"{block.where} is not counted: {block.name}: {block.reason}; assume='1024x1024' gives a size")
    return counted.tokens


class ContextGuard(CustomLogger):
    """Refuses a request that would overflow the context, before it is sent.

    `litellm.callbacks = [ContextGuard(32_768)]`: LiteLLM asks it in `acompletion` and in the router's `acompletion`,
    whose `context_window_fallbacks` then hold. Synchronous `completion` does not ask.
    """

    def __init__(self, context: int, assume: str | None = None) -> None:
        super().__init__()
        self.context, self.assume = context, assume

    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> dict[str, Any]:
        if messages := kwargs.get("messages"):
            model = kwargs["model"]
            tokens = token_counter(model, messages, self.assume, tools=kwargs.get("tools"))
            if tokens > self.context:
                provider = litellm.get_llm_provider(model)[1]
                said = f"{tokens:,} tokens, and the context holds {self.context:,}"
                raise litellm.ContextWindowExceededError(message=said, model=model, llm_provider=provider)
        return kwargs


def _without_pictures(value: Any) -> Any:
    """The same messages, their pictures left out, also those in the results of tools and in documents of blocks."""
    if isinstance(value, list):
        return [_without_pictures(item) for item in value if not (isinstance(item, dict) and _is_picture(item))]
    if isinstance(value, dict):
        return {name: _without_pictures(item) if name in NESTS else item for name, item in value.items()}
    return value


def _is_picture(block: dict[str, Any]) -> bool:
    return block.get("type") in PICTURES


def main(model: str, path: str) -> None:
    data = base64.b64encode(Path(path).read_bytes()).decode()
    picture = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}]
    print(f"LiteLLM {litellm.token_counter(model=model, messages=messages)}, exact {token_counter(model, messages)}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/litellm_counter.py MODEL PICTURE")
    main(*sys.argv[1:])
