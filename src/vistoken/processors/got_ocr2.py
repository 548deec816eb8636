"""GotOcr2ImageProcessor: tiles by the closest aspect ratio, and an overview.

Source: transformers 5.23.0, `models/got_ocr2/image_processing_pil_got_ocr2.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import REFERENCE
from vistoken.geometry import Patch, Size
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, pixel_values, processor_name

if TYPE_CHECKING:
    from vistoken.model_spec import PixelSpec
    from vistoken.views.rule import ViewRule

# Class attributes of GotOcr2ImageProcessor.
PROCESSOR = {
    "size": {"height": 384, "width": 384}, "do_resize": True, "resample": 3, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
    "crop_to_patches": False, "min_patches": 1, "max_patches": 12,
}  # fmt: skip
SETTINGS = ("crop_to_patches", "min_patches", "max_patches", "size", "resample", "image_mean", "image_std")
# Grids of tiles are listed one by one; more tiles than this serve nobody.
MAX_TILES = 1024
# A tile's side: 1024 of them in a row stay within the longest side of a picture.
MAX_TILE = 65_536


def image_rule(
    image: Config | None, patch: Patch, passed: Mapping[str, Any], by: str
) -> tuple[ViewRule | None, PixelSpec | None]:
    """The view rule and the pixel values; `passed` is what the processor `by` always passes, see `overruled`."""
    if image is None:
        return None, None
    check_class(image, "GotOcr2ImageProcessor")
    config = overruled(image, PROCESSOR, passed, f"{by} and GotOcr2ImageProcessor")
    size, filter = tile_size(config, patch), config.choice("resample", FILTERS)
    if config.flag("crop_to_patches"):
        least, most = tile_range(config)
        if most > 1:
            from vistoken.views.tiles import ClosestAspect

            return ClosestAspect(size, least, most, True, filter, patch), pixel_values(config)
    if not config.flag("do_resize"):
        raise config.error("do_resize", False, "the prompt holds tokens for pictures that are resized to one size")
    from vistoken.views.fixed import Stretch

    return Stretch(size, filter, patch), pixel_values(config)


def overruled(image: Config, defaults: Mapping[str, Any], passed: Mapping[str, Any], classes: str) -> Config:
    """An image processor's values as they count within the model's processor.

    What the processor itself passes at every call wins over the image processor's file; only the caller's settings
    win over it. (transformers 5.23.0, `processing_utils.py`, `_merge_kwargs`: the class attribute `images_kwargs`.)
    """
    values = {name: value for name, value in image.values.items() if name not in passed}
    return Config(
        values, image.where, defaults={**defaults, **passed}, defaults_source=f"{classes} in {REFERENCE}",
        path=image.path, overrides=image.overrides, origins=image.origins,
    )  # fmt: skip


def check_class(image: Config, name: str) -> None:
    """Refuse a file that names another image processor than the one that is read."""
    if (given := processor_name(image, name)) != name:
        raise image.error("image_processor_type", given, f"of this family, {name} is read")


def tile_range(
    config: Config, names: tuple[str, str] = ("min_patches", "max_patches"), high: int = MAX_TILES
) -> tuple[int, int]:
    """The least and the most tiles, which stand under `names`."""
    least, most = (config.integer(name, high=high) for name in names)
    if least > most and names[1] in config.overrides:
        raise config.error(names[1], most, f"it must not be less than {names[0]}, which is {least}")
    if least > most:
        raise config.error(names[0], least, f"it must not be more than {names[1]}, which is {most}")
    return least, most


def tile_size(config: Config, patch: Patch, name: str = "size") -> Size:
    """The size of one tile, which must hold a patch."""
    size = config.size(name)
    if size.height < patch.height or size.width < patch.width or max(size.height, size.width) > MAX_TILE:
        raise config.error(name, str(size), f"a tile must hold one {patch} patch, with sides up to {MAX_TILE:,}")
    return size
