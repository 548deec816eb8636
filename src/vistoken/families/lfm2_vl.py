"""LFM2-VL: one view under a token budget, or tiles of 512 pixels with a thumbnail for large pictures.

Sources: transformers 5.23.0, `models/lfm2_vl/image_processing_lfm2_vl.py`, `models/lfm2_vl/processing_lfm2_vl.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import RECALLED, REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch, Size
from vistoken.model_spec import Label
from vistoken.preprocessing import FILTERS, HALF, pixel_values, processor_name
from vistoken.processors.square import MAX_TILE, MAX_TILES
from vistoken.prompts.canvas import BareTiles, TaggedTiles
from vistoken.views.gated import LargeInTiles, TokenBudget
from vistoken.views.rule import ViewRule
from vistoken.views.tiles import ClosestAspect

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

# Class attributes of Lfm2VlImageProcessor and of Lfm2VlProcessor.
PROCESSOR = {
    "downsample_factor": 2, "do_image_splitting": True, "min_tiles": 2, "max_tiles": 10, "use_thumbnail": True,
    "min_image_tokens": 64, "max_image_tokens": 256, "encoder_patch_size": 16, "tile_size": 512,
    "max_pixels_tolerance": 2.0, "resample": 2, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": HALF, "image_std": HALF,
}  # fmt: skip
PROMPT = {"use_image_special_tokens": True}
SETTINGS = (
    "min_image_tokens", "max_image_tokens", "do_image_splitting", "min_tiles", "max_tiles", "tile_size",
    "max_pixels_tolerance", "use_thumbnail", "resample", "image_mean", "image_std", "use_image_special_tokens",
)  # fmt: skip


def read(files: Files) -> Reading:
    """Everything from the preprocessor, not from config.json, whose copies of the same values differ at times."""
    encoder = partial(_encoder, files)
    if files.image is None:
        return Reading(encoder, None, None)
    name = processor_name(files.image, "Lfm2VlImageProcessor")
    if name != "Lfm2VlImageProcessor":
        raise files.image.error(
            "image_processor_type", name, "only Lfm2VlImageProcessor is read: take a newer revision"
        )
    image = files.image.with_defaults(PROCESSOR, f"Lfm2VlImageProcessor in {REFERENCE}")
    # The library takes it from the call or its class, never from processor_config.json.
    processor = Config({}, files.processor.where, defaults=PROMPT, defaults_source=f"Lfm2VlProcessor in {REFERENCE}",
                       overrides=files.processor.overrides, origins=files.processor.origins)  # fmt: skip
    factor = image.integer("downsample_factor", high=64)
    layout = TaggedTiles if processor.flag("use_image_special_tokens") else BareTiles
    return Reading(encoder, _rule(image, factor), pixel_values(image), layout(factor))


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.lfm2_vl import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.lfm2_vl import WEIGHTS

    return WEIGHTS


def _rule(image: Config, factor: int) -> ViewRule:
    side, filter = image.integer("encoder_patch_size", high=4096), image.choice("resample", FILTERS)
    patch, high = Patch.square(side), 10**6
    least, most = image.integer("min_image_tokens", high=high), image.integer("max_image_tokens", high=high)
    if least > most:
        raise image.error("min_image_tokens", least, f"it must not be more than max_image_tokens, which is {most:,}")
    whole = TokenBudget(side * factor, least, most, filter, patch)
    if not image.flag("do_image_splitting"):
        return whole
    tiles = _tiles(image, patch)
    if tiles is None:
        return whole
    tolerance, thumbnail = image.number("max_pixels_tolerance", 0, 1e6), image.flag("use_thumbnail")
    return LargeInTiles(whole, tiles, tolerance, thumbnail, filter, patch)


def _tiles(image: Config, patch: Patch) -> ClosestAspect | None:
    """The rule for large pictures; None where both bounds are one tile, which the library takes for no splitting."""
    least, most = image.integer("min_tiles", high=MAX_TILES), image.integer("max_tiles", high=MAX_TILES)
    if least > most:
        raise image.error("min_tiles", least, f"it must not be more than max_tiles, which is {most}")
    if most == 1:
        return None
    if least == 1:
        raise image.error(
            "min_tiles", 1, "with several tiles at most, the library counts a single tile wrongly; take 2"
        )
    tile = image.integer("tile_size", patch.height, MAX_TILE)
    if tile % patch.height:
        raise image.error("tile_size", tile, f"it must be a multiple of encoder_patch_size, which is {patch.height}")
    return ClosestAspect(Size(height=tile, width=tile), least, most, False, image.choice("resample", FILTERS), patch)


# SigLIP 2 NaFlex B/16 and SO400M/16 without their heads; of one model without its last block.
BASE = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
SO400M = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16}
TOWER = {"model_type": "siglip2_vision_model", "patch_size": 16, "num_patches": 256, "vision_use_head": False}


def _sizes(vision: dict[str, Any], width: int) -> dict[str, Any]:
    return {"projector_hidden_size": 2560, "vision_config": TOWER | vision,
            "text_config": {"model_type": "lfm2", "hidden_size": width}}  # fmt: skip


def _published(
    name: str, alias: str, label: Label, series: str, resample: int, sizes: dict[str, Any], note: str = ""
) -> Published:
    preprocessor: dict[str, Any] = {
        "image_processor_type": "Lfm2VlImageProcessorFast", "downsample_factor": 2, "do_image_splitting": True,
        "min_tiles": 2, "max_tiles": 10, "use_thumbnail": True, "min_image_tokens": 64, "max_image_tokens": 256,
        "encoder_patch_size": 16, "tile_size": 512, "max_pixels_tolerance": 2.0, "do_pad": True, "resample": resample,
        "image_mean": HALF, "image_std": HALF,
    }  # fmt: skip
    notes = (f"config.json says {note}; the processor reads its own file, which says otherwise",) if note else ()
    config = {"model_type": "lfm2_vl", "downsample_factor": 2} | sizes
    return Published((name, alias), config, preprocessor, label, series, notes=notes)


FAMILY = Family(
    name="LFM2-VL",
    model_types=("lfm2_vl",),
    read=read,
    published=(
        _published("LiquidAI/LFM2-VL-450M", "lfm2-vl-450m", SEEN, "lfm2-vl", 3,
                   _sizes(BASE, 1024), "use_thumbnail false"),
        _published("LiquidAI/LFM2-VL-1.6B", "lfm2-vl-1.6b", SEEN, "lfm2-vl", 3,
                   _sizes(SO400M | {"num_hidden_layers": 26}, 2048), "max_pixels_tolerance 1.5"),
        _published("LiquidAI/LFM2-VL-3B", "lfm2-vl-3b", SEEN, "lfm2-vl", 3, _sizes(SO400M, 2048)),
        _published("LiquidAI/LFM2.5-VL-450M", "lfm2.5-vl-450m", RECALLED, "lfm2.5-vl", 2, {}),
        _published("LiquidAI/LFM2.5-VL-1.6B", "lfm2.5-vl-1.6b", RECALLED, "lfm2.5-vl", 2, {}),
    ),
    rule=Label("verified", f"Lfm2VlProcessor and Lfm2VlImageProcessor of {REFERENCE}"),
    settings=SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="Lfm2VlProcessor",
        image="Lfm2VlImageProcessor",
        sees="spatial_shapes",
        tokens={"image_token": "<image>", "image_start_token": "<|image_start|>", "image_end_token": "<|image_end|>",
                "image_thumbnail_token": "<|img_thumbnail|>"},
        torchvision=True,
        settings=({"max_pixels_tolerance": 1.5, "use_thumbnail": False}, {"do_image_splitting": False},
                  {"max_tiles": 24, "tile_size": 400, "max_image_tokens": 100, "use_image_special_tokens": False}),
        thresholds=((512, 512), (720, 720), (736, 720), (1024, 512), (16, 16)),
    ),
    examples=(
        Example("lfm2-vl-450m", 1280, 720, 3056, 769, "Lfm2VlProcessor: 1 x 2 tiles, thumbnail 12 x 21", markers=5),
        Example("lfm2-vl-450m", 640, 480, 936, 236, "Lfm2VlProcessor: one view of 13 x 18 and 2 marks", markers=2),
        # 737 x 720 rounds to 736 x 704 (22.5 to even): still under twice the most tokens.
        Example("lfm2-vl-1.6b", 737, 720, 960, 242, "Lfm2VlProcessor: one view of 15 x 16 and 2 marks", markers=2),
        Example("lfm2-vl-3b", 1920, 1080, 9200, 2311, "Lfm2VlProcessor: 2 x 4 tiles and a thumbnail", markers=11),
    ),
)  # fmt: skip
