"""GLM-4.6V and GLM-OCR: the view rule of GLM-4.1V, other times in videos, and another choice of frames.

Sources: transformers 5.23.0, `models/glm46v/image_processing_pil_glm46v.py`, `processing_glm46v.py` and
`video_processing_glm46v.py`.
"""

from __future__ import annotations

from vistoken.family import REFERENCE, SEEN, SIBLING, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD
from vistoken.processors import glm4v

NOTE = "values for videos are those of the class: no copy of the published video file was seen"


def read(files: Files) -> Reading:
    """Patch and merge from the vision config; the budgets from the preprocessors, whose names tell the generation."""
    return glm4v.read(files, "Glm46V", ocr=files.config.raw("model_type") == "glm_ocr")


def _published(name: str, alias: str, model_type: str, label: Label, **vision: int | bool) -> Published:
    vision = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "depth": 24, **vision}
    preprocessor = {"size": {"shortest_edge": 12_544, "longest_edge": 9_633_792}, "do_rescale": True, "patch_size": 14,
                    "temporal_patch_size": 2, "merge_size": 2, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
                    "image_processor_type": "Glm46VImageProcessor", "processor_class": "Glm46VProcessor"}  # fmt: skip
    video = {"size": {"shortest_edge": 12_544, "longest_edge": 47_040_000},
             "video_processor_type": "Glm46VVideoProcessor"}  # fmt: skip
    config = {"model_type": model_type, "vision_config": vision}
    return Published((name, alias), config, preprocessor, label, video=video, notes=(NOTE,))


FAMILY = Family(
    name="GLM-4.6V",
    model_types=("glm46v", "glm_ocr"),
    read=read,
    published=(
        # The config.json of GLM-4.6V says glm4v_moe, that of the Flash glm4v: the processors tell the generation.
        _published("zai-org/GLM-4.6V", "glm-4.6v", "glm4v_moe", SEEN, hidden_size=1536, intermediate_size=10_944),
        _published("zai-org/GLM-4.6V-Flash", "glm-4.6v-flash", "glm4v", SIBLING),
        _published("zai-org/GLM-OCR", "glm-ocr", "glm_ocr", SEEN, hidden_size=1024, num_heads=16, attention_bias=True,
                   out_hidden_size=1536, intermediate_size=4096),
    ),
    rule=Label("verified", f"Glm46VProcessor, its image and its video processor of {REFERENCE}"),
    settings=glm4v.SETTINGS,
    weights=glm4v.weights,
    reference=Reference(
        processor="Glm46VProcessor",
        image="Glm46VImageProcessorPil",
        sees="image_grid_thw",
        tokens={"image_token": "<|image|>", "video_token": "<|video|>", "image_start": "<|begin_of_image|>",
                "image_end": "<|end_of_image|>"},
        video="Glm46VVideoProcessor",
        sees_video="video_grid_thw",
        settings=({"max_pixels": 1_003_520}, {"min_pixels": 400_000, "max_pixels": 500_000}),
        thresholds=((2184, 2184), (84, 84), (28, 28)),
        built=("min_pixels", "max_pixels"),
    ),
    examples=(
        Example("glm-4.6v", 1280, 720, 4784, 1196, "Glm46VImageProcessorPil: grid 1 x 52 x 92, merged 2 x 2"),
        Example("glm-ocr", 4000, 3000, 24_120, 6030, "Glm46VImageProcessorPil: resized to 2520x1876"),
        Example("glm-4.6v-flash", 20, 30, 48, 12, "Glm46VImageProcessorPil: resized to 84x112"),
        # Up to 30 seconds 3 groups of 2 frames a second: 60 frames of 10 seconds.
        Example("glm-4.6v", 640, 480, 46_920, 11_790, "Glm46VProcessor: 30 x 391 tokens", 60,
                {"duration": 10, "fps": 30}),
    ),
)  # fmt: skip
