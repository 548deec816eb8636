"""GLM-GA: the view rule of GLM-4.1V with a third factor in the multiple, and frames at a fixed rate.

The library has no published checkpoint of it; its processors are those of GLM-4.6V otherwise.
Sources: transformers 5.23.0, `models/glmga/image_processing_glmga.py` and `video_processing_glmga.py`. The PIL
variant of the image processor leaves `patch_expand_factor` out; the default one, which is followed here, does not.
"""

from __future__ import annotations

from vistoken.family import DEFAULTS, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.processors import glm4v


def read(files: Files) -> Reading:
    """Patch and merge from the vision config; the budgets from the preprocessors. Its prompt is GLM-4.6V's."""
    return glm4v.read(files, "Glm46V", "Glmga")


FAMILY = Family(
    name="GLM-GA",
    model_types=("glmga",),
    read=read,
    published=(
        Published(
            ("glmga",),
            {"model_type": "glmga"},
            {"image_processor_type": "GlmgaImageProcessor"},
            DEFAULTS,
            video={"video_processor_type": "GlmgaVideoProcessor"},
        ),
    ),
    rule=Label("verified", f"GlmgaImageProcessor and GlmgaVideoProcessor of {REFERENCE}"),
    settings=(*glm4v.SETTINGS, "max_frames", "patch_expand_factor", "sampling_fps"),
    weights=glm4v.weights,
    reference=Reference(
        processor="Glm46VProcessor",
        image="GlmgaImageProcessor",
        sees="image_grid_thw",
        tokens={"image_token": "<|image|>", "video_token": "<|video|>", "image_start": "<|begin_of_image|>",
                "image_end": "<|end_of_image|>"},
        video="GlmgaVideoProcessor",
        sees_video="video_grid_thw",
        torchvision=True,
        settings=({"max_pixels": 1_003_520}, {"min_pixels": 400_000, "max_pixels": 500_000, "patch_expand_factor": 2,
                                              "max_frames": 40}),
        thresholds=((2420, 2420), (84, 84), (28, 28)),
        built=("min_pixels", "max_pixels", "max_frames"),
    ),
    examples=(
        Example("glmga", 1280, 720, 4784, 1196, "GlmgaImageProcessor: grid 1 x 52 x 92, merged 2 x 2"),
        Example("glmga", 4000, 3000, 30_000, 7500, "GlmgaImageProcessor: resized to 2800x2100"),
        # 2 a second, not 4.6V's 3 groups of 2.
        Example("glmga", 640, 480, 15_640, 3930, "GlmgaVideoProcessor: 10 x 391 tokens", 20,
                {"duration": 10, "fps": 30}),
    ),
)  # fmt: skip
