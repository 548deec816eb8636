"""Qwen2.5-Omni: pictures as Qwen2.5-VL; videos under a budget that the processor itself hands over.

Only what is seen is counted: the audio of a video puts further tokens between those of its frames.
Sources: transformers 5.23.0, `models/qwen2_5_omni/processing_qwen2_5_omni.py` and
`models/qwen2_vl/image_processing_pil_qwen2_vl.py`; arXiv 2503.20215.
"""

from __future__ import annotations

from vistoken.family import REFERENCE, SEEN, SIBLING, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.processors.qwen2_vl import PROCESSOR, SETTINGS, VIDEO_SETTINGS, image_rule, video_rule, vision
from vistoken.prompts.plain import Merged, MergedVideo

TEMPLATE = "the chat template adds vision_bos and vision_eos: 2 tokens"
# Class attribute of the processor, which wins over what the video processor's own file says.
HANDED = {"size": {"shortest_edge": 100_352, "longest_edge": 602_112}}


def read(files: Files) -> Reading:
    """The vision config stands below `thinker_config`, but in a folder of the thinker alone."""
    config = files.config
    thinker = config if config.raw("model_type") == "qwen2_5_omni_thinker" else config.child("thinker_config")
    patch, merge = vision(thinker.child("vision_config"), 14, "Qwen2_5OmniVisionEncoderConfig")
    rule, pixels = image_rule(files.image, patch, merge.side)
    handed = files.processor.with_defaults(HANDED, f"Qwen2_5OmniProcessor in {REFERENCE}")
    video = video_rule(files.video, patch, merge.side, MergedVideo(merge, "<|VIDEO|>", TEMPLATE), handed)
    return Reading(None, rule, pixels, Merged(merge, "<|IMAGE|>", template=TEMPLATE), video)


def _published(name: str, alias: str, settings: Label) -> Published:
    vision = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2}
    config = {"model_type": "qwen2_5_omni", "thinker_config": {"vision_config": vision}}
    preprocessor = PROCESSOR | {"min_pixels": 3136, "max_pixels": 12_845_056}
    return Published((name, alias), config, preprocessor, settings, "qwen2.5-omni", video=preprocessor)


FAMILY = Family(
    name="Qwen2.5-Omni",
    model_types=("qwen2_5_omni", "qwen2_5_omni_thinker"),
    read=read,
    published=(
        _published("Qwen/Qwen2.5-Omni-7B", "qwen2.5-omni-7b", SEEN),
        _published("Qwen/Qwen2.5-Omni-3B", "qwen2.5-omni-3b", SIBLING),
    ),
    rule=Label("verified", f"Qwen2_5OmniProcessor, Qwen2VLImageProcessorPil and Qwen2VLVideoProcessor of {REFERENCE}"),
    settings=SETTINGS + VIDEO_SETTINGS,
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
    ),
)  # fmt: skip
