"""Cohere Compass (North Vision): a pixel budget a picture; videos with their times under a budget over all frames.

Sources: transformers 5.23.0, `models/cohere_compass/image_processing_pil_cohere_compass.py`,
`processing_cohere_compass.py` and `video_processing_cohere_compass.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label, VideoSpec
from vistoken.preprocessing import FILTERS
from vistoken.processors.edges import edges, pixels, whole_tokens
from vistoken.processors.pixel_budget import HALVES, PROCESSOR, SETTINGS, image_rule, patch_of
from vistoken.prompts.plain import Merged, SpaceToDepth

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.video import Sampling
    from vistoken.views.video import FrameRule
    from vistoken.weight_names import WeightNames

IMAGE = {**PROCESSOR, "temporal_patch_size": 2}
VIDEO = {**IMAGE, **HALVES, "patch_size": 16, "min_frames": 4, "max_frames": 768, "fps": 2,
         "cap_pixels_per_frame": None, "max_video_tokens": 768}  # fmt: skip
IMAGE_TOKEN, VIDEO_TOKEN, START, END = "<|IMAGE_PAD|>", "<|VIDEO_PAD|>", "<|VISION_START|>", "<|VISION_END|>"
TEMPLATE = "the chat template adds <|VISION_START|> and <|VISION_END|>: 2 tokens"


def read(files: Files) -> Reading:
    """Patch and merge from the preprocessors, whose defaults are not those of the vision config."""
    video = partial(_video, files.video)
    if files.image is None:
        encoder = partial(_encoder, files, None)
        return Reading(encoder, None, None, Merged(SpaceToDepth(2), IMAGE_TOKEN, template=TEMPLATE), video)
    processor = files.image.with_defaults(IMAGE, f"CohereCompassImageProcessor in {REFERENCE}")
    patch, merge = patch_of(processor, processor.integer("temporal_patch_size", high=64))
    rule = image_rule(processor, patch, merge, pixels(processor, (3136, 1_003_520)))
    encoder = partial(_encoder, files, (patch, merge))
    return Reading(encoder, *rule, Merged(SpaceToDepth(merge), IMAGE_TOKEN, template=TEMPLATE), video)


def _encoder(files: Files, seen: tuple[Patch, int] | None) -> EncoderSpec | None:
    """The tower, which must take the patches and blocks that the preprocessor makes, if there is one."""
    from vistoken.towers.qwen3_vl import tower  # counting does without it

    vision = files.config.child("vision_config")
    spec = tower(vision, files.built_in, deepstack=True, source="CohereCompassVisionConfig")
    if spec and spec.connector and seen not in (None, (spec.patch, spec.connector.side)):
        rule = f"the preprocessor makes patches of {seen[0]} and blocks of {seen[1]} x {seen[1]}: the two must agree"
        raise vision.error("patch_size", f"{spec.patch}, with spatial_merge_size {spec.connector.side}", rule)
    return spec


def _weights() -> WeightNames:
    from vistoken.towers.qwen3_vl import WEIGHTS

    return WEIGHTS


def _video(video: Config | None) -> VideoSpec | None:
    if video is None:
        return None
    from vistoken.prompts.timed import MeanSeconds, TimedGroups
    from vistoken.sequence import Marker, Text

    processor = video.with_defaults(VIDEO, f"CohereCompassVideoProcessor in {REFERENCE}")
    patch, merge = patch_of(processor, processor.integer("temporal_patch_size", high=64))
    before, after = (Text("<{time} seconds>"), Marker(START)), (Marker(END),)
    prompt = TimedGroups(SpaceToDepth(merge), VIDEO_TOKEN, MeanSeconds(patch.frames), before, after)
    return VideoSpec(rule=_frames(processor, patch, merge), prompt=prompt, sampling=_sampling(processor))


def _frames(processor: Config, patch: Patch, merge: int) -> FrameRule:
    from vistoken.views.frames import VolumeBudget
    from vistoken.views.video import PerFrame

    filter = processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):
        return PerFrame(whole_tokens(patch, merge, filter), patch.frames)
    capped = processor.flag("cap_pixels_per_frame")
    cap = processor.integer("max_video_tokens", high=10**9) if capped else None
    return VolumeBudget(patch.height * merge, *edges(processor, (131_072, 786_432)), filter, patch, cap)


def _sampling(processor: Config) -> Sampling:
    from vistoken.sampling.qwen import FirstToLast
    from vistoken.sampling.reading import sampling_rate

    least, most = processor.integer("min_frames", high=10**6), processor.integer("max_frames", high=10**6)
    return FirstToLast(sampling_rate(processor) or 2.0, None, least, most)


FAMILY = Family(
    name="Cohere Compass",
    model_types=("cohere_compass",),
    read=read,
    published=(
        Published(
            ("CohereLabs/North-Micro-Vision-Instruct", "north-micro-vision"),
            {"model_type": "cohere_compass", "vision_config": {"patch_size": 16, "spatial_merge_size": 2}},
            {"patch_size": 16, "merge_size": 2, "image_processor_type": "CohereCompassImageProcessor"},
            Label("assumed", f"the patch of the model's config and else defaults of the classes of {REFERENCE}"),
            video={"video_processor_type": "CohereCompassVideoProcessor"},
            notes=("the published files were not seen: set min_pixels and max_pixels if they differ",),
        ),
    ),
    rule=Label("verified", f"CohereCompassProcessor, its image and its video processor of {REFERENCE}"),
    settings=(*SETTINGS, "min_frames", "max_frames", "sampling_fps", "cap_pixels_per_frame", "max_video_tokens"),
    weights=_weights,
    reference=Reference(
        processor="CohereCompassProcessor",
        image="CohereCompassImageProcessorPil",
        sees="image_grid_thw",
        tokens={"image_token": IMAGE_TOKEN, "video_token": VIDEO_TOKEN, "vision_start": START, "vision_end": END},
        video="CohereCompassVideoProcessor",
        sees_video="video_grid_thw",
        settings=({"max_pixels": 501_760}, {"min_pixels": 100_352, "max_pixels": 2_000_000, "max_frames": 30,
                                            "cap_pixels_per_frame": True, "max_video_tokens": 100}),
        thresholds=((56, 56), (1000, 1000), (16, 16)),
        built=("min_pixels", "max_pixels", "min_frames", "max_frames", "cap_pixels_per_frame", "max_video_tokens"),
    ),
    examples=(
        Example("north-micro-vision", 1280, 720, 3520, 880, "CohereCompassImageProcessorPil: resized to 1280x704"),
        # 80 / 32 = 2.5 and 112 / 32 = 3.5 round to even.
        Example("north-micro-vision", 80, 112, 32, 8, "CohereCompassImageProcessorPil: resized to 64x128"),
        Example("north-micro-vision", 1200, 6, 100, 25, "CohereCompassImageProcessorPil: resized to 800x32"),
        Example("north-micro-vision", 1280, 720, 1456, 372, "CohereCompassProcessor, 8 frames: 4 of 416x224", 8,
                {"frames": 8, "fps": 2.0}),
    ),
)  # fmt: skip
