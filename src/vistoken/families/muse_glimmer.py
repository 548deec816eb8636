"""Muse Glimmer: the grid of at most 4096 tokens of 28 pixels that is closest in aspect ratio, videos by frame pairs.

Counted, not encoded.
Sources: transformers 5.23.0, `models/muse_glimmer/processing_muse_glimmer.py`,
`models/muse_glimmer/image_processing_muse_glimmer.py` and `models/muse_glimmer/video_processing_muse_glimmer.py`.
"""

from __future__ import annotations

from vistoken.family import REFERENCE, Example, Family, Published, Reference
from vistoken.model_spec import Label
from vistoken.processors.muse_glimmer import IMAGE, SETTINGS, VIDEO, read

VISION = {"patch_size": 14, "patch_temporal": 2, "merge_size": 2}

FAMILY = Family(
    name="Muse Glimmer",
    model_types=("muse_glimmer",),
    read=read,
    published=(
        Published(
            ("meta-models/Muse-Glimmer-30B", "muse-glimmer-30b"),
            {"model_type": "muse_glimmer", "vision_config": VISION},
            IMAGE | {"image_processor_type": "MuseGlimmerImageProcessor"},
            Label("documented", "the published image block as a port quotes it; the video's values are the class's"),
            video={**VIDEO},
        ),
    ),
    rule=Label("verified", f"MuseGlimmerProcessor and Muse Glimmer's image and video processors of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        Example("muse-glimmer-30b", 1280, 720, 4784, 1198, "MuseGlimmerProcessor: 26 x 46 tokens and two markers", 2),
        # 1.5 rows: 1 x 1 and 2 x 1 are equally far from 1.5, and the set hands over 1 x 1 first.
        Example("muse-glimmer-30b", 28, 42, 4, 3, "MuseGlimmerProcessor: 1 x 1", 2),
        Example("muse-glimmer-30b", 4000, 3000, 16_060, 4017, "MuseGlimmerProcessor: 55 x 73, at most 4096", 2),
        Example("muse-glimmer-30b", 3000, 1, 432, 110, "MuseGlimmerProcessor: one row of 108", 2),
    ),
    reference=Reference(
        processor="MuseGlimmerProcessor",
        image="MuseGlimmerImageProcessor",
        sees="image_grid_thw",
        tokens={"image_token": "<|patch|>", "image_start_token": "<|image_start|>",
                "image_end_token": "<|image_end|>", "video_token": "<|video|>"},
        video="MuseGlimmerVideoProcessor",
        sees_video="video_grid_thw",
        torchvision=True,
        settings=({"max_image_tokens": 256, "max_video_frame_tokens": 64},
                  {"max_image_tokens": 7, "max_video_frame_tokens": 300}),
        thresholds=((1792, 1792), (28, 42), (42, 28), (70, 98)),
    ),
)  # fmt: skip
