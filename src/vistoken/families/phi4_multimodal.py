"""Phi-4-multimodal: as many tiles as the picture spans, up to 36, unpadded at half resolution, after the whole.

Sources: transformers 5.23.0, `models/phi4_multimodal/image_processing_phi4_multimodal.py`,
`models/phi4_multimodal/processing_phi4_multimodal.py`; arXiv 2503.01743.
"""

from __future__ import annotations

from typing import Any

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Size
from vistoken.model_spec import Label
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.square import MAX_TILES, square
from vistoken.prompts.canvas import UnpaddedHalfGrid
from vistoken.views.gated import PaddedCrops
from vistoken.views.tiles import ClosestAspect

# Class attributes of Phi4MultimodalImageProcessor. The published file says only dynamic_hd.
PROCESSOR = {
    "size": {"height": 448, "width": 448}, "patch_size": 14, "dynamic_hd": 36, "resample": 3, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": HALF, "image_std": HALF,
}  # fmt: skip


def read(files: Files) -> Reading:
    """Everything from the preprocessor. The image token is named in the tokenizer alone."""
    if files.image is None:
        return Reading(None, None, None)
    image = files.image.with_defaults(PROCESSOR, f"Phi4MultimodalImageProcessor in {REFERENCE}")
    patch, filter = image.patch("patch_size"), image.choice("resample", FILTERS)
    tile = square(image, "size", patch)
    if tile % patch.height:  # the processor then masks a grid that its own patches do not fill
        raise image.error("size", image.raw("size"), f"a tile must be whole patches of {patch.height} pixels")
    side = Size(height=tile, width=tile)
    rule = PaddedCrops(
        ClosestAspect(side, 1, image.integer("dynamic_hd", high=MAX_TILES), False, filter, patch), filter, patch
    )
    return Reading(None, rule, pixel_values(image), UnpaddedHalfGrid(rule, "<|endoftext10|>"))


PREPROCESSOR: dict[str, Any] = {"image_processor_type": "Phi4MMImageProcessor", "dynamic_hd": 36}

FAMILY = Family(
    name="Phi-4-multimodal",
    # The published config.json names the remote code's type; its copy for transformers the other.
    model_types=("phi4_multimodal", "phi4mm"),
    read=read,
    published=(
        Published(("microsoft/Phi-4-multimodal-instruct", "phi-4-multimodal"), {"model_type": "phi4mm"}, PREPROCESSOR,
                  SEEN),
    ),
    rule=Label("verified", f"Phi4MultimodalProcessor and Phi4MultimodalImageProcessor of {REFERENCE}"),
    settings=("dynamic_hd", "size", "patch_size", "resample", "image_mean", "image_std"),
    reference=Reference(
        processor="Phi4MultimodalProcessor",
        image="Phi4MultimodalImageProcessor",
        sees="image_pixel_values",
        tokens={"image_token": "<|endoftext10|>", "audio_token": "<|endoftext11|>"},
        torchvision=True,
        settings=({"dynamic_hd": 6}, {"dynamic_hd": 12, "size": {"height": 434, "width": 434}}),
        thresholds=((448, 448), (2688, 2688), (448, 10), (16128, 448)),
    ),
    examples=(
        Example("phi-4-multimodal", 1280, 720, 7168, 1596, "Phi4MultimodalImageProcessor: 2 x 3 tiles, padded below"),
        Example("phi-4-multimodal", 448, 448, 2048, 545, "Phi4MultimodalImageProcessor: 256 + 16 and 273"),
        # 7 x 9 tiles are more than 36: then the closest aspect ratio, 3 x 4.
        Example("phi-4-multimodal", 4032, 3024, 13312, 3393, "Phi4MultimodalImageProcessor: 48 x 65 and 273"),
        Example("phi-4-multimodal", 100, 900, 4096, 609, "Phi4MultimodalImageProcessor: 6 of 16 columns are content"),
    ),
)  # fmt: skip
