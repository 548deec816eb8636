"""LLaVA-NeXT-Video: pictures as LLaVA-NeXT; of each frame of a video 2 x 2 patches become one token.

Sources: transformers 5.23.0, `models/llava_next_video/processing_llava_next_video.py` and
`models/llava_next_video/video_processing_llava_next_video.py`; arXiv 2407.07895.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD
from vistoken.processors.llava import VIDEO_SETTINGS, read_tower, video_rule
from vistoken.processors.llava_next import NEXT, SETTINGS, image_rule, unpadded
from vistoken.prompts.towers import PooledVideo

if TYPE_CHECKING:
    from vistoken.configs import Config
    from vistoken.model_spec import VideoSpec
    from vistoken.processors.llava import Tower
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

# CLIP L/14 at 336 pixels, which LlavaNextVideoConfig assumes too.
VISION = {"model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
          "num_attention_heads": 16, "patch_size": 14, "image_size": 336}  # fmt: skip
PINPOINTS = NEXT["image_grid_pinpoints"]
PREPROCESSOR = {
    "image_processor_type": "LlavaNextImageProcessor", "do_resize": True, "size": {"shortest_edge": 336}, "resample": 3,
    "do_center_crop": True, "crop_size": {"height": 336, "width": 336}, "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "do_pad": True,
    "image_grid_pinpoints": PINPOINTS,
}  # fmt: skip
PROCESSOR = {
    "processor_class": "LlavaNextVideoProcessor", "image_token": "<image>", "video_token": "<video>",
    "num_additional_image_tokens": 1, "patch_size": 14, "vision_feature_select_strategy": "default",
}  # fmt: skip


def read(files: Files) -> Reading:
    """Pictures as LLaVA-NeXT reads them; frames by the video processor, which here has no canvases."""
    tower = read_tower(files)
    rule, pixels = image_rule(files.image, tower.patch)
    prompt = unpadded(rule, tower.change) if rule else None
    video = partial(_video, files.video, tower)
    return Reading(partial(_encoder, files), rule, pixels, prompt, video, prefix=tower.prefix)


def _video(config: Config | None, tower: Tower) -> VideoSpec | None:
    """Frames are pooled before the projector: `get_video_features` in `modeling_llava_next_video.py`."""
    spec = video_rule(config, tower, PooledVideo("<video>"), {}, "LlavaNextVideoVideoProcessor")
    return spec and replace(spec, pooled=2)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.connector import Unpadded  # counting does without it
    from vistoken.towers.llava import encoder

    return encoder(files, VISION, layer=-2, selection="default", arrangement=Unpadded())


def _weights() -> WeightNames:
    from vistoken.towers.llava import WEIGHTS

    return WEIGHTS


def _published(name: str, alias: str, width: int) -> Published:
    config = {"model_type": "llava_next_video", "vision_config": VISION, "image_grid_pinpoints": PINPOINTS,
              "vision_feature_select_strategy": "default", "text_config": {"hidden_size": width}}  # fmt: skip
    # No video file of its own: the image processor's values serve videos too.
    return Published((name, alias), config, PREPROCESSOR, SEEN, "llava-next-video", PROCESSOR, PREPROCESSOR)


FAMILY = Family(
    name="LLaVA-NeXT-Video",
    model_types=("llava_next_video",),
    read=read,
    published=(
        _published("llava-hf/LLaVA-NeXT-Video-7B-hf", "llava-next-video-7b", 4096),
        _published("llava-hf/LLaVA-NeXT-Video-7B-32K-hf", "llava-next-video-7b-32k", 4096),
        _published("llava-hf/LLaVA-NeXT-Video-34B-hf", "llava-next-video-34b", 7168),
        _published("llava-hf/LLaVA-NeXT-Video-34B-DPO-hf", "llava-next-video-34b-dpo", 7168),
    ),
    rule=Label("verified", f"LlavaNextVideoProcessor and its image and video processor, of {REFERENCE}"),
    settings=SETTINGS + VIDEO_SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="LlavaNextVideoProcessor",
        image="LlavaNextImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image>", "video_token": "<video>"},
        video="LlavaNextVideoVideoProcessor",
        sees_video="frames",
        settings=(
            {"image_grid_pinpoints": [[336, 336], [672, 1344], [1008, 1008]], "num_frames": 8},
            {"size": {"shortest_edge": 448}, "crop_size": {"height": 448, "width": 448}, "sampling_fps": 1,
             "image_grid_pinpoints": [[448, 1344], [896, 896], [1344, 448]]},
        ),
        thresholds=((336, 672), (672, 672), (336, 1008), (55, 88)),
    ),
    examples=(
        Example("llava-next-video-7b", 1280, 720, 2880, 1948,
                "LlavaNextVideoProcessor: 576 + 28 rows x (48 + newline)"),
        Example("llava-next-video-34b", 480, 640, 2880, 2352,
                "LlavaNextVideoProcessor: 576 + 48 rows x (36 + newline)"),
        Example("llava-next-video-7b", 1280, 720, 4608, 1152, "LlavaNextVideoProcessor: 8 frames x 576 // 4",
                arguments={"frames": 8}),
    ),
)  # fmt: skip
