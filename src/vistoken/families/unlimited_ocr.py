"""Unlimited-OCR: an overview of 1024 pixels, tiles of 640 for pictures that are larger than one, newlines.

Sources: transformers 5.23.0, `models/unlimited_ocr/processing_unlimited_ocr.py` and
`models/unlimited_ocr/image_processing_unlimited_ocr.py`.
"""

from __future__ import annotations

import math

from vistoken.configs import Config
from vistoken.family import REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch, Size
from vistoken.model_spec import Label
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.background import background
from vistoken.processors.got_ocr2 import MAX_TILE, PROCESSOR, check_class, tile_range, tile_size
from vistoken.prompts.tiles import NewlinesThenOverview
from vistoken.views.rule import ViewRule

# Class attributes of UnlimitedOcrImageProcessor.
IMAGE = PROCESSOR | {
    "size": {"height": 1024, "width": 1024}, "tile_size": 640, "image_mean": HALF, "image_std": HALF,
    "background_color": [127, 127, 127],
    "crop_to_patches": True, "min_patches": 2, "max_patches": 32, "maximum_pad_value": 640,
}  # fmt: skip
SAM = {"patch_size": 16}


def read(files: Files) -> Reading:
    """Sizes from the preprocessor; how many pixels one token spans from the processor."""
    vision = files.config.child("vision_config").child("sam_config")
    patch = vision.with_defaults(SAM, f"UnlimitedOcrSamVisionConfig in {REFERENCE}").patch("patch_size")
    if files.image is None:
        return Reading(None, None, None)
    check_class(files.image, "UnlimitedOcrImageProcessor")
    config = files.image.with_defaults(IMAGE, f"UnlimitedOcrImageProcessor in {REFERENCE}")
    size, tile = tile_size(config, patch), tile_size(config, patch, "tile_size")
    if tile.height != tile.width:
        raise config.error("tile_size", str(tile), "it must be the side of a square")
    side = max(size.height, size.width)
    prompt = _prompt(files.processor, tile.height, side)
    return Reading(None, _rule(config, patch, tile, side), pixel_values(config), prompt)


def _prompt(processor: Config, tile: int, whole: int) -> NewlinesThenOverview:
    """A side of so many pixels makes ceil(side // patch / ratio) tokens along it."""
    config = processor.with_defaults({"patch_size": 16, "downsample_ratio": 4}, f"UnlimitedOcrProcessor in {REFERENCE}")
    patch, ratio = config.integer("patch_size", high=4096), config.integer("downsample_ratio", high=64)
    tokens, tokens_of_whole = (math.ceil(side // patch / ratio) for side in (tile, whole))
    return NewlinesThenOverview(tokens, tokens_of_whole, "<image>")


def _rule(config: Config, patch: Patch, tile: Size, side: int) -> ViewRule:
    from vistoken.views.tiles import ClosestAspect, PaddedSquare, TilesPastOne

    filter = config.choice("resample", FILTERS)
    whole = PaddedSquare(side, filter, patch, background(config))
    if config.flag("crop_to_patches"):
        return TilesPastOne(ClosestAspect(tile, *tile_range(config), False, filter, patch), whole)
    if side > config.integer("maximum_pad_value", low=0, high=MAX_TILE):
        return whole
    from vistoken.views.fixed import Stretch

    return Stretch(whole.own_size, filter, patch)


FAMILY = Family(
    name="Unlimited-OCR",
    model_types=("unlimited_ocr",),
    read=read,
    published=(
        Published(
            ("baidu/Unlimited-OCR", "unlimited-ocr"),
            {"model_type": "unlimited_ocr", "vision_config": {"sam_config": {"patch_size": 16, "image_size": 1024}}},
            {"image_processor_type": "UnlimitedOcrImageProcessor", "size": {"height": 1024, "width": 1024},
             "tile_size": 640, "crop_to_patches": True, "min_patches": 2, "max_patches": 32, "maximum_pad_value": 640,
             "image_mean": HALF, "image_std": HALF},
            Label("assumed", f"the classes' defaults in {REFERENCE}; no copy of the published files was seen"),
            processor={"patch_size": 16, "downsample_ratio": 4},
        ),
    ),
    rule=Label("verified", f"UnlimitedOcrProcessor and UnlimitedOcrImageProcessor of {REFERENCE}"),
    settings=(
        "crop_to_patches", "min_patches", "max_patches", "maximum_pad_value", "size", "tile_size", "resample",
        "image_mean", "image_std",
    ),
    reference=Reference(
        processor="UnlimitedOcrProcessor",
        image="UnlimitedOcrImageProcessor",
        sees="pixel_values_local",
        tokens={"image_token": "<image>"},
        torchvision=True,
        settings=(
            {"max_patches": 9},
            {"crop_to_patches": False},
            {"crop_to_patches": False, "size": {"height": 640, "width": 512}},
        ),
        thresholds=((640, 640), (1280, 640), (100, 640)),
    ),
    examples=(
        Example("unlimited-ocr", 1280, 720, 48_896, 3113, "UnlimitedOcrProcessor: 28 tiles and an overview"),
        Example("unlimited-ocr", 640, 480, 4096, 273, "UnlimitedOcrProcessor: 16 x 17 and 1, no side over 640"),
        # Lying and standing tiles have the same number, but not the same number of newlines.
        Example("unlimited-ocr", 1000, 300, 52_096, 3303, "UnlimitedOcrProcessor: 30 tiles and an overview"),
        Example("unlimited-ocr", 300, 1000, 52_096, 3373, "UnlimitedOcrProcessor: 30 tiles and an overview"),
        Example("unlimited-ocr", 1280, 720, 4096, 273, "UnlimitedOcrProcessor: 16 x 17 and 1", 0,
                {"crop_to_patches": False}),
    ),
)  # fmt: skip
