"""Inkling 2: pictures at their own size, padded to tokens of 40 x 40 pixels, each 2 x 2 patches of the tower.

Counted, not encoded.
Sources: transformers 5.23.0, `models/inkling2/image_processing_inkling2.py`, `models/inkling2/processing_inkling2.py`
and `models/inkling2/modeling_inkling2.py` for the class token.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import DEFAULTS, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF, pixel_values
from vistoken.prompts.plain import Merged, SpaceToDepth
from vistoken.views.cells import NativeCells

VISION = {"patch_size": 20, "spatial_merge_size": 2}
# Class attributes of Inkling2ImageProcessor.
PROCESSOR = {
    "size": {"height": 40, "width": 40}, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": HALF, "image_std": HALF,
}  # fmt: skip


def read(files: Files) -> Reading:
    """Patch and merge from the vision config, whose product the preprocessor must repeat as `size`."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"Inkling2VisionConfig in {REFERENCE}")
    patch = vision.patch(_spelled(vision, "patch_size", "native_patch_size"))
    merge = SpaceToDepth(vision.integer(_spelled(vision, "spatial_merge_size", "adapter_merge_size"), high=64))
    prompt = Merged(merge, "<|unused_200054|>")
    if files.image is None:
        return Reading(None, None, None, prompt, prefix=1)
    processor = files.image.with_defaults(PROCESSOR, f"Inkling2ImageProcessor in {REFERENCE}")
    cell = processor.patch("size")
    if (cell.height, cell.width) != (patch.height * merge.side, patch.width * merge.side):
        raise processor.error("size", str(cell), f"config.json says {merge.side} patches of {patch}: they must agree")
    return Reading(None, NativeCells(cell, "bicubic", patch), pixel_values(processor), prompt, prefix=1)


def _spelled(vision: Config, ours: str, theirs: str) -> str:
    """Checkpoints may use the vendor's name, which the library maps to its own."""
    return theirs if vision.has(theirs) else ours


FAMILY = Family(
    name="Inkling 2",
    model_types=("inkling2",),
    read=read,
    published=(
        Published(
            ("thinkingmachines/Inkling-2-Small-MXFP8", "inkling-2-small"),
            {"model_type": "inkling2", "vision_config": VISION},
            PROCESSOR | {"image_processor_type": "Inkling2ImageProcessor"},
            DEFAULTS,
        ),
    ),
    rule=Label("verified", f"Inkling2Processor and Inkling2ImageProcessor of {REFERENCE}"),
    settings=("image_mean", "image_std"),
    examples=(
        Example("inkling-2-small", 1280, 720, 2304, 576, "Inkling2Processor: 18 x 32 tokens"),
        Example("inkling-2-small", 40, 40, 4, 1, "Inkling2Processor: one token, no further column"),
        Example("inkling-2-small", 41, 40, 8, 2, "Inkling2Processor: padded to 80 x 40"),
    ),
    reference=Reference(
        processor="Inkling2Processor",
        image="Inkling2ImageProcessor",
        sees="image_grid_thw of cells",
        tokens={"image_token": "<|unused_200054|>"},
        torchvision=True,
        settings=({"image_mean": [0.0, 0.0, 0.0]}, {"image_std": [1.0, 1.0, 1.0]}),
        thresholds=((40, 40), (1200, 800)),
    ),
)  # fmt: skip
