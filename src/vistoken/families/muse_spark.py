"""Muse Spark: Muse Glimmer's image and video processors, and its text. Counted, not encoded.

Sources: transformers 5.23.0, `models/muse_spark/processing_muse_spark.py`,
`models/muse_glimmer/image_processing_muse_glimmer.py` and `models/muse_glimmer/video_processing_muse_glimmer.py`.
"""

from __future__ import annotations

from vistoken.family import DEFAULTS, REFERENCE, Example, Family, Published, Reference
from vistoken.model_spec import Label
from vistoken.processors.muse_glimmer import IMAGE, SETTINGS, VIDEO, read

VISION = {"patch_size": 14, "patch_temporal": 2, "merge_size": 2}

FAMILY = Family(
    name="Muse Spark",
    model_types=("muse_spark",),
    read=read,
    published=(
        Published(
            ("meta-models/Muse-Spark-Open-816B-A42B", "muse-spark"),
            {"model_type": "muse_spark", "vision_config": VISION},
            IMAGE | {"image_processor_type": "MuseGlimmerImageProcessor"},
            DEFAULTS,
            video={**VIDEO},
        ),
    ),
    rule=Label("verified", f"MuseSparkProcessor and Muse Glimmer's image and video processors of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        Example("muse-spark", 1280, 720, 4784, 1198, "MuseSparkProcessor: 26 x 46 tokens and two markers", 2),
        Example("muse-spark", 28, 42, 4, 3, "MuseSparkProcessor: 1 x 1 of two equally close grids", 2),
        Example("muse-spark", 4000, 3000, 16_060, 4017, "MuseSparkProcessor: 55 x 73, at most 4096", 2),
    ),
    reference=Reference(
        processor="MuseSparkProcessor",
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
