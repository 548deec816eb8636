"""Command A Vision: stretched to a canvas of up to 12 tiles, a line break after each, and the whole picture.

Sources: transformers 5.23.0, `models/cohere2_vision/image_processing_cohere2_vision.py`,
`models/cohere2_vision/processing_cohere2_vision.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

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
    encoder = partial(_encoder, files)
    config = files.config.with_defaults(CONFIG, f"Cohere2VisionConfig in {REFERENCE}")
    vision = files.config.child("vision_config").with_defaults(VISION, f"Cohere2VisionConfig in {REFERENCE}")
    patch, factor = vision.patch("patch_size"), config.integer("downsample_factor", high=64)
    if files.image is None:
        return Reading(encoder, None, None)
    processor = files.image.with_defaults(PROCESSOR, f"Cohere2VisionImageProcessor in {REFERENCE}")
    tile, tokens = square(processor, "size", patch), processor.integer("patch_size", high=4096) ** 2
    made = (tile // patch.height // factor) * (tile // patch.width // factor)
    if tokens != made:
        raise processor.error(
            "patch_size", processor.raw("patch_size"), f"squared it must be {made}, the tokens of a tile"
        )
    prompt = BrokenTiles(tokens, *MARKERS.values())
    return Reading(encoder, _rule(processor, tile, patch), pixel_values(processor), prompt)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.cohere import command  # counting does without it

    return command(files)


def _weights() -> WeightNames:
    from vistoken.towers.cohere import COMMAND_WEIGHTS

    return COMMAND_WEIGHTS


def _rule(processor: Config, tile: int, patch: Patch) -> ViewRule:
    if not processor.flag("do_resize"):
        raise processor.error("do_resize", False, "pictures of any size do not fit this model's tower")
    filter = processor.choice("resample", FILTERS)
    if processor.flag("crop_to_patches"):
        return StretchedCanvas(tile, processor.integer("max_patches", high=MAX_TILES), filter, patch)
    return Stretch(Size(height=tile, width=tile), filter, patch)


CONFIGURATION: dict[str, Any] = {
    "model_type": "cohere2_vision", "downsample_factor": 2, "alignment_intermediate_size": 36_864,
    "text_config": {"model_type": "cohere2", "hidden_size": 12_288},
    "vision_config": {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27,
                      "num_attention_heads": 16, "patch_size": 16, "image_size": 512, "vision_use_head": False},
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
    weights=_weights,
    reference=Reference(
        processor="Cohere2VisionProcessor",
        image="Cohere2VisionImageProcessor",
        sees="pixel_values",
        tokens=MARKERS,
        torchvision=True,
        settings=({"max_patches": 5}, {"crop_to_patches": False}, {"max_patches": 24}),
        thresholds=((512, 512), (1024, 512), (1536, 2048), (6144, 512)),
    ),
    examples=(
        Example("command-a-vision", 1280, 720, 7168, 1801, "Cohere2VisionProcessor: 2 x 3 tiles, whole", markers=9),
        Example("command-a-vision", 448, 448, 1024, 259, "Cohere2VisionProcessor: one tile: 256 + 3", markers=3),
        Example("command-a-vision", 3000, 1000, 13312, 3343, "Cohere2VisionProcessor: 2 x 6 tiles, whole", markers=15),
    ),
)  # fmt: skip
