"""PP-Chart2Table: GOT-OCR 2's tower and tokens, always one view of 1024 x 1024 pixels.

The processor leaves the prompt alone: the chat template writes the 256 placeholders that the tower's features fill.
Sources: transformers 5.23.0, `models/pp_chart2table/image_processing_pil_pp_chart2table.py`,
`models/pp_chart2table/processing_pp_chart2table.py` and `models/got_ocr2/modeling_got_ocr2.py`.
"""

from __future__ import annotations

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, pixel_values
from vistoken.processors.got_ocr2 import PROCESSOR, check_class, tile_size
from vistoken.prompts.fixed import FixedTokens
from vistoken.views.fixed import Stretch

VISION = {"patch_size": 16}
SIZE = {"height": 1024, "width": 1024}
# Two convolutions of stride 2 behind the tower make one token of 4 x 4 of its 64 x 64 patches.
PROMPT = FixedTokens(256, "<imgpad>", template="the chat template adds special tokens around the placeholders")


def read(files: Files) -> Reading:
    """The size from the preprocessor; the placeholders are the chat template's."""
    if files.image is None:
        return Reading(None, None, None, PROMPT)
    check_class(files.image, "PPChart2TableImageProcessor")
    vision = files.config.child("vision_config").with_defaults(VISION, f"PPChart2TableVisionConfig in {REFERENCE}")
    image = files.image.with_defaults({**PROCESSOR, "size": SIZE}, f"PPChart2TableImageProcessor in {REFERENCE}")
    if not image.flag("do_resize"):
        raise image.error("do_resize", False, "the prompt holds tokens for pictures that are resized to one size")
    patch = vision.patch("patch_size")
    rule = Stretch(tile_size(image, patch), image.choice("resample", FILTERS), patch)
    return Reading(None, rule, pixel_values(image), PROMPT)


FAMILY = Family(
    name="PP-Chart2Table",
    model_types=("pp_chart2table",),
    read=read,
    published=(
        Published(
            ("PaddlePaddle/PP-Chart2Table_safetensors", "pp-chart2table"),
            {"model_type": "pp_chart2table", "vision_config": {"patch_size": 16, "image_size": 1024}},
            {"image_processor_type": "PPChart2TableImageProcessor", "size": SIZE, "resample": 3,
             "image_mean": CLIP_MEAN, "image_std": CLIP_STD},
            SEEN,
        ),
    ),
    rule=Label("verified", f"PPChart2TableImageProcessorPil of {REFERENCE}"),
    settings=("size", "resample", "image_mean", "image_std"),
    reference=Reference(
        processor="PPChart2TableProcessor",
        image="PPChart2TableImageProcessorPil",
        sees="pixel_values",
        text=False,
        settings=({"size": {"height": 512, "width": 512}}, {"size": {"height": 768, "width": 1024}}),
        thresholds=((1024, 1024),),
    ),
    examples=(
        Example("pp-chart2table", 1280, 720, 4096, 256, "PPChart2TableImageProcessorPil: 1024 x 1024; its config: 256"),
        Example("pp-chart2table", 640, 480, 4096, 256, "PPChart2TableImageProcessorPil: 1024 x 1024; its config: 256"),
        Example("pp-chart2table", 3000, 30, 4096, 256, "PPChart2TableImageProcessorPil: 1024 x 1024; its config: 256"),
    ),
)  # fmt: skip
