"""One built-in model's processor, put together from the classes of transformers and our values."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from unittest import mock

import transformers
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import ProcessorMixin
from transformers.processing_utils import OmniModalProcessorMixin
from transformers.utils.import_utils import is_torchvision_available
from transformers.video_utils import VideoMetadata

from vistoken.errors import ModelError
from vistoken.family import Family, Published, Reference
from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.judge.readers import READERS, Shape
from vistoken.judge.shapes import blank, blank_frames
from vistoken.prompts.words import in_words
from vistoken.video import Source

_UNWRITTEN = ProcessorMixin.replace_image_token  # what a processor without a method of its own has


@frozen
class Observed:
    """What the reference did with one size.

    The shape of every view, None where its output does not tell, and the text it wrote for the picture: None where
    its processor leaves that alone.
    `markers` are the special tokens in it, which only we can tell from text.
    """

    views: tuple[Shape, ...] | None
    text: str | None
    markers: int | None = None


@frozen
class Refused:
    """The reference raised an error."""

    error: str


class Judge:
    """The reference of one built-in model under some settings.

    Raises `ModelError` where the installed transformers lacks a class.
    """

    def __init__(self, family: Family, model: Published, settings: Mapping[str, Any]) -> None:
        if family.reference is None:
            raise ModelError(f"{family.name} has no reference in transformers: see its rule's label")
        self.reference: Reference = family.reference
        built = {name: value for name, value in settings.items() if name in self.reference.built}
        self.model, self.settings = model, {name: settings[name] for name in settings if name not in built}
        self.image = self._image_processor(built)
        self.video = self._video_processor(built) if self.reference.video and is_torchvision_available() else None
        self._set_own_values()
        self.processor: Any = self._processor() if self.reference.processor else None
        self.text = self._older_text() if self._older() else None

    def _image_processor(self, built: Mapping[str, Any]) -> Any:
        kind, values = _class(self.reference.image), _without(self.model.preprocessor, "image_processor_type")
        # Settings are given with every call; some processors read them from the image processor as well (LLaVA-NeXT).
        values |= {name: value for name, value in self.settings.items() if hasattr(kind, name)}
        return _built(kind, values, built)

    def _video_processor(self, built: Mapping[str, Any]) -> Any:
        values = _without(self.model.video or {}, "video_processor_type")
        return _built(_class(self.reference.video), values, {**built, **self.reference.harmless})

    def _set_own_values(self) -> None:
        """Some processors read their own values past the call's arguments."""
        for name, value in self.settings.items():
            for part in (self.image, self.video):
                if type(value) in (int, float) and type(getattr(part, name, None)) in (int, float):
                    setattr(part, name, value)

    def _processor(self) -> Any:
        values = _without(self.model.processor, "processor_class", "image_processor")
        parts: dict[str, Any] = {"image_processor": self.image, "tokenizer": tokenizer(self.reference.tokens)}
        kind = _class(self.reference.processor)
        if "video_processor" in kind.get_attributes():
            # Some processors ask it for values that the image processor has too, when they are made.
            parts["video_processor"] = self.video or self.image
        for sounds in ("audio_processor", "feature_extractor"):  # not compared
            if sounds in kind.get_attributes():
                parts[sounds] = None
        module = sys.modules[kind.__module__]
        if vars(module).get("num2words", in_words) is None:  # not installed: our words, which are then not compared
            vars(module)["num2words"] = in_words
        # Without torchvision there is no video processor; the check of types would refuse to go without.
        with mock.patch.object(kind, "check_argument_for_proper_class", return_value=None):
            return kind(**parts, **_mutable(values))

    def _older(self) -> bool:
        """Whether the processor writes the text of pictures, yet has no method for that of one picture."""
        kind = type(self.processor)
        return bool(self.processor and self.reference.text and kind.replace_image_token is _UNWRITTEN)

    def _older_text(self) -> str:
        """What a processor that expands the picture's placeholder within its call writes, read back from the ids.

        None of them looks at the picture's size for it, only at the image processor's own values.
        """
        for name, value in _mutable(self.settings).items():
            setattr(self.image, name, value)
        picture = Image.new("RGB", (16, 16))
        ids = self.processor(images=[picture], text=[self.reference.placeholder])["input_ids"][0]
        text = "".join(self.processor.tokenizer.convert_ids_to_tokens([int(number) for number in ids]))
        return text.removeprefix(self.processor.tokenizer.bos_token or "")

    def picture(self, size: Size) -> Observed | Refused:
        """What becomes of a picture."""
        return _answer(partial(self._picture, size))

    def clip(self, size: Size, source: Source, sample: bool) -> Observed | Refused:
        """What becomes of a video, whose frames the reference chooses itself, or takes as they are."""
        return _answer(partial(self._clip, size, source, sample))

    def seen(self, picture: Any) -> tuple[Any, str | None]:
        """What the image processor returns for a picture, and the text written for it if that can be compared."""
        settings = _mutable({**self.reference.call, **self.settings})
        if self.processor is None or self.text is not None:
            return self.image([picture], **settings), self.text
        return self._written(picture, settings)

    def _picture(self, size: Size) -> Observed:
        outputs, text = self.seen(blank(size.height, size.width))
        return Observed(_views(self.reference.sees, outputs, self.image), text)

    def _written(self, picture: Any, settings: Mapping[str, Any]) -> tuple[Any, str | None]:
        """The image processor's output, and what the processor writes for the picture if that can be compared."""
        merged = self.processor._merge_kwargs(**settings)
        asked = inspect.signature(self.processor._process_images).parameters.values()
        named = [parameter.name for parameter in asked if parameter.kind is not parameter.VAR_KEYWORD]
        values = merged["images_kwargs"] | {name: merged[name] for name in named if name in merged}
        outputs, texts = self.processor._process_images([picture], **values)
        if number := getattr(self.processor, "_prepend_local_ids", None):  # MiniCPM-V does so within its call
            token, asked_for = self.processor.image_token, self.settings.get("use_image_id", self.image.use_image_id)
            texts = number([token], texts, token) if asked_for else texts
        return outputs, texts[0] if self.reference.text and texts else None

    def _clip(self, size: Size, source: Source, sample: bool) -> Observed:
        settings = {"do_sample_frames": sample, "return_metadata": True, **(self.reference.sampling if sample else {})}
        settings |= _mutable(self.settings)
        if "sampling_fps" in settings:  # our word, since `fps` is the video's own
            settings["fps"] = settings.pop("sampling_fps")
        merged = self.processor._merge_kwargs(**settings)
        frames, told = blank_frames(source.frames, size.height, size.width), _metadata(size, source, sample)
        # Some texts follow the shape of the stacked tensor.
        values = {**merged["videos_kwargs"], "video_metadata": told, "return_tensors": "pt"}
        if isinstance(self.processor, OmniModalProcessorMixin):  # reads the values of its other modalities, too
            values = {**merged, "videos_kwargs": values}
        outputs, texts = self.processor._process_videos([frames], **values)
        return Observed(_views(self.reference.sees_video, outputs, self.video), texts[0] if texts else None)


def _answer(ask: Callable[[], Observed]) -> Observed | Refused:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ask()
    except Exception as error:  # noqa: BLE001 - whatever the reference raises is its answer
        return Refused(f"{type(error).__name__}: {error}")


def _metadata(size: Size, source: Source, sample: bool) -> list[VideoMetadata] | None:
    if source.fps is None:
        return None
    indices = None if sample else list(range(source.frames))
    return [VideoMetadata(source.frames, source.fps, size.width, size.height, source.duration, None, indices)]


def _views(sees: str, outputs: Any, processor: Any) -> tuple[Shape, ...] | None:
    return tuple(READERS[sees](outputs, processor)) if sees else None


def tokenizer(tokens: Mapping[str, str]) -> Any:
    """A real tokenizer that knows `tokens` (attribute -> string) as special tokens and nothing else."""
    vocabulary = {word: number for number, word in enumerate(["[UNK]", *dict.fromkeys(tokens.values())])}
    base = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    kind: Any = transformers.PreTrainedTokenizerFast
    return kind(tokenizer_object=base, unk_token="[UNK]", pad_token="[UNK]", extra_special_tokens=dict(tokens))


_EDGES = {"min_pixels": "shortest_edge", "max_pixels": "longest_edge"}


def _built(kind: Any, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """A processor of class `kind` with `values`, and with those of `settings` that it knows.

    `min_pixels` and `max_pixels` become edges of its `size`, unless they are arguments of their own.
    """
    own = inspect.signature(kind.__init__).parameters
    edges = {_EDGES[name]: value for name, value in settings.items() if name in _EDGES and name not in own}
    known = {*kind.valid_kwargs.__annotations__, *own} - {name for name in _EDGES if name not in own}
    values = {**values, **{name: value for name, value in settings.items() if name in known}}
    if edges:
        values["size"] = {**values.get("size", kind.size), **edges}
    return kind(**_mutable(values))


def _without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _class(name: str) -> Any:
    kind = getattr(transformers, name, None)
    if kind is None:
        raise ModelError(f"transformers {transformers.__version__} has no {name}")
    return kind


def _mutable(values: Any) -> Any:
    """Plain dictionaries and lists, as JSON gives them: some processors change what they are handed."""
    if isinstance(values, Mapping):
        return {name: _mutable(value) for name, value in values.items()}
    return [_mutable(value) for value in values] if isinstance(values, list | tuple) else values
