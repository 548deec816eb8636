"""PixtralImageProcessor, and the two processors that write its pictures into the prompt: Pixtral's and LightOnOCR's.

Sources: transformers 5.23.0, `models/pixtral/image_processing_pil_pixtral.py`, `models/pixtral/processing_pixtral.py`
and `models/lighton_ocr/processing_lighton_ocr.py`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE, Files, Reading
from vistoken.geometry import Patch, Size
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, pixel_values
from vistoken.prompts.plain import SpaceToDepth
from vistoken.prompts.rows import RowBreaks, WholeBlocks
from vistoken.views.shrink import LongEdge

if TYPE_CHECKING:
    from vistoken.model_spec import PixelSpec
    from vistoken.spec import EncoderSpec
    from vistoken.views.rule import ViewRule

# Class attributes of PixtralImageProcessor.
IMAGE = {
    "size": {"longest_edge": 1024}, "patch_size": {"height": 16, "width": 16}, "do_resize": True, "resample": 3,
    "do_center_crop": None, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
}  # fmt: skip
# What PixtralProcessor's parameters are by default, but for patch_size and spatial_merge_size: without a file of the
# processor, the model's own are taken.
TOKENS = {"image_token": "[IMG]", "image_break_token": "[IMG_BREAK]", "image_end_token": "[IMG_END]"}
SETTINGS = ("size", "resample", "image_mean", "image_std")


def read(files: Files, patch: Patch, merge: int) -> Reading:
    """With PixtralProcessor: the image processor rounds to whole tokens, and rows of tokens end with markers.

    `patch` and `merge` are the model's, which the processor's file must repeat.
    """
    processor = files.processor.with_defaults(
        TOKENS | {"patch_size": patch.height, "spatial_merge_size": merge}, f"PixtralProcessor in {REFERENCE}"
    )
    _agree(processor, patch, merge)
    unit = Patch(patch.height * merge, patch.width * merge)
    rule, pixels = image_rule(files.image, unit, patch)
    tokens = (_token(processor, name) for name in TOKENS)
    return Reading(None, rule, pixels, RowBreaks(SpaceToDepth(merge), *tokens))


def read_llava(files: Files) -> Reading:
    """A tower "pixtral" below `vision_config`, whose tokens are not merged: the copies of Pixtral for transformers."""
    vision = files.config.child("vision_config")
    vision = vision.with_defaults({"patch_size": 16}, f"PixtralVisionConfig in {REFERENCE}")
    return replace(read(files, vision.patch("patch_size"), merge=1), encoder=partial(_llava_encoder, files))


def _llava_encoder(files: Files) -> EncoderSpec | None:
    """None where a built-in name has the values for counting alone."""
    from vistoken.towers.llava import encoder  # counting does without it

    if files.built_in and not files.config.child("vision_config").has("intermediate_size"):
        return None
    return encoder(files, {}, layer=-2, selection="default")


def read_without_breaks(files: Files, patch: Patch, merge: int) -> Reading:
    """With LightOnOcrProcessor: the image processor rounds to its own `patch_size`, and there are no markers."""
    processor = files.processor.with_defaults(
        {"patch_size": patch.height, "spatial_merge_size": merge}, f"LightOnOcrProcessor in {REFERENCE}"
    )
    _agree(processor, patch, merge)
    prompt = WholeBlocks(merge, "<|image_pad|>")
    if files.image is None:
        return Reading(None, None, None, prompt)
    image = files.image.with_defaults(IMAGE, f"PixtralImageProcessor in {REFERENCE}")
    return Reading(None, *image_rule(files.image, image.patch("patch_size"), patch), prompt)


def writes_no_breaks(files: Files) -> bool:
    """Whether the files name LightOnOCR's processor, in either spelling, where the model type is Mistral's."""
    for part in (files.processor, files.image):
        if part is not None and part.has("processor_class"):
            return str(part.raw("processor_class")).lower() == "lightonocrprocessor"
    return False


def image_rule(image: Config | None, unit: Patch, patch: Patch) -> tuple[ViewRule | None, PixelSpec | None]:
    """The view rule and the pixel values; sides become multiples of `unit`."""
    if image is None:
        return None, None
    processor = image.with_defaults(IMAGE, f"PixtralImageProcessor in {REFERENCE}")
    if processor.flag("do_center_crop"):
        raise processor.error("do_center_crop", True, "a crop after the resize is not read by this family")
    filter = processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):
        from vistoken.views.fixed import Native  # rare, and start-up counts

        return Native(None, filter, patch), pixel_values(processor)
    return LongEdge(_box(processor), unit, filter, patch), pixel_values(processor)


def _box(processor: Config) -> Size:
    """The box that pictures are shrunk into: `longest_edge`, else height and width."""
    value = processor.raw("size")
    if not isinstance(value, dict) or value.get("longest_edge") is None:
        return processor.size("size")
    side = value["longest_edge"]
    if type(side) is not int or not 0 < side <= 1_000_000:
        raise processor.error("size", value, "longest_edge must be a whole number from 1 to 1,000,000")
    return Size(height=side, width=side)


def _agree(processor: Config, patch: Patch, merge: int) -> None:
    """The processor's file must tell the model's patch and merge."""
    if processor.patch("patch_size") != patch:
        raise processor.error("patch_size", processor.raw("patch_size"), f"the model's is {patch}: the two must agree")
    if (given := processor.integer("spatial_merge_size", high=64)) != merge:
        raise processor.error("spatial_merge_size", given, f"the model's is {merge}: the two must agree")


def _token(processor: Config, name: str) -> str:
    value = processor.raw(name)
    if not isinstance(value, str) or not value:
        raise processor.error(name, value, "it must be the name of a token")
    return value
