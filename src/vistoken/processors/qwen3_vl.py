"""Qwen3VLVideoProcessor: one pixel budget for all frames together. Its pictures go through Qwen2VLImageProcessor.

Source: transformers 5.23.0, `models/qwen3_vl/video_processing_qwen3_vl.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import REFERENCE
from vistoken.geometry import Patch
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.qwen2_vl import PROCESSOR, agree, agree_in_time, budget
from vistoken.prompts.plain import SpaceToDepth

if TYPE_CHECKING:
    from vistoken.model_spec import VideoSpec
    from vistoken.prompts.layout import VideoLayout
    from vistoken.prompts.timed import TimedGroups
    from vistoken.views.video import FrameRule

# Class attributes of Qwen3VLVideoProcessor.
VIDEO: dict[str, Any] = PROCESSOR | {
    "patch_size": 16, "image_mean": HALF, "image_std": HALF,
    "size": {"shortest_edge": 131_072, "longest_edge": 786_432}, "min_frames": 4, "max_frames": 768, "fps": 2,
    "num_frames": None, "cap_pixels_per_frame": None, "max_video_tokens": 768,
}  # fmt: skip


def video_rule(video: Config | None, patch: Patch, merge: int, prompt: VideoLayout) -> VideoSpec | None:
    """Frames under a budget for all of them. `min_pixels` and `max_pixels` of a file mean nothing to these classes."""
    if video is None:
        return None
    from vistoken.model_spec import VideoSpec
    from vistoken.sampling.qwen import FirstToLast

    processor = video.with_defaults(VIDEO, f"Qwen3VLVideoProcessor in {REFERENCE}")
    agree(processor, patch, merge)
    agree_in_time(processor, patch)
    rule = _frames(processor, patch, patch.height * merge)
    sampling = FirstToLast.read(processor)
    return VideoSpec(rule=rule, prompt=prompt, sampling=sampling, pixels=pixel_values(processor))


def _frames(processor: Config, patch: Patch, multiple: int) -> FrameRule:
    filter = processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):
        from vistoken.views.blocks import WholeBlocks
        from vistoken.views.video import PerFrame

        return PerFrame(WholeBlocks(multiple, filter, patch), patch.frames)
    from vistoken.views.frames import VolumeBudget

    capped = processor.flag("cap_pixels_per_frame")
    per_frame = processor.integer("max_video_tokens", high=10**9) if capped else None
    return VolumeBudget(multiple, *budget(processor, old=False), filter, patch, per_frame)


def timed_video(video: Config | None, patch: Patch, merge: SpaceToDepth, template: str) -> VideoSpec | None:
    """As `video_rule`, with the prompt of `timed`."""
    return video_rule(video, patch, merge.side, timed(merge, patch, template))


def timed(merge: SpaceToDepth, patch: Patch, template: str) -> TimedGroups:
    """Qwen3-VL's prompt of a video: `<1.2 seconds>`, then the tokens of a frame group between two markers."""
    from vistoken.prompts.timed import MeanSeconds, TimedGroups
    from vistoken.sequence import Marker, Text

    before, after = (Text("<{time} seconds>"), Marker("<|vision_start|>")), (Marker("<|vision_end|>"),)
    return TimedGroups(merge, "<|video_pad|>", MeanSeconds(patch.frames), before, after, template=template)
