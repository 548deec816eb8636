"""GotOcr2ImageProcessor: tiles by the closest aspect ratio, and an overview.

Source: transformers 5.23.0, `models/got_ocr2/image_processing_pil_got_ocr2.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE
from vistoken.geometry import Patch
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, pixel_values

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


def image_rule(image: Config | None, patch: Patch, crop: bool) -> tuple[ViewRule | None, PixelSpec | None]:
    """The view rule and the pixel values.

    `crop` is what the model's processor passes for `crop_to_patches`, which wins over the image processor's own file;
    only the caller's setting wins over it.
    """
    if image is None:
        return None, None
    processor = image.with_defaults(PROCESSOR, f"GotOcr2ImageProcessor in {REFERENCE}")
    least, most = processor.integer("min_patches", high=MAX_TILES), processor.integer("max_patches", high=MAX_TILES)
    if least > most:
        raise processor.error("min_patches", least, f"it must not be more than max_patches, which is {most}")
    size, filter = processor.size("size"), processor.choice("resample", FILTERS)
    if "crop_to_patches" in processor.overrides:
        crop = processor.flag("crop_to_patches")
    if crop and most > 1:
        from vistoken.views.tiles import ClosestAspect

        return ClosestAspect(size, least, most, True, filter, patch), pixel_values(processor)
    from vistoken.views.fixed import Stretch

    return Stretch(size, filter, patch), pixel_values(processor)
