"""Qianfan-OCR: InternVL's tiles and overview, with a language model of its own.

Sources: transformers 5.23.0, `models/qianfan_ocr/processing_qianfan_ocr.py` and
`models/got_ocr2/image_processing_pil_got_ocr2.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD
from vistoken.processors.got_ocr2 import SETTINGS, image_rule
from vistoken.prompts.tiles import TilesInOneRun

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": [14, 14]}
PROCESSOR = {"image_seq_length": 256}
# What QianfanOCRProcessor passes to the image processor at every call.
PASSED = {"crop_to_patches": True}


def read(files: Files) -> Reading:
    """The tile from the preprocessor; tokens a tile from the processor."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"QianfanOCRVisionConfig in {REFERENCE}")
    rule, pixels = image_rule(files.image, vision.patch("patch_size"), PASSED, "QianfanOCRProcessor")
    processor = files.processor.with_defaults(PROCESSOR, f"QianfanOCRProcessor in {REFERENCE}")
    prompt = TilesInOneRun(processor.integer("image_seq_length"), "<IMG_CONTEXT>", "<img>", "</img>")
    return Reading(partial(_encoder, files), rule, pixels, prompt, prefix=1)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.intern_vit import qianfan  # counting does without it

    return qianfan(files)


def _weights() -> WeightNames:
    from vistoken.towers.intern_vit import QIANFAN_WEIGHTS

    return QIANFAN_WEIGHTS


FAMILY = Family(
    name="Qianfan-OCR",
    model_types=("qianfan_ocr",),
    read=read,
    published=(
        Published(
            ("baidu/Qianfan-OCR", "qianfan-ocr"),
            {"model_type": "qianfan_ocr", "vision_config": {"patch_size": 14, "image_size": 448}},
            {"image_processor_type": "GotOcr2ImageProcessor", "crop_to_patches": False, "min_patches": 1,
             "max_patches": 12, "size": {"height": 448, "width": 448}, "image_mean": CLIP_MEAN, "image_std": CLIP_STD},
            Label("inferred", "a summary of the published files, not the files themselves"),
            processor={"image_seq_length": 256},
        ),
    ),
    rule=Label("verified", f"QianfanOCRProcessor and GotOcr2ImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="QianfanOCRProcessor",
        image="GotOcr2ImageProcessorPil",
        sees="pixel_values",
        tokens={"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"},
        settings=({"max_patches": 6}, {"min_patches": 4, "max_patches": 24}, {"crop_to_patches": False}),
        thresholds=((448, 448), (896, 448), (640, 480)),
    ),
    examples=(
        Example("qianfan-ocr", 1280, 720, 9216, 2306, "QianfanOCRProcessor: 8 tiles and an overview, 256 each", 2),
        Example("qianfan-ocr", 2480, 3508, 7168, 1794, "QianfanOCRProcessor: 6 tiles and an overview", 2),
        # An exact match of the aspect ratio, 4 x 3, beats fewer tiles.
        Example("qianfan-ocr", 640, 480, 13_312, 3330, "QianfanOCRProcessor: 12 tiles and an overview", 2),
    ),
)  # fmt: skip
