"""HunyuanOCR: whole tokens of 32 x 32 pixels, a newline position after each row and one position at each end.

Sources: transformers 5.23.0, `models/hunyuan_vl/image_processing_pil_hunyuan_vl.py` and `processing_hunyuan_vl.py`;
arXiv 2511.19575.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD
from vistoken.processors.edges import pixels
from vistoken.processors.pixel_budget import PROCESSOR, image_rule
from vistoken.processors.qwen2_vl import agree
from vistoken.prompts.newlines import NewlineRows
from vistoken.prompts.plain import SpaceToDepth

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 16, "spatial_merge_size": 2}
IMAGE, START, END = (f"<｜hy_place▁holder▁no▁{number}｜>" for number in (102, 100, 101))
TEMPLATE = "the chat template adds the start and the end of the picture: 2 tokens"


def read(files: Files) -> Reading:
    """Patch and merge from the vision config, the budget from the preprocessor, the ends from the processor.

    The class resizes bicubically whatever `resample` says.
    """
    vision = files.config.child("vision_config").with_defaults(VISION, f"HunYuanVLVisionConfig in {REFERENCE}")
    patch, merge = vision.patch("patch_size"), SpaceToDepth(vision.integer("spatial_merge_size", high=64))
    ends = files.processor.with_defaults({"cat_extra_token": True}, f"HunYuanVLProcessor in {REFERENCE}")
    prompt = NewlineRows(merge, IMAGE, int(ends.flag("cat_extra_token")), TEMPLATE)
    if files.image is None:
        return Reading(None, None, None, prompt)
    defaults = {**PROCESSOR, "patch_size": 16}
    processor = files.image.replaced(resample=3).with_defaults(defaults, f"HunYuanVLImageProcessor in {REFERENCE}")
    agree(processor, patch, merge.side)
    budget = pixels(processor, (262_144, 4_194_304))
    return Reading(partial(_encoder, files), *image_rule(processor, patch, merge.side, budget), prompt)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.hunyuan_vl import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.hunyuan_vl import WEIGHTS

    return WEIGHTS


FAMILY = Family(
    name="HunyuanOCR",
    model_types=("hunyuan_vl",),
    read=read,
    published=(
        Published(
            ("tencent/HunyuanOCR", "hunyuan-ocr"),
            {"model_type": "hunyuan_vl", "vision_config": {"patch_size": 16, "spatial_merge_size": 2}},
            {"min_pixels": 262_144, "max_pixels": 4_194_304, "patch_size": 16, "temporal_patch_size": 1,
             "merge_size": 2, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
             "image_processor_type": "HunYuanVLImageProcessor"},
            Label("inferred", "the classes' defaults, with which three ports agree; the published file was not seen"),
            processor={"cat_extra_token": True},
        ),
    ),
    rule=Label("verified", f"HunYuanVLProcessor and HunYuanVLImageProcessorPil of {REFERENCE}"),
    settings=("min_pixels", "max_pixels", "image_mean", "image_std"),
    weights=_weights,
    reference=Reference(
        processor="HunYuanVLProcessor",
        image="HunYuanVLImageProcessorPil",
        sees="image_grid_thw",
        tokens={"image_token": IMAGE, "image_start_token": START, "image_end_token": END},
        settings=({"max_pixels": 1_048_576}, {"min_pixels": 400_000, "max_pixels": 420_000}),
        thresholds=((512, 512), (2048, 2048), (16, 16)),
    ),
    examples=(
        # 22 rows of 40 tokens and a newline, and 2 ends.
        Example("hunyuan-ocr", 1280, 720, 3520, 904, "HunYuanVLProcessor: 22 x (40 + 1) + 2"),
        Example("hunyuan-ocr", 100, 100, 1024, 274, "HunYuanVLProcessor: enlarged to 512x512, 16 x (16 + 1) + 2"),
        # Two rows, although the picture is 6 pixels high.
        Example("hunyuan-ocr", 1200, 6, 1816, 458, "HunYuanVLProcessor: 7264x64, 2 x (227 + 1) + 2"),
    ),
)  # fmt: skip
