"""EXAONE 4.5: Qwen2-VL's image and video processors with budgets of its own, tokens of 28 x 28 pixels.

Source: transformers 5.23.0, `models/exaone4_5/processing_exaone4_5.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.processors.qwen2_vl import PROCESSOR, SETTINGS, VIDEO_SETTINGS, image_rule, video_rule, vision
from vistoken.prompts.plain import Merged

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

# Not seen: config.json names both tokens.
TEMPLATE = "the chat template probably adds vision_start and vision_end: 2 tokens"
BUDGET = {"min_pixels": 3136, "max_pixels": 3_211_264, "size": {"shortest_edge": 3136, "longest_edge": 3_211_264}}


def read(files: Files) -> Reading:
    """Patch and merge from the vision config; the pixel budgets from the preprocessors."""
    patch, merge = vision(files.config.child("vision_config"), 14, "Exaone4_5_VisionConfig")
    rule, pixels = image_rule(files.image, patch, merge.side)
    video = partial(video_rule, files.video, patch, merge, "<|video_pad|>", TEMPLATE)
    return Reading(partial(_encoder, files), rule, pixels, Merged(merge, "<|image_pad|>", template=TEMPLATE), video)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.qwen2_5_vl import exaone  # counting does without it

    return exaone(files.config.child("vision_config"), files.built_in)


def _weights() -> WeightNames:
    from vistoken.towers.qwen2_5_vl import EXAONE_WEIGHTS

    return EXAONE_WEIGHTS


def _published(name: str, *aliases: str) -> Published:
    vision = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2,
              "depth": 28, "hidden_size": 2048, "intermediate_size": 5120, "num_heads": 32, "num_key_value_heads": 8,
              "fullatt_block_indexes": [6, 13, 20, 27], "out_hidden_size": 5120}  # fmt: skip
    video = PROCESSOR | BUDGET | {"min_frames": 4, "max_frames": 768}
    config = {"model_type": "exaone4_5", "vision_config": vision}
    return Published((name, *aliases), config, PROCESSOR | BUDGET, SEEN, "exaone-4.5", video=video)


FAMILY = Family(
    name="EXAONE 4.5",
    model_types=("exaone4_5",),
    read=read,
    published=(
        _published("LGAI-EXAONE/EXAONE-4.5-33B", "exaone-4.5-33b"),
        _published("LGAI-EXAONE/EXAONE-4.5-33B-FP8"),
        _published("LGAI-EXAONE/EXAONE-4.5-33B-AWQ"),
    ),
    rule=Label("verified", f"Exaone4_5_Processor, Qwen2VLImageProcessorPil and Qwen2VLVideoProcessor of {REFERENCE}"),
    settings=SETTINGS + VIDEO_SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="Exaone4_5_Processor",
        image="Qwen2VLImageProcessorPil",
        sees="image_grid_thw",
        tokens={"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"},
        video="Qwen2VLVideoProcessor",
        sees_video="video_grid_thw",
        sampling={"fps": 2},
        settings=(
            {"max_pixels": 1_003_520, "cap_pixels_per_frame": True},
            {"min_pixels": 200_704, "num_frames": 7, "sampling_fps": None},
        ),
        thresholds=((1792, 1792), (56, 56)),
    ),
    examples=(
        Example("exaone-4.5-33b", 1280, 720, 4784, 1196, "Qwen2VLImageProcessorPil: grid 1 x 52 x 92, merged 2 x 2"),
        Example("exaone-4.5-33b", 4000, 3000, 16_060, 4015, "Qwen2VLImageProcessorPil: shrunk to 2044 x 1540"),
        Example("exaone-4.5-33b", 1200, 6, 116, 29, "Qwen2VLImageProcessorPil, minimum branch: 812 x 28"),
        Example("exaone-4.5-33b", 1280, 720, 23_920, 5980, "Qwen2VLVideoProcessor: grid 5 x 52 x 92",
                arguments={"frames": 9}),
    ),
)  # fmt: skip
