"""Qwen3-VL, Qwen3.5 and Qwen3.6, dense and with experts: tokens of 32 x 32 pixels, videos with time stamps.

Qwen4-Exp and Cosmos 3 (its understanding tower) are brought to pictures and videos by the same classes; LFM3-VL has a
processor of its own that does the same.
Sources: transformers 5.23.0, `models/qwen3_vl/processing_qwen3_vl.py`, `models/qwen3_vl/video_processing_qwen3_vl.py`,
`models/qwen2_vl/image_processing_pil_qwen2_vl.py`, `models/lfm3_vl/processing_lfm3_vl.py`,
`models/auto/processing_auto.py`; arXiv 2511.21631.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from vistoken.family import REFERENCE, SEEN, SIBLING, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF
from vistoken.processors.qwen2_vl import PROCESSOR, SETTINGS, VIDEO_SETTINGS, image_rule, vision
from vistoken.processors.qwen3_vl import VIDEO, timed_video
from vistoken.prompts.plain import Merged

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

TEMPLATE = "the chat template adds vision_start and vision_end: 2 tokens"
SERIES = Label("inferred", "the values that the published files of the series share; this checkpoint's were not seen")
RESAVED = Label("inferred", "re-saved copies of the published files, of quantised weights")
IMAGE = PROCESSOR | {
    "patch_size": 16, "image_mean": HALF, "image_std": HALF,
    "size": {"shortest_edge": 65_536, "longest_edge": 16_777_216},
}  # fmt: skip
# Whether a kind's tower hands the LLM tokens of earlier blocks as well. The other kinds have other towers, or files.
DEEPSTACK = {"qwen3_vl": True, "qwen3_vl_moe": True, "qwen3_5": False, "qwen3_5_moe": False}
FILM = VIDEO | {"size": {"shortest_edge": 4096, "longest_edge": 25_165_824}}


def read(files: Files) -> Reading:
    """Patch and merge from the vision config; the pixel budgets from the two preprocessors."""
    patch, merge = vision(files.config.child("vision_config"), 16, "Qwen3VLVisionConfig")
    rule, pixels = image_rule(files.image, patch, merge.side)
    video = partial(timed_video, files.video, patch, merge, TEMPLATE)
    encoder = partial(_encoder, files)
    return Reading(encoder, rule, pixels, Merged(merge, "<|image_pad|>", template=TEMPLATE), video)


def _encoder(files: Files) -> EncoderSpec | None:
    kind = files.config.raw("model_type")
    if kind not in DEEPSTACK:
        return None
    from vistoken.towers.qwen3_vl import tower  # counting does without it

    return tower(files.config.child("vision_config"), files.built_in, DEEPSTACK[kind])


def _weights() -> WeightNames:
    from vistoken.towers.qwen3_vl import WEIGHTS

    return WEIGHTS


# The two towers of Qwen3-VL, with 4 patches a token.
SMALL = {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "deepstack_visual_indexes": [5, 11, 17]}
LARGE = {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "deepstack_visual_indexes": [8, 16, 24]}


def _published(
    name: str, alias: str, series: str, settings: Label, kind: str, tower: Mapping[str, Any] | None = None
) -> Published:
    vision = {"patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2, **(tower or {})}
    return Published((name, alias), {"model_type": kind, "vision_config": vision}, IMAGE, settings, series, video=FILM)


def _vl(
    name: str, alias: str, settings: Label, tower: Mapping[str, Any], out: int, kind: str = "qwen3_vl"
) -> Published:
    return _published(name, alias, "qwen3-vl", settings, kind, {**tower, "out_hidden_size": out})


def _3_5(name: str, alias: str, settings: Label, kind: str = "qwen3_5") -> Published:
    return _published(name, alias, "qwen3.5", settings, kind)


def _3_6(name: str, alias: str, settings: Label, kind: str = "qwen3_5") -> Published:
    return _published(name, alias, "qwen3.6", settings, kind)


FAMILY = Family(
    name="Qwen3-VL",
    model_types=("qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe", "qwen4_exp", "cosmos3_omni", "lfm3_vl"),
    read=read,
    published=(
        _vl("Qwen/Qwen3-VL-8B-Instruct", "qwen3-vl-8b", SIBLING, LARGE, 4096),
        _vl("Qwen/Qwen3-VL-2B-Instruct", "qwen3-vl-2b", SIBLING, SMALL, 2048),
        _vl("Qwen/Qwen3-VL-4B-Instruct", "qwen3-vl-4b", SIBLING, SMALL, 2560),
        _vl("Qwen/Qwen3-VL-32B-Instruct", "qwen3-vl-32b", SIBLING, LARGE, 5120),
        _vl("Qwen/Qwen3-VL-30B-A3B-Instruct", "qwen3-vl-30b-a3b", SEEN, LARGE, 2048, "qwen3_vl_moe"),
        _vl("Qwen/Qwen3-VL-235B-A22B-Instruct", "qwen3-vl-235b-a22b", SIBLING, LARGE, 4096, "qwen3_vl_moe"),
        _vl("Qwen/Qwen3-VL-2B-Thinking", "qwen3-vl-2b-thinking", SERIES, SMALL, 2048),
        _vl("Qwen/Qwen3-VL-4B-Thinking", "qwen3-vl-4b-thinking", SEEN, SMALL, 2560),
        _vl("Qwen/Qwen3-VL-8B-Thinking", "qwen3-vl-8b-thinking", SERIES, LARGE, 4096),
        _vl("Qwen/Qwen3-VL-32B-Thinking", "qwen3-vl-32b-thinking", SIBLING, LARGE, 5120),
        _vl("Qwen/Qwen3-VL-30B-A3B-Thinking", "qwen3-vl-30b-a3b-thinking", SIBLING, LARGE, 2048, "qwen3_vl_moe"),
        _vl("Qwen/Qwen3-VL-235B-A22B-Thinking", "qwen3-vl-235b-a22b-thinking", SIBLING, LARGE, 4096, "qwen3_vl_moe"),
        _3_5("Qwen/Qwen3.5-0.8B", "qwen3.5-0.8b", SERIES),
        _3_5("Qwen/Qwen3.5-2B", "qwen3.5-2b", SERIES),
        _3_5("Qwen/Qwen3.5-4B", "qwen3.5-4b", SERIES),
        _3_5("Qwen/Qwen3.5-9B", "qwen3.5-9b", SERIES),
        _3_5("Qwen/Qwen3.5-27B", "qwen3.5-27b", SIBLING),
        _3_5("Qwen/Qwen3.5-35B-A3B", "qwen3.5-35b-a3b", SIBLING, "qwen3_5_moe"),
        _3_5("Qwen/Qwen3.5-122B-A10B", "qwen3.5-122b-a10b", SIBLING, "qwen3_5_moe"),
        _3_5("Qwen/Qwen3.5-397B-A17B", "qwen3.5-397b-a17b", SIBLING, "qwen3_5_moe"),
        _3_6("Qwen/Qwen3.6-27B", "qwen3.6-27b", RESAVED),
        _3_6("Qwen/Qwen3.6-35B-A3B", "qwen3.6-35b-a3b", SERIES, "qwen3_5_moe"),
    ),
    rule=Label("verified", f"Qwen3VLProcessor, Qwen2VLImageProcessorPil and Qwen3VLVideoProcessor of {REFERENCE}"),
    settings=SETTINGS + VIDEO_SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="Qwen3VLProcessor",
        image="Qwen2VLImageProcessorPil",
        sees="image_grid_thw",
        tokens={
            "image_token": "<|image_pad|>", "video_token": "<|video_pad|>",
            "vision_start_token": "<|vision_start|>", "vision_end_token": "<|vision_end|>",
        },
        video="Qwen3VLVideoProcessor",
        sees_video="video_grid_thw",
        settings=(
            {"size": {"shortest_edge": 200_704, "longest_edge": 1_003_520}, "cap_pixels_per_frame": True},
            {"size": {"shortest_edge": 2_000_000, "longest_edge": 3_000_000}, "num_frames": 9, "sampling_fps": None},
        ),
        thresholds=((4096, 4096), (256, 256)),
    ),
    examples=(
        Example("qwen3-vl-8b", 1280, 720, 3520, 880, "Qwen2VLImageProcessorPil: grid 1 x 44 x 80, merged 2 x 2"),
        Example("qwen3-vl-8b", 1, 1, 256, 64, "Qwen2VLImageProcessorPil: the minimum of 65,536 pixels"),
        Example("qwen3-vl-8b", 1200, 6, 456, 114, "Qwen2VLImageProcessorPil, minimum branch: 3648 x 32"),
        Example("qwen3.5-27b", 1280, 720, 3520, 880, "the same classes and values as Qwen3-VL"),
        # Five groups of two frames, the last frame twice: "<0.2 seconds>", "<1.2 seconds>", ...
        Example("qwen3-vl-8b", 1280, 720, 17_600, 4410, "Qwen3VLProcessor: 5 x (880 tokens, start, end)", 10,
                {"frames": 9, "fps": 2}),
        # Twenty times the pixels of one frame are more than the budget of all frames: each becomes smaller.
        Example("qwen3-vl-8b", 1920, 1080, 47_840, 11_980, "Qwen3VLProcessor: 20 of 300 frames, 10 x (1196 + 2)", 20,
                {"duration": 10, "fps": 30}),
    ),
)  # fmt: skip
