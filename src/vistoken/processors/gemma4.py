"""Gemma4ImageProcessor, its video sibling and the unified model's: a budget of pooled tokens that is always filled.

Sources: transformers 5.23.0, `models/gemma4/image_processing_pil_gemma4.py`,
`models/gemma4/video_processing_gemma4.py` and
`models/gemma4_unified/image_processing_gemma4_unified.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE, Files, Reading
from vistoken.geometry import Patch
from vistoken.preprocessing import FILTERS, pixel_values
from vistoken.processors.completed import agree
from vistoken.prompts.plain import Merged, SpaceToDepth
from vistoken.views.fill import FillCells

if TYPE_CHECKING:
    from vistoken.model_spec import VideoSpec
    from vistoken.views.rule import ViewRule

# Class attributes of Gemma4ImageProcessor.
IMAGE = {
    "patch_size": 16, "pooling_kernel_size": 3, "max_soft_tokens": 280, "do_resize": True, "resample": 3,
    "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": False, "image_mean": (0.0, 0.0, 0.0),
    "image_std": (1.0, 1.0, 1.0),
}  # fmt: skip
# Gemma4VideoProcessor's.
VIDEO = IMAGE | {"max_soft_tokens": 70, "do_normalize": True, "num_frames": 32, "fps": None}
VISION = {"patch_size": 16, "pooling_kernel_size": 3}
SETTINGS = ("max_soft_tokens", "num_frames", "resample", "image_mean", "image_std")
# The only budgets that the class takes.
BUDGETS = {tokens: tokens for tokens in (70, 140, 280, 560, 1120)}
START, END, IMAGE_TOKEN, VIDEO_TOKEN = "<|image>", "<image|>", "<|image|>", "<|video|>"


def read(files: Files, pooled_before: bool) -> Reading:
    """Patch and pooling from the vision config, which the preprocessors must repeat.

    `pooled_before` tells that blocks of patches become one patch before the model looks at them (the unified model,
    which has no tower), instead of in the tower's last step.
    """
    vision = files.config.child("vision_config").with_defaults(VISION, f"Gemma4VisionConfig in {REFERENCE}")
    small, pool = vision.patch("patch_size"), vision.integer("pooling_kernel_size", high=64)
    if small.height != small.width:
        raise vision.error("patch_size", vision.raw("patch_size"), "it must be a square")
    unit = small.height * pool
    patch, merge = (Patch.square(unit), SpaceToDepth(1)) if pooled_before else (small, SpaceToDepth(pool))
    prompt = Merged(merge, IMAGE_TOKEN, START, END)
    video = partial(_video, files.video, small, pool, patch, merge)
    if files.image is None:
        return Reading(None, None, None, prompt, video)
    processor = files.image.with_defaults(IMAGE, f"Gemma4ImageProcessor in {REFERENCE}")
    return Reading(None, _rule(processor, small, pool, patch), pixel_values(processor), prompt, video)


def _rule(processor: Config, small: Patch, pool: int, patch: Patch) -> ViewRule:
    agree(processor, patch_size=small.height, pooling_kernel_size=pool)
    budget, filter = processor.choice("max_soft_tokens", BUDGETS), processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):
        from vistoken.views.fixed import Native  # rare, and start-up counts

        return Native(None, filter, patch)
    return FillCells(budget, small.height * pool, filter, patch)


def _video(video: Config | None, small: Patch, pool: int, patch: Patch, merge: SpaceToDepth) -> VideoSpec | None:
    if video is None:
        return None
    from vistoken.model_spec import VideoSpec
    from vistoken.prompts.timed import FirstFrame, TimedGroups, minutes
    from vistoken.sampling.even import EveryFrame, even
    from vistoken.sequence import Marker, Text
    from vistoken.views.video import PerFrame

    processor = video.with_defaults(VIDEO, f"Gemma4VideoProcessor in {REFERENCE}")
    before, first = ((Text(f"{space}{{time}} "), Marker(START)) for space in (" ", ""))
    return VideoSpec(
        rule=PerFrame(_rule(processor, small, pool, patch)),
        prompt=TimedGroups(merge, VIDEO_TOKEN, FirstFrame(1, minutes), before, (Marker(END),), first),
        sampling=even(processor) or EveryFrame(),
    )
