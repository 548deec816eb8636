"""Qwen2VLImageProcessor and its video sibling: a pixel budget, patches merged in blocks, two frames a patch.

Sources: transformers 5.23.0, `models/qwen2_vl/image_processing_pil_qwen2_vl.py`,
`models/qwen2_vl/video_processing_qwen2_vl.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE
from vistoken.geometry import Patch
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, pixel_values
from vistoken.views.budget import PixelBudget

if TYPE_CHECKING:
    from vistoken.model_spec import PixelSpec, VideoSpec
    from vistoken.prompts.layout import VideoLayout
    from vistoken.views.rule import ViewRule

# Class attributes of Qwen2VLImageProcessor; the budgets are left out, since checkpoints always say theirs.
PROCESSOR = {
    "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2, "do_resize": True, "resample": 3, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
}  # fmt: skip
# What Qwen2VLVideoProcessor adds.
VIDEO = PROCESSOR | {
    "min_frames": 4, "max_frames": 768, "fps": None, "num_frames": None, "cap_pixels_per_frame": False,
    "max_video_tokens": 128_000,
}  # fmt: skip

SETTINGS = ("min_pixels", "max_pixels", "size", "resample", "image_mean", "image_std")
VIDEO_SETTINGS = ("min_frames", "max_frames", "num_frames", "sampling_fps", "cap_pixels_per_frame", "max_video_tokens")


def image_rule(image: Config | None, patch: Patch, merge: int) -> tuple[ViewRule | None, PixelSpec | None]:
    """The view rule and the pixel values; `patch` and `merge` are the vision config's, which the file must repeat."""
    if image is None:
        return None, None
    processor = image.with_defaults(PROCESSOR, f"Qwen2VLImageProcessor in {REFERENCE}")
    agree(processor, patch, merge)
    low, high = budget(processor)
    filter = processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):  # then sides must be whole tokens, which the merge checks
        from vistoken.views.fixed import Native  # rare, and start-up counts

        return Native(None, filter, patch), pixel_values(processor)
    return PixelBudget(patch.height * merge, low, high, filter, patch), pixel_values(processor)


def video_rule(video: Config | None, patch: Patch, merge: int, prompt: VideoLayout) -> VideoSpec | None:
    """Frames of Qwen2VLVideoProcessor: each under the same pixel budget, `patch.frames` of them as one."""
    if video is None:
        return None
    from vistoken.model_spec import VideoSpec
    from vistoken.sampling.qwen import QwenSampling
    from vistoken.views.budget import CappedFrames
    from vistoken.views.video import PerFrame

    processor = video.with_defaults(VIDEO, f"Qwen2VLVideoProcessor in {REFERENCE}")
    agree(processor, patch, merge)
    low, high = budget(processor)
    frame = PixelBudget(patch.height * merge, low, high, processor.choice("resample", FILTERS), patch)
    most = processor.integer("max_video_tokens", high=10**9)
    rule = CappedFrames(frame, most) if processor.flag("cap_pixels_per_frame") else PerFrame(frame, patch.frames)
    return VideoSpec(rule=rule, prompt=prompt, sampling=QwenSampling.read(processor, patch.frames))


def agree(processor: Config, patch: Patch, merge: int) -> None:
    """Both files must tell the same patch and merge."""
    for field, word, ours in (("patch_size", "patch_size", patch.height), ("merge_size", "spatial_merge_size", merge)):
        if (given := processor.integer(field, high=4096)) != ours:
            raise processor.error(field, given, f"config.json says {word} {ours}: the two must agree")


def budget(processor: Config) -> tuple[int, int]:
    """The least and the most pixels.

    They stand as `min_pixels` and `max_pixels` (old files), or as edges, in pixels all the same, in `size`.
    """
    low, high = _bound(processor, "min_pixels", "shortest_edge"), _bound(processor, "max_pixels", "longest_edge")
    if low > high:
        if "max_pixels" in processor.overrides:
            raise processor.error("max_pixels", high, f"it must not be less than min_pixels, which is {low:,}")
        raise processor.error("min_pixels", low, f"it must not be more than max_pixels, which is {high:,}")
    return low, high


def _bound(processor: Config, name: str, nested: str) -> int:
    if processor.has(name):
        return processor.integer(name, high=10**12)
    size = processor.child("size")
    return size.integer(nested, high=10**12) if size.has(nested) else processor.integer(name, high=10**12)
