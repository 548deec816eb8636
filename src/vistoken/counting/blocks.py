"""What a prompt is made of, whatever format it came in: text, pictures, videos, and what is not counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, replace
from typing import Any

from vistoken.counting.payloads import Payload
from vistoken.errors import InputError, UsageError, shown
from vistoken.frozen import frozen

Setting = tuple[str, str]  # a name of the model's own preprocessor, and its value


@frozen
class Place:
    """Where a block stands: `messages[2].content[1]`, in message 2 (None outside of them), said by `role`."""

    where: str
    message: int | None
    role: str

    def below(self, step: str) -> Place:
        return replace(self, where=self.where + step)


@frozen
class Text:
    """Words of the prompt."""

    place: Place
    text: str = field(repr=False)


@frozen
class Image:
    """A picture, and the setting that was given for it alone."""

    place: Place
    payload: Payload
    setting: Setting | None = None
    notes: tuple[str, ...] = ()


@frozen
class Video:
    """A video as a list of its frames, every one of which is looked at."""

    place: Place
    frames: tuple[Payload, ...]


@frozen
class Other:
    """Something that is not counted, with the reason."""

    place: Place
    kind: str
    name: str
    reason: str


Block = Text | Image | Video | Other


@frozen
class Prompt:
    """The blocks of a prompt, in order; its format (empty where only text tells); the setting for all pictures."""

    format: str
    blocks: tuple[Block, ...]
    setting: Setting | None = None

    @property
    def images(self) -> int:
        """How many pictures share the prompt, those among them whose size is unknown."""
        return sum(isinstance(block, Image) for block in self.blocks)


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Put the place in front of what is said about an input that stands there."""
    try:
        yield
    except (InputError, UsageError) as error:
        raise type(error)(f"{where}: {error}") from None


def mapping(where: str, value: Any) -> Mapping[str, Any]:
    """`value` as an object of JSON; a model of pydantic, as the vendors' SDKs return them, is one. Without nulls."""
    if hasattr(value, "model_dump") and not isinstance(value, type):
        value = value.model_dump()
    if not isinstance(value, Mapping):
        raise UsageError(f"{where}: {told(value)} stands where an object of JSON (a dict) is meant")
    return {name: item for name, item in value.items() if item is not None}


def sequence(where: str, value: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise UsageError(f"{where}: {told(value)} stands where a list is meant")
    return value


def word(where: str, block: Mapping[str, Any], name: str) -> str:
    """The string `name` of a block."""
    if name not in block:
        raise UsageError(f"{where}: {name} is missing; it has {keys(block)}")
    if not isinstance(block[name], str):
        raise UsageError(f"{where}.{name}: {told(block[name])} stands where a string is meant")
    value: str = getattr(block[name], "value", block[name])  # an SDK's words are members of enumerations
    return value


def told(value: Any) -> str:
    """A value as it stands in a message, without a copy of it: it may have gigabytes."""
    if isinstance(value, str | bytes):
        return shown(value[:60]) + f"... ({len(value):,} long)" * (len(value) > 60)
    return shown(value) if value is None or isinstance(value, bool | int | float) else f"a {type(value).__name__}"


def keys(block: Mapping[str, Any]) -> str:
    return ", ".join(told(name) for name in list(block)[:8]) or "nothing"
