"""Molmo2: the whole picture and overlapping crops, pooled rows with column tokens; videos with times.

Sources: transformers 5.23.0, `models/molmo2/image_processing_molmo2.py`, `models/molmo2/video_processing_molmo2.py`,
`models/molmo2/processing_molmo2.py`; arXiv 2601.10611.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import RECALLED, REFERENCE, SIBLING, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Size
from vistoken.model_spec import Label, VideoSpec
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.square import MAX_TILES, pair, square
from vistoken.prompts.windows import GridsWithColumns
from vistoken.views.fixed import Stretch
from vistoken.views.windows import OverlappingWindows

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.video import Sampling
    from vistoken.views.steps import Filter
    from vistoken.weight_names import WeightNames

# Class attributes of Molmo2ImageProcessor, of Molmo2VideoProcessor, and arguments of Molmo2Processor.
PROCESSOR = {
    "size": {"height": 378, "width": 378}, "patch_size": 14, "pooling_size": [2, 2], "max_crops": 8,
    "overlap_margins": [4, 4], "resample": 2, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": HALF, "image_std": HALF,
}  # fmt: skip
VIDEO = {
    "size": {"height": 378, "width": 378}, "patch_size": 14, "pooling_size": [3, 3], "num_frames": 64, "max_fps": 2,
    "fps": None, "resample": 2,
}  # fmt: skip
# Filters that resize without antialiasing, as this processor does.
SAMPLED: Mapping[int, Filter] = {0: "nearest", 2: "bilinear", 3: "bicubic"}
PROMPT = {
    "image_use_col_tokens": True, "use_single_crop_col_tokens": None, "use_single_crop_start_token": True,
    "video_use_col_tokens": False, "use_frame_special_tokens": True,
}  # fmt: skip
TOKENS = {
    "image_token": "<|image|>", "video_token": "<|video|>", "patch": "<im_patch>", "col": "<im_col>",
    "start": "<im_start>", "low_start": "<low_res_im_start>", "end": "<im_end>", "low": "<im_low>",
    "frame_start": "<frame_start>", "frame_end": "<frame_end>",
}  # fmt: skip


def read(files: Files) -> Reading:
    """Crops and pooling from the preprocessors; which rows end in a column token from the processor."""
    processor = files.processor.with_defaults(PROMPT, f"Molmo2Processor in {REFERENCE}")
    encoder, video = partial(_encoder, files), partial(_video, files.video, processor)
    if files.image is None:
        return Reading(encoder, None, None, video=video)
    image = files.image.with_defaults(PROCESSOR, f"Molmo2ImageProcessor in {REFERENCE}")
    rule = _rule(image)
    return Reading(encoder, rule, pixel_values(image), _prompt(image, processor, rule.margins), video)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.molmo2 import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.molmo2 import WEIGHTS

    return WEIGHTS


def _rule(image: Config) -> OverlappingWindows:
    patch = image.patch("patch_size")
    crop, margins = square(image, "size", patch), sum(pair(image, "overlap_margins", 0, 4096))
    if crop % patch.height or patch.height != patch.width:
        raise image.error("size", crop, f"it must be a multiple of the patch, which is {patch}")
    if margins >= crop // patch.height:
        raise image.error(
            "overlap_margins", margins, f"together they must be under the {crop // patch.height} of a crop"
        )
    most, filter = image.integer("max_crops", high=MAX_TILES), image.choice("resample", SAMPLED)
    return OverlappingWindows(crop, margins, most, filter, patch)


def _prompt(image: Config, processor: Config, margins: int) -> GridsWithColumns:
    high = processor.flag("image_use_col_tokens")
    own = "use_single_crop_col_tokens"
    low = high if processor.raw(own) is None else processor.flag(own)
    start = "<low_res_im_start>" if processor.flag("use_single_crop_start_token") else "<im_start>"
    return GridsWithColumns(*pair(image, "pooling_size", 1, 64), margins, high, low, start)


def _video(video: Config | None, processor: Config) -> VideoSpec | None:
    if video is None:
        return None
    from vistoken.prompts.windows import TimedFrames
    from vistoken.views.video import PerFrame

    values = video.with_defaults(VIDEO, f"Molmo2VideoProcessor in {REFERENCE}")
    patch = values.patch("patch_size")
    side = square(values, "size", patch)
    frame = Stretch(Size(height=side, width=side), values.choice("resample", FILTERS), patch)
    most = None if values.raw("max_fps") is None else values.number("max_fps", 1e-6, 10_000)
    columns, special = processor.flag("video_use_col_tokens"), processor.flag("use_frame_special_tokens")
    marks = ("<frame_start>", "<frame_end>") if special else ("<im_start>", "<im_end>")
    prompt = TimedFrames(*pair(values, "pooling_size", 1, 64), columns, *marks, most or 2.0)
    return VideoSpec(rule=PerFrame(frame), prompt=prompt, sampling=_sampling(values, most))


def _sampling(values: Config, most: float | None) -> Sampling:
    """The library wants num_frames to be null beside a rate; here the rate, where it is set, decides."""
    from vistoken.sampling.molmo2 import UpToRate
    from vistoken.sampling.reading import optional_integer, sampling_rate

    frames, fps = optional_integer(values, "num_frames"), sampling_rate(values)
    if frames is None and fps is None:
        raise values.error("num_frames", None, "it must be a whole number, or sampling_fps must be set")
    return UpToRate(frames or 1, most, fps)


def _published(name: str, alias: str, label: Label) -> Published:
    preprocessor: dict[str, Any] = {
        "image_processor_type": "Molmo2ImageProcessor", "size": {"height": 378, "width": 378}, "patch_size": 14,
        "pooling_size": [2, 2], "max_crops": 8, "overlap_margins": [4, 4], "resample": 2, "image_mean": HALF,
        "image_std": HALF,
    }  # fmt: skip
    processor = {
        "image_use_col_tokens": True, "use_single_crop_col_tokens": False, "use_single_crop_start_token": True,
        "video_use_col_tokens": False, "use_frame_special_tokens": False,
    }  # fmt: skip
    video: dict[str, Any] = {
        "video_processor_type": "Molmo2VideoProcessor", "size": {"height": 378, "width": 378}, "patch_size": 14,
        "pooling_size": [3, 3], "num_frames": 384, "max_fps": 2.0, "fps": None, "do_sample_frames": True,
        "resample": 2, "image_mean": HALF, "image_std": HALF,
    }  # fmt: skip
    notes = (
        "videos: transformers' own sampling; the published code takes the last frame too, and frames of whole seconds",
    )
    return Published((name, alias), {"model_type": "molmo2"}, preprocessor, label, "molmo2", processor, video, notes)


FAMILY = Family(
    name="Molmo2",
    model_types=("molmo2",),
    read=read,
    published=(
        _published("allenai/Molmo2-4B", "molmo2-4b", SIBLING),
        _published("allenai/Molmo2-8B", "molmo2-8b", SIBLING),
        _published("allenai/Molmo2-O-7B", "molmo2-o-7b", RECALLED),
    ),
    rule=Label("verified", f"Molmo2Processor, Molmo2ImageProcessor and Molmo2VideoProcessor of {REFERENCE}"),
    settings=("max_crops", "overlap_margins", "pooling_size", "size", "resample", "image_mean", "image_std",
              "num_frames", "max_fps", "sampling_fps"),
    weights=_weights,
    reference=Reference(
        processor="Molmo2Processor",
        image="Molmo2ImageProcessor",
        sees="molmo2_crops",
        tokens=TOKENS,
        video="Molmo2VideoProcessor",
        sees_video="molmo2_frames",
        torchvision=True,
        settings=({"max_crops": 24}, {"overlap_margins": [2, 3], "pooling_size": [3, 2]},
                  {"sampling_fps": 3, "num_frames": None}, {"num_frames": 37, "max_fps": 8}),
        thresholds=((112, 112), (378, 378), (644, 378), (910, 644), (112, 500)),
    ),
    examples=(
        Example("molmo2-4b", 1280, 720, 6561, 1189, "Molmo2Processor: 2 x 4 windows and the whole", markers=27),
        # Smaller than the margins of 112 pixels: scales below 0, one window.
        Example("molmo2-4b", 100, 900, 1458, 410, "Molmo2Processor: 14 x 14 twice, 14 columns, 4 marks", markers=18),
        Example("molmo2-8b", 1000, 3000, 6561, 1208, "Molmo2Processor: a column token for each of 42 rows", markers=46),
        Example("molmo2-4b", 640, 480, 5832, 664, "Molmo2Processor: 8 frames of 81, 2 marks each", markers=16,
                arguments={"frames": 8}),
    ),
)  # fmt: skip
