"""DeepSeek-VL2: tiles of 384 pixels on the best of 23 canvases, padding kept, and the whole picture, padded too.

From three pictures in a prompt on, none is cut into tiles. Encoding gives patches alone. Not in transformers: the
vendor's files are followed.
Sources: github.com/deepseek-ai/DeepSeek-VL2, `deepseek_vl2/models/processing_deepseek_vl_v2.py`; arXiv 2412.10302.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.errors import ConfigError
from vistoken.family import Example, Family, Files, Published, Reading
from vistoken.geometry import Grid, Patch
from vistoken.model_spec import Crowd, Label, PixelSpec
from vistoken.processors.background import mean_colour
from vistoken.processors.llava_next import read_canvases
from vistoken.prompts.unpad import PaddedRows
from vistoken.views.pinpoints import PaddedPinpoints

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

# All m x n tiles with m * n up to 9, as (width, height); the paper's section 2.1 gives the set, not the order.
_GRIDS = ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (1, 4), (4, 1), (2, 2), (1, 5), (5, 1), (1, 6), (6, 1), (2, 3),
          (3, 2), (1, 7), (7, 1), (1, 8), (8, 1), (2, 4), (4, 2), (1, 9), (9, 1), (3, 3))  # fmt: skip
RESOLUTIONS = [[384 * cols, 384 * rows] for cols, rows in _GRIDS]
CONFIG = {
    "model_type": "deepseek_vl_v2", "tile_tag": "2D", "candidate_resolutions": RESOLUTIONS,
    "vision_config": {"model_name": "siglip_so400m_patch14_384", "image_size": 384, "patch_size": 14, "width": 1152,
                      "layers": 27, "heads": 16, "mlp_ratio": 3.7362},
    "projector_config": {"projector_type": "downsample_mlp_gelu", "downsample_ratio": 2},
}  # fmt: skip
PROCESSOR = {
    "processor_class": "DeepseekVLV2Processor", "candidate_resolutions": RESOLUTIONS, "patch_size": 14,
    "downsample_ratio": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "normalize": True,
    "image_token": "<image>",
}  # fmt: skip
# Defaults of the vendor's class.
DEFAULTS = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "normalize": True}
VENDOR = "DeepseekVLV2Processor"
PAPER = Label("documented", "arXiv 2412.10302, section 2.1: tile, patch, and the set of canvases")


def read(files: Files) -> Reading:
    """All from processor_config.json: there is no preprocessor file. The first canvas is the tile."""
    processor = files.processor.with_defaults(DEFAULTS, VENDOR)
    if not processor.values:
        raise ConfigError(f"{processor.where} is missing: it tells how DeepSeek-VL2 cuts pictures; put it there")
    patch, ratio = processor.patch("patch_size"), processor.integer("downsample_ratio", high=64)
    (tile, *_), *_ = read_canvases(processor, "candidate_resolutions", 1024)
    canvases = read_canvases(processor, "candidate_resolutions", tile, wide_first=True)
    for height, width in canvases:
        if height % tile or width % tile:
            raise processor.error("candidate_resolutions", [width, height], f"sides must be multiples of {tile}")
    side = -(-(tile // patch.height) // ratio)
    if not side:
        raise processor.error("patch_size", str(patch), f"a tile of {tile}x{tile} does not hold one patch")
    # The vendor calls Pillow's ImageOps.pad without a filter: bicubic.
    fill = mean_colour(processor)
    rule = PaddedPinpoints(canvases, tile, "bicubic", patch, fill)
    prompt = PaddedRows(Grid(side, side), "<image>")
    whole = Crowd(2, PaddedPinpoints(((tile, tile),), tile, "bicubic", patch, fill), prompt)
    mean, std = (processor.numbers(name, 3, -1e6, 1e6) for name in ("image_mean", "image_std"))
    pixels = PixelSpec(mean, std) if processor.flag("normalize") else PixelSpec((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return Reading(partial(_encoder, files, patch), rule, pixels, prompt, crowds=(whole,))


def _encoder(files: Files, patch: Patch) -> EncoderSpec:
    from vistoken.towers.deepseek_vl2 import deepseek_vl2  # counting does without it

    return deepseek_vl2(files, patch)


def _weights() -> WeightNames:
    from vistoken.towers.deepseek_vl2 import WEIGHTS

    return WEIGHTS


def _published(name: str, alias: str) -> Published:
    return Published((name, alias), CONFIG, {}, PAPER, "deepseek-vl2", processor=PROCESSOR)


FAMILY = Family(
    name="DeepSeek-VL2",
    model_types=("deepseek_vl_v2",),
    read=read,
    published=(
        _published("deepseek-ai/deepseek-vl2-tiny", "deepseek-vl2-tiny"),
        _published("deepseek-ai/deepseek-vl2-small", "deepseek-vl2-small"),
        _published("deepseek-ai/deepseek-vl2", "deepseek-vl2-base"),
    ),
    rule=Label("documented", "the vendor's processing_deepseek_vl_v2.py, in copies; not run"),
    settings=(),
    weights=_weights,
    examples=(
        Example("deepseek-vl2", 1280, 720, 6561, 1807, "vendor's formula on 1536x768: 14 x 15 + 1 + 28 x 57"),
        # Cutting is never off for one picture: a canvas of one tile is seen twice.
        Example("deepseek-vl2-tiny", 300, 300, 1458, 421, "vendor's formula on 384x384: 14 x 15 + 1 + 14 x 15"),
        Example("deepseek-vl2-small", 1000, 1000, 7290, 2017, "vendor's formula on 1152x1152: 14 x 15 + 1 + 42 x 43"),
        # The vendor's list is (width, height): a tall picture takes a tall canvas.
        Example("deepseek-vl2", 384, 1536, 3645, 1051, "vendor's formula on 384x1536: 14 x 15 + 1 + 56 x 15"),
        Example("deepseek-vl2", 1280, 720, 1458, 421, "vendor's formula, no cutting from three pictures on",
                arguments={"images_in_prompt": 3}),
    ),
)  # fmt: skip
