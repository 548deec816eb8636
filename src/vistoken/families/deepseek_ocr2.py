"""DeepSeek-OCR 2: an overview of 1024 pixels, tiles of 768 for pictures that are larger than one, a separator.

Sources: transformers 5.23.0, `models/deepseek_ocr2/processing_deepseek_ocr2.py` and
`models/deepseek_ocr2/image_processing_pil_deepseek_ocr2.py`.
"""

from __future__ import annotations

import math

from vistoken.configs import Config
from vistoken.family import REFERENCE, SCRIPT, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch, Size
from vistoken.model_spec import Label, PixelSpec
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.background import background
from vistoken.processors.got_ocr2 import PROCESSOR, check_class, overruled, tile_range, tile_size
from vistoken.prompts.tiles import TilesThenOverview
from vistoken.views.rule import ViewRule

# Class attributes of DeepseekOcr2ImageProcessor.
IMAGE = PROCESSOR | {
    "size": {"height": 1024, "width": 1024}, "tile_size": 768, "image_mean": HALF, "image_std": HALF,
    "background_color": [127, 127, 127],
}  # fmt: skip
# What DeepseekOcr2Processor passes to the image processor at every call.
PASSED = {"crop_to_patches": True, "min_patches": 2, "max_patches": 6}
SAM = {"patch_size": 16}


def read(files: Files) -> Reading:
    """Sizes from the preprocessor; how many pixels one token spans from the processor."""
    vision = files.config.child("vision_config").child("sam_config")
    patch = vision.with_defaults(SAM, f"DeepseekOcr2SamVisionConfig in {REFERENCE}").patch("patch_size")
    if files.image is None:
        return Reading(None, None, None)
    check_class(files.image, "DeepseekOcr2ImageProcessor")
    classes = "DeepseekOcr2Processor and DeepseekOcr2ImageProcessor"
    config = overruled(files.image, IMAGE, PASSED, classes)
    whole, tile = tile_size(config, patch), tile_size(config, patch, "tile_size")
    prompt = _prompt(files.processor, tile, whole)
    return Reading(None, *_image(config, patch, tile, whole), prompt)


def _prompt(processor: Config, tile: Size, whole: Size) -> TilesThenOverview:
    """A side of so many pixels makes ceil(side / patch / ratio) tokens along it."""
    config = processor.with_defaults({"patch_size": 16, "downsample_ratio": 4}, f"DeepseekOcr2Processor in {REFERENCE}")
    patch, ratio = config.integer("patch_size", high=4096), config.integer("downsample_ratio", high=64)
    side, side_of_whole = (math.ceil(size.height / patch / ratio) for size in (tile, whole))
    return TilesThenOverview(side**2, side_of_whole**2, "<image>")


def _image(config: Config, patch: Patch, tile: Size, whole: Size) -> tuple[ViewRule, PixelSpec]:
    from vistoken.views.tiles import ClosestAspect, PaddedSquare, TilesPastOne

    if tile.height != tile.width:
        raise config.error("tile_size", str(tile), "it must be the side of a square")
    if not config.flag("crop_to_patches"):
        raise config.error(
            "crop_to_patches", False,
            f"without tiles {REFERENCE} makes an overview of {tile.height} pixels and writes the placeholders of one "
            f"of {whole.height}; leave it on",
        )  # fmt: skip
    filter = config.choice("resample", FILTERS)
    tiles = ClosestAspect(tile, *tile_range(config), False, filter, patch)
    return TilesPastOne(tiles, PaddedSquare(whole.height, filter, patch, background(config))), pixel_values(config)


CONFIG = {"model_type": "deepseek_ocr2", "vision_config": {"sam_config": {"patch_size": 16, "image_size": 1024}}}
PREPROCESSOR = {
    "image_processor_type": "DeepseekOcr2ImageProcessor", "size": {"height": 1024, "width": 1024}, "tile_size": 768,
    "crop_to_patches": True, "min_patches": 2, "max_patches": 6, "image_mean": HALF, "image_std": HALF,
}  # fmt: skip

FAMILY = Family(
    name="DeepSeek-OCR 2",
    model_types=("deepseek_ocr2",),
    read=read,
    published=(
        Published(
            ("deepseek-community/DeepSeek-OCR-2", "deepseek-ocr-2"), CONFIG, PREPROCESSOR, SCRIPT,
            processor={"patch_size": 16, "downsample_ratio": 4},
        ),
        Published(
            ("deepseek-ai/DeepSeek-OCR-2",), CONFIG, PREPROCESSOR,
            Label("inferred", "sizes and numbers of tiles as the vendor's code has them"),
            processor={"patch_size": 16, "downsample_ratio": 4},
            notes=("counted as the copy for transformers, deepseek-community/DeepSeek-OCR-2",),
        ),
    ),
    rule=Label("verified", f"DeepseekOcr2Processor and DeepseekOcr2ImageProcessorPil of {REFERENCE}"),
    settings=(
        "crop_to_patches", "min_patches", "max_patches", "size", "tile_size", "resample", "image_mean", "image_std",
    ),
    reference=Reference(
        processor="DeepseekOcr2Processor",
        image="DeepseekOcr2ImageProcessorPil",
        sees="pixel_values_local",
        tokens={"image_token": "<image>"},
        settings=({"max_patches": 9}, {"min_patches": 1, "max_patches": 4}, {"tile_size": 512}),
        thresholds=((768, 768), (1536, 768), (100, 768), (512, 512)),
    ),
    examples=(
        Example("deepseek-ocr-2", 1280, 720, 8704, 545, "DeepseekOcr2Processor: 2 tiles of 144, 256 and 1"),
        Example("deepseek-ocr-2", 768, 768, 4096, 257, "DeepseekOcr2Processor: no side over 768, the overview alone"),
        # One pixel more, and there are tiles; `get_number_of_image_patches` of the class does not know this limit.
        Example("deepseek-ocr-2", 769, 768, 13_312, 833, "DeepseekOcr2Processor: 4 tiles of 144, 256 and 1"),
        Example("deepseek-ocr-2", 2480, 3508, 17_920, 1121, "DeepseekOcr2Processor: 6 tiles of 144, 256 and 1"),
    ),
)  # fmt: skip
