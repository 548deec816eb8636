"""InternVL 2.5, 3 and 3.5 (the copies for transformers): tiles of 448 pixels by aspect ratio, and an overview.

Sources: transformers 5.23.0, `models/internvl/processing_internvl.py`,
`models/internvl/video_processing_internvl.py` and `models/got_ocr2/image_processing_pil_got_ocr2.py`;
arXiv 2412.05271.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import RECALLED, REFERENCE, SCRIPT, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, IMAGENET_MEAN, IMAGENET_STD
from vistoken.processors.got_ocr2 import SETTINGS, image_rule, tile_size
from vistoken.prompts.tiles import TilesInOneRun

if TYPE_CHECKING:
    from vistoken.model_spec import VideoSpec
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": [14, 14]}
PROCESSOR = {"image_seq_length": 256}
# What InternVLProcessor passes to the image processor at every call.
PASSED = {"crop_to_patches": True}
# Class attributes of InternVLVideoProcessor.
VIDEO = {
    "size": {"height": 384, "width": 384}, "do_resize": True, "resample": 3, "do_center_crop": False,
    "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "num_frames": None, "fps": None, "initial_shift": True,
}  # fmt: skip
MARKERS = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
TEMPLATE = "the chat template adds line breaks after pictures and videos"
PART = Label("inferred", "a recorded run of the published model: tiles of 448 pixels, 256 tokens each, an overview")


def read(files: Files) -> Reading:
    """The tile from the preprocessor; tokens a tile from the processor."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"InternVLVisionConfig in {REFERENCE}")
    patch = vision.patch("patch_size")
    rule, pixels = image_rule(files.image, patch, PASSED, "InternVLProcessor")
    processor = files.processor.with_defaults(PROCESSOR, f"InternVLProcessor in {REFERENCE}")
    tokens = processor.integer("image_seq_length")
    prompt = TilesInOneRun(tokens, "<IMG_CONTEXT>", "<img>", "</img>", TEMPLATE)
    video = partial(_video, files.video, patch, tokens)
    return Reading(partial(_encoder, files), rule, pixels, prompt, video, prefix=1)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.intern_vit import internvl  # counting does without it

    return internvl(files)


def _weights() -> WeightNames:
    from vistoken.towers.intern_vit import WEIGHTS

    return WEIGHTS


def _video(video: Config | None, patch: Patch, tokens: int) -> VideoSpec | None:
    """Every frame is one tile."""
    if video is None:
        return None
    from vistoken.model_spec import VideoSpec
    from vistoken.prompts.tiles import NumberedFrames
    from vistoken.sampling.internvl import MiddleOfSegments
    from vistoken.views.fixed import Stretch
    from vistoken.views.video import PerFrame

    config = video.with_defaults(VIDEO, f"InternVLVideoProcessor in {REFERENCE}")
    for name, needed in (("do_resize", True), ("do_center_crop", False)):
        if config.flag(name) is not needed:
            raise config.error(name, not needed, "the prompt holds tokens for frames that are resized to one size")
    frame = Stretch(tile_size(config, patch), config.choice("resample", FILTERS), patch)
    prompt = NumberedFrames(tokens, "<IMG_CONTEXT>", "<img>", "</img>", TEMPLATE)
    return VideoSpec(rule=PerFrame(frame), prompt=prompt, sampling=MiddleOfSegments.read(config))


# The published vision_config of the series' two towers.
TOWERS = {
    "300M": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
             "norm_type": "layer_norm", "attention_bias": True, "use_qk_norm": False, "use_mean_pooling": True},
    "6B": {"hidden_size": 3200, "num_hidden_layers": 45, "num_attention_heads": 25, "intermediate_size": 12_800,
           "norm_type": "rms_norm", "attention_bias": False, "use_qk_norm": True, "use_mean_pooling": True},
}  # fmt: skip


def _published(name: str, alias: str, series: str, label: Label, text: int, tower: str = "300M") -> Published:
    """`text` is the width of the LLM that the series' papers name (arXiv 2412.05271, 2504.10479, 2508.18265)."""
    vision = {"patch_size": [14, 14], "image_size": [448, 448], **TOWERS[tower]}
    config = {"model_type": "internvl", "vision_config": vision, "text_config": {"hidden_size": text}}
    preprocessor = {"image_processor_type": "GotOcr2ImageProcessorFast", "crop_to_patches": False, "min_patches": 1,
                    "max_patches": 12, "size": {"height": 448, "width": 448}, "resample": 3,
                    "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}  # fmt: skip
    # No video file of its own: transformers reads videos with the image processor's values.
    return Published((name, alias), config, preprocessor, label, series, video=preprocessor)


FAMILY = Family(
    name="InternVL",
    model_types=("internvl",),
    read=read,
    published=(
        _published("OpenGVLab/InternVL3-8B-hf", "internvl3-8b", "internvl3", SEEN, 3584),
        _published("OpenGVLab/InternVL3-1B-hf", "internvl3-1b", "internvl3", SEEN, 896),
        _published("OpenGVLab/InternVL3-2B-hf", "internvl3-2b", "internvl3", SEEN, 1536),
        _published("OpenGVLab/InternVL3-9B-hf", "internvl3-9b", "internvl3", SCRIPT, 4096),
        _published("OpenGVLab/InternVL3-14B-hf", "internvl3-14b", "internvl3", SEEN, 5120),
        _published("OpenGVLab/InternVL3-38B-hf", "internvl3-38b", "internvl3", SEEN, 5120, "6B"),
        _published("OpenGVLab/InternVL3-78B-hf", "internvl3-78b", "internvl3", SCRIPT, 8192, "6B"),
        _published("OpenGVLab/InternVL2_5-1B-MPO-hf", "internvl2.5-1b", "internvl2.5", SCRIPT, 896),
        _published("OpenGVLab/InternVL2_5-2B-MPO-hf", "internvl2.5-2b", "internvl2.5", SCRIPT, 2048),
        _published("OpenGVLab/InternVL2_5-4B-MPO-hf", "internvl2.5-4b", "internvl2.5", SCRIPT, 2048),
        _published("OpenGVLab/InternVL2_5-8B-MPO-hf", "internvl2.5-8b", "internvl2.5", SCRIPT, 4096),
        _published("OpenGVLab/InternVL2_5-26B-MPO-hf", "internvl2.5-26b", "internvl2.5", SCRIPT, 6144, "6B"),
        _published("OpenGVLab/InternVL2_5-38B-MPO-hf", "internvl2.5-38b", "internvl2.5", SCRIPT, 5120, "6B"),
        _published("OpenGVLab/InternVL2_5-78B-MPO-hf", "internvl2.5-78b", "internvl2.5", SCRIPT, 8192, "6B"),
        _published("OpenGVLab/InternVL3_5-1B-HF", "internvl3.5-1b", "internvl3.5", RECALLED, 1024),
        _published("OpenGVLab/InternVL3_5-2B-HF", "internvl3.5-2b", "internvl3.5", RECALLED, 2048),
        _published("OpenGVLab/InternVL3_5-4B-HF", "internvl3.5-4b", "internvl3.5", RECALLED, 2560),
        _published("OpenGVLab/InternVL3_5-8B-HF", "internvl3.5-8b", "internvl3.5", PART, 4096),
        _published("OpenGVLab/InternVL3_5-14B-HF", "internvl3.5-14b", "internvl3.5", RECALLED, 5120),
        _published("OpenGVLab/InternVL3_5-38B-HF", "internvl3.5-38b", "internvl3.5", RECALLED, 5120, "6B"),
        _published("OpenGVLab/InternVL3_5-GPT-OSS-20B-A4B-Preview-HF", "internvl3.5-20b-a4b", "internvl3.5", RECALLED,
                   2880),
        _published("OpenGVLab/InternVL3_5-30B-A3B-HF", "internvl3.5-30b-a3b", "internvl3.5", RECALLED, 2048),
        _published("OpenGVLab/InternVL3_5-241B-A28B-HF", "internvl3.5-241b-a28b", "internvl3.5", RECALLED, 4096, "6B"),
    ),
    rule=Label("verified", f"InternVLProcessor and GotOcr2ImageProcessorPil of {REFERENCE}"),
    settings=(*SETTINGS, "num_frames", "sampling_fps", "initial_shift"),
    weights=_weights,
    reference=Reference(
        processor="InternVLProcessor",
        image="GotOcr2ImageProcessorPil",
        sees="pixel_values",
        tokens=MARKERS | {"video_token": "<video>"},
        video="InternVLVideoProcessor",
        sees_video="frames",
        sampling={"num_frames": 8},
        settings=(
            {"max_patches": 6, "num_frames": 5},
            {"min_patches": 4, "max_patches": 24, "num_frames": None, "sampling_fps": 1.5},
            {"crop_to_patches": False, "initial_shift": False},
        ),
        thresholds=((448, 448), (896, 448), (640, 480), (1120, 448), (1100, 800)),
    ),
    examples=(
        Example("internvl3-8b", 1280, 720, 9216, 2306, "InternVLProcessor: 8 tiles and an overview, 256 each", 2),
        # An exact match of the aspect ratio, 4 x 3, beats fewer tiles: more tokens than a screen full.
        Example("internvl3-8b", 640, 480, 13_312, 3330, "InternVLProcessor: 12 tiles and an overview", 2),
        Example("internvl3-8b", 1920, 1080, 9216, 2306, "InternVLProcessor: 8 tiles and an overview", 2),
        # 1 x 1 and 2 x 2 are equally close; the picture has too few pixels for four tiles.
        Example("internvl3-8b", 448, 448, 1024, 258, "InternVLProcessor: one tile, which needs no overview", 2),
        Example("internvl3-8b", 768, 768, 5120, 1282, "InternVLProcessor: 4 tiles and an overview", 2),
        Example("internvl3-8b", 640, 480, 7168, 1794, "InternVLProcessor: 6 tiles and an overview", 2,
                {"max_patches": 6}),
        Example("internvl3-8b", 640, 480, 4096, 1032, "InternVLProcessor: one tile a frame, 256 + 2 tokens each", 8,
                {"frames": 4}),
    ),
)  # fmt: skip
