"""Cosmos3-Edge: tokens of 32 x 32 pixels, one frame a patch, videos with the time of every frame.

Its image processor counts a picture as a video of one frame, so a side under one token is enlarged first.
Sources: transformers 5.23.0, `models/cosmos3_edge/image_processing_pil_cosmos3_edge.py`,
`models/cosmos3_edge/video_processing_cosmos3_edge.py` and `models/cosmos3_edge/processing_cosmos3_edge.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label, VideoSpec
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.qwen2_vl import PROCESSOR, SETTINGS, agree, agree_in_time, budget, vision
from vistoken.processors.qwen3_vl import timed
from vistoken.prompts.plain import Merged, SpaceToDepth
from vistoken.views.blocks import WholeBlocks
from vistoken.views.rule import ViewRule
from vistoken.views.volume import FramesOfVolume

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.views.video import FrameRule
    from vistoken.weight_names import WeightNames

# For pictures the template's own wrapper is left, for videos the processor replaces it.
TEMPLATE = "the chat template adds vision_start and vision_end: 2 tokens"
OWN_CLASSES = Label("inferred", "the defaults of the model's own processor classes; the published files were not seen")
# Class attributes of Cosmos3EdgeImageProcessor and of Cosmos3EdgeVideoProcessor.
IMAGE = PROCESSOR | {
    "patch_size": 16, "temporal_patch_size": 1, "image_mean": HALF, "image_std": HALF,
    "size": {"shortest_edge": 65_536, "longest_edge": 16_777_216},
}  # fmt: skip
FILM = IMAGE | {
    "size": {"shortest_edge": 4096, "longest_edge": 25_165_824}, "fps": 2, "num_frames": None, "min_frames": 4,
    "max_frames": 768,
}  # fmt: skip


def read(files: Files) -> Reading:
    """Patch and merge from the vision config, which knows no time; the budgets from the preprocessors."""
    patch, merge = vision(files.config.child("vision_config"), 16, "Cosmos3EdgeVisionConfig", frames=1)
    rule = pixels = None
    if files.image is not None:
        image = files.image.with_defaults(IMAGE, f"Cosmos3EdgeImageProcessor in {REFERENCE}")
        rule, pixels = _image(image, patch, merge.side), pixel_values(image)
    video = partial(_video, files.video, patch, merge)
    encoder = partial(_encoder, files)
    return Reading(encoder, rule, pixels, Merged(merge, "<|image_pad|>", template=TEMPLATE), video)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.cosmos3_edge import cosmos3_edge  # counting does without it

    return cosmos3_edge(files)


def _weights() -> WeightNames:
    from vistoken.towers.cosmos3_edge import WEIGHTS

    return WEIGHTS


def _image(processor: Config, patch: Patch, merge: int) -> ViewRule:
    agree(processor, patch, merge)
    agree_in_time(processor, patch)
    multiple, filter = patch.height * merge, processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):
        return WholeBlocks(multiple, filter, patch)
    return FramesOfVolume(multiple, *budget(processor, old=False), filter, patch, patch.frames)


def _video(video: Config | None, patch: Patch, merge: SpaceToDepth) -> VideoSpec | None:
    if video is None:
        return None
    from vistoken.sampling.qwen import FirstToLast

    film = video.with_defaults(FILM, f"Cosmos3EdgeVideoProcessor in {REFERENCE}")
    rule = _frames(film, patch, merge.side)
    return VideoSpec(rule=rule, prompt=timed(merge, patch, ""), sampling=FirstToLast.read(film))


def _frames(processor: Config, patch: Patch, merge: int) -> FrameRule:
    agree(processor, patch, merge)
    agree_in_time(processor, patch)
    from vistoken.views.frames import VolumeBudget
    from vistoken.views.video import PerFrame

    multiple, filter = patch.height * merge, processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):
        return PerFrame(WholeBlocks(multiple, filter, patch), patch.frames)
    return VolumeBudget(multiple, *budget(processor, old=False), filter, patch)


FAMILY = Family(
    name="Cosmos3-Edge",
    model_types=("cosmos3_edge",),
    read=read,
    published=(
        Published(
            ("nvidia/Cosmos3-Edge", "cosmos3-edge"),
            {"model_type": "cosmos3_edge", "vision_config": {"patch_size": 16, "spatial_merge_size": 2}},
            IMAGE,
            OWN_CLASSES,
            video=FILM,
        ),
    ),
    rule=Label(
        "verified",
        f"Cosmos3EdgeProcessor, Cosmos3EdgeImageProcessorPil and Cosmos3EdgeVideoProcessor of {REFERENCE}",
    ),
    settings=(*SETTINGS, "min_frames", "max_frames", "num_frames", "sampling_fps"),
    weights=_weights,
    reference=Reference(
        processor="Cosmos3EdgeProcessor",
        image="Cosmos3EdgeImageProcessorPil",
        sees="image_grid_thw",
        tokens={
            "image_token": "<|image_pad|>", "video_token": "<|video_pad|>",
            "vision_start_token": "<|vision_start|>", "vision_end_token": "<|vision_end|>",
        },
        video="Cosmos3EdgeVideoProcessor",
        sees_video="video_grid_thw",
        settings=(
            {"size": {"shortest_edge": 200_704, "longest_edge": 1_003_520}},
            {"size": {"shortest_edge": 2_000_000, "longest_edge": 3_000_000}, "num_frames": 9, "sampling_fps": None},
        ),
        thresholds=((4096, 4096), (256, 256), (32, 32)),
    ),
    examples=(
        Example("cosmos3-edge", 1280, 720, 3520, 880, "Cosmos3EdgeImageProcessorPil: grid 1 x 44 x 80, merged 2 x 2"),
        # A side under one token is enlarged first: Qwen2-VL's rule would give 114.
        Example("cosmos3-edge", 1200, 6, 800, 200, "Cosmos3EdgeImageProcessorPil: 6400 x 32"),
        Example("cosmos3-edge", 1280, 720, 31_680, 7938, "Cosmos3EdgeProcessor: 9 x (880 tokens, start, end)", 18,
                {"frames": 9, "fps": 2}),
    ),
)  # fmt: skip
