"""ERNIE-4.5-VL: whole tokens of 28 x 28 pixels under a pixel budget; two frames of a video merge into one.

The published files are those of the vendor's own code, whose processor puts its budget (4 to 6177 tokens) over the
one in preprocessor_config.json; the conversion for transformers writes the same. Both kinds of files are read.
Sources: transformers 5.23.0, `models/ernie4_5_vl_moe/image_processing_pil_ernie4_5_vl_moe.py`,
`processing_ernie4_5_vl_moe.py` and `video_processing_ernie4_5_vl_moe.py`; the ERNIE 4.5 technical report.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import RECALLED, REFERENCE, SCRIPT, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label, VideoSpec
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD
from vistoken.processors.edges import edges
from vistoken.processors.pixel_budget import PROCESSOR, SETTINGS, image_rule
from vistoken.processors.qwen2_vl import agree
from vistoken.prompts.plain import Merged, SpaceToDepth

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 14, "spatial_merge_size": 2}
VIDEO = {**PROCESSOR, "temporal_patch_size": 2, "min_frames": 16, "max_frames": 180, "num_frames": None, "fps": None}
EDGES, VIDEO_EDGES = (3136, 4_842_768), (234_416, 937_664)
# Arguments of the vendor's Ernie4_5_VLProcessor.
VENDOR = {"image_min_pixels": EDGES[0], "image_max_pixels": EDGES[1], "video_min_pixels": VIDEO_EDGES[0],
          "video_max_pixels": VIDEO_EDGES[1]}  # fmt: skip
TEMPLATE = "the chat template adds <|IMAGE_START|> and <|IMAGE_END|>, and the words Picture and its number"
VIDEO_TEMPLATE = "the chat template adds <|VIDEO_START|> and <|VIDEO_END|>, and the words Video and its number"


def read(files: Files) -> Reading:
    """Patch and merge from the vision config; the budgets from the preprocessors."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"Ernie4_5_VLMoeVisionConfig in {REFERENCE}")
    patch, merge = vision.patch("patch_size"), SpaceToDepth(vision.integer("spatial_merge_size", high=64))
    prompt, video = Merged(merge, "<|IMAGE_PLACEHOLDER|>", template=TEMPLATE), partial(_video, files, patch, merge)
    if files.image is None:
        return Reading(None, None, None, prompt, video)
    processor = files.image.with_defaults(PROCESSOR, f"Ernie4_5_VLMoeImageProcessor in {REFERENCE}")
    agree(processor, patch, merge.side)
    budget = _budget(files, processor, "image", EDGES)
    return Reading(partial(_encoder, files), *image_rule(processor, patch, merge.side, budget), prompt, video)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.ernie4_5_vl import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.ernie4_5_vl import WEIGHTS

    return WEIGHTS


def _video(files: Files, patch: Patch, merge: SpaceToDepth) -> VideoSpec | None:
    if files.video is None or _for_pictures(files.video):
        return None
    from vistoken.prompts.runs import FramesMerged
    from vistoken.sampling.ernie import ErnieSampling
    from vistoken.views.frames import FilledUp

    processor = files.video.with_defaults(VIDEO, f"Ernie4_5_VLMoeVideoProcessor in {REFERENCE}")
    agree(processor, patch, merge.side)
    if (group := processor.integer("temporal_patch_size", high=64)) != 2:
        raise processor.error("temporal_patch_size", group, "the model merges two frames")
    rule, _ = image_rule(processor, patch, merge.side, _budget(files, processor, "video", VIDEO_EDGES))
    prompt = FramesMerged(merge, 2, "<|VIDEO_PLACEHOLDER|>", VIDEO_TEMPLATE)
    return VideoSpec(rule=FilledUp(rule, 2), prompt=prompt, sampling=ErnieSampling.read(processor))


def _budget(files: Files, processor: Config, kind: str, defaults: tuple[int, int]) -> tuple[int, int]:
    if not _vendor(processor):
        return edges(processor, defaults)
    vendor = files.processor.with_defaults(VENDOR, "the vendor's Ernie4_5_VLProcessor")
    low, high = (vendor.integer(f"{kind}_{end}_pixels", high=10**12) for end in ("min", "max"))
    return edges(processor.replaced(size={"shortest_edge": low, "longest_edge": high}), defaults)


def _for_pictures(video: Config) -> bool:
    """Whether a folder without a video file falls back on the image processor's, which the video class refuses."""
    return not _vendor(video) and video.has("image_processor_type") and not video.has("video_processor_type")


def _vendor(processor: Config) -> bool:
    """Whether the file is one of the vendor's own code, whose pixel limits its processor replaces."""
    return processor.values.get("image_processor_type") == "Ernie4_5_VLImageProcessor"


def _published(name: str, *aliases: str, label: Label = SCRIPT) -> Published:
    config = {"model_type": "ernie4_5_moe_vl", "vision_config": {"patch_size": 14, "spatial_merge_size": 2}}
    common = {"patch_size": 14, "merge_size": 2, "resample": 3, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}
    preprocessor = {**common, "size": {"shortest_edge": 3136, "longest_edge": 4_842_768}, "temporal_patch_size": 1,
                    "image_processor_type": "Ernie4_5_VLMoeImageProcessor"}  # fmt: skip
    video = {**common, "size": {"shortest_edge": 234_416, "longest_edge": 937_664}, "temporal_patch_size": 2,
             "min_frames": 16, "max_frames": 180, "video_processor_type": "Ernie4_5_VLMoeVideoProcessor"}  # fmt: skip
    return Published((name, *aliases), config, preprocessor, label, "ernie-4.5-vl", video=video)


FAMILY = Family(
    name="ERNIE-4.5-VL",
    model_types=("ernie4_5_vl_moe", "ernie4_5_moe_vl"),
    read=read,
    published=(
        _published("baidu/ERNIE-4.5-VL-28B-A3B-PT", "ernie-4.5-vl-28b"),
        _published("baidu/ERNIE-4.5-VL-28B-A3B-Base-PT"),
        _published("baidu/ERNIE-4.5-VL-28B-A3B-Thinking", "ernie-4.5-vl-28b-thinking"),
        _published("baidu/ERNIE-4.5-VL-424B-A47B-PT", "ernie-4.5-vl-424b", label=RECALLED),
        _published("baidu/ERNIE-4.5-VL-424B-A47B-Base-PT", label=RECALLED),
    ),
    rule=Label("verified", f"Ernie4_5_VLMoeProcessor, its image and its video processor of {REFERENCE}"),
    settings=(*SETTINGS, "min_frames", "max_frames", "num_frames", "sampling_fps"),
    weights=_weights,
    reference=Reference(
        processor="Ernie4_5_VLMoeProcessor",
        image="Ernie4_5_VLMoeImageProcessorPil",
        sees="image_grid_thw",
        tokens={"image_token": "<|IMAGE_PLACEHOLDER|>", "image_start_token": "<|IMAGE_START|>",
                "image_end_token": "<|IMAGE_END|>", "video_token": "<|VIDEO_PLACEHOLDER|>",
                "video_start_token": "<|VIDEO_START|>", "video_end_token": "<|VIDEO_END|>"},
        video="Ernie4_5_VLMoeVideoProcessor",
        sees_video="video_grid_thw",
        settings=({"max_pixels": 501_760}, {"min_pixels": 200_704, "max_pixels": 250_000, "max_frames": 17}),
        thresholds=((56, 56), (2201, 2200), (14, 14)),
        built=("min_pixels", "max_pixels", "max_frames"),
        harmless={"draw_on_frames": False},
    ),
    examples=(
        Example("ernie-4.5-vl-28b", 1280, 720, 4784, 1196, "Ernie4_5_VLMoeImageProcessorPil: grid 1 x 52 x 92"),
        Example("ernie-4.5-vl-28b", 4000, 3000, 24_480, 6120, "Ernie4_5_VLMoeImageProcessorPil: 2520x1904"),
        # A side under half a token becomes 0, the area is under the minimum, and the picture is enlarged.
        Example("ernie-4.5-vl-28b", 1200, 6, 116, 29, "Ernie4_5_VLMoeImageProcessorPil: resized to 812x28"),
        # The last of 7 frames is repeated; every frame is a grid, two of them make the tokens of one.
        Example("ernie-4.5-vl-28b", 1280, 720, 38_272, 4784, "Ernie4_5_VLMoeProcessor: 8 grids of 4784 patches", 0,
                {"frames": 7}),
        Example("ernie-4.5-vl-28b", 1280, 720, 861_120, 107_640, "Ernie4_5_VLMoeProcessor: 180 frames at most", 0,
                {"duration": 300, "fps": 30}),
    ),
)  # fmt: skip
