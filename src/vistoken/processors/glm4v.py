"""The processors of GLM-4.1V to GLM-GA: a pixel budget over frames, of which a still picture counts as two.

Sources: transformers 5.23.0, `models/glm4v`, `models/glm46v` and `models/glmga`: `image_processing_pil_*.py`,
`video_processing_*.py`, `processing_*.py`; `models/auto/video_processing_auto.py` for which class reads a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE, Files, Reading
from vistoken.geometry import Patch
from vistoken.preprocessing import FILTERS, pixel_values
from vistoken.processors import qwen2_vl
from vistoken.processors.edges import edges, whole_tokens
from vistoken.processors.qwen2_vl import agree
from vistoken.prompts.plain import Merged, SpaceToDepth
from vistoken.views.volume import FramesOfVolume

if TYPE_CHECKING:
    from vistoken.model_spec import PixelSpec, VideoSpec
    from vistoken.prompts.timed import TimedGroups
    from vistoken.spec import EncoderSpec
    from vistoken.video import Sampling
    from vistoken.views.rule import ViewRule
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2}
# Class attributes, the same in all generations and those of Qwen2-VL's; `patch_expand_factor` is GLM-GA's.
PROCESSOR = qwen2_vl.PROCESSOR | {"patch_expand_factor": 1}
VIDEO = PROCESSOR | {"fps": 2, "max_duration": 300, "max_frames": 640}
IMAGE_EDGES = (12_544, 11_760_000)
VIDEO_EDGES: Mapping[str, tuple[int, int]] = {
    "Glm4v": (12_544, 47_040_000), "Glm46V": (12_544, 47_040_000), "Glmga": (12_544, 87_478_720),
}  # fmt: skip

SETTINGS = ("min_pixels", "max_pixels", "resample", "image_mean", "image_std")
IMAGE_TOKEN = "<|image|>"
TEMPLATE = "the chat template adds <|begin_of_image|> and <|end_of_image|>: 2 tokens"
VIDEO_TEMPLATE = "the chat template adds <|begin_of_video|> and <|end_of_video|>: 2 tokens"


def read(files: Files, generation: str, video_generation: str = "") -> Reading:
    """Everything; `generation` is the class prefix that `model_type` leads to where the files name no class."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"the vision config in {REFERENCE}")
    patch = vision.patch("patch_size", vision.integer("temporal_patch_size", high=64))
    merge = SpaceToDepth(vision.integer("spatial_merge_size", high=64))
    rule, pixels = _image_rule(files.image, patch, merge.side)
    video = partial(_video, files, patch, merge, generation, video_generation or generation)
    encoder = partial(_encoder, files)
    return Reading(encoder, rule, pixels, Merged(merge, IMAGE_TOKEN, template=TEMPLATE), video)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.glm4v import ocr, tower  # counting does without it

    read = ocr if files.config.raw("model_type") == "glm_ocr" else tower
    return read(files.config.child("vision_config"), files.built_in)


def weights() -> WeightNames:
    from vistoken.towers.glm4v import WEIGHTS

    return WEIGHTS


def _image_rule(image: Config | None, patch: Patch, merge: int) -> tuple[ViewRule | None, PixelSpec | None]:
    if image is None:
        return None, None
    processor = image.with_defaults(PROCESSOR, f"the GLM image processors in {REFERENCE}")
    multiple, patch = _multiple(processor, patch, merge)
    low, high = edges(processor, IMAGE_EDGES)
    filter = processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):
        return whole_tokens(patch, merge, filter), pixel_values(processor)
    return FramesOfVolume(multiple, low, high, filter, patch, patch.frames), pixel_values(processor)


def _multiple(processor: Config, patch: Patch, merge: int) -> tuple[int, Patch]:
    """Pixels a side of one token, and the patch with the processor's own frames."""
    agree(processor, patch, merge)
    frames = processor.integer("temporal_patch_size", high=64)
    expand = processor.integer("patch_expand_factor", high=64)
    return patch.height * merge * expand, Patch(patch.height, patch.width, frames)


def _video(files: Files, patch: Patch, merge: SpaceToDepth, generation: str, samples: str) -> VideoSpec | None:
    if files.video is None:
        return None
    from vistoken.model_spec import VideoSpec
    from vistoken.prompts.timed import tenths, whole_seconds
    from vistoken.views.frames import VolumeBudget
    from vistoken.views.video import FrameRule, PerFrame

    writer = named((files.processor, files.image, files.video), "processor_class", "Processor", generation)
    # A folder without a video file reads videos with the values, and the namesake class, of the image processor.
    namesake = named((files.video,), "image_processor_type", "ImageProcessor", samples)
    sampler = named((files.video,), "video_processor_type", "VideoProcessor", namesake)
    processor = files.video.with_defaults(VIDEO, f"{sampler}VideoProcessor in {REFERENCE}")
    multiple, patch = _multiple(processor, patch, merge.side)
    if processor.flag("do_resize"):
        low, high = edges(processor, VIDEO_EDGES.get(sampler, VIDEO_EDGES["Glm46V"]))
        rule: FrameRule = VolumeBudget(multiple, low, high, processor.choice("resample", FILTERS), patch)
    else:
        whole = whole_tokens(patch, merge.side, processor.choice("resample", FILTERS))
        rule = PerFrame(whole, patch.frames)
    prompt = video_prompt(merge, patch, whole_seconds if writer == "Glm4v" else tenths)
    return VideoSpec(rule=rule, prompt=prompt, sampling=_sampling(sampler)(processor, patch.frames))


def video_prompt(merge: SpaceToDepth, patch: Patch, write: Callable[[float], str]) -> TimedGroups:
    """Each group of frames between two markers, then its time as `write` writes it."""
    from vistoken.prompts.timed import EverySecondFrame, TimedGroups
    from vistoken.sequence import Marker, Text

    before, after = (Marker("<|begin_of_image|>"),), (Marker("<|end_of_image|>"), Text("{time}"))
    clock = EverySecondFrame(patch.frames, write)
    return TimedGroups(merge, IMAGE_TOKEN, clock, before, after, template=VIDEO_TEMPLATE)


def named(configs: tuple[Config | None, ...], field: str, suffix: str, default: str) -> str:
    """The class prefix that the first of `configs` with `field` gives; else `default`."""
    for config in configs:
        if config is not None and config.has(field):
            name = config.raw(field)
            if not isinstance(name, str):
                raise config.error(field, name, "it must be the name of a class")
            return name.removesuffix("Fast").removesuffix("Pil").removesuffix(suffix)
    return default


def _sampling(generation: str) -> Callable[[Config, int], Sampling]:
    return {"Glm4v": _up_to_duration, "Glmga": _at_rate}.get(generation, _by_duration)


def _up_to_duration(processor: Config, group: int) -> Sampling:
    from vistoken.sampling.glm import UpToDuration
    from vistoken.sampling.reading import sampling_rate

    return UpToDuration(sampling_rate(processor) or 2.0, processor.integer("max_duration", high=10**6))


def _by_duration(processor: Config, group: int) -> Sampling:
    from vistoken.sampling.glm import ByDuration

    return ByDuration(group)


def _at_rate(processor: Config, group: int) -> Sampling:
    from vistoken.sampling.glm import AtRate
    from vistoken.sampling.reading import sampling_rate

    return AtRate(sampling_rate(processor) or 2.0, processor.integer("max_frames", high=10**6))
