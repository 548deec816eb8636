"""BLIP: a square of 384 pixels whose patches the text model reads by cross-attention; nothing stands in its prompt.

Source: transformers 5.23.0, `models/blip/image_processing_pil_blip.py`, `models/blip/processing_blip.py` and
`models/blip/modeling_blip.py`; arXiv 2201.12086.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from vistoken.family import REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Size
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, SETTINGS, standard

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 16}


def read(files: Files) -> Reading:
    """The patch from the vision config; the size from the preprocessor."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"BlipVisionConfig in {REFERENCE}")
    rule, pixels = standard(files.image, "BlipImageProcessor", vision.patch("patch_size"), Size(height=384, width=384))
    return Reading(partial(_encoder, files), rule, pixels, prefix=1)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.clip_kin import blip  # counting does without it

    return blip(files)


def _weights() -> WeightNames:
    from vistoken.towers.clip_kin import BLIP_WEIGHTS

    return BLIP_WEIGHTS


SEEN_HALF = Label("documented", "the published preprocessor_config.json; the config's patch from the script that "
                  "converted the model, in transformers")  # fmt: skip
# The oldest file: one number as size, and no word about rescaling or the filter.
OLD = {"image_processor_type": "BlipImageProcessor", "size": 384, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}
# Keys of a feature extractor that no longer exists (do_pad, size_divisor) change nothing: all pictures have one size.
LATER = OLD | {"size": {"height": 384, "width": 384}, "resample": 3, "do_pad": True, "size_divisor": 32}


def _published(name: str, preprocessor: Mapping[str, Any]) -> Published:
    config = {"model_type": "blip", "vision_config": {"patch_size": 16, "image_size": 384}}
    return Published((f"Salesforce/{name}", name), config, preprocessor, SEEN_HALF, "blip")


FAMILY = Family(
    name="BLIP",
    model_types=("blip",),
    read=read,
    published=(
        _published("blip-image-captioning-base", OLD),
        _published("blip-image-captioning-large", LATER),
        _published("blip-vqa-base", LATER),
        _published("blip-itm-base-coco", LATER),
    ),
    rule=Label("verified", f"BlipImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        Example("blip-image-captioning-base", 1280, 720, 576, 577, "BlipImageProcessorPil: 384 / 16 = 24 a side"),
        Example("blip-vqa-base", 1, 3000, 576, 577, "BlipImageProcessorPil: do_pad changes nothing at a fixed size"),
        Example("blip-image-captioning-base", 640, 480, 196, 197, "BlipImageProcessorPil: one number is a square",
                arguments={"size": 224}),
    ),
    weights=_weights,
    reference=Reference(
        processor="BlipProcessor",
        image="BlipImageProcessorPil",
        sees="pixel_values",
        text=False,
        settings=({"size": {"height": 480, "width": 320}}, {"size": {"height": 250, "width": 256}}),
        thresholds=((384, 384),),
    ),
)  # fmt: skip
