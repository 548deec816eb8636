"""GLM-4.1V and GLM-4.5V: whole tokens of 28 x 28 pixels under a budget that counts a still picture as two frames.

Sources: transformers 5.23.0, `models/glm4v/image_processing_pil_glm4v.py`, `processing_glm4v.py` and
`video_processing_glm4v.py`; arXiv 2507.01006.
"""

from __future__ import annotations

from vistoken.family import RECALLED, REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD
from vistoken.processors import glm4v

NOTE = "values for videos are those of the class: no copy of the published video file was seen"


def read(files: Files) -> Reading:
    """Patch and merge from the vision config; the budgets from the preprocessors, whose names tell the generation."""
    return glm4v.read(files, "Glm4v")


def _published(
    name: str, *aliases: str, model_type: str, label: Label, series: str = "", merger: int = 13_696
) -> Published:
    """`merger` is the hidden size of the merger's MLP."""
    vision = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "depth": 24, "hidden_size": 1536,
              "intermediate_size": merger}  # fmt: skip
    preprocessor = {"size": {"shortest_edge": 12_544, "longest_edge": 9_633_792}, "do_rescale": True, "patch_size": 14,
                    "temporal_patch_size": 2, "merge_size": 2, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
                    "image_processor_type": "Glm4vImageProcessor", "processor_class": "Glm4vProcessor"}  # fmt: skip
    video = {"size": {"shortest_edge": 12_544, "longest_edge": 47_040_000}, "fps": 2, "max_duration": 300,
             "video_processor_type": "Glm4vVideoProcessor"}  # fmt: skip
    config = {"model_type": model_type, "vision_config": vision}
    return Published((name, *aliases), config, preprocessor, label, series, video=video, notes=(NOTE,))


FAMILY = Family(
    name="GLM-4.1V and GLM-4.5V",
    model_types=("glm4v", "glm4v_moe"),
    read=read,
    published=(
        _published("zai-org/GLM-4.1V-9B-Thinking", "glm-4.1v-9b", model_type="glm4v", label=SEEN, series="glm-4.1v"),
        _published("zai-org/GLM-4.1V-9B-Base", model_type="glm4v", label=RECALLED, series="glm-4.1v"),
        _published("zai-org/GLM-4.5V", "glm-4.5v", model_type="glm4v_moe", label=SEEN, merger=10_944),
    ),
    rule=Label("verified", f"Glm4vProcessor, its image and its video processor of {REFERENCE}"),
    settings=(*glm4v.SETTINGS, "max_duration", "sampling_fps"),
    weights=glm4v.weights,
    reference=Reference(
        processor="Glm4vProcessor",
        image="Glm4vImageProcessorPil",
        sees="image_grid_thw",
        tokens={"image_token": "<|image|>", "video_token": "<|video|>", "image_start": "<|begin_of_image|>",
                "image_end": "<|end_of_image|>"},
        video="Glm4vVideoProcessor",
        sees_video="video_grid_thw",
        settings=({"max_pixels": 1_003_520}, {"min_pixels": 400_000, "max_pixels": 500_000, "max_duration": 20}),
        thresholds=((2184, 2184), (84, 84), (28, 28)),
        built=("min_pixels", "max_pixels", "max_duration"),
    ),
    examples=(
        Example("glm-4.1v", 1280, 720, 4784, 1196, "Glm4vImageProcessorPil: grid 1 x 52 x 92, merged 2 x 2"),
        # 2 x 2996 x 3996 is over 9,633,792: a still picture counts twice, so half of it is the most.
        Example("glm-4.5v", 4000, 3000, 24_120, 6030, "Glm4vImageProcessorPil: resized to 2520x1876"),
        # 20 is under 28: first to 28x42, then up to the minimum of two frames of 6272 pixels.
        Example("glm-4.1v", 20, 30, 48, 12, "Glm4vImageProcessorPil: resized to 84x112"),
        Example("glm-4.5v", 1280, 720, 19_136, 4792, "Glm4vProcessor, 8 frames: 4 x 1196 tokens", 8, {"frames": 8}),
        # 300 seconds at 2 a second are 600 frames.
        Example("glm-4.1v", 1280, 720, 109_200, 27_900, "Glm4vProcessor: 300 x 91 tokens, resized to 364x196", 600,
                {"duration": 300, "fps": 30}),
    ),
)  # fmt: skip
