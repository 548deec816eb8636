"""The blocks of each format, by the word in `type`: what they hold, and what they say about it.

| format | as defined by |
|---|---|
| OpenAI chat | openai-python 3.54, `ChatCompletionContentPartParam`; a bare string in `image_url` is Mistral's |
| OpenAI responses | openai-python 3.54, `ResponseInputItemParam`, `ResponseInputContentParam` |
| Anthropic | anthropic-sdk-python 2.12, `ContentBlockParam`, `ToolResultBlockParam` |
| Gemini | google-genai 3.4, `Part`, `Blob`, `FileData`, `FunctionResponsePart`; and the REST names in camel case |
| transformers | transformers 5.23.0, `ProcessorMixin._multimodal_inputs_from_conversations` |
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from vistoken.counting.blocks import (
    Block,
    Image,
    Other,
    Place,
    Setting,
    Text,
    Video,
    keys,
    mapping,
    sequence,
    told,
    word,
)
from vistoken.counting.payloads import Absent, Base64, Held, Local, Payload, address
from vistoken.errors import InputError, UsageError, did_you_mean, one_line

if TYPE_CHECKING:
    from vistoken.counting.prompts import Walk

    Reader = Callable[[Walk, Place, Mapping[str, Any]], Iterator[Block]]

CHAT, RESPONSES, ANTHROPIC, GEMINI, TRANSFORMERS = (
    "OpenAI chat",
    "OpenAI responses",
    "Anthropic",
    "Gemini",
    "transformers",
)
DETAILS = ("auto", "low", "high", "original")  # openai-python, `ImageDetail`
UPLOADED = "a file at the vendor, which is never fetched"


# ---------------------------------------------------------------- OpenAI


def _chat_image(walk: Walk, place: Place, block: Mapping[str, Any]) -> Iterator[Block]:
    inner = place.below(".image_url")
    if isinstance(block.get("image_url"), str):
        yield Image(place, walk.written(inner, block["image_url"]), _detail(place, block))
    else:
        image = mapping(inner.where, block.get("image_url"))
        yield Image(place, walk.written(inner, word(inner.where, image, "url")), _detail(inner, image))


def _responses_image(walk: Walk, place: Place, block: Mapping[str, Any]) -> Iterator[Block]:
    if "image_url" in block:
        payload = walk.written(place.below(".image_url"), word(place.where, block, "image_url"))
    else:
        payload = Absent(address(word(place.where, block, "file_id")), UPLOADED)
    yield Image(place, payload, _detail(place, block))


def _detail(place: Place, block: Mapping[str, Any]) -> Setting | None:
    if "detail" not in block:
        return None
    if (detail := word(place.where, block, "detail")) not in DETAILS:
        raise UsageError(
            f"{place.where}.detail: {told(detail)}: known are {', '.join(DETAILS)}.{did_you_mean(detail, DETAILS)}"
        )
    return "detail", detail


def _output(walk: Walk, place: Place, block: Mapping[str, Any]) -> Iterator[Block]:
    """What a tool returned: text, a list of blocks, or a screenshot."""
    output = block.get("output")
    below = place.below(".output")
    if isinstance(output, Mapping):
        yield from walk.block(below, output)
    else:
        yield from walk.content(below, output)


# ---------------------------------------------------------------- Anthropic


def _source_image(walk: Walk, place: Place, block: Mapping[str, Any]) -> Iterator[Block]:
    inner = place.below(".source")
    source = mapping(inner.where, block["source"])
    match word(inner.where, source, "type"):
        case "base64":
            yield Image(place, _base64_source(inner, source))
        case "url":
            yield Image(place, walk.written(inner.below(".url"), word(inner.where, source, "url")))
        case "file":
            yield Image(place, Absent(address(word(inner.where, source, "file_id")), UPLOADED))
        case kind:
            raise UsageError(f"{inner.where}.type: {told(kind)}: known are base64, url, file")


def _base64_source(place: Place, source: Mapping[str, Any]) -> Payload:
    """Base64 text; or an open file or a path object, which the SDK encodes."""
    data = source.get("data")
    if isinstance(data, os.PathLike):
        return Local(os.fsdecode(data))
    if hasattr(data, "read"):
        return Held(data)
    return Base64(word(place.where, source, "data"), media=_media(place, source, "media_type"))


def _media(place: Place, block: Mapping[str, Any], *names: str) -> str:
    return next((word(place.where, block, name).strip().lower() for name in names if name in block), "")


def _source_document(walk: Walk, place: Place, block: Mapping[str, Any]) -> Iterator[Block]:
    """Plain text and blocks are read; pages are not: how many there are stands in the document."""
    inner = place.below(".source")
    source = mapping(inner.where, block.get("source"))
    match source.get("type"):
        case "text":
            yield Text(place, word(inner.where, source, "data"))
        case "content":
            yield from walk.content(inner.below(".content"), source.get("content"))
        case kind:
            yield Other(place, "document", told(block.get("title", kind)), "pages of documents are not counted here")


def _inner_content(walk: Walk, place: Place, block: Mapping[str, Any]) -> Iterator[Block]:
    yield from walk.content(place.below(".content"), block.get("content"))


# ---------------------------------------------------------------- Gemini


def gemini_part(walk: Walk, place: Place, part: Mapping[str, Any]) -> Iterator[Block]:
    """A part has no `type`: which of its fields is set tells what it is."""
    walk.decide(GEMINI, place.where)
    part = {snake(name): value for name, value in part.items()}
    if "text" in part:
        yield Text(place, word(place.where, part, "text"))
    elif "inline_data" in part:
        yield _inline(walk, place, part)
    elif "file_data" in part:
        data = {snake(name): value for name, value in mapping(place.where, part["file_data"]).items()}
        media, uri = _media(place, data, "mime_type"), word(place.where + ".file_data", data, "file_uri")
        yield _media_block(place, part, media, Absent(address(uri), UPLOADED))
    elif "function_response" in part:
        answer = mapping(place.where, part["function_response"])
        below = place.below(".function_response.parts")
        for number, inner in enumerate(sequence(below.where, answer.get("parts", ()))):
            yield from walk.part(below.below(f"[{number}]"), inner)
    elif not part.keys() & GEMINI_SILENT:
        known = ("text", "inline_data", "file_data", "function_response", *GEMINI_SILENT)
        hint = "".join(did_you_mean(name, known) for name in list(part)[:1])
        raise UsageError(
            f"{place.where}: a part with {keys(part)} is not known; give text, inline_data or file_data.{hint}"
        )


# Fields of a part that hold neither text nor media; `thought` may stand alone with a signature.
GEMINI_SILENT = frozenset({"function_call", "executable_code", "code_execution_result", "tool_call", "tool_response",
                           "thought", "thought_signature"})  # fmt: skip


def snake(name: object) -> str:
    """inlineData -> inline_data, as google-genai does: REST writes camel case, the SDK snake case."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in str(name)[:40])


def _inline(walk: Walk, place: Place, part: Mapping[str, Any]) -> Block:
    inner = place.below(".inline_data")
    blob = {snake(name): value for name, value in mapping(inner.where, part["inline_data"]).items()}
    media, data = _media(inner, blob, "mime_type"), blob.get("data")
    payload: Payload
    if isinstance(data, bytes):
        payload = Held(data, media)
    else:
        payload = Base64(word(inner.where, blob, "data"), media=media, loose=True)
    if media in ("image/heic", "image/heif"):
        payload = Absent(media, f"{media} is not read here")
    return _media_block(place, part, media, payload)


def _media_block(place: Place, part: Mapping[str, Any], media: str, payload: Payload) -> Block:
    """A picture by its media type, and by default; what else it may be is not counted."""
    kind = media.partition("/")[0]
    if kind in ("", "image"):
        return Image(place, payload, media_resolution(f"{place.where}.media_resolution", part.get("media_resolution")))
    kind = {"application": "document", "text": "document"}.get(kind, kind)
    return Other(place, one_line(kind, 20), one_line(media, 60), f"{one_line(media, 60)} is not counted here")


def media_resolution(where: str, value: object) -> Setting | None:
    """`MEDIA_RESOLUTION_LOW`, or {"level": ...} as a part has it. Unspecified is as if it were not there."""
    if value is None:
        return None
    if not isinstance(value, str):
        level = {snake(name): item for name, item in mapping(where, value).items()}
        if "num_tokens" in level:
            return "media_resolution", f"num_tokens={told(level['num_tokens'])}"  # no document says what it makes
        value = word(where, level, "level") if level else "unspecified"
    short = getattr(value, "value", value).lower().removeprefix("media_resolution_")
    return None if short == "unspecified" else ("media_resolution", short)


# ---------------------------------------------------------------- transformers


def _plain_image(walk: Walk, place: Place, block: Mapping[str, Any]) -> Iterator[Block]:
    given = [name for name in ("image", "url", "path", "base64") if name in block]
    if len(given) > 1:
        raise UsageError(f"{place.where}: gives {' and '.join(given)}: one block is one picture")
    payload = _named_picture(walk, place, block, given[0]) if given else walk.beside(place)
    pixels = [name for name in ("min_pixels", "max_pixels", "resized_height", "resized_width") if name in block]
    yield Image(place, payload, None, tuple(map(_QWEN.format, pixels)))


def _named_picture(walk: Walk, place: Place, block: Mapping[str, Any], name: str) -> Payload:
    """What stands under one of the four names, which transformers reads alike; base64 is never taken for a path."""
    value = block[name]
    if name == "base64" and isinstance(value, str) and value[:5].lower() != "data:":
        return Base64(value)
    return walk.anything(place.below(f".{name}"), value)


_QWEN = "{} in a block is read by qwen-vl-utils alone, and has no effect here: set it for the model"


def _plain_video(walk: Walk, place: Place, block: Mapping[str, Any]) -> Iterator[Block]:
    given = next((name for name in ("video", "url", "path") if name in block), None)
    if given is None or not isinstance(block[given], list | tuple):
        name = address(block[given]) if given and isinstance(block[given], str) else "video"
        yield Other(place, "video", name, "only a list of its frames is counted here; else use --frames")
        return
    below = place.below(f".{given}")
    frames = tuple(walk.anything(below.below(f"[{n}]"), frame) for n, frame in enumerate(block[given]))
    if not frames:
        raise InputError(f"{below.where}: a video without frames")
    yield Video(place, frames)


def _image(walk: Walk, place: Place, block: Mapping[str, Any]) -> Iterator[Block]:
    """The one word that two formats share: Anthropic's picture has a source."""
    format, read = (ANTHROPIC, _source_image) if "source" in block else (TRANSFORMERS, _plain_image)
    walk.decide(format, place.where)
    yield from read(walk, place, block)


# ---------------------------------------------------------------- by word


def _text(walk: Walk, place: Place, block: Mapping[str, Any]) -> Iterator[Block]:
    yield Text(place, word(place.where, block, "text"))


def _refusal(walk: Walk, place: Place, block: Mapping[str, Any]) -> Iterator[Block]:
    yield Text(place, word(place.where, block, "refusal"))


def _nothing(walk: Walk, place: Place, block: Mapping[str, Any]) -> Iterator[Block]:
    """Calls of tools and thoughts: no picture, and no text as it will stand in the prompt."""
    return iter(())


def _uncounted(kind: str, reason: str = "") -> Reader:
    def read(walk: Walk, place: Place, block: Mapping[str, Any]) -> Iterator[Block]:
        yield Other(place, kind, one_line(str(block["type"]), 60), reason or f"{kind} is not counted here")

    return read


_PAGES = _uncounted("document", "pages of documents are not counted here")
# What the word in `type` means: the format that it belongs to (empty where several share it) and how it is read.
BLOCKS: dict[str, tuple[str, Reader]] = {
    "text": ("", _text),
    "refusal": ("", _refusal),
    "image": ("", _image),
    "input_audio": ("", _uncounted("audio")),
    "image_url": (CHAT, _chat_image),
    "file": (CHAT, _PAGES),
    "video_url": (CHAT, _uncounted("video")),
    "input_text": (RESPONSES, _text),
    "output_text": (RESPONSES, _text),
    "input_image": (RESPONSES, _responses_image),
    "computer_screenshot": (RESPONSES, _responses_image),
    "input_file": (RESPONSES, _PAGES),
    "document": (ANTHROPIC, _source_document),
    "tool_result": (ANTHROPIC, _inner_content),
    "mcp_tool_result": (ANTHROPIC, _inner_content),
    "search_result": (ANTHROPIC, _inner_content),
    "web_fetch_tool_result": (ANTHROPIC, _PAGES),
    "video": (TRANSFORMERS, _plain_video),
    "audio": (TRANSFORMERS, _uncounted("audio")),
    **dict.fromkeys(
        ("thinking", "redacted_thinking", "tool_use", "server_tool_use", "mcp_tool_use", "tool_reference",
         "browser_state", "container_upload", "web_search_tool_result", "code_execution_tool_result",
         "bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result"),
        (ANTHROPIC, _nothing),
    ),
}  # fmt: skip
# Items of OpenAI's responses that are no messages.
ITEMS: dict[str, Reader] = {
    **dict.fromkeys(("function_call_output", "custom_tool_call_output", "computer_call_output", "mcp_call"), _output),
    "image_generation_call": _uncounted("image", "what a picture that the model made costs as input is not documented"),
    "item_reference": _uncounted("item", "an item at the vendor, which is never fetched"),
    **dict.fromkeys(
        ("function_call", "custom_tool_call", "computer_call", "reasoning", "web_search_call", "file_search_call",
         "code_interpreter_call", "local_shell_call", "local_shell_call_output", "shell_call", "shell_call_output",
         "apply_patch_call", "apply_patch_call_output", "mcp_list_tools", "mcp_approval_request",
         "mcp_approval_response", "tool_search_call", "tool_search_output", "additional_tools", "compaction",
         "compaction_trigger", "configuration_update", "program", "program_output"),
        _nothing,
    ),
}  # fmt: skip
