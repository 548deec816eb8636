"""Llama 4: up to 16 tiles on a canvas, separators between them, and the whole picture.

Sources: transformers 5.23.0, `models/llama4/image_processing_llama4.py`, `models/llama4/processing_llama4.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import RECALLED, REFERENCE, SEEN, SIBLING, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label, PixelSpec
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.square import MAX_TILES, square
from vistoken.prompts.canvas import SeparatedTiles
from vistoken.views.canvas import BoundedCanvas, LargestCanvas

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 14}
# Arguments of Llama4Processor.
PROMPT = {"patch_size": 14, "pixel_shuffle_ratio": 0.5}
# Class attributes of Llama4ImageProcessor.
PROCESSOR = {
    "size": {"height": 336, "width": 336}, "max_patches": 16, "resize_to_max_canvas": False, "do_resize": True,
    "resample": 2, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": HALF,
    "image_std": HALF,
}  # fmt: skip
MARKERS = {
    "image_token": "<|image|>", "patch": "<|patch|>", "start": "<|image_start|>", "end": "<|image_end|>",
    "tile_x": "<|tile_x_separator|>", "tile_y": "<|tile_y_separator|>",
}  # fmt: skip


def read(files: Files) -> Reading:
    """The tile from the preprocessor; patch and pixel shuffle from the processor. One class token a tile."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"Llama4VisionConfig in {REFERENCE}")
    processor = files.processor.with_defaults(PROMPT, f"Llama4Processor in {REFERENCE}")
    patch = vision.patch("patch_size")
    if processor.patch("patch_size") != patch:
        raise processor.error("patch_size", str(processor.patch("patch_size")), f"config.json says {patch}")
    encoder = partial(_encoder, files)
    if files.image is None:
        return Reading(encoder, None, None, prefix=1)
    rule, pixels = _rule(files.image, patch)
    block = round(1 / processor.number("pixel_shuffle_ratio", 0.01, 1) ** 2)
    return Reading(encoder, rule, pixels, SeparatedTiles(rule.grid.patches // block), prefix=1)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.llama4 import tower  # counting does without it

    return tower(files.config, files.built_in)


def _weights() -> WeightNames:
    from vistoken.towers.llama4 import WEIGHTS

    return WEIGHTS


def _rule(image: Config, patch: Patch) -> tuple[BoundedCanvas, PixelSpec]:
    processor = image.with_defaults(PROCESSOR, f"Llama4ImageProcessor in {REFERENCE}")
    if not processor.flag("do_resize"):
        raise processor.error("do_resize", False, "this model's processor refuses to go without")
    kind = LargestCanvas if processor.flag("resize_to_max_canvas") else BoundedCanvas
    tile, most = square(processor, "size", patch), processor.integer("max_patches", high=MAX_TILES)
    return kind(tile, most, processor.choice("resample", FILTERS), patch), pixel_values(processor)


def _published(name: str, alias: str, label: Label) -> Published:
    config = {
        "model_type": "llama4",
        "vision_config": {
            "patch_size": 14,
            "image_size": 336,
            "pixel_shuffle_ratio": 0.5,
            "hidden_size": 1408,
            "projector_input_dim": 4096,
            "projector_output_dim": 4096,
            "vision_output_dim": 4096,
        },
    }
    preprocessor: dict[str, Any] = {
        "image_processor_type": "Llama4ImageProcessorFast", "size": {"height": 336, "width": 336}, "max_patches": 16,
        "resize_to_max_canvas": False, "do_resize": True, "resample": 2, "image_mean": HALF, "image_std": HALF,
    }  # fmt: skip
    return Published((name, alias), config, preprocessor, label, "llama-4", processor={"patch_size": 14})


FAMILY = Family(
    name="Llama 4",
    model_types=("llama4",),
    read=read,
    published=(
        _published("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama-4-scout", SEEN),
        _published("meta-llama/Llama-4-Maverick-17B-128E-Instruct", "llama-4-maverick", SIBLING),
        _published("meta-llama/Llama-4-Scout-17B-16E", "llama-4-scout-base", RECALLED),
        _published("meta-llama/Llama-4-Maverick-17B-128E", "llama-4-maverick-base", RECALLED),
    ),
    rule=Label("verified", f"Llama4Processor and Llama4ImageProcessor of {REFERENCE}"),
    settings=("max_patches", "size", "resize_to_max_canvas", "resample", "image_mean", "image_std"),
    weights=_weights,
    reference=Reference(
        processor="Llama4Processor",
        image="Llama4ImageProcessor",
        sees="pixel_values",
        tokens=MARKERS,
        torchvision=True,
        settings=({"max_patches": 5}, {"resize_to_max_canvas": True},
                  {"max_patches": 25, "size": {"height": 224, "width": 224}}),
        thresholds=((336, 336), (672, 336), (1344, 1344), (5376, 336)),
    ),
    examples=(
        Example("llama-4", 1280, 720, 7488, 1887, "Llama4Processor: 3 x 4 tiles, whole: 13 x 144 + 15", markers=15),
        Example("llama-4", 336, 336, 576, 147, "Llama4Processor: one tile has no overview: 144 + 3", markers=3),
        # 3 x 5 shrinks the picture by 0.875, 4 x 4 by 0.7.
        Example("llama-4", 1920, 1080, 9216, 2322, "Llama4Processor: 3 x 5 tiles and the whole", markers=18),
        Example("llama-4", 100, 900, 2304, 582, "Llama4Processor: 3 x 1 tiles: no separators within rows", markers=6),
    ),
)  # fmt: skip
