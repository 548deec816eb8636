"""Pixtral 12B and Large: a long edge of 1024, patches of 16, a marker after each row.

Copies for transformers say `model_type` "llava" around a tower "pixtral".
Sources: transformers 5.23.0, `models/pixtral/image_processing_pil_pixtral.py` and
`models/pixtral/processing_pixtral.py`; arXiv 2410.07073.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, SEEN, SIBLING, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.processors.pixtral import IMAGE, SETTINGS, read_llava
from vistoken.processors.pixtral import read as read_pixtral

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 16}


def read(files: Files) -> Reading:
    """`model_type` "pixtral" is the tower alone; the built-in models hold it below `vision_config`."""
    if files.config.has("vision_config"):
        return read_llava(files)
    vision = files.config.with_defaults(VISION, f"PixtralVisionConfig in {REFERENCE}")
    return replace(read_pixtral(files, vision.patch("patch_size"), merge=1), encoder=partial(_tower, files))


def _tower(files: Files) -> EncoderSpec:
    from vistoken.towers.pixtral import DEFAULTS, SOURCE, tower  # counting does without them

    return tower(files.config.with_defaults(DEFAULTS, SOURCE))


def _weights() -> WeightNames:
    """Of the tower alone: the built-in models' own folders say "llava"."""
    from vistoken.towers.pixtral import ALONE

    return ALONE


def _published(name: str, alias: str, label: Label, hidden: int, depth: int, *more: str, text: int = 0) -> Published:
    """`text` is the LLM's width, where it is known with all of the tower's own sizes."""
    vision = {"model_type": "pixtral", "patch_size": 16, "image_size": 1024, "hidden_size": hidden,
              "num_hidden_layers": depth}  # fmt: skip
    if text:
        vision |= {"num_attention_heads": 16, "intermediate_size": 4096, "hidden_act": "silu"}
    preprocessor = IMAGE | {"image_processor_type": "PixtralImageProcessor"}
    processor = {"patch_size": 16, "image_token": "[IMG]", "image_break_token": "[IMG_BREAK]",
                 "image_end_token": "[IMG_END]"}  # fmt: skip
    config = {"model_type": "llava", "vision_config": vision, "vision_feature_layer": -1,
              "vision_feature_select_strategy": "full"}  # fmt: skip
    config |= {"text_config": {"model_type": "mistral", "hidden_size": text}} if text else {}
    return Published((name, alias, *more), config, preprocessor, label, processor=processor)


FAMILY = Family(
    name="Pixtral",
    model_types=("pixtral",),
    read=read,
    published=(
        _published("mistral-community/pixtral-12b", "pixtral-12b", SEEN, 1024, 24, "mistralai/Pixtral-12B-2409",
                   text=5120),
        _published("mistralai/Pixtral-Large-Instruct-2411", "pixtral-large", SIBLING, 1408, 40),
    ),
    rule=Label("verified", f"PixtralProcessor and PixtralImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=_weights,
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
