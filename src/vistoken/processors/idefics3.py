"""Idefics3ImageProcessor, SmolVLM's copy of it, and SmolVLMVideoProcessor: whole tiles, and frames of one tile.

Sources: transformers 5.23.0, `models/idefics3/image_processing_pil_idefics3.py`,
`models/smolvlm/image_processing_pil_smolvlm.py` (the same rule), `models/smolvlm/video_processing_smolvlm.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE
from vistoken.geometry import Patch
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.completed import completed
from vistoken.views.whole_tiles import LongEdge, SquareTile, WholeTiles

if TYPE_CHECKING:
    from vistoken.model_spec import PixelSpec, VideoSpec
    from vistoken.prompts.layout import VideoLayout
    from vistoken.views.rule import OneView, ViewRule
    from vistoken.views.steps import Filter

# Class attributes of Idefics3ImageProcessor.
PROCESSOR = {
    "size": {"longest_edge": 1456}, "max_image_size": {"longest_edge": 364}, "do_image_splitting": True,
    "do_resize": True, "resample": 1, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": HALF, "image_std": HALF,
}  # fmt: skip
# Those of SmolVLMVideoProcessor.
VIDEO = PROCESSOR | {"num_frames": None, "fps": None}

SETTINGS = ("size", "max_image_size", "do_image_splitting", "do_resize", "resample", "image_mean", "image_std")
VIDEO_SETTINGS = ("num_frames", "sampling_fps")


def image_rule(image: Config | None, patch: Patch) -> tuple[ViewRule | None, PixelSpec | None]:
    """The view rule and the pixel values."""
    if image is None:
        return None, None
    processor = completed(image, PROCESSOR, f"Idefics3ImageProcessor in {REFERENCE}")
    tile, filter = _edge(processor, "max_image_size"), processor.choice("resample", FILTERS)
    before = _before(processor, filter, patch) if processor.flag("do_resize") else None
    kind = WholeTiles if processor.flag("do_image_splitting") else SquareTile
    return kind(before, tile, filter, patch), pixel_values(processor)


def video_rule(video: Config | None, patch: Patch, prompt: VideoLayout) -> VideoSpec | None:
    """Frames of SmolVLMVideoProcessor: never split, each one square tile."""
    if video is None:
        return None
    from vistoken.model_spec import VideoSpec
    from vistoken.sampling.smolvlm import SmolVLMSampling
    from vistoken.views.fixed import Native
    from vistoken.views.video import PerFrame

    processor = completed(_unfolded(video), VIDEO, f"SmolVLMVideoProcessor in {REFERENCE}")
    filter = processor.choice("resample", FILTERS)
    # The class looks this one up in its own file, whatever the call says.
    own = Config(processor.values, processor.where, defaults=VIDEO, defaults_source=processor.defaults_source,
                 origins=processor.origins)  # fmt: skip
    tile = _edge(own, "max_image_size")
    frame: ViewRule = Native(None, filter, patch)
    if processor.flag("do_resize"):
        before = _before(processor, filter, patch)
        if isinstance(before, LongEdge):  # frames are bounded before they are scaled, pictures after
            before = LongEdge(min(before.long, before.most), filter, patch)
        frame = SquareTile(before, tile, filter, patch)
    return VideoSpec(rule=PerFrame(frame), prompt=prompt, sampling=SmolVLMSampling.read(processor))


def _before(processor: Config, filter: Filter, patch: Patch) -> OneView:
    """What `size` says: the length of the long side, or both sides."""
    value = processor.raw("size")
    if isinstance(value, dict) and "longest_edge" in value:
        return LongEdge(_edge(processor, "size"), filter, patch)
    from vistoken.views.fixed import Stretch

    return Stretch(processor.size("size"), filter, patch)


def _edge(processor: Config, name: str) -> int:
    value = processor.raw(name)
    edge = value.get("longest_edge") if isinstance(value, dict) else None
    if type(edge) is not int or not 0 < edge <= 65_536:
        raise processor.error(name, value, 'it must be {"longest_edge": ...}, a whole number from 1 to 65,536')
    return edge


def _unfolded(video: Config) -> Config:
    """The values with those of `video_sampling`, which published files hold beside the pictures' values.

    Its `video_size` counts only where the file has no `size`.
    """
    values, sampling = dict(video.values), video.child("video_sampling")
    if sampling.values:
        values["num_frames"], values["fps"] = sampling.values.get("max_frames"), sampling.values.get("fps")
        values.setdefault("size", sampling.values.get("video_size"))
    return Config(values, video.where, path=video.path, overrides=video.overrides, origins=video.origins)
