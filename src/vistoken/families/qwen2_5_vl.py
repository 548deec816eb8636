"""Qwen2.5-VL: any size, rounded to whole tokens of 28 x 28 pixels under a pixel budget; attention in windows.

HyperCLOVA X Vision v2 has Qwen2.5-VL's tower, processor and tokens.
Sources: transformers 5.23.0, `models/qwen2_vl/image_processing_pil_qwen2_vl.py`,
`models/qwen2_5_vl/processing_qwen2_5_vl.py` and `models/hyperclovax_vision_v2/processing_hyperclovax_vision_v2.py`;
arXiv 2502.13923.
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

TEMPLATE = "the chat template adds vision_start and vision_end: 2 tokens"


def read(files: Files) -> Reading:
    """Patch and merge from the vision config; the pixel budgets from the preprocessors."""
    patch, merge = vision(files.config.child("vision_config"), 14, "Qwen2_5_VLVisionConfig")
    rule, pixels = image_rule(files.image, patch, merge.side)
    video = partial(video_rule, files.video, patch, merge, "<|video_pad|>", TEMPLATE)
    encoder = partial(_encoder, files)
    return Reading(encoder, rule, pixels, Merged(merge, "<|image_pad|>", template=TEMPLATE), video)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.qwen2_5_vl import tower  # counting does without it

    return tower(files.config.child("vision_config"), files.built_in)


def _weights() -> WeightNames:
    from vistoken.towers.qwen2_5_vl import WEIGHTS

    return WEIGHTS


def _published(name: str, alias: str, intermediate: int, out: int) -> Published:
    vision = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "tokens_per_second": 2,
              "hidden_size": 1280, "depth": 32, "intermediate_size": intermediate, "out_hidden_size": out}  # fmt: skip
    preprocessor = PROCESSOR | {"min_pixels": 3136, "max_pixels": 12_845_056}
    config = {"model_type": "qwen2_5_vl", "vision_config": vision}
    # No video file of its own: the image processor's values serve videos too.
    return Published((name, alias), config, preprocessor, SEEN, "qwen2.5-vl", video=preprocessor)


FAMILY = Family(
    name="Qwen2.5-VL",
    model_types=("qwen2_5_vl", "hyperclovax_vision_v2"),
    read=read,
    published=(
        _published("Qwen/Qwen2.5-VL-3B-Instruct", "qwen2.5-vl-3b", 3420, 2048),
        _published("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5-vl-7b", 3420, 3584),
        _published("Qwen/Qwen2.5-VL-32B-Instruct", "qwen2.5-vl-32b", 3456, 5120),
        _published("Qwen/Qwen2.5-VL-72B-Instruct", "qwen2.5-vl-72b", 3456, 8192),
    ),
    rule=Label("verified", f"Qwen2_5_VLProcessor, Qwen2VLImageProcessorPil and Qwen2VLVideoProcessor of {REFERENCE}"),
    settings=SETTINGS + VIDEO_SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="Qwen2_5_VLProcessor",
        image="Qwen2VLImageProcessorPil",
        sees="image_grid_thw",
        tokens={"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"},
        video="Qwen2VLVideoProcessor",
        sees_video="video_grid_thw",
        sampling={"fps": 2},
        settings=(
            {"max_pixels": 1_003_520, "cap_pixels_per_frame": True},
            {"size": {"shortest_edge": 200_704, "longest_edge": 250_000}},
        ),
        thresholds=((3584, 3584), (56, 56)),
    ),
    examples=(
        Example("qwen2.5-vl-7b", 1280, 720, 4784, 1196, "Qwen2VLImageProcessorPil: grid 1 x 52 x 92, merged 2 x 2"),
        # 70 / 28 = 2.5 rounds to 2, 98 / 28 = 3.5 rounds to 4: ties go to even.
        Example("qwen2.5-vl-7b", 98, 70, 32, 8, "smart_resize: 70 / 28 = 2.5 and 98 / 28 = 3.5 round to even"),
        # A side under half a token becomes 0, the area is under the minimum, and the picture is enlarged.
        Example("qwen2.5-vl-7b", 1200, 6, 116, 29, "smart_resize, minimum branch; the vendor's own utility gives 43"),
        Example("qwen2.5-vl-7b", 1280, 720, 23_920, 5980, "Qwen2VLVideoProcessor: grid 5 x 52 x 92",
                arguments={"frames": 9}),
    ),
)  # fmt: skip
