"""Gemma3ImageProcessor: one size for every picture, and crops of long ones where they are asked for.

Source: transformers 5.23.0, `models/gemma3/image_processing_pil_gemma3.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE
from vistoken.geometry import MAX_SIDE, Patch
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.completed import completed

if TYPE_CHECKING:
    from vistoken.model_spec import PixelSpec
    from vistoken.views.rule import ViewRule

# Class attributes of Gemma3ImageProcessor.
PROCESSOR = {
    "size": {"height": 224, "width": 224}, "do_resize": True, "resample": 2, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": HALF, "image_std": HALF,
}  # fmt: skip
# What Gemma3Processor passes with every call (`images_kwargs`): the file's own values never count.
PASSED = {
    "do_pan_and_scan": False, "pan_and_scan_min_crop_size": 256, "pan_and_scan_max_num_crops": 4,
    "pan_and_scan_min_ratio_to_activate": 1.2,
}  # fmt: skip

SETTINGS = ("size", "resample", "image_mean", "image_std")
PAN_SETTINGS = tuple(PASSED)


def image_rule(image: Config | None, patch: Patch, pan: bool) -> tuple[ViewRule | None, PixelSpec | None]:
    """The view rule and the pixel values; `pan` tells whether the model's processor can cut crops."""
    if image is None:
        return None, None
    processor = completed(image, PROCESSOR, f"Gemma3ImageProcessor in {REFERENCE}")
    size, filter, pixels = processor.size("size"), processor.choice("resample", FILTERS), pixel_values(processor)
    passed = Config(
        {}, image.where, defaults=PASSED, defaults_source=f"Gemma3Processor in {REFERENCE}", overrides=image.overrides,
        origins=image.origins,
    )  # fmt: skip
    resized, crops = processor.flag("do_resize"), pan and passed.flag("do_pan_and_scan")
    if not resized and crops:
        raise processor.error("do_resize", False, "crops must be resized to one size: set do_pan_and_scan to false")
    if crops:
        from vistoken.views.crops import PanAndScan

        least = passed.integer("pan_and_scan_min_crop_size", high=MAX_SIDE)
        most = passed.integer("pan_and_scan_max_num_crops", high=1024)
        ratio = passed.number("pan_and_scan_min_ratio_to_activate", 0, 1e9)
        return PanAndScan(size, least, most, ratio, filter, patch), pixels
    from vistoken.views.fixed import Native, Stretch

    return Stretch(size, filter, patch) if resized else Native(size, filter, patch), pixels
