"""How many visual tokens a whole prompt has: block by block, and in all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from vistoken import registry
from vistoken.counting.blocks import Block, Image, Other, Place, Prompt, Setting, Text, Video, naming
from vistoken.counting.payloads import Absent, differs, size_of
from vistoken.counting.prompts import read_prompt
from vistoken.counting.tokens import TokenCount, count_views
from vistoken.errors import InputError, SettingError, UsageError, shown
from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.model_spec import ModelSpec


@frozen
class BlockCount:
    """One block of a prompt: where it stands and what became of it.

    `count` is its visual tokens, None for text and for what was not counted; `reason` says why it was not, and is
    empty otherwise. `words` are the tokens of text, None where no tokenizer was handed in. `assumed` tells that the
    picture's size was not known, and the caller's stands for it.
    """

    place: Place
    kind: str
    name: str
    count: TokenCount | None = None
    reason: str = ""
    words: int | None = None
    assumed: bool = False
    notes: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        return self.place.where

    @property
    def tokens(self) -> int | None:
        return self.count.tokens if self.count else self.words

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        count = self.count
        names = ("patches", "image_tokens", "marker_tokens")
        return {
            "where": self.where, "message": self.place.message, "role": self.place.role, "kind": self.kind,
            "name": self.name, "width": count.size.width if count else None,
            "height": count.size.height if count else None, "frames": count.frames if count else None,
            **{name: getattr(count, name) if count else None for name in names},
            "tokens": self.tokens, "assumed": self.assumed, "reason": self.reason or None, "notes": list(self.notes),
        }  # fmt: skip


@frozen(repr=False)
class PromptCount:
    """How many tokens the pictures and videos of one prompt become.

    `format` is the format that the messages are in, empty where only text tells. `blocks` are all blocks in order,
    `images` how many pictures share the prompt, which changes some models' rules.
    """

    spec: ModelSpec
    format: str
    images: int
    blocks: tuple[BlockCount, ...]

    def __repr__(self) -> str:
        return f"PromptCount(model={self.model!r}, images={self.images}, tokens={self.tokens})"

    @property
    def model(self) -> str:
        return self.spec.name

    @property
    def tokens(self) -> int:
        """Visual tokens of all blocks that were counted."""
        return sum(block.count.tokens for block in self.blocks if block.count)

    @property
    def text_tokens(self) -> int | None:
        """Tokens of all text blocks; None where there are some and no tokenizer was handed in."""
        words = [block.words for block in self.blocks if block.kind == "text"]
        return None if None in words else sum(filter(None, words))

    @property
    def total(self) -> int:
        """The sum of `rows`: visual tokens, and those of text where it was counted. See `unknown` for the rest."""
        return sum(tokens for _, tokens in self.rows)

    @property
    def unknown(self) -> tuple[BlockCount, ...]:
        """Blocks that were not counted, each with its reason."""
        return tuple(block for block in self.blocks if block.reason)

    @property
    def rows(self) -> tuple[tuple[str, int], ...]:
        """Where each counted block stands, with its tokens; they sum up to `total`."""
        return tuple((block.where, block.tokens) for block in self.blocks if block.tokens is not None)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth knowing, once each: of the model, and of the blocks."""
        said = [f"{block.where}: {note}" for block in self.blocks for note in block.notes]
        return (*self.spec.notes, *said)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names."""
        return {
            "model": self.model, "format": self.format or None, "images": self.images, "tokens": self.tokens,
            "text_tokens": self.text_tokens, "total": self.total,
            "unknown": [block.where for block in self.unknown], "blocks": [block.as_dict() for block in self.blocks],
            "notes": list(self.notes),
        }  # fmt: skip

    def explain(self) -> str:
        """Every block with its steps, then the sum."""
        lines = [f"{self.model}: a prompt of {len(self.blocks)} blocks" + f" ({self.format})" * bool(self.format)]
        for block in self.blocks:
            lines += _explained(block)
        lines.append("sum: " + " + ".join(f"{tokens:,}" for _, tokens in self.rows) + f" = {self.total:,} tokens")
        if self.unknown:
            lines.append(f"not counted: {', '.join(block.where for block in self.unknown)}")
        return "\n".join(lines)


def _explained(block: BlockCount) -> Iterator[str]:
    if block.count:
        yield f"{block.where}: {block.kind}, {block.name}" + ", of an assumed size" * block.assumed
        yield from (f"  {line}" for line in block.count.explain().splitlines())
    elif block.kind == "text":
        yield f"{block.where}: text" + (f": {block.words:,} tokens" if block.words is not None else ", not counted")
    else:
        yield f"{block.where}: {block.kind}, {block.name}: not counted: {block.reason}"
    yield from (f"  note: {note}" for note in block.notes)


def count_messages(
    messages: Any,
    *,
    model: str,
    images: Sequence[Any] | None = None,
    assume: str | Size | None = None,
    text_tokens: Callable[[str], int] | None = None,
    folder: str | os.PathLike[str] = "",
    revision: str | None = None,
    **settings: Any,
) -> PromptCount:
    """Count the visual tokens of a prompt, as it is sent to an API or to transformers.

    Only headers of pictures are decoded, and nothing is fetched: a remote URL, a file that was uploaded to a vendor, a
    document and a video without its frames are listed in `unknown`. A path is opened wherever it points, for its
    header: whoever may write the messages learns which pictures are on this machine, and how large they are.

    Args:
        messages: in the format of OpenAI's chat completions or responses, Anthropic's messages, Gemini's contents or
            the chat format of transformers: a list of messages, or the whole request.
        model: as in `count`.
        images: the pictures of the bare `{"type": "image"}` blocks, in order.
        assume: a size (`"WIDTHxHEIGHT"`) for every picture that is not at hand; such blocks are marked `assumed`.
        text_tokens: a function from a text to its tokens, for example `lambda text: len(tokenizer.encode(text))`. It is
            called with each text block by itself. What a chat template writes around the blocks, calls of tools and
            the text that a processor writes around pictures (`TokenCount.text`) are not counted.
        folder: where relative paths begin; the working directory where it is not given.
        revision: of the hub repository.
        settings: of the model's own preprocessor, as in `count`, for every picture that says nothing else. What is
            nearer to a picture wins: `detail` or `media_resolution` of its block, then Gemini's `generationConfig`,
            then these.

    >>> prompt = [{"role": "user", "content": [
    ...     {"type": "text", "text": "What is this?"},
    ...     {"type": "image_url", "image_url": {"url": "examples/images/rocket.jpg", "detail": "low"}}]}]
    >>> count_messages(prompt, model="gpt-4o").rows
    (('messages[0].content[1]', 85),)

    Raises `UsageError` for a wrong structure and `InputError` for a picture that cannot be read, both with the place
    (`messages[2].content[1]`); `ModelError`.
    """
    if not (text_tokens is None or callable(text_tokens)):
        raise UsageError(f"text_tokens is {shown(text_tokens)}: give a function from a text to its number of tokens")
    prompt = read_prompt(messages, images, os.fsdecode(folder))
    return count_prompt(prompt, Models(prompt, model, settings, revision), assume, text_tokens)


class Models:
    """One model among the pictures of a prompt, under the settings that blocks ask for; each described once."""

    def __init__(self, prompt: Prompt, model: str, settings: Mapping[str, Any], revision: str | None = None) -> None:
        found = registry.find(model, settings=settings, revision=revision)
        self.spec, self._offers = found.spec, found.family.settings
        self._images, self._default = prompt.images, prompt.setting
        self._model, self._settings, self._revision = model, settings, revision
        self._under: dict[Setting | None, ModelSpec] = {None: self._among(found.spec)}

    def under(self, setting: Setting | None) -> ModelSpec:
        """The description under `setting`. Raises `UsageError` where this model has no rule for it."""
        if setting and setting not in self._under:
            given = {**self._settings, setting[0]: setting[1]}
            self._under[setting] = self._among(registry.describe(self._model, settings=given, revision=self._revision))
        return self._under[setting]

    def _among(self, spec: ModelSpec) -> ModelSpec:
        return spec.among(self._images) if self._images > 1 else spec

    def fitting(self, setting: Setting | None) -> tuple[Setting | None, tuple[str, ...]]:
        """The setting of a block, or else of the prompt, as this model has it; None for one of another vendor.

        With notes: what has no effect, and where the caller's own setting is overruled.
        """
        if (setting := setting or self._default) is None:
            return None, ()
        name, value = setting
        if name not in self._offers:
            note = f"{name}={value} has no effect on {self.spec.name}, which has no such setting"
            return None, () if value == "auto" else (note,)
        said = self._settings.get(name, value)
        return setting, () if said == value else (f"{name}={value} of the prompt holds, not {name}={shown(said)}",)


def count_prompt(
    prompt: Prompt,
    models: Models,
    assume: str | Size | None = None,
    text_tokens: Callable[[str], int] | None = None,
) -> PromptCount:
    """The count of a prompt whose blocks are known already; the arguments are those of `count_messages`."""
    assumed = None if assume is None else Size.of(assume)

    def counted(block: Block) -> BlockCount:
        with naming(block.place.where):
            match block:
                case Text():
                    return BlockCount(block.place, "text", "", words=_words(block.text, text_tokens))
                case Image():
                    return _picture(block, models, assumed)
                case Video():
                    return _video(block, models, assumed)
                case Other():
                    return BlockCount(block.place, block.kind, block.name, reason=block.reason)

    return PromptCount(models.spec, prompt.format, prompt.images, tuple(map(counted, prompt.blocks)))


def _words(text: str, text_tokens: Callable[[str], int] | None) -> int | None:
    if text_tokens is None:
        return None
    if type(tokens := text_tokens(text)) is not int or tokens < 0:
        raise UsageError(f"text_tokens returned {shown(tokens)}: it must return a number of tokens")
    return tokens


def _picture(block: Image, models: Models, assumed: Size | None) -> BlockCount:
    place, payload = block.place, block.payload
    if isinstance(payload, Absent) and assumed is None:
        return BlockCount(place, "image", payload.name, reason=payload.reason)
    setting, notes = models.fitting(block.setting)
    try:
        spec = models.under(setting)
    except SettingError:  # a value that does not exist
        raise
    except UsageError:  # a family has the setting, and not each of its models a rule for it
        told = " ".join(map(str, setting or ()))
        reason = f"what {told} makes of a picture is not known for {models.spec.name}"
        return BlockCount(place, "image", payload.name, reason=reason)
    size = assumed if isinstance(payload, Absent) else size_of(payload)
    assert size is not None
    notes = (*block.notes, *notes, *filter(None, (differs(payload),)))
    return BlockCount(place, "image", payload.name, count_views(spec, size),
                      assumed=isinstance(payload, Absent), notes=notes)  # fmt: skip


def _video(block: Video, models: Models, assumed: Size | None) -> BlockCount:
    """All frames are looked at, as the caller chose them; they must have one size."""
    from vistoken.video import Clip, Source

    name = f"{len(block.frames)} frames"
    if models.spec.video is None:
        return BlockCount(block.place, "video", name, reason=f"{models.spec.name} takes no video here")
    missing = any(isinstance(frame, Absent) for frame in block.frames)
    if missing and assumed is None:
        return BlockCount(block.place, "video", name, reason="not all of its frames are here")
    sizes = dict.fromkeys(assumed if isinstance(frame, Absent) else size_of(frame) for frame in block.frames)
    size, *others = filter(None, sizes)
    if others:
        raise InputError(f"frames of {len(sizes)} sizes: {size}, {others[0]}: a video has one")
    film = Clip.whole(Source(len(block.frames)))
    return BlockCount(block.place, "video", name, count_views(models.spec, size, film=film), assumed=missing)
