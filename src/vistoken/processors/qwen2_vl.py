"""Qwen2VLImageProcessor and its video sibling: a pixel budget, patches merged in blocks, two frames a patch.

Sources: transformers 5.23.0, `models/qwen2_vl/image_processing_pil_qwen2_vl.py`,
`models/qwen2_vl/video_processing_qwen2_vl.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import REFERENCE
from vistoken.geometry import Patch
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, pixel_values
from vistoken.prompts.plain import SpaceToDepth
from vistoken.views.budget import PixelBudget

if TYPE_CHECKING:
    from vistoken.model_spec import PixelSpec, VideoSpec
    from vistoken.views.rule import ViewRule
    from vistoken.views.video import FrameRule

# Class attributes of Qwen2VLImageProcessor but for its budget: checkpoints say theirs, which are larger.
PROCESSOR: dict[str, Any] = {
    "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2, "do_resize": True, "resample": 3, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
}  # fmt: skip
BUDGET = {"size": {"shortest_edge": 3136, "longest_edge": 1_003_520}}
# What differs in Qwen2VLVideoProcessor.
VIDEO: dict[str, Any] = PROCESSOR | {
    "size": {"shortest_edge": 100_352, "longest_edge": 602_112}, "min_frames": 4, "max_frames": 768, "fps": None,
    "num_frames": None, "cap_pixels_per_frame": None, "max_video_tokens": 128_000,
}  # fmt: skip

SETTINGS = ("min_pixels", "max_pixels", "size", "resample", "image_mean", "image_std")
VIDEO_SETTINGS = ("min_frames", "max_frames", "num_frames", "sampling_fps", "cap_pixels_per_frame", "max_video_tokens")

# Above this a budget is a mistake: the largest picture of a scanner has fewer pixels.
MOST_PIXELS = 10**12


def vision(config: Config, patch: int, source: str, frames: int = 2) -> tuple[Patch, SpaceToDepth]:
    """Patch and merge of a vision config; its class `source` has patches of `patch` pixels and `frames` by default."""
    defaults = {"patch_size": patch, "spatial_merge_size": 2, "temporal_patch_size": frames}
    config = config.with_defaults(defaults, f"{source} in {REFERENCE}")
    side = config.patch("patch_size", config.integer("temporal_patch_size", high=64))
    if side.height != side.width or side.height > 4096:
        raise config.error("patch_size", str(side), "patches must be squares of at most 4096 pixels")
    return side, SpaceToDepth(config.integer("spatial_merge_size", high=64))


def image_rule(image: Config | None, patch: Patch, merge: int) -> tuple[ViewRule | None, PixelSpec | None]:
    """The view rule and the pixel values; `patch` and `merge` are the vision config's, which the file must repeat."""
    if image is None:
        return None, None
    processor = image.with_defaults(PROCESSOR | BUDGET, f"Qwen2VLImageProcessor in {REFERENCE}")
    agree(processor, patch, merge)
    multiple, filter = patch.height * merge, processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):
        from vistoken.views.blocks import WholeBlocks  # rare, and start-up counts

        return WholeBlocks(multiple, filter, patch), pixel_values(processor)
    return PixelBudget(multiple, *budget(processor), filter, patch), pixel_values(processor)


def video_rule(
    video: Config | None, patch: Patch, merge: SpaceToDepth, token: str, template: str, handed: Config | None = None
) -> VideoSpec | None:
    """Frames of Qwen2VLVideoProcessor: each under the same pixel budget, `patch.frames` of them as one.

    All their tokens, which are written as `token`, stand in one run. `handed` tells the budget where the model's
    processor hands over one of its own, which wins over the file's.
    """
    if video is None:
        return None
    from vistoken.model_spec import VideoSpec
    from vistoken.prompts.runs import MergedVideo
    from vistoken.sampling.qwen import WholeGroups

    processor = video.with_defaults(VIDEO, f"Qwen2VLVideoProcessor in {REFERENCE}")
    agree(processor, patch, merge.side)
    agree_in_time(processor, patch)
    rule = _frames(processor, patch, patch.height * merge.side, handed or processor)
    prompt, sampling = MergedVideo(merge, token, template), WholeGroups.read(processor, patch.frames)
    return VideoSpec(rule=rule, prompt=prompt, sampling=sampling, pixels=pixel_values(processor))


def _frames(processor: Config, patch: Patch, multiple: int, bounds: Config) -> FrameRule:
    from vistoken.views.video import PerFrame

    filter = processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):
        from vistoken.views.blocks import WholeBlocks

        return PerFrame(WholeBlocks(multiple, filter, patch), patch.frames)
    frame = PixelBudget(multiple, *budget(bounds), filter, patch)
    if processor.flag("cap_pixels_per_frame"):
        from vistoken.views.frames import CappedFrames

        return CappedFrames(frame, processor.integer("max_video_tokens", high=10**9))
    return PerFrame(frame, patch.frames)


def agree(processor: Config, patch: Patch, merge: int) -> None:
    """Both files must tell the same patch and merge."""
    for field, word, ours in (("patch_size", "patch_size", patch.height), ("merge_size", "spatial_merge_size", merge)):
        _agree(processor, field, word, ours)


def agree_in_time(processor: Config, patch: Patch) -> None:
    """Both files must tell the same number of frames that make one patch."""
    _agree(processor, "temporal_patch_size", "temporal_patch_size", patch.frames)


def _agree(processor: Config, field: str, word: str, ours: int) -> None:
    if (given := processor.integer(field, high=4096)) != ours:
        raise processor.error(field, given, f"config.json says {word} {ours}: the two must agree")


def budget(processor: Config, old: bool = True) -> tuple[int, int]:
    """The least and the most pixels.

    They stand as edges, in pixels all the same, in `size`; or, in `old` files, as `min_pixels` and `max_pixels`, which
    win. Those two are also the caller's words, whatever the class.
    """
    low = _bound(processor, "min_pixels", "shortest_edge", old)
    high = _bound(processor, "max_pixels", "longest_edge", old)
    if low > high:
        names = (name for name in ("max_pixels", "min_pixels", "size") if name in processor.overrides)
        name = next(names, "min_pixels" if old and processor.has("min_pixels") else "size")
        given = {"min_pixels": low, "max_pixels": high}.get(name, {"shortest_edge": low, "longest_edge": high})
        raise processor.error(name, given, f"the least number of pixels, {low:,}, is above the most, {high:,}")
    return low, high


def _bound(processor: Config, name: str, edge: str, old: bool) -> int:
    if name in processor.overrides or (old and "size" not in processor.overrides and processor.has(name)):
        return processor.integer(name, high=MOST_PIXELS)
    if name in processor.defaults and not processor.has("size"):  # classes that know no size
        return processor.integer(name, high=MOST_PIXELS)
    size = processor.raw("size")
    if size is None:  # null stands for the class's own
        size = processor.defaults.get("size")
    value = size.get(edge) if isinstance(size, Mapping) else None
    if type(value) is not int or not 0 < value <= MOST_PIXELS:
        raise processor.error("size", size, f"its {edge} must be a number of pixels from 1 to {MOST_PIXELS:,}")
    return value
