"""PaddleOCR-VL: whole tokens of 28 x 28 pixels under a pixel budget; thin sides are enlarged first.

Sources: transformers 5.23.0, `models/paddleocr_vl/image_processing_pil_paddleocr_vl.py` and
`processing_paddleocr_vl.py`; arXiv 2510.14528.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF
from vistoken.processors.edges import pixels
from vistoken.processors.pixel_budget import PROCESSOR, SETTINGS, image_rule
from vistoken.processors.qwen2_vl import agree
from vistoken.prompts.plain import Merged, SpaceToDepth
from vistoken.views.guarded import GuardedBudget

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 14, "spatial_merge_size": 2}
TEMPLATE = "the chat template adds <|IMAGE_START|> and <|IMAGE_END|>: 2 tokens"


def read(files: Files) -> Reading:
    """Patch and merge from the vision config; the pixel budget from the preprocessor."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"PaddleOCRVisionConfig in {REFERENCE}")
    patch, merge = vision.patch("patch_size"), SpaceToDepth(vision.integer("spatial_merge_size", high=64))
    prompt = Merged(merge, "<|IMAGE_PLACEHOLDER|>", template=TEMPLATE)
    if files.image is None:
        return Reading(None, None, None, prompt)
    processor = files.image.with_defaults(PROCESSOR, f"PaddleOCRVLImageProcessor in {REFERENCE}")
    agree(processor, patch, merge.side)
    budget = pixels(processor, (147_456, 2_359_296))
    return Reading(partial(_encoder, files), *image_rule(processor, patch, merge.side, budget, GuardedBudget), prompt)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.paddleocr_vl import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.paddleocr_vl import WEIGHTS

    return WEIGHTS


def _published(name: str, alias: str, low: int, high: int) -> Published:
    vision = {**VISION, "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27,
              "num_attention_heads": 16, "image_size": 384}  # fmt: skip
    config = {"model_type": "paddleocr_vl", "hidden_size": 1024, "vision_config": vision}
    preprocessor = {"min_pixels": low, "max_pixels": high, "patch_size": 14, "temporal_patch_size": 1, "merge_size": 2,
                    "do_resize": True, "resample": 3, "do_rescale": True, "rescale_factor": 1 / 255,
                    "do_normalize": True, "image_mean": HALF, "image_std": HALF,
                    "image_processor_type": "PaddleOCRVLImageProcessor"}  # fmt: skip
    return Published((name, alias), config, preprocessor, SEEN)


FAMILY = Family(
    name="PaddleOCR-VL",
    model_types=("paddleocr_vl",),
    read=read,
    published=(
        _published("PaddlePaddle/PaddleOCR-VL", "paddleocr-vl", 147_384, 2_822_400),
        _published("PaddlePaddle/PaddleOCR-VL-1.5", "paddleocr-vl-1.5", 112_896, 1_003_520),
    ),
    rule=Label("verified", f"PaddleOCRVLProcessor and PaddleOCRVLImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="PaddleOCRVLProcessor",
        image="PaddleOCRVLImageProcessorPil",
        sees="image_grid_thw",
        tokens={"image_token": "<|IMAGE_PLACEHOLDER|>"},
        settings=({"max_pixels": 501_760}, {"min_pixels": 200_704, "max_pixels": 250_000}),
        thresholds=((28, 28), (28, 5600), (14, 2800), (384, 384), (1680, 1680)),
    ),
    examples=(
        Example("paddleocr-vl", 1280, 720, 4784, 1196, "PaddleOCRVLImageProcessorPil: grid 1 x 52 x 92, merged 2 x 2"),
        # 6 is under 28: 1200x6 becomes 5600x28 first. Without that guard it would be 29 tokens.
        Example("paddleocr-vl", 1200, 6, 800, 200, "PaddleOCRVLImageProcessorPil: resized to 5600x28"),
        # The two models of the series have other budgets.
        Example("paddleocr-vl", 3000, 4000, 14_076, 3519, "PaddleOCRVLImageProcessorPil: resized to 1428x1932"),
        Example("paddleocr-vl-1.5", 3000, 4000, 4920, 1230, "PaddleOCRVLImageProcessorPil: resized to 840x1148"),
    ),
)  # fmt: skip
