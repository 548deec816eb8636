"""Qwen2.5-Omni: pictures as Qwen2.5-VL; videos under a budget that the processor itself hands over.

Only what is seen is counted: the audio of a video puts further tokens between those of its frames.
Sources: transformers 5.23.0, `models/qwen2_5_omni/processing_qwen2_5_omni.py` and
`models/qwen2_vl/image_processing_pil_qwen2_vl.py`; arXiv 2503.20215.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, SEEN, SIBLING, Example, Family, Published, Reference
from vistoken.model_spec import Label
from vistoken.processors.qwen2_vl import PROCESSOR, SETTINGS, VIDEO_SETTINGS
from vistoken.processors.qwen_omni import Omni

if TYPE_CHECKING:
    from vistoken.configs import Config
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames


def _encoder(thinker: Config, built_in: bool) -> EncoderSpec | None:
    from vistoken.towers.qwen2_5_vl import omni  # counting does without it

    return omni(thinker, built_in)


def _weights() -> WeightNames:
    from vistoken.towers.qwen2_5_vl import OMNI_WEIGHTS

    return OMNI_WEIGHTS


OMNI = Omni(
    thinker="qwen2_5_omni_thinker", vision="Qwen2_5OmniVisionEncoderConfig", patch=14,
    processor="Qwen2_5OmniProcessor", least=100_352, most=602_112, image_token="<|IMAGE|>", video_token="<|VIDEO|>",
    template="the chat template adds vision_bos and vision_eos: 2 tokens", encoder=_encoder,
)  # fmt: skip


def _published(name: str, alias: str, settings: Label, width: int = 0) -> Published:
    """`width` is the LLM's, where it is known with all of the tower's own sizes."""
    vision = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2}
    if width:
        vision |= {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16,
                   "out_hidden_size": width}  # fmt: skip
    config = {"model_type": "qwen2_5_omni", "thinker_config": {"vision_config": vision}}
    preprocessor = PROCESSOR | {"min_pixels": 3136, "max_pixels": 12_845_056}
    return Published((name, alias), config, preprocessor, settings, "qwen2.5-omni", video=preprocessor)


FAMILY = Family(
    name="Qwen2.5-Omni",
    model_types=("qwen2_5_omni", "qwen2_5_omni_thinker"),
    read=OMNI.read,
    published=(
        _published("Qwen/Qwen2.5-Omni-7B", "qwen2.5-omni-7b", SEEN, 3584),
        _published("Qwen/Qwen2.5-Omni-3B", "qwen2.5-omni-3b", SIBLING),
    ),
    rule=Label("verified", f"Qwen2_5OmniProcessor, Qwen2VLImageProcessorPil and Qwen2VLVideoProcessor of {REFERENCE}"),
    settings=SETTINGS + VIDEO_SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="Qwen2_5OmniProcessor",
        image="Qwen2VLImageProcessorPil",
        sees="image_grid_thw",
        tokens={
            "image_token": "<|IMAGE|>", "video_token": "<|VIDEO|>", "audio_token": "<|AUDIO|>",
            "vision_bos_token": "<|vision_bos|>", "vision_eos_token": "<|vision_eos|>",
            "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>",
        },
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
        Example("qwen2.5-omni-7b", 1280, 720, 4784, 1196, "Qwen2VLImageProcessorPil: grid 1 x 52 x 92, merged 2 x 2"),
        Example("qwen2.5-omni-7b", 98, 70, 32, 8, "Qwen2VLImageProcessorPil: 2.5 and 3.5 round to even"),
        # The processor's budget of 602,112 pixels a frame holds, not the 12,845,056 of the file.
        Example("qwen2.5-omni-7b", 1280, 720, 14_400, 3600, "Qwen2_5OmniProcessor: grid 5 x 40 x 72",
                arguments={"frames": 9}),
    ),
)  # fmt: skip
