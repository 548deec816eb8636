"""dots3-note: Qwen2-VL's image processor and Qwen3-VL's video processor, one frame a patch, tokens in one run.

Source: transformers 5.23.0, `models/dots3_note/processing_dots3_note.py`, `models/auto/video_processing_auto.py`.
"""

from __future__ import annotations

from functools import partial

from vistoken.configs import Config
from vistoken.family import REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label, VideoSpec
from vistoken.preprocessing import HALF
from vistoken.processors.qwen2_vl import PROCESSOR, SETTINGS, VIDEO_SETTINGS, image_rule, vision
from vistoken.processors.qwen3_vl import video_rule
from vistoken.prompts.plain import Merged, SpaceToDepth

TEMPLATE = "public ports put <|img|> and <|endofimg|> around a picture: 2 tokens"
PORTED = Label("assumed", "values that public ports of the model fall back to; its own preprocessor file was not seen")
NOTE = "the pixel budgets of the published files were not seen: set min_pixels and max_pixels where you know them"


def read(files: Files) -> Reading:
    """Patch and merge from the vision config; the frames of a patch from the preprocessor: no config class has them."""
    frames = 1
    if files.image is not None:
        image = files.image.with_defaults(PROCESSOR, f"Qwen2VLImageProcessor in {REFERENCE}")
        frames = image.integer("temporal_patch_size", high=64)
    patch, merge = vision(files.config.child("vision_config"), 14, "Dots3NoteVisionConfig", frames)
    rule, pixels = image_rule(files.image, patch, merge.side)
    video = partial(_video, files.video, patch, merge)
    return Reading(None, rule, pixels, Merged(merge, "<|imgpad|>", template=TEMPLATE), video)


def _video(video: Config | None, patch: Patch, merge: SpaceToDepth) -> VideoSpec | None:
    from vistoken.prompts.runs import MergedVideo

    return video_rule(video, patch, merge.side, MergedVideo(merge, "<|video_pad|>"))


def _published(name: str, alias: str) -> Published:
    vision = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 1}
    values = {"temporal_patch_size": 1, "image_mean": HALF, "image_std": HALF}
    preprocessor = PROCESSOR | values | {"min_pixels": 3136, "max_pixels": 12_845_056}
    # The image processor's file serves videos, too; their class does not read those two, so its own budget holds.
    config = {"model_type": "dots3_note", "vision_config": vision}
    return Published((name, alias), config, preprocessor, PORTED, video=preprocessor, notes=(NOTE,))


FAMILY = Family(
    name="dots3-note",
    model_types=("dots3_note",),
    read=read,
    published=(
        _published("dots-studio/dots3-note-prev", "dots3-note"),
    ),
    rule=Label("verified", f"Dots3NoteProcessor, Qwen2VLImageProcessorPil and Qwen3VLVideoProcessor of {REFERENCE}"),
    settings=SETTINGS + VIDEO_SETTINGS,
    reference=Reference(
        processor="Dots3NoteProcessor",
        image="Qwen2VLImageProcessorPil",
        sees="image_grid_thw",
        tokens={"image_token": "<|imgpad|>", "video_token": "<|video_pad|>", "audio_token": "<|audio_comp_pad|>"},
        video="Qwen3VLVideoProcessor",
        sees_video="video_grid_thw",
        settings=(
            {"size": {"shortest_edge": 200_704, "longest_edge": 1_003_520}, "cap_pixels_per_frame": True},
            {"size": {"shortest_edge": 2_000_000, "longest_edge": 3_000_000}, "num_frames": 9, "sampling_fps": None},
        ),
        thresholds=((3584, 3584), (56, 56)),
    ),
    examples=(
        Example("dots3-note", 1280, 720, 4784, 1196, "Qwen2VLImageProcessorPil: grid 1 x 52 x 92, merged 2 x 2"),
        Example("dots3-note", 98, 70, 32, 8, "Qwen2VLImageProcessorPil: 2.5 and 3.5 round to even"),
        Example("dots3-note", 1280, 720, 3528, 882, "Qwen3VLVideoProcessor with one frame a patch: grid 9 x 14 x 28",
                arguments={"frames": 9}),
    ),
)  # fmt: skip
