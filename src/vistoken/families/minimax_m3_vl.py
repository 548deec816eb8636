"""MiniMax-M3: whole tokens of 28 x 28 pixels under a pixel budget, between two markers; videos keep their own size.

The processor switches resizing off for videos, so their frames must be whole tokens already.
Sources: transformers 5.23.0, `models/minimax_m3_vl/image_processing_minimax_m3_vl.py`,
`processing_minimax_m3_vl.py` and `video_processing_minimax_m3_vl.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label, VideoSpec
from vistoken.preprocessing import FILTERS
from vistoken.processors.edges import pixels, whole_tokens
from vistoken.processors.pixel_budget import PROCESSOR, SETTINGS, image_rule
from vistoken.processors.qwen2_vl import agree
from vistoken.prompts.plain import Merged, SpaceToDepth
from vistoken.views.rule import ViewRule

if TYPE_CHECKING:
    from vistoken.prompts.layout import VideoLayout

VISION = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2}
IMAGE = {**PROCESSOR, "temporal_patch_size": 2}
VIDEO = {**IMAGE, "min_pixels": 3136, "max_pixels": 602_112, "fps": 1.0}
IMAGE_TOKEN, VIDEO_TOKEN = "]<]image[>[", "]<]video[>["
START, END = "]<]start of image[>[", "]<]end of image[>["


def read(files: Files) -> Reading:
    """Patch and merge from the vision config; the pixel budgets from the preprocessors."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"MiniMaxM3VLVisionConfig in {REFERENCE}")
    patch = vision.patch("patch_size", vision.integer("temporal_patch_size", high=64))
    merge = SpaceToDepth(vision.integer("spatial_merge_size", high=64))
    prompt, video = Merged(merge, IMAGE_TOKEN, START, END), partial(_video, files.video, patch, merge)
    if files.image is None:
        return Reading(None, None, None, prompt, video)
    processor = _sized(files.image).with_defaults(IMAGE, f"MiniMaxM3VLImageProcessor in {REFERENCE}")
    agree(processor, patch, merge.side)
    rule = image_rule(processor, patch, merge.side, pixels(processor, (3136, 451_584)))
    return Reading(None, *rule, prompt, video)


def _sized(image: Config) -> Config:
    """The published file's `size` of [672, 672] never counted: the class puts its default there."""
    return image.replaced(size={}) if image.values.get("size") == [672, 672] else image


def _video(video: Config | None, patch: Patch, merge: SpaceToDepth) -> VideoSpec | None:
    if video is None:
        return None
    from vistoken.sampling.even import EvenRate
    from vistoken.sampling.reading import sampling_rate
    from vistoken.views.video import PerFrame

    processor = video.with_defaults(VIDEO, f"MiniMaxM3VLVideoProcessor in {REFERENCE}")
    agree(processor, patch, merge.side)
    group, frame = processor.integer("temporal_patch_size", high=64), _frame(processor, patch, merge.side)
    sampling = EvenRate(sampling_rate(processor) or 1.0)
    return VideoSpec(rule=PerFrame(frame, group), prompt=_timed(merge, group), sampling=sampling)


def _frame(processor: Config, patch: Patch, merge: int) -> ViewRule:
    """Resized only where the caller asks for it."""
    filter = processor.choice("resample", FILTERS)
    if "do_resize" not in processor.overrides or not processor.flag("do_resize"):
        return whole_tokens(patch, merge, filter)
    from vistoken.views.budget import PixelBudget

    low, high = processor.integer("min_pixels", high=10**12), processor.integer("max_pixels", high=10**12)
    return PixelBudget(patch.height * merge, low, high, filter, patch)


def _timed(merge: SpaceToDepth, group: int) -> VideoLayout:
    from vistoken.prompts.timed import Decimals, FirstFrame, TimedIfKnown
    from vistoken.sequence import Marker, Text

    before = (Text("]<]{time} seconds[>["), Marker(START))
    return TimedIfKnown(merge, VIDEO_TOKEN, FirstFrame(group, Decimals(1)), before, (Marker(END),))


FAMILY = Family(
    name="MiniMax-M3",
    model_types=("minimax_m3_vl",),
    read=read,
    published=(
        Published(
            ("MiniMaxAI/MiniMax-M3", "minimax-m3"),
            {"model_type": "minimax_m3_vl", "vision_config": {"patch_size": 14, "spatial_merge_size": 2}},
            {"size": [672, 672], "image_processor_type": "MiniMaxM3VLImageProcessor"},
            Label("inferred", f"defaults of the classes of {REFERENCE}, which say that the published size is unused"),
            video={"video_processor_type": "MiniMaxM3VLVideoProcessor"},
        ),
    ),
    rule=Label("verified", f"MiniMaxM3VLProcessor, its image and its video processor of {REFERENCE}"),
    settings=(*SETTINGS, "do_resize", "sampling_fps"),
    reference=Reference(
        processor="MiniMaxM3VLProcessor",
        image="MiniMaxM3VLImageProcessor",
        sees="image_grid_thw",
        tokens={"image": IMAGE_TOKEN, "video": VIDEO_TOKEN, "start": START, "end": END},
        video="MiniMaxM3VLVideoProcessor",
        sees_video="video_grid_thw in chunks",
        torchvision=True,
        settings=({"max_pixels": 301_056, "do_resize": True},
                  {"min_pixels": 100_352, "max_pixels": 150_528, "do_resize": True}),
        thresholds=((56, 56), (672, 672), (14, 14)),
    ),
    examples=(
        Example("minimax-m3", 1280, 720, 2304, 578, "MiniMaxM3VLImageProcessor: resized to 896x504", 2),
        # 70 / 28 = 2.5 and 98 / 28 = 3.5 round to even.
        Example("minimax-m3", 98, 70, 32, 10, "MiniMaxM3VLImageProcessor: resized to 112x56", 2),
        Example("minimax-m3", 1200, 6, 116, 31, "MiniMaxM3VLImageProcessor: resized to 812x28", 2),
        # Videos are not resized: 4 groups of 12 x 20 tokens, each between two markers.
        Example("minimax-m3", 560, 336, 3840, 968, "MiniMaxM3VLProcessor, 7 frames: 4 x 240", 8, {"frames": 7}),
        Example("minimax-m3", 1280, 720, 11_520, 2888, "MiniMaxM3VLProcessor: 4 of 1008x560", 8,
                {"frames": 7, "do_resize": True}),
    ),
)  # fmt: skip
