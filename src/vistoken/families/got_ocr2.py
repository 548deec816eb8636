"""GOT-OCR 2: a SAM tower that makes 256 tokens of 1024 x 1024 pixels; tiles only on request.

Sources: transformers 5.23.0, `models/got_ocr2/processing_got_ocr2.py`,
`models/got_ocr2/image_processing_pil_got_ocr2.py`; arXiv 2409.01704.
"""

from __future__ import annotations

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD
from vistoken.processors.got_ocr2 import SETTINGS, image_rule
from vistoken.prompts.tiles import TilesInOneRun

VISION = {"patch_size": 16}
# What GotOcr2Processor passes to the image processor at every call, and the tokens that it writes for each view.
PASSED = {"crop_to_patches": False, "min_patches": 1, "max_patches": 12}
TOKENS = 256
TEMPLATE = "the processor's own query adds <img> before the picture and </img> after it: 2 tokens"


def read(files: Files) -> Reading:
    """Sizes from the preprocessor; whether to cut tiles is decided at the call alone."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"GotOcr2VisionConfig in {REFERENCE}")
    rule, pixels = image_rule(files.image, vision.patch("patch_size"), PASSED, "GotOcr2Processor")
    return Reading(None, rule, pixels, TilesInOneRun(TOKENS, "<imgpad>", template=TEMPLATE))


FAMILY = Family(
    name="GOT-OCR 2",
    model_types=("got_ocr2",),
    read=read,
    published=(
        Published(
            ("stepfun-ai/GOT-OCR-2.0-hf", "got-ocr2"),
            {"model_type": "got_ocr2", "vision_config": {}},
            {"image_processor_type": "GotOcr2ImageProcessor", "size": {"height": 1024, "width": 1024}, "resample": 3,
             "image_mean": CLIP_MEAN, "image_std": CLIP_STD},
            SEEN,
        ),
    ),
    rule=Label("verified", f"GotOcr2Processor and GotOcr2ImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    reference=Reference(
        processor="GotOcr2Processor",
        image="GotOcr2ImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<imgpad>"},
        settings=({"crop_to_patches": True}, {"crop_to_patches": True, "min_patches": 3, "max_patches": 6}),
        thresholds=((1024, 1024), (2048, 1024), (640, 480)),
    ),
    examples=(
        Example("got-ocr2", 1280, 720, 4096, 256, "GotOcr2Processor: one view of 1024 x 1024"),
        Example("got-ocr2", 2480, 3508, 4096, 256, "GotOcr2Processor: one view of 1024 x 1024"),
        Example("got-ocr2", 2480, 3508, 28_672, 1792, "GotOcr2Processor: 6 tiles and an overview", 0,
                {"crop_to_patches": True}),
        # Tiles of 1024 pixels are made of small pictures as well: the aspect ratio alone decides.
        Example("got-ocr2", 640, 480, 53_248, 3328, "GotOcr2Processor: 12 tiles and an overview", 0,
                {"crop_to_patches": True}),
    ),
)  # fmt: skip
