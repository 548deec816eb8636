"""InternVL 2.5, 3 and 3.5 (the copies for transformers): tiles of 448 pixels by aspect ratio, and an overview.

Sources: transformers 5.23.0, `models/internvl/processing_internvl.py` and
`models/got_ocr2/image_processing_pil_got_ocr2.py`; arXiv 2412.05271.
"""

from __future__ import annotations

from vistoken.family import RECALLED, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.processors.got_ocr2 import SETTINGS, image_rule
from vistoken.prompts.tiles import TilesInOneRun

VISION = {"patch_size": [14, 14]}
PROCESSOR = {"image_seq_length": 256}
MARKERS = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}


def read(files: Files) -> Reading:
    """The tile from the preprocessor; tokens a tile from the processor. Cropping is on in the processor's defaults."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"InternVLVisionConfig in {REFERENCE}")
    patch = vision.patch("patch_size")
    rule, pixels = image_rule(files.image, patch, crop=True)
    processor = files.processor.with_defaults(PROCESSOR, f"InternVLProcessor in {REFERENCE}")
    tokens = processor.integer("image_seq_length")
    prompt = TilesInOneRun(tokens, "<IMG_CONTEXT>", "<img>", "</img>")
    return Reading(None, rule, pixels, prompt, prefix=1)


def _published(name: str, *aliases: str, series: str) -> Published:
    config = {"model_type": "internvl", "vision_config": {"patch_size": [14, 14], "image_size": [448, 448]}}
    preprocessor = {"image_processor_type": "GotOcr2ImageProcessorFast", "crop_to_patches": False, "min_patches": 1,
                    "max_patches": 12, "size": {"height": 448, "width": 448}}  # fmt: skip
    return Published((name, *aliases), config, preprocessor, RECALLED, series)


FAMILY = Family(
    name="InternVL",
    model_types=("internvl",),
    read=read,
    published=(
        _published("OpenGVLab/InternVL3-8B-hf", "internvl3-8b", series="internvl3"),
    ),
    rule=Label("verified", f"InternVLProcessor and GotOcr2ImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        Example("internvl3-8b", 1280, 720, 7168, 1794, "7 tiles: 2 x 3 ..."),
    ),
    reference=Reference(
        processor="InternVLProcessor",
        image="GotOcr2ImageProcessorPil",
        sees="pixel_values",
        tokens=MARKERS | {"video_token": "<video>"},
        settings=({"max_patches": 6}, {"min_patches": 4, "max_patches": 24}),
        thresholds=((448, 448), (896, 448)),
    ),
)  # fmt: skip
