"""Qwen3-Omni: tokens of 32 x 32 pixels; videos under a budget that the processor itself hands over.

Only what is seen is counted: the audio of a video puts further tokens between those of its frames.
Sources: transformers 5.23.0, `models/qwen3_omni_moe/processing_qwen3_omni_moe.py` and
`models/qwen2_vl/image_processing_pil_qwen2_vl.py`; arXiv 2509.17765.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, Example, Family, Published, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF
from vistoken.processors.qwen2_vl import PROCESSOR, SETTINGS, VIDEO_SETTINGS
from vistoken.processors.qwen_omni import Omni

if TYPE_CHECKING:
    from vistoken.configs import Config
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames


def _encoder(thinker: Config, built_in: bool) -> EncoderSpec | None:
    from vistoken.towers.qwen3_vl import omni  # counting does without it

    return omni(thinker, built_in)


def _weights() -> WeightNames:
    from vistoken.towers.qwen3_vl import OMNI_WEIGHTS

    return OMNI_WEIGHTS


OMNI = Omni(
    thinker="qwen3_omni_moe_thinker", vision="Qwen3OmniMoeVisionEncoderConfig", patch=16,
    processor="Qwen3OmniMoeProcessor", least=131_072, most=786_432, image_token="<|image_pad|>",
    video_token="<|video_pad|>", template="the chat template adds vision_start and vision_end: 2 tokens",
    encoder=_encoder,
)  # fmt: skip
PARTLY_SEEN = Label(
    "inferred", "budgets, patch and merge of the published files, as quoted; mean and std were not seen"
)


def _published(name: str, alias: str) -> Published:
    vision = {"patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2}
    config = {"model_type": "qwen3_omni_moe", "thinker_config": {"vision_config": vision}}
    # Qwen2-VL's budget, although the patches are those of Qwen3-VL.
    values = {"patch_size": 16, "image_mean": HALF, "image_std": HALF, "min_pixels": 3136, "max_pixels": 12_845_056}
    preprocessor = PROCESSOR | values
    return Published((name, alias), config, preprocessor, PARTLY_SEEN, "qwen3-omni", video=preprocessor)


FAMILY = Family(
    name="Qwen3-Omni",
    model_types=("qwen3_omni_moe", "qwen3_omni_moe_thinker"),
    read=OMNI.read,
    published=(
        _published("Qwen/Qwen3-Omni-30B-A3B-Instruct", "qwen3-omni-30b-a3b"),
        _published("Qwen/Qwen3-Omni-30B-A3B-Thinking", "qwen3-omni-30b-a3b-thinking"),
        _published("Qwen/Qwen3-Omni-30B-A3B-Captioner", "qwen3-omni-30b-a3b-captioner"),
    ),
    rule=Label("verified", f"Qwen3OmniMoeProcessor, Qwen2VLImageProcessorPil and Qwen2VLVideoProcessor of {REFERENCE}"),
    settings=SETTINGS + VIDEO_SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="Qwen3OmniMoeProcessor",
        image="Qwen2VLImageProcessorPil",
        sees="image_grid_thw",
        tokens={
            "image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "audio_token": "<|audio_pad|>",
            "vision_bos_token": "<|vision_start|>", "vision_eos_token": "<|vision_end|>",
            "audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>",
        },
        video="Qwen2VLVideoProcessor",
        sees_video="video_grid_thw",
        sampling={"fps": 2},
        settings=(
            {"max_pixels": 1_003_520, "cap_pixels_per_frame": True},
            {"size": {"shortest_edge": 200_704, "longest_edge": 250_000}},
        ),
        thresholds=((3584, 3584), (64, 64)),
    ),
    examples=(
        Example("qwen3-omni-30b-a3b", 1280, 720, 3520, 880, "Qwen2VLImageProcessorPil: grid 1 x 44 x 80, merged 2 x 2"),
        # Qwen2-VL's minimum, not Qwen3-VL's, which gives 64.
        Example("qwen3-omni-30b-a3b", 1, 1, 16, 4, "Qwen2VLImageProcessorPil: 64 x 64"),
        Example("qwen3-omni-30b-a3b", 1280, 720, 14_400, 3600, "Qwen3OmniMoeProcessor: grid 5 x 40 x 72",
                arguments={"frames": 9}),
    ),
)  # fmt: skip
