"""MuseGlimmerImageProcessor and its video sibling, which Muse Spark uses too: the closest grid of tokens under a cap.

Sources: transformers 5.23.0, `models/muse_glimmer/image_processing_muse_glimmer.py`,
`models/muse_glimmer/video_processing_muse_glimmer.py`, `models/muse_glimmer/processing_muse_glimmer.py` and
`models/muse_spark/processing_muse_spark.py`, whose text is the same.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE, Files, Reading
from vistoken.geometry import Patch
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.completed import agree
from vistoken.prompts.plain import Merged, SpaceToDepth
from vistoken.views.shrink import ClosestCells

if TYPE_CHECKING:
    from vistoken.model_spec import VideoSpec
    from vistoken.views.rule import ViewRule

_BOTH = {
    "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2, "do_resize": True, "resample": 1, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": HALF, "image_std": HALF,
}  # fmt: skip
# Class attributes of MuseGlimmerImageProcessor and MuseGlimmerVideoProcessor.
IMAGE = _BOTH | {"max_image_tokens": 4096}
VIDEO = _BOTH | {
    "max_video_frame_tokens": 144, "num_frames": 96, "fps": 2.0, "frame_timestamp_format": "Time: {timestamp:.1f}s",
}  # fmt: skip
VISION = {"patch_size": 14, "patch_temporal": 2, "merge_size": 2}
SETTINGS = (
    "max_image_tokens", "max_video_frame_tokens", "num_frames", "sampling_fps", "resample", "image_mean", "image_std",
)  # fmt: skip
# The one shape of `frame_timestamp_format` that is read: a format string of a stranger can do anything.
_STAMP = re.compile(r"([^{}]{0,100})\{timestamp:\.(\d)f\}([^{}]{0,100})")


def read(files: Files) -> Reading:
    """Patch and merge from the vision config, which the preprocessors must repeat."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"MuseGlimmerVisionConfig in {REFERENCE}")
    patch = vision.patch("patch_size", vision.integer("patch_temporal", high=64))
    merge = SpaceToDepth(vision.integer("merge_size", high=64))
    prompt = Merged(merge, "<|patch|>", "<|image_start|>", "<|image_end|>")
    video = partial(_video, files.video, patch, merge)
    if files.image is None:
        return Reading(None, None, None, prompt, video)
    processor = files.image.with_defaults(IMAGE, f"MuseGlimmerImageProcessor in {REFERENCE}")
    rule = _rule(processor, patch, merge.side, "max_image_tokens")
    return Reading(None, rule, pixel_values(processor), prompt, video)


def _rule(processor: Config, patch: Patch, merge: int, limit: str) -> ViewRule:
    agree(processor, patch_size=patch.height, merge_size=merge, temporal_patch_size=patch.frames)
    filter = processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):
        from vistoken.views.fixed import Native  # rare, and start-up counts

        return Native(None, filter, patch)
    return ClosestCells(processor.integer(limit, high=2**24), patch.height * merge, filter, patch)


def _video(video: Config | None, patch: Patch, merge: SpaceToDepth) -> VideoSpec | None:
    if video is None:
        return None
    from vistoken.model_spec import VideoSpec
    from vistoken.prompts.timed import Decimals, FirstFrameOfTensor, TimedGroups
    from vistoken.sampling.muse import MuseSampling
    from vistoken.sequence import Marker, Text
    from vistoken.views.video import PerFrame

    processor = video.with_defaults(VIDEO, f"MuseGlimmerVideoProcessor in {REFERENCE}")
    rule = PerFrame(_rule(processor, patch, merge.side, "max_video_frame_tokens"), patch.frames)
    left, digits, right = _stamp(processor)
    stamp, clock = Text(f"{left}{{time}}{right}"), FirstFrameOfTensor(patch.frames, Decimals(digits))
    first, before = ((Marker(mark), stamp) for mark in ("<|vid_start|>", "<|vid_frame_separator|>"))
    prompt = TimedGroups(merge, "<|video|>", clock, before, first=first, end=(Marker("<|vid_end|>"),))
    return VideoSpec(rule=rule, prompt=prompt, sampling=MuseSampling.read(processor, patch.frames))


def _stamp(processor: Config) -> tuple[str, int, str]:
    value = processor.raw("frame_timestamp_format")
    match = _STAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise processor.error("frame_timestamp_format", value, "it must hold {timestamp:.Nf} once, and no other braces")
    return match[1], int(match[2]), match[3]
