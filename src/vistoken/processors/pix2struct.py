"""Pix2StructImageProcessor and Kosmos2_5ImageProcessor: whole patches that fill a budget.

Both normalise by the mean and the deviation of each picture, so that there are no fixed pixel values to tell.
Sources: transformers 5.23.0, `models/pix2struct/image_processing_pil_pix2struct.py`,
`models/kosmos2_5/image_processing_pil_kosmos2_5.py`.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.model_spec import PixelSpec
from vistoken.views.patches_budget import FillPatches

SETTINGS = ("max_patches",)


def image_rule(image: Config | None, kind: type[FillPatches], budget: int, source: str) -> tuple[
    FillPatches | None, PixelSpec | None
]:  # fmt: skip
    """The view rule of `kind`, and no pixel values; `budget` is what the model's processor passes for `max_patches`.

    It wins over the image processor's own file; only the caller's setting wins over it.
    """
    if image is None:
        return None, None
    processor = image.with_defaults({"patch_size": 16}, source)
    if "max_patches" in processor.overrides:
        budget = processor.integer("max_patches")
    return kind(budget, "bilinear", processor.patch("patch_size")), None
