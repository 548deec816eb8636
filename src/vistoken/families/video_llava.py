"""Video-LLaVA: pictures and frames of 224 x 224 pixels, whatever their size. The tower of pictures is encoded.

Sources: transformers 5.23.0, `models/video_llava/processing_video_llava.py`,
`models/video_llava/image_processing_video_llava.py` and `models/video_llava/video_processing_video_llava.py`; for the
encoder see `vistoken.towers.llava`;
arXiv 2311.10122.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label, VideoSpec
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, SETTINGS, standard
from vistoken.processors.llava import VIDEO_SETTINGS, Tower, read_tower, video_rule
from vistoken.prompts.towers import TowerTokens, TowerTokensVideo

if TYPE_CHECKING:
    from vistoken.configs import Config
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

# VideoLlavaConfig's vision config, and the defaults of VideoLlavaProcessor, which can do without a file.
VISION = {"model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
          "num_attention_heads": 16, "patch_size": 14, "image_size": 224}  # fmt: skip
PROCESSOR = {"patch_size": 14, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
PREPROCESSOR = {
    "image_processor_type": "VideoLlavaImageProcessor", "do_resize": True, "size": {"shortest_edge": 224},
    "resample": 3, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
}  # fmt: skip


def read(files: Files) -> Reading:
    """The class token is dropped for pictures and kept for frames."""
    tower = read_tower(files, VISION, processor=PROCESSOR)
    rule, pixels = standard(files.image, "VideoLlavaImageProcessor", tower.patch, tower.image)
    video, prompt = partial(_video, files.video, tower), TowerTokens(tower.change, "<image>")
    return Reading(partial(_encoder, files), rule, pixels, prompt, video, prefix=tower.prefix)


def _video(video: Config | None, tower: Tower) -> VideoSpec | None:
    spec = video_rule(video, tower, TowerTokensVideo(tower.kept, "<video>"), {}, "VideoLlavaVideoProcessor")
    return replace(spec, encoded=False) if spec else None


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.llava import encoder  # counting does without it

    return encoder(files, VISION, layer=-2, selection="default")


def _weights() -> WeightNames:
    from vistoken.towers.llava import VIDEO_LLAVA_WEIGHTS

    return VIDEO_LLAVA_WEIGHTS


FAMILY = Family(
    name="Video-LLaVA",
    model_types=("video_llava",),
    read=read,
    published=(
        Published(
            ("LanguageBind/Video-LLaVA-7B-hf", "video-llava-7b", "video-llava"),
            {"model_type": "video_llava", "vision_config": VISION, "text_config": {"hidden_size": 4096}},
            PREPROCESSOR,
            SEEN,
            # No video file of its own: the image processor's values serve videos too.
            video=PREPROCESSOR,
        ),
    ),
    rule=Label("verified", f"VideoLlavaProcessor and its image and video processor, of {REFERENCE}"),
    settings=SETTINGS + VIDEO_SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="VideoLlavaProcessor",
        image="VideoLlavaImageProcessor",
        sees="pixel_values_images",
        tokens={"image_token": "<image>", "video_token": "<video>"},
        video="VideoLlavaVideoProcessor",
        sees_video="frames",
        settings=(
            {"size": {"height": 224, "width": 336}, "do_center_crop": False, "num_frames": 8},
            {"size": {"shortest_edge": 56}, "do_center_crop": False, "sampling_fps": 1},
        ),
        thresholds=((224, 224), (224, 448)),
    ),
    examples=(
        Example("video-llava", 1280, 720, 256, 256, "VideoLlavaProcessor: 16 x 16 + 1 class token, which is dropped"),
        Example("video-llava", 7, 900, 256, 256, "VideoLlavaProcessor: every size gives the same"),
        Example("video-llava", 1280, 720, 2048, 2056, "VideoLlavaProcessor: 8 x (256 + 1), as video_seq_length says",
                arguments={"frames": 8}),
    ),
)  # fmt: skip
