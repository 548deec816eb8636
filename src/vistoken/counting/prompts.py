"""A prompt in any of five formats -> its blocks. The formats are told apart by their structure, block by block.

A list of messages, or the whole request with its keys (`messages`, `input`, `contents`). What the formats are is in
`vistoken.counting.vendors`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vistoken.counting import vendors
from vistoken.counting.blocks import (
    Block,
    Image,
    Place,
    Prompt,
    Setting,
    Text,
    keys,
    mapping,
    naming,
    sequence,
    told,
    word,
)
from vistoken.counting.payloads import Absent, Held, Local, Payload, from_text
from vistoken.errors import UsageError, did_you_mean

# Blocks in blocks: a tool's result in a message holds a document that holds pictures, and nothing goes deeper.
_DEEPEST = 8
# Where a request keeps its messages, and what it says before them.
_REQUESTS = {"messages": "system", "input": "instructions", "contents": "system_instruction"}


def read_prompt(messages: Any, images: Sequence[Any] | None = None, folder: str = "") -> Prompt:
    """The blocks of a prompt.

    `images` are the pictures of the bare `{"type": "image"}` blocks, in order; `folder` is where relative paths begin.
    Raises `UsageError` that names the block whose structure is wrong, `InputError` for a picture that cannot be read.
    """
    if isinstance(messages, Mapping):
        request = {vendors.snake(name): value for name, value in mapping("the request", messages).items()}
        walk = Walk(folder, request.get("images") if images is None else images)
        blocks, setting = tuple(_request(walk, request)), _resolution(request)
    else:
        walk, setting = Walk(folder, images), None
        blocks = tuple(walk.messages("messages", messages))
    walk.finish()
    return Prompt(walk.format, blocks, setting)


def _request(walk: Walk, request: Mapping[str, Any]) -> Iterator[Block]:
    found = [name for name in _REQUESTS if name in request]
    if len(found) != 1:
        raise UsageError(
            f"a request with {keys(request)}: give a list of messages, or an object with one of {', '.join(_REQUESTS)}"
        )
    config = mapping("config", request.get("config", {}))
    for holder in (request, {vendors.snake(name): value for name, value in config.items()}):
        if (before := holder.get(_REQUESTS[found[0]])) is not None:
            yield from walk.before(Place(_REQUESTS[found[0]], None, "system"), before)
    value = request[found[0]]
    if isinstance(value, str) and found[0] == "input":
        yield Text(Place(found[0], None, "user"), value)
    elif found[0] == "contents":
        yield from walk.contents(value if isinstance(value, list | tuple) else [value])
    else:
        yield from walk.messages(found[0], value)


def _resolution(request: Mapping[str, Any]) -> Setting | None:
    """Gemini's setting for all pictures: `generationConfig` of the REST API, `config` of the SDK."""
    for name in ("generation_config", "config"):
        if name in request:
            config = {vendors.snake(key): value for key, value in mapping(name, request[name]).items()}
            return vendors.media_resolution(f"{name}.media_resolution", config.get("media_resolution"))
    return None


class Walk:
    """The way through a prompt: which format it turned out to be, and which pictures were handed in beside it."""

    def __init__(self, folder: str, images: Any) -> None:
        self.format, self._decided, self._folder = "", "", folder
        self._images = None if images is None else list(sequence("images", images))
        self._taken = 0

    def decide(self, format: str, where: str) -> None:
        """This block is of `format`. Raises `UsageError` where another one was of another."""
        if not self.format:
            self.format, self._decided = format, where
        elif format != self.format:
            raise UsageError(
                f"{where}: a block in the format of {format}, but {self._decided} is in that of {self.format}: "
                "write the whole prompt in one"
            )

    def messages(self, root: str, value: Any) -> Iterator[Block]:
        for number, item in enumerate(sequence(root, value)):
            where = f"{root}[{number}]"
            item = mapping(where, item)
            role = word(where, item, "role") if "role" in item else ""
            yield from self._message(Place(where, number, role), item)

    def contents(self, items: Sequence[Any]) -> Iterator[Block]:
        """Gemini's contents; its SDK also takes strings, PIL images and bare parts (`types.ContentListUnion`)."""
        for number, item in enumerate(items):
            place = Place(f"contents[{number}]", number, "user")
            if isinstance(item, str):
                yield Text(place, item)
            elif hasattr(item, "getexif"):
                yield Image(place, Held(item))
            elif "parts" in (content := mapping(place.where, item)) or "role" in content:
                role = word(place.where, content, "role") if "role" in content else "user"
                yield from self._message(replace(place, role=role), content)
            else:
                yield from self.part(place, content)

    def _message(self, place: Place, item: Mapping[str, Any]) -> Iterator[Block]:
        if "parts" in item:
            yield from self.parts(place, item["parts"])
        elif place.role and "content" in item:
            yield from self.content(place.below(".content"), item["content"])
        elif (kind := item.get("type")) and isinstance(kind, str) and kind in vendors.ITEMS:
            self.decide(vendors.RESPONSES, place.where)
            yield from vendors.ITEMS[kind](self, place, item)
        elif not (place.role and item.keys() & {"tool_calls", "function_call", "audio", "refusal"}):
            known = ("role", "content", "parts", "type")
            hint = next(filter(None, (did_you_mean(name, known) for name in item if name not in known)), "")
            raise UsageError(
                f"{place.where}: no message in a known format: it has {keys(item)}; give role and content, or "
                f"role and parts (Gemini).{hint}"
            )

    def before(self, place: Place, value: Any) -> Iterator[Block]:
        """What a request says to the system: text, blocks, or Gemini's parts."""
        if isinstance(value, Mapping):
            yield from self.parts(place, value.get("parts"))
        else:
            yield from self.content(place, value)

    def parts(self, place: Place, value: Any) -> Iterator[Block]:
        below = place.below(".parts")
        for number, part in enumerate(sequence(below.where, value)):
            yield from self.part(below.below(f"[{number}]"), part)

    def part(self, place: Place, part: Any) -> Iterator[Block]:
        _check_depth(place)
        yield from vendors.gemini_part(self, place, mapping(place.where, part))

    def content(self, place: Place, value: Any) -> Iterator[Block]:
        """Text, or a list of blocks; nothing where there is none."""
        if isinstance(value, str):
            yield Text(place, value)
        elif value is not None:
            for number, block in enumerate(sequence(place.where, value)):
                yield from self.block(place.below(f"[{number}]"), block)

    def block(self, place: Place, value: Any) -> Iterator[Block]:
        _check_depth(place)
        block = mapping(place.where, value)
        kind = word(place.where, block, "type")
        if kind not in vendors.BLOCKS:
            raise UsageError(
                f"{place.where}: a block of type {told(kind)} is in none of the known formats."
                + did_you_mean(kind, vendors.BLOCKS)
            )
        format, read = vendors.BLOCKS[kind]
        if format:
            self.decide(format, place.where)
        yield from read(self, place, block)

    def written(self, place: Place, text: str) -> Payload:
        """A string that stands for a picture."""
        with naming(place.where):
            return from_text(text, self._folder)

    def anything(self, place: Place, value: Any) -> Payload:
        """A picture in any form: a string, a path, bytes, a file, a PIL image."""
        if isinstance(value, str):
            return self.written(place, value)
        if isinstance(value, os.PathLike):
            return Local(os.path.join(self._folder, os.fsdecode(value)))
        if isinstance(value, bytes) or hasattr(value, "read") or hasattr(value, "getexif"):
            return Held(value)
        raise UsageError(
            f"{place.where}: {told(value)} is no picture: give a path, a URL, base64, bytes, a file, a PIL image"
        )

    def beside(self, place: Place) -> Payload:
        """The next of the pictures that were handed in beside the messages."""
        if self._images is None:
            return Absent("image", "no picture was handed in for it: give images=[...], or images beside messages")
        if self._taken == len(self._images):
            raise UsageError(f"{place.where}: a bare image block, but images holds only {self._taken}")
        self._taken += 1
        return self.anything(Place(f"images[{self._taken - 1}]", None, ""), self._images[self._taken - 1])

    def finish(self) -> None:
        """Raise `UsageError` where pictures are left for which there was no block."""
        if self._images is not None and self._taken < len(self._images):
            raise UsageError(
                f"images holds {len(self._images)} pictures, but the messages have {self._taken} bare image blocks"
            )


def _check_depth(place: Place) -> None:
    if place.where.count("[") > _DEEPEST:
        raise UsageError(f"{place.where}: nested too deeply: blocks within blocks end after {_DEEPEST} lists")
