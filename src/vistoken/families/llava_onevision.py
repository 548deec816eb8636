"""LLaVA-OneVision: tiles of 384 pixels on the best of 36 canvases, features shrunk to those of nine tiles at most.

Several pictures in one prompt are padded to squares, and none is cut into tiles: that is only counted.
Sources: transformers 5.23.0, `models/llava_onevision/processing_llava_onevision.py`,
`models/llava_onevision/image_processing_pil_llava_onevision.py` and
`models/llava_onevision/video_processing_llava_onevision.py`; arXiv 2408.03326.
"""

from __future__ import annotations

import math
import re
from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE, SCRIPT, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Crowd, Label
from vistoken.preprocessing import HALF
from vistoken.processors.llava import STRATEGIES, VIDEO_SETTINGS, read_tower, video_rule
from vistoken.processors.llava_next import ONEVISION, SETTINGS, image_rule, squared
from vistoken.prompts.fixed import FixedTokens
from vistoken.prompts.towers import FramesAndNewline
from vistoken.prompts.unpad import UnpaddedUnderCap

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

# SigLIP SO400M/14 at 384 pixels without its last block, which LlavaOnevisionConfig assumes too.
VISION = {"model_type": "siglip_vision_model", "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 26,
          "num_attention_heads": 16, "patch_size": 14, "image_size": 384, "vision_use_head": False}  # fmt: skip
PIXELS = {
    "do_resize": True, "size": {"height": 384, "width": 384}, "resample": 3, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": HALF, "image_std": HALF,
}  # fmt: skip
PREPROCESSOR = PIXELS | {
    "image_processor_type": "LlavaOnevisionImageProcessor", "do_pad": True,
    "image_grid_pinpoints": ONEVISION["image_grid_pinpoints"],
}  # fmt: skip
VIDEO = PIXELS | {"video_processor_type": "LlavaOnevisionVideoProcessor", "do_sample_frames": False}
PROCESSOR = {
    "processor_class": "LlavaOnevisionProcessor", "image_token": "<image>", "video_token": "<video>",
    "num_image_tokens": 729, "vision_feature_select_strategy": "full",
}  # fmt: skip
_CAP = re.compile(r"anyres_max_([1-9]\d{0,3})", re.ASCII)


def read(files: Files) -> Reading:
    """The tower and canvases from the files; tokens of a view, and the cap on tiles, from the processor."""
    tower = read_tower(files, VISION, "full")
    tokens, dropped, most = _texts(files, tower.patch.grid(tower.image).patches)
    rule, pixels = image_rule(files.image, tower.patch, ONEVISION, "LlavaOnevisionImageProcessor")
    pooled = math.ceil(math.isqrt(tokens) / 2) ** 2
    frames = FramesAndNewline(pooled, "<video>")
    stretched = {"size": ONEVISION["size"], "crop_size": None, "do_center_crop": None}
    video = partial(video_rule, files.video, tower, frames, stretched, "LlavaOnevisionVideoProcessor")
    encoder = partial(_encoder, files, most)
    if rule is None or files.image is None:
        return Reading(encoder, None, pixels, None, video, prefix=tower.prefix)
    prompt = UnpaddedUnderCap(tokens, most, -dropped, "<image>")
    several = Crowd(1, squared(rule, files.image), FixedTokens(tokens + 1 - dropped, "<image>"))
    return Reading(encoder, rule, pixels, prompt, video, prefix=tower.prefix, crowds=(several,))


def _encoder(files: Files, most: int) -> EncoderSpec | None:
    from vistoken.connector import Unpadded  # counting does without it
    from vistoken.towers.llava import encoder

    return encoder(files, VISION, layer=-1, selection="full", arrangement=Unpadded(most), llm="qwen2")


def _weights() -> WeightNames:
    from vistoken.towers.llava import WEIGHTS

    return WEIGHTS


def _texts(files: Files, patches: int) -> tuple[int, int, int]:
    """Tokens of a view, how many of them are dropped, and the tiles whose tokens are the most.

    Without a processor's file they are what the model itself works with.
    """
    processor = files.processor
    if not processor.has("num_image_tokens"):
        source = files.config.with_defaults(
            {"vision_feature_select_strategy": "full", "vision_aspect_ratio": "anyres_max_9"},
            f"LlavaOnevisionConfig in {REFERENCE}",
        )
        return patches, source.choice("vision_feature_select_strategy", STRATEGIES), _cap(source)
    source = processor.with_defaults(
        {"vision_feature_select_strategy": None, "vision_aspect_ratio": "anyres_max_9"},
        f"LlavaOnevisionProcessor in {REFERENCE}",
    )
    tokens = source.integer("num_image_tokens", high=2**20)
    keeps_all = source.raw("vision_feature_select_strategy") is None
    dropped = 0 if keeps_all else source.choice("vision_feature_select_strategy", STRATEGIES)
    return tokens, dropped, _cap(source)


def _cap(source: Config) -> int:
    value = source.raw("vision_aspect_ratio")
    match = _CAP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise source.error("vision_aspect_ratio", value, "it must be anyres_max_ and a number of tiles from 1 to 9999")
    return int(match[1])


def _published(name: str, alias: str, label: Label, width: int) -> Published:
    config = {"model_type": "llava_onevision", "vision_config": VISION, "vision_aspect_ratio": "anyres_max_9",
              "vision_feature_select_strategy": "full", "text_config": {"hidden_size": width}}  # fmt: skip
    return Published((name, alias), config, PREPROCESSOR, label, "llava-onevision", PROCESSOR, VIDEO)


FAMILY = Family(
    name="LLaVA-OneVision",
    model_types=("llava_onevision",),
    read=read,
    published=(
        _published("llava-hf/llava-onevision-qwen2-7b-ov-hf", "llava-onevision-7b", SEEN, 3584),
        _published("llava-hf/llava-onevision-qwen2-0.5b-ov-hf", "llava-onevision-0.5b", SEEN, 896),
        _published("llava-hf/llava-onevision-qwen2-72b-ov-hf", "llava-onevision-72b", SEEN, 8192),
        _published("llava-hf/llava-onevision-qwen2-0.5b-si-hf", "llava-onevision-0.5b-si", SCRIPT, 896),
        _published("llava-hf/llava-onevision-qwen2-7b-si-hf", "llava-onevision-7b-si", SEEN, 3584),
        _published("llava-hf/llava-onevision-qwen2-72b-si-hf", "llava-onevision-72b-si", SCRIPT, 8192),
        _published("llava-hf/llava-onevision-qwen2-7b-ov-chat-hf", "llava-onevision-7b-chat", SEEN, 3584),
        _published("llava-hf/llava-onevision-qwen2-72b-ov-chat-hf", "llava-onevision-72b-chat", SCRIPT, 8192),
    ),
    rule=Label("verified", f"LlavaOnevisionProcessor and its image and video processor, of {REFERENCE}"),
    settings=SETTINGS + VIDEO_SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="LlavaOnevisionProcessor",
        image="LlavaOnevisionImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image>", "video_token": "<video>"},
        video="LlavaOnevisionVideoProcessor",
        sees_video="frames",
        settings=(
            {"image_grid_pinpoints": [[384, 384], [768, 1536], [1536, 768], [1920, 1920]], "num_frames": 8},
            {"size": {"height": 448, "width": 448}, "image_grid_pinpoints": [[448, 448], [896, 1344], [1792, 896]],
             "sampling_fps": 1},
        ),
        thresholds=((384, 384), (768, 384), (1152, 1152), (1270, 1270), (2304, 2304), (738, 820)),
    ),
    examples=(
        Example("llava-onevision-7b", 1280, 720, 6561, 5967, "LlavaOnevisionProcessor: 729 + 54 rows x (96 + newline)"),
        Example("llava-onevision-0.5b", 640, 480, 3645, 2929,
                "LlavaOnevisionProcessor: 729 + 40 rows x (54 + newline)"),
        # 6 x 6 tiles: 162 x 162 tokens are four times those of nine tiles, so both sides are halved.
        Example("llava-onevision-72b", 2304, 2304, 26973, 7371,
                "LlavaOnevisionProcessor: 729 + 81 rows x (81 + newline)"),
        Example("llava-onevision-7b", 1280, 720, 729, 730, "LlavaOnevisionProcessor, pictures of one prompt in a list",
                arguments={"images_in_prompt": 2}),
        Example("llava-onevision-7b", 1280, 720, 5832, 1569, "LlavaOnevisionProcessor: 8 frames x 14 x 14 + newline",
                arguments={"frames": 8}),
    ),
)  # fmt: skip
