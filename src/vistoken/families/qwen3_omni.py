"""Qwen3-Omni: tokens of 32 x 32 pixels; videos under a budget that the processor itself hands over.

Only what is seen is counted: the audio of a video puts further tokens between those of its frames.
Sources: transformers 5.23.0, `models/qwen3_omni_moe/processing_qwen3_omni_moe.py` and
`models/qwen2_vl/image_processing_pil_qwen2_vl.py`; arXiv 2509.17765.
"""

from __future__ import annotations

from vistoken.family import REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF
from vistoken.processors.qwen2_vl import PROCESSOR, SETTINGS, VIDEO_SETTINGS, image_rule, video_rule, vision
from vistoken.prompts.plain import Merged, MergedVideo

TEMPLATE = "the chat template adds vision_start and vision_end: 2 tokens"
PARTLY_SEEN = Label(
    "inferred", "budgets, patch and merge of the published files, as quoted; mean and std were not seen"
)
API = Label("assumed", "no weights and no files are published; the values are those of Qwen3-Omni")
API_NOTE = (
    "Qwen3.5-Omni runs behind an API only, and its rule is not documented: this is Qwen3-Omni's rule, its predecessor's"
)
# Class attribute of the processor, which wins over what the video processor's own file says.
HANDED = {"size": {"shortest_edge": 131_072, "longest_edge": 786_432}}


def read(files: Files) -> Reading:
    """The vision config stands below `thinker_config`, but in a folder of the thinker alone."""
    config = files.config
    thinker = config if config.raw("model_type") == "qwen3_omni_moe_thinker" else config.child("thinker_config")
    patch, merge = vision(thinker.child("vision_config"), 16, "Qwen3OmniMoeVisionEncoderConfig")
    rule, pixels = image_rule(files.image, patch, merge.side)
    handed = files.processor.with_defaults(HANDED, f"Qwen3OmniMoeProcessor in {REFERENCE}")
    video = video_rule(files.video, patch, merge.side, MergedVideo(merge, "<|video_pad|>", TEMPLATE), handed)
    return Reading(None, rule, pixels, Merged(merge, "<|image_pad|>", template=TEMPLATE), video)


def _published(
    *names: str, settings: Label = PARTLY_SEEN, series: str = "qwen3-omni", notes: tuple[str, ...] = ()
) -> Published:
    vision = {"patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2}
    config = {"model_type": "qwen3_omni_moe", "thinker_config": {"vision_config": vision}}
    # Qwen2-VL's budget, although the patches are those of Qwen3-VL.
    values = {"patch_size": 16, "image_mean": HALF, "image_std": HALF, "min_pixels": 3136, "max_pixels": 12_845_056}
    preprocessor = PROCESSOR | values
    return Published(names, config, preprocessor, settings, series, video=preprocessor, notes=notes)


FAMILY = Family(
    name="Qwen3-Omni",
    model_types=("qwen3_omni_moe", "qwen3_omni_moe_thinker"),
    read=read,
    published=(
        _published("Qwen/Qwen3-Omni-30B-A3B-Instruct", "qwen3-omni-30b-a3b"),
        _published("Qwen/Qwen3-Omni-30B-A3B-Thinking", "qwen3-omni-30b-a3b-thinking"),
        _published("Qwen/Qwen3-Omni-30B-A3B-Captioner", "qwen3-omni-30b-a3b-captioner"),
        _published("qwen3.5-omni", settings=API, series="", notes=(API_NOTE,)),
    ),
    rule=Label("verified", f"Qwen3OmniMoeProcessor, Qwen2VLImageProcessorPil and Qwen2VLVideoProcessor of {REFERENCE}"),
    settings=SETTINGS + VIDEO_SETTINGS,
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
    ),
)  # fmt: skip
