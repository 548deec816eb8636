"""Pictures counted exactly in LangChain: text by the chat model's own counter, pictures by vistoken.

langchain-core 1.7.2 leaves pictures out (`BaseChatModel.get_num_tokens_from_messages`) or takes each for 85 tokens
(`count_tokens_approximately`), so `trim_messages` keeps a history that does not fit. Here nothing is fetched: pictures
that are not at hand are an error, or have the size that `assume` says.

    from langchain_counter import counter
    trim_messages(history, max_tokens=8192, token_counter=counter(llm, "qwen2.5-vl-7b"))

or, as a chat model that counts so wherever it is asked:

    class MyChat(ExactPictures, ChatOpenAI): ...
    llm = MyChat(model="gpt-4o", pictures="gpt-4o")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import BaseMessage, convert_to_openai_messages

import vistoken as vt


def counter(
    llm: BaseLanguageModel[Any], model: str, assume: str | None = None
) -> Callable[[Sequence[BaseMessage]], int]:
    """What `trim_messages(token_counter=)` takes; `model` is vistoken's name for what looks at the pictures."""

    def count(messages: Sequence[BaseMessage]) -> int:
        text = llm.get_num_tokens_from_messages([_without_pictures(message) for message in messages])
        return text + visual_tokens(messages, model, assume)

    return count


def visual_tokens(messages: Sequence[BaseMessage], model: str, assume: str | None = None) -> int:
    """The tokens of all pictures; LangChain itself brings its own blocks and each vendor's into one format."""
    counted = vt.count_messages(convert_to_openai_messages(list(messages)), model=model, assume=assume)
    if counted.unknown:
        block = counted.unknown[0]
        raise ValueError(f"{block.where} is not counted: {block.name}: {block.reason}; assume='1024x1024' gives a size")
    return counted.tokens


class ExactPictures:
    """Before a chat model among the bases: its count of messages, with exact pictures."""

    pictures: str
    assume: str | None = None

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        text = super().get_num_tokens_from_messages([_without_pictures(message) for message in messages], tools)
        return text + visual_tokens(messages, self.pictures, self.assume)


def _without_pictures(message: BaseMessage) -> BaseMessage:
    """Text and calls of tools alone: what the model's own counter knows."""
    if isinstance(message.content, str):
        return message
    kept = [block for block in message.content if isinstance(block, str) or not _is_picture(block)]
    return message.model_copy(update={"content": kept})


def _is_picture(block: dict[str, Any]) -> bool:
    """In OpenAI's, Anthropic's and LangChain's own words, then Bedrock's and VertexAI's."""
    return block.get("type") in ("image", "image_url", "media") or "image" in block
