"""Qwen2-VL: any size, rounded to whole tokens of 28 x 28 pixels under a pixel budget.

Sources: transformers 5.23.0, `models/qwen2_vl/image_processing_pil_qwen2_vl.py`, `processing_qwen2_vl.py` and
`video_processing_qwen2_vl.py`; arXiv 2409.12191.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.processors.qwen2_vl import PROCESSOR, SETTINGS, VIDEO_SETTINGS, image_rule, video_rule, vision
from vistoken.prompts.plain import Merged

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

TEMPLATE = "the chat template adds vision_start and vision_end: 2 tokens"
PARTLY_SEEN = Label(
    "inferred", "budgets, patch and merge of the published files, as quoted; mean and std are those of Qwen2.5-VL"
)


def read(files: Files) -> Reading:
    """Patch and merge from the vision config; the pixel budgets from the preprocessors."""
    patch, merge = vision(files.config.child("vision_config"), 14, "Qwen2VLVisionConfig")
    rule, pixels = image_rule(files.image, patch, merge.side)
    video = partial(video_rule, files.video, patch, merge, "<|video_pad|>", TEMPLATE)
    encoder = partial(_encoder, files)
    return Reading(encoder, rule, pixels, Merged(merge, "<|image_pad|>", template=TEMPLATE), video)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.qwen2_vl import tower  # counting does without it

    return tower(files.config.child("vision_config"), files.built_in)


def _weights() -> WeightNames:
    from vistoken.towers.qwen2_vl import WEIGHTS

    return WEIGHTS


def _published(name: str, alias: str, out: int) -> Published:
    vision = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "depth": 32, "embed_dim": 1280,
              "hidden_size": out}  # fmt: skip
    preprocessor = PROCESSOR | {"min_pixels": 3136, "max_pixels": 12_845_056}
    config = {"model_type": "qwen2_vl", "vision_config": vision}
    # No video file of its own: the image processor's values serve videos too.
    return Published((name, alias), config, preprocessor, PARTLY_SEEN, "qwen2-vl", video=preprocessor)


FAMILY = Family(
    name="Qwen2-VL",
    model_types=("qwen2_vl",),
    read=read,
    published=(
        _published("Qwen/Qwen2-VL-2B-Instruct", "qwen2-vl-2b", 1536),
        _published("Qwen/Qwen2-VL-7B-Instruct", "qwen2-vl-7b", 3584),
        _published("Qwen/Qwen2-VL-72B-Instruct", "qwen2-vl-72b", 8192),
    ),
    rule=Label("verified", f"Qwen2VLProcessor, Qwen2VLImageProcessorPil and Qwen2VLVideoProcessor of {REFERENCE}"),
    settings=SETTINGS + VIDEO_SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="Qwen2VLProcessor",
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
        Example("qwen2-vl-7b", 1280, 720, 4784, 1196, "Qwen2VLImageProcessorPil: grid 1 x 52 x 92, merged 2 x 2"),
        Example("qwen2-vl-7b", 98, 70, 32, 8, "Qwen2VLImageProcessorPil: 2.5 and 3.5 tokens round to even"),
        # The class's own budget would shrink this picture to 1,280 tokens; the checkpoint's does not.
        Example("qwen2-vl-7b", 4000, 3000, 61_204, 15_301, "Qwen2VLImageProcessorPil with the published max_pixels"),
        Example("qwen2-vl-7b", 1280, 720, 23_920, 5980, "Qwen2VLVideoProcessor: grid 5 x 52 x 92, the last frame twice",
                arguments={"frames": 9}),
        Example("qwen2-vl-7b", 1920, 1080, 107_640, 26_910, "Qwen2VLVideoProcessor with fps=2: 20 frames of 300",
                arguments={"duration": 10, "fps": 30}),
    ),
)  # fmt: skip
