"""Ovis2 (the copies for transformers): tiles of 448 pixels that keep most of the picture, and an overview.

Sources: transformers 5.23.0, `models/ovis2/processing_ovis2.py` and `models/ovis2/image_processing_pil_ovis2.py`;
arXiv 2405.20797.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import RECALLED, REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label, PixelSpec
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, pixel_values
from vistoken.processors.got_ocr2 import PROCESSOR, check_class, tile_range, tile_size
from vistoken.prompts.tiles import OverviewThenGrid
from vistoken.views.rule import ViewRule

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 14}
# Ovis2ImageProcessor has the values of GotOcr2ImageProcessor, and these.
IMAGE = PROCESSOR | {"do_center_crop": False, "use_covering_area_grid": True}
# The search for a grid looks at every cell of every grid.
MAX_TILES = 256


def read(files: Files) -> Reading:
    """The tile from the preprocessor; tokens a tile from the processor."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"Ovis2VisionConfig in {REFERENCE}")
    rule, pixels = _image(files.image, vision.patch("patch_size"))
    processor = files.processor.with_defaults({"image_seq_length": 256}, f"Ovis2Processor in {REFERENCE}")
    tokens = processor.integer("image_seq_length")
    prompt = OverviewThenGrid(tokens, "<IMG_ATOM>", "<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>")
    return Reading(partial(_encoder, files), rule, pixels, prompt)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.ovis2 import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.ovis2 import WEIGHTS

    return WEIGHTS


def _image(image: Config | None, patch: Patch) -> tuple[ViewRule | None, PixelSpec | None]:
    if image is None:
        return None, None
    check_class(image, "Ovis2ImageProcessor")
    config = image.with_defaults(IMAGE, f"Ovis2ImageProcessor in {REFERENCE}")
    if config.flag("do_center_crop"):
        raise config.error("do_center_crop", True, "a crop after the tiles is not read by this family")
    return _rule(config, patch), pixel_values(config)


def _rule(config: Config, patch: Patch) -> ViewRule:
    size, filter = tile_size(config, patch), config.choice("resample", FILTERS)
    if config.flag("crop_to_patches") and (most := config.integer("max_patches", high=MAX_TILES)) > 1:
        if config.flag("use_covering_area_grid"):
            from vistoken.views.covering import CoveringArea

            return CoveringArea(size, most, filter, patch)
        from vistoken.views.covering import OverviewFirst

        return OverviewFirst(size, *tile_range(config, high=MAX_TILES), True, filter, patch)
    if not config.flag("do_resize"):
        raise config.error("do_resize", False, "the prompt holds tokens for pictures that are resized to one size")
    from vistoken.views.fixed import Stretch

    return Stretch(size, filter, patch)


def _published(name: str, alias: str, label: Label, width: int = 0) -> Published:
    """`width` is the LLM's, where it is known with all of the tower's own sizes."""
    vision = {"patch_size": 14, "image_size": 448, "hidden_stride": 2}
    config: dict[str, Any] = {"model_type": "ovis2", "vision_config": vision}
    if width:
        config["hidden_size"] = width
        vision |= {"hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 24, "num_attention_heads": 8,
                   "vocab_size": 65_536}  # fmt: skip
    preprocessor = {"image_processor_type": "Ovis2ImageProcessor", "crop_to_patches": True, "min_patches": 1,
                    "max_patches": 12, "use_covering_area_grid": True, "size": {"height": 448, "width": 448},
                    "resample": 3, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}  # fmt: skip
    return Published((name, alias), config, preprocessor, label, "ovis2", {"image_seq_length": 256})


FAMILY = Family(
    name="Ovis2",
    model_types=("ovis2",),
    read=read,
    published=(
        _published("thisisiron/Ovis2-1B-hf", "ovis2-1b", SEEN, 896),
        _published("thisisiron/Ovis2-2B-hf", "ovis2-2b", SEEN, 1536),
        _published("thisisiron/Ovis2-4B-hf", "ovis2-4b", RECALLED),
        _published("thisisiron/Ovis2-8B-hf", "ovis2-8b", RECALLED),
        _published("thisisiron/Ovis2-16B-hf", "ovis2-16b", RECALLED),
        _published("thisisiron/Ovis2-34B-hf", "ovis2-34b", RECALLED),
    ),
    rule=Label("verified", f"Ovis2Processor and Ovis2ImageProcessorPil of {REFERENCE}"),
    settings=(
        "crop_to_patches", "min_patches", "max_patches", "use_covering_area_grid", "size", "resample", "image_mean",
        "image_std",
    ),
    weights=_weights,
    reference=Reference(
        processor="Ovis2Processor",
        image="Ovis2ImageProcessorPil",
        sees="pixel_values",
        tokens={"image": "<image>"},
        call={"return_tensors": "pt"},
        settings=(
            {"max_patches": 9},
            {"max_patches": 20},
            {"use_covering_area_grid": False, "min_patches": 2},
            {"crop_to_patches": False},
        ),
        thresholds=((448, 448), (896, 448), (472, 448), (448, 472), (1344, 896)),
    ),
    examples=(
        Example("ovis2-1b", 1280, 720, 7168, 1800, "Ovis2Processor: 3 x 2 tiles and an overview, 256 each", 8),
        Example("ovis2-1b", 640, 480, 5120, 1286, "Ovis2Processor: 2 x 2 tiles and an overview", 6),
        # The chosen grid is turned: a wide picture is cut into 4 rows and 3 columns.
        Example("ovis2-1b", 1920, 1080, 13_312, 3342, "Ovis2Processor: 4 x 3 tiles and an overview", 14),
        # The whole picture, shrunk to 448, would keep (448 / 473) squared of its area: 0.897, just too little.
        Example("ovis2-1b", 473, 448, 3072, 772, "Ovis2Processor: 2 x 1 tiles and an overview", 4),
        Example("ovis2-1b", 1920, 1080, 9216, 2314, "Ovis2Processor: 4 x 2 tiles and an overview", 10,
                {"max_patches": 9}),
    ),
)  # fmt: skip
