"""Llama 3.2 Vision: up to four tiles on a canvas, which the LLM reads by cross-attention.

Sources: transformers 5.23.0, `models/mllama/image_processing_pil_mllama.py`, `models/mllama/processing_mllama.py`;
arXiv 2407.21783, section 7.
"""

from __future__ import annotations

from typing import Any

from vistoken.configs import Config
from vistoken.family import RECALLED, REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label, PixelSpec
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, HALF, pixel_values
from vistoken.processors.square import square
from vistoken.prompts.canvas import CrossAttention
from vistoken.views.canvas import FittedCanvas

VISION = {"patch_size": 14, "max_num_tiles": 4}
# Class attributes of MllamaImageProcessor.
PROCESSOR = {
    "size": {"height": 224, "width": 224}, "max_image_tiles": 4, "do_resize": True, "do_pad": True, "resample": 2,
    "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": HALF, "image_std": HALF,
}  # fmt: skip


def read(files: Files) -> Reading:
    """The tile from the preprocessor; the tower's own limit of tiles from the vision config."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"MllamaVisionConfig in {REFERENCE}")
    patch, slots = vision.patch("patch_size"), vision.integer("max_num_tiles", high=64)
    if files.image is None:
        return Reading(None, None, None, CrossAttention("<|image|>", slots, 1), prefix=1)
    rule, pixels = _rule(files.image, patch, slots)
    return Reading(None, rule, pixels, CrossAttention("<|image|>", rule.most, 1), prefix=1)


def _rule(image: Config, patch: Patch, slots: int) -> tuple[FittedCanvas, PixelSpec]:
    processor = image.with_defaults(PROCESSOR, f"MllamaImageProcessor in {REFERENCE}")
    for field in ("do_resize", "do_pad"):
        if not processor.flag(field):
            raise processor.error(field, False, "this model's processor refuses to go without")
    tiles = processor.integer("max_image_tiles", high=64)
    if tiles > slots:
        raise processor.error(
            "max_image_tiles", tiles, f"config.json says max_num_tiles {slots}: no more have positions"
        )
    rule = FittedCanvas(square(processor, "size", patch), tiles, processor.choice("resample", FILTERS), patch)
    return rule, pixel_values(processor)


def _published(name: str, alias: str, tile: int, label: Label, series: str = "") -> Published:
    config = {"model_type": "mllama", "vision_config": {"patch_size": 14, "max_num_tiles": 4, "image_size": tile}}
    preprocessor: dict[str, Any] = {
        "image_processor_type": "MllamaImageProcessor", "size": {"height": tile, "width": tile}, "max_image_tiles": 4,
        "do_resize": True, "do_pad": True, "resample": 2, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
    }  # fmt: skip
    return Published((name, alias), config, preprocessor, label, series)


FAMILY = Family(
    name="Llama 3.2 Vision",
    model_types=("mllama",),
    read=read,
    published=(
        _published("meta-llama/Llama-3.2-11B-Vision-Instruct", "llama-3.2-11b-vision-instruct", 560, SEEN,
                   "llama-3.2-vision"),
        _published("meta-llama/Llama-3.2-90B-Vision-Instruct", "llama-3.2-90b-vision-instruct", 560, SEEN,
                   "llama-3.2-vision"),
        # The base models have smaller tiles.
        _published("meta-llama/Llama-3.2-11B-Vision", "llama-3.2-11b-vision", 448, SEEN),
        _published("meta-llama/Llama-3.2-90B-Vision", "llama-3.2-90b-vision", 448, RECALLED),
    ),
    rule=Label("verified", f"MllamaProcessor and MllamaImageProcessorPil of {REFERENCE}"),
    settings=("max_image_tiles", "size", "resample", "image_mean", "image_std"),
    reference=Reference(
        processor="MllamaProcessor",
        image="MllamaImageProcessorPil",
        sees="num_tiles",
        tokens={"image_token": "<|image|>", "python_token": "<|python_tag|>", "bos_token": "<|begin_of_text|>"},
        settings=({"max_image_tiles": 2}, {"max_image_tiles": 3, "size": {"height": 448, "width": 448}}),
        thresholds=((560, 560), (1120, 560), (1120, 1120), (2240, 560)),
    ),
    examples=(),
)  # fmt: skip
