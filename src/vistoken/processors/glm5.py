"""The processors of GLM-5: a canvas of whole tokens under a token budget.

Sources: transformers 5.23.0, `models/glm5_next/image_processing_glm5_next.py` and `video_processing_glm5_next.py`.
The PIL variant of the image processor leaves `patch_expand_factor` out; the default one, followed here, does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE
from vistoken.frozen import frozen
from vistoken.geometry import Patch
from vistoken.preprocessing import FILTERS, pixel_values
from vistoken.processors import qwen2_vl
from vistoken.processors.edges import MAX_PIXELS, whole_tokens
from vistoken.processors.qwen2_vl import agree
from vistoken.views.aligned import AlignedCanvas, AlignedFrames

if TYPE_CHECKING:
    from vistoken.model_spec import PixelSpec, VideoSpec
    from vistoken.prompts.layout import VideoLayout
    from vistoken.views.rule import ViewRule
    from vistoken.views.steps import Filter
    from vistoken.views.video import FrameRule

PROCESSOR = qwen2_vl.PROCESSOR | {"patch_expand_factor": 1, "min_image_tokens": 16, "max_image_tokens": 8000}
VIDEO = PROCESSOR | {"max_image_tokens": 240_000, "fps": 2, "max_frames": 2048, "max_duration": 0}

SETTINGS = ("min_image_tokens", "max_image_tokens", "min_pixels", "max_pixels", "resample", "image_mean", "image_std")
VIDEO_SETTINGS = ("max_frames", "max_duration", "sampling_fps")


@frozen
class _Canvas:
    """What both processors say."""

    multiple: int
    low: int
    high: int
    filter: Filter
    patch: Patch


def image_rule(image: Config | None, patch: Patch, merge: int) -> tuple[ViewRule | None, PixelSpec | None]:
    """The view rule and the pixel values; a still picture counts as one group of frames."""
    if image is None:
        return None, None
    processor = image.with_defaults(PROCESSOR, f"Glm5NextImageProcessor in {REFERENCE}")
    canvas, pixels = _canvas(processor, patch, merge), pixel_values(processor)
    if not processor.flag("do_resize"):
        return whole_tokens(patch, merge, canvas.filter), pixels
    frames = canvas.patch.frames
    return AlignedCanvas(canvas.multiple, canvas.low, canvas.high, canvas.filter, canvas.patch, frames), pixels


def video_rule(video: Config | None, patch: Patch, merge: int, prompt: VideoLayout) -> VideoSpec | None:
    """The frames of a video on one canvas size."""
    if video is None:
        return None
    from vistoken.model_spec import VideoSpec
    from vistoken.sampling.glm import AtRateWithin
    from vistoken.sampling.reading import sampling_rate
    from vistoken.views.video import PerFrame

    processor = video.with_defaults(VIDEO, f"Glm5NextVideoProcessor in {REFERENCE}")
    canvas = _canvas(processor, patch, merge)
    rule: FrameRule = AlignedFrames(canvas.multiple, canvas.low, canvas.high, canvas.filter, canvas.patch)
    if not processor.flag("do_resize"):
        rule = PerFrame(whole_tokens(patch, merge, canvas.filter), canvas.patch.frames)
    most, within = processor.integer("max_frames", high=10**6), processor.integer("max_duration", low=0, high=10**6)
    return VideoSpec(rule=rule, prompt=prompt, sampling=AtRateWithin(sampling_rate(processor) or 2.0, most, within))


def _canvas(processor: Config, patch: Patch, merge: int) -> _Canvas:
    agree(processor, patch, merge)
    frames = processor.integer("temporal_patch_size", high=64)
    multiple = patch.height * merge * processor.integer("patch_expand_factor", high=64)
    token = frames * multiple**2
    low, high = _bound(processor, "min", token), _bound(processor, "max", token)
    patch = Patch(patch.height, patch.width, frames)
    return _Canvas(multiple, low, high, processor.choice("resample", FILTERS), patch)


def _bound(processor: Config, end: str, token: int) -> int:
    """In pixels of all frames; the file speaks of tokens, the caller may speak of either."""
    if f"{end}_pixels" in processor.overrides:
        return processor.integer(f"{end}_pixels", high=MAX_PIXELS)
    return processor.integer(f"{end}_image_tokens") * token
