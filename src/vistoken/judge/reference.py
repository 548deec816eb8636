"""One built-in model's processor, put together from the classes of transformers and our values."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from unittest import mock

import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers.utils.import_utils import is_torchvision_available
from transformers.video_utils import VideoMetadata

from vistoken.errors import ModelError
from vistoken.family import Family, Published, Reference
from vistoken.geometry import Size
from vistoken.judge.readers import READERS
from vistoken.judge.shapes import blank, blank_frames
from vistoken.video import Source

Shape = tuple[int, int, int]  # frames (or groups), height and width in pixels of one view


@dataclass(frozen=True, slots=True)
class Observed:
    """What the reference did with one size.

    The shape of every view, and the text it wrote for the picture: None where its processor leaves that alone.
    """

    views: tuple[Shape, ...]
    text: str | None


@dataclass(frozen=True, slots=True)
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
        self.model, self.settings = model, dict(settings)
        values = {name: value for name, value in model.preprocessor.items() if name != "image_processor_type"}
        self.image = _class(self.reference.image)(**_mutable(values))
        video = {name: value for name, value in (model.video or {}).items() if name != "video_processor_type"}
        here = self.reference.video and is_torchvision_available()
        self.video = _class(self.reference.video)(**_mutable(video)) if here else None
        self.processor: Any = self._processor() if self.reference.processor else None

    def _processor(self) -> Any:
        values = {k: v for k, v in self.model.processor.items() if k not in ("processor_class", "image_processor")}
        parts: dict[str, Any] = {"image_processor": self.image, "tokenizer": tokenizer(self.reference.tokens)}
        kind = _class(self.reference.processor)
        if "video_processor" in kind.get_attributes():
            parts["video_processor"] = self.video
        # Without torchvision there is no video processor; the check of types would refuse to go without.
        with mock.patch.object(kind, "check_argument_for_proper_class", return_value=None):
            return kind(**parts, **_mutable(values))

    def picture(self, size: Size, images: int = 1) -> Observed | Refused:
        """What becomes of one of `images` equal pictures."""
        pictures = [blank(size.height, size.width)] * images
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self._picture(pictures)
        except Exception as error:  # noqa: BLE001 - whatever the reference raises is its answer
            return Refused(f"{type(error).__name__}: {error}")

    def _picture(self, pictures: list[Any]) -> Observed:
        settings = _mutable(self.settings)
        if self.processor is None:
            outputs, text = self.image(pictures, **settings), None
        else:
            merged = self.processor._merge_kwargs(**settings)["images_kwargs"]
            outputs, texts = self.processor._process_images(pictures, **merged)
            text = texts[0] if self.reference.text and texts else None
        return Observed(tuple(READERS[self.reference.sees](outputs, self.image)), text)

    def clip(self, size: Size, source: Source, sample: bool) -> Observed | Refused:
        """What becomes of a video, whose frames the reference chooses itself, or takes as they are."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self._clip(size, source, sample)
        except Exception as error:  # noqa: BLE001 - as above
            return Refused(f"{type(error).__name__}: {error}")

    def _clip(self, size: Size, source: Source, sample: bool) -> Observed:
        settings = {"do_sample_frames": sample, "return_metadata": True, **(self.reference.sampling if sample else {})}
        settings |= _mutable(self.settings)
        if "sampling_fps" in settings:  # our word, since `fps` is the video's own
            settings["fps"] = settings.pop("sampling_fps")
        merged = self.processor._merge_kwargs(**settings)["videos_kwargs"]
        metadata = None
        if source.fps is not None:
            indices = None if sample else list(range(source.frames))
            metadata = [
                VideoMetadata(source.frames, source.fps, size.width, size.height, source.duration, None, indices)
            ]
        frames = blank_frames(source.frames, size.height, size.width)
        outputs, texts = self.processor._process_videos([frames], **{**merged, "video_metadata": metadata})
        return Observed(tuple(READERS[self.reference.sees_video](outputs, self.video)), texts[0] if texts else None)


def tokenizer(tokens: Mapping[str, str]) -> Any:
    """A real tokenizer that knows `tokens` (attribute -> string) as special tokens and nothing else."""
    vocabulary = {word: number for number, word in enumerate(["[UNK]", *dict.fromkeys(tokens.values())])}
    base = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    kind: Any = transformers.PreTrainedTokenizerFast
    return kind(tokenizer_object=base, unk_token="[UNK]", pad_token="[UNK]", extra_special_tokens=dict(tokens))


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
