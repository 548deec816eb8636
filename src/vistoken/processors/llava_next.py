"""LlavaNextImageProcessor and LlavaOnevisionImageProcessor: tiles on the best of listed canvases.

Sources: transformers 5.23.0, `models/llava_next/image_processing_pil_llava_next.py`,
`models/llava_onevision/image_processing_pil_llava_onevision.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import REFERENCE
from vistoken.geometry import Patch, Size
from vistoken.preprocessing import FILTERS, PROCESSORS, pixel_values
from vistoken.processors.background import mean_colour
from vistoken.processors.llava import square_or_size
from vistoken.prompts.unpad import Unpadded
from vistoken.views.pinpoints import Canvases, Pinpoints, SquareCanvas

if TYPE_CHECKING:
    from vistoken.model_spec import PixelSpec

# Class attributes of LlavaNextImageProcessor, and of LlavaOnevisionImageProcessor.
NEXT: Mapping[str, Any] = {
    **PROCESSORS["CLIPImageProcessor"], "default_to_square": False, "crop_size": {"height": 224, "width": 224},
    "image_grid_pinpoints": [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]],
}  # fmt: skip
ONEVISION: Mapping[str, Any] = {
    **PROCESSORS["CLIPImageProcessor"], "default_to_square": False, "size": {"height": 384, "width": 384},
    "crop_size": None, "do_center_crop": None,
    "image_grid_pinpoints": [[384 * rows, 384 * cols] for rows, cols in product(range(1, 7), repeat=2)],
}  # fmt: skip
SETTINGS = ("image_grid_pinpoints", "size", "crop_size", "do_center_crop", "resample", "image_mean", "image_std")
# Published lists have up to 36 canvases of up to 36 tiles.
MAX_CANVASES = 1024
MAX_TILES = 1024
MAX_LENGTH = 2**20


def image_rule(
    image: Config | None, patch: Patch, defaults: Mapping[str, Any] = NEXT, source: str = "LlavaNextImageProcessor"
) -> tuple[Pinpoints | None, PixelSpec | None]:
    """The view rule and the pixel values; `defaults` are those of the class `source`."""
    if image is None:
        return None, None
    processor = image.with_defaults(defaults, f"{source} in {REFERENCE}")
    size, crop, tile = _sizes(processor)
    if not processor.flag("do_resize") and size != Size(height=tile, width=tile):
        raise processor.error("do_resize", False, f"tiles of {tile}x{tile} then differ from the whole picture's {size}")
    if not patch.grid(crop).patches:
        raise processor.error("size", str(size), f"a view of {crop} does not hold one patch of {patch}")
    canvases = read_canvases(processor, "image_grid_pinpoints", tile)
    rule = Pinpoints(canvases, tile, size, crop, processor.choice("resample", FILTERS), patch)
    return rule, pixel_values(processor)


def _sizes(processor: Config) -> tuple[Size, Size, int]:
    """The size that views are stretched to, the one that is cut out of their middle, and the side of a tile.

    The tile is as high as `crop_size`, even where nothing is cut out of the middle.
    """
    size = square_or_size(processor)
    cut = None if processor.raw("crop_size") is None else processor.size("crop_size")
    if not processor.flag("do_center_crop"):
        return size, size, (cut or size).height
    if cut is None:
        raise processor.error("crop_size", None, "do_center_crop is true, so it must be a size")
    return size, cut, cut.height


def read_canvases(processor: Config, name: str, tile: int, wide_first: bool = False) -> Canvases:
    """A list of [height, width], or of [width, height] if `wide_first`, of at most 1,024 tiles each."""
    value = processor.raw(name)
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MAX_CANVASES:
        raise processor.error(name, value, f"it must be a list of 1 to {MAX_CANVASES:,} pairs of sides")
    canvases = []
    for pair in value:
        paired = isinstance(pair, list | tuple) and len(pair) == 2
        if not paired or any(type(side) is not int or not 0 < side <= MAX_LENGTH for side in pair):
            raise processor.error(
                name, pair, f"each entry must be a pair of sides in pixels, of at most {MAX_LENGTH:,}"
            )
        if -(-pair[0] // tile) * -(-pair[1] // tile) > MAX_TILES:
            raise processor.error(name, pair, f"it makes more than {MAX_TILES:,} tiles of {tile}x{tile}")
        canvases.append((pair[1], pair[0]) if wide_first else (pair[0], pair[1]))
    return tuple(canvases)


def squared(rule: Pinpoints, image: Config) -> SquareCanvas:
    """The rule for several pictures in one prompt, of which none is cut into tiles (LLaVA-OneVision)."""
    processor = image.with_defaults(ONEVISION, f"LlavaOnevisionImageProcessor in {REFERENCE}")
    return SquareCanvas(rule.size, rule.crop, rule.filter, rule.patch, mean_colour(processor))


def unpadded(rule: Pinpoints, change: int) -> Unpadded:
    """The layout of one token a patch; `change` is what the processor adds for a class token."""
    cells = rule.patch.grid(rule.crop)
    return Unpadded(cells, cells.patches + change, "<image>")
