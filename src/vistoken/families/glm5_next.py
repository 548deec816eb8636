"""GLM-5.3: the picture is padded to whole tokens of 28 x 28 pixels under a token budget.

Sources: transformers 5.23.0, `models/glm5_next/image_processing_glm5_next.py`, `processing_glm5_next.py` and
`video_processing_glm5_next.py`.
"""

from __future__ import annotations

from functools import partial

from vistoken.configs import Config
from vistoken.family import DEFAULTS, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label, VideoSpec
from vistoken.processors.glm4v import TEMPLATE, video_prompt
from vistoken.processors.glm5 import SETTINGS, VIDEO_SETTINGS, image_rule, video_rule
from vistoken.prompts.plain import Merged, SpaceToDepth

VISION = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2}


def read(files: Files) -> Reading:
    """Patch and merge from the vision config; the token budgets from the preprocessors."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"Glm5NextVisionConfig in {REFERENCE}")
    patch = vision.patch("patch_size", vision.integer("temporal_patch_size", high=64))
    merge = SpaceToDepth(vision.integer("spatial_merge_size", high=64))
    rule, pixels = image_rule(files.image, patch, merge.side)
    video = partial(_video, files.video, patch, merge)
    return Reading(None, rule, pixels, Merged(merge, "<|image|>", template=TEMPLATE), video)


def _video(video: Config | None, patch: Patch, merge: SpaceToDepth) -> VideoSpec | None:
    from vistoken.prompts.timed import tenths

    return video_rule(video, patch, merge.side, video_prompt(merge, patch, tenths))


FAMILY = Family(
    name="GLM-5.3",
    model_types=("glm5_next",),
    read=read,
    published=(
        Published(
            ("zai-org/GLM-5.3-Flash", "glm-5.3-flash"),
            {"model_type": "glm5_next"},
            {"image_processor_type": "Glm5NextImageProcessor"},
            DEFAULTS,
            video={"video_processor_type": "Glm5NextVideoProcessor"},
        ),
    ),
    rule=Label("verified", f"Glm5NextProcessor, its image and its video processor of {REFERENCE}"),
    settings=SETTINGS + VIDEO_SETTINGS,
    reference=Reference(
        processor="Glm5NextProcessor",
        image="Glm5NextImageProcessorPil",
        sees="image_grid_thw",
        tokens={"image_token": "<|image|>", "video_token": "<|video|>", "image_start": "<|begin_of_image|>",
                "image_end": "<|end_of_image|>"},
        video="Glm5NextVideoProcessor",
        sees_video="video_grid_thw",
        settings=({"max_image_tokens": 600}, {"min_image_tokens": 300, "max_image_tokens": 320, "max_frames": 30,
                                              "max_duration": 20}),
        thresholds=((112, 112), (28, 28), (2504, 2504), (672, 700)),
        built=("max_frames", "max_duration"),
    ),
    examples=(
        Example("glm-5.3-flash", 1280, 720, 4784, 1196, "Glm5NextImageProcessorPil: grid 1 x 52 x 92, merged 2 x 2"),
        # The tallest square under 8000 tokens: 89 x 89 = 7921.
        Example("glm-5.3-flash", 10_000, 10_000, 31_684, 7921, "Glm5NextImageProcessorPil: canvas 2492x2492"),
        Example("glm-5.3-flash", 1, 1, 64, 16, "Glm5NextImageProcessorPil: enlarged to the minimum, 112x112"),
        Example("glm-5.3-flash", 1280, 720, 19_136, 4792, "Glm5NextProcessor, 8 frames: 4 x 1196", 8, {"frames": 8}),
    ),
)  # fmt: skip
