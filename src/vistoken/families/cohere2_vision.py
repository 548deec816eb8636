"""Command A Vision: stretched to a canvas of up to 12 tiles, a line break after each, and the whole picture.

Sources: transformers 5.23.0, `models/cohere2_vision/image_processing_cohere2_vision.py`,
`models/cohere2_vision/processing_cohere2_vision.py`.
"""

from __future__ import annotations

from typing import Any

from vistoken.configs import Config
from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch, Size
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, HALF, pixel_values
from vistoken.processors.square import MAX_TILES, square
from vistoken.prompts.canvas import BrokenTiles
from vistoken.views.canvas import StretchedCanvas
from vistoken.views.fixed import Stretch
from vistoken.views.rule import ViewRule

CONFIG = {"downsample_factor": 2}
VISION = {"patch_size": 16}
# Class attributes of Cohere2VisionImageProcessor.
PROCESSOR = {
    "size": {"height": 512, "width": 512}, "patch_size": 16, "crop_to_patches": True, "max_patches": 12,
    "do_resize": True, "resample": 3, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
}  # fmt: skip
MARKERS = {
    "image_token": "<|IMG_PATCH|>", "img_line_break_token": "<|IMG_LINE_BREAK|>", "boi_token": "<|START_OF_IMG|>",
    "eoi_token": "<|END_OF_IMG|>",
}  # fmt: skip


def read(files: Files) -> Reading:
    """Tile and grid from the preprocessor.

    The library takes the tokens of a tile from the square of `patch_size`; the tower makes (tile / patch / downsample
    factor) squared of them: 256 both, by luck. Where the two differ, the model itself could not run.
    """
    config = files.config.with_defaults(CONFIG, f"Cohere2VisionConfig in {REFERENCE}")
    vision = files.config.child("vision_config").with_defaults(VISION, f"Cohere2VisionConfig in {REFERENCE}")
    patch, factor = vision.patch("patch_size"), config.integer("downsample_factor", high=64)
    if files.image is None:
        return Reading(None, None, None)
    processor = files.image.with_defaults(PROCESSOR, f"Cohere2VisionImageProcessor in {REFERENCE}")
    tile, tokens = square(processor, "size", patch), processor.integer("patch_size", high=4096) ** 2
    made = (tile // patch.height // factor) * (tile // patch.width // factor)
    if tokens != made:
        raise processor.error(
            "patch_size", processor.raw("patch_size"), f"squared it must be {made}, the tokens of a tile"
        )
    prompt = BrokenTiles(tokens, *MARKERS.values())
    return Reading(None, _rule(processor, tile, patch), pixel_values(processor), prompt)


def _rule(processor: Config, tile: int, patch: Patch) -> ViewRule:
    if not processor.flag("do_resize"):
        raise processor.error("do_resize", False, "pictures of any size do not fit this model's tower")
    filter = processor.choice("resample", FILTERS)
    if processor.flag("crop_to_patches"):
        return StretchedCanvas(tile, processor.integer("max_patches", high=MAX_TILES), filter, patch)
    return Stretch(Size(height=tile, width=tile), filter, patch)


CONFIGURATION: dict[str, Any] = {
    "model_type": "cohere2_vision", "downsample_factor": 2, "vision_config": {"patch_size": 16, "image_size": 512},
}  # fmt: skip
PREPROCESSOR: dict[str, Any] = {
    "image_processor_type": "Cohere2VisionImageProcessorFast", "size": {"height": 512, "width": 512}, "patch_size": 16,
    "crop_to_patches": True, "min_patches": 1, "max_patches": 12, "do_resize": True, "resample": 3, "image_mean": HALF,
    "image_std": HALF,
}  # fmt: skip

FAMILY = Family(
    name="Command A Vision",
    model_types=("cohere2_vision",),
    read=read,
    published=(
        Published(("CohereLabs/command-a-vision-07-2025", "command-a-vision"), CONFIGURATION, PREPROCESSOR, SEEN),
    ),
    rule=Label("verified", f"Cohere2VisionProcessor and Cohere2VisionImageProcessor of {REFERENCE}"),
    settings=("crop_to_patches", "max_patches", "resample", "image_mean", "image_std"),
    reference=Reference(
        processor="Cohere2VisionProcessor",
        image="Cohere2VisionImageProcessor",
        sees="pixel_values",
        tokens=MARKERS,
        torchvision=True,
        settings=({"max_patches": 5}, {"crop_to_patches": False}, {"max_patches": 24}),
        thresholds=((512, 512), (1024, 512), (1536, 2048), (6144, 512)),
    ),
    examples=(),
)  # fmt: skip
