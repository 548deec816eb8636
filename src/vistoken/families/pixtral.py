"""Pixtral 12B and Large: a long edge of 1024, patches of 16, a marker after each row. Counted; not yet encoded.

Copies for transformers say `model_type` "llava" around a tower "pixtral".
Sources: transformers 5.23.0, `models/pixtral/image_processing_pil_pixtral.py` and
`models/pixtral/processing_pixtral.py`; arXiv 2410.07073.
"""

from __future__ import annotations

from vistoken.family import REFERENCE, SEEN, SIBLING, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.processors.pixtral import IMAGE, SETTINGS, read_llava
from vistoken.processors.pixtral import read as read_pixtral

VISION = {"patch_size": 16}


def read(files: Files) -> Reading:
    """`model_type` "pixtral" is the tower alone; the built-in models hold it below `vision_config`."""
    if files.config.has("vision_config"):
        return read_llava(files)
    vision = files.config.with_defaults(VISION, f"PixtralVisionConfig in {REFERENCE}")
    return read_pixtral(files, vision.patch("patch_size"), merge=1)


def _published(name: str, alias: str, label: Label, hidden: int, depth: int, *more: str) -> Published:
    vision = {"model_type": "pixtral", "patch_size": 16, "image_size": 1024, "hidden_size": hidden,
              "num_hidden_layers": depth}  # fmt: skip
    preprocessor = IMAGE | {"image_processor_type": "PixtralImageProcessor"}
    processor = {"patch_size": 16, "image_token": "[IMG]", "image_break_token": "[IMG_BREAK]",
                 "image_end_token": "[IMG_END]"}  # fmt: skip
    config = {"model_type": "llava", "vision_config": vision}
    return Published((name, alias, *more), config, preprocessor, label, processor=processor)


FAMILY = Family(
    name="Pixtral",
    model_types=("pixtral",),
    read=read,
    published=(
        _published("mistral-community/pixtral-12b", "pixtral-12b", SEEN, 1024, 24, "mistralai/Pixtral-12B-2409"),
        _published("mistralai/Pixtral-Large-Instruct-2411", "pixtral-large", SIBLING, 1408, 40),
    ),
    rule=Label("verified", f"PixtralProcessor and PixtralImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        Example("pixtral-12b", 1280, 720, 2304, 2340, "PixtralProcessor: 36 rows of 64, one marker a row", 36),
        # 1333 / (2000 / 1024) = 682.496 is cut to 682, and 43 rows of 16 hold it.
        Example("pixtral-12b", 2000, 1333, 2752, 2795, "PixtralProcessor: 43 rows of 64", 43),
        Example("pixtral-large", 17, 16, 2, 3, "PixtralProcessor: one row of 2, and only [IMG_END]", 1),
    ),
    reference=Reference(
        processor="PixtralProcessor",
        image="PixtralImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "[IMG]", "image_break_token": "[IMG_BREAK]", "image_end_token": "[IMG_END]"},
        torchvision=True,
        settings=({"size": {"longest_edge": 512}}, {"size": {"height": 700, "width": 1500}}),
        thresholds=((1024, 1024), (1025, 30), (16, 16)),
    ),
)  # fmt: skip
