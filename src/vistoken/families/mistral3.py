"""Mistral Small 3.1 and later, Ministral 3, Medium 3.5, Large 3 and 4: a long edge of 1540, tokens of 28 pixels.

Pixtral's rule, tower and layout with patches of 14 merged 2 x 2.
Sources: transformers 5.23.0, `models/pixtral/image_processing_pil_pixtral.py`, `models/pixtral/processing_pixtral.py`
and `models/mistral3/configuration_mistral3.py`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import RECALLED, REFERENCE, SEEN, SIBLING, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.processors.pixtral import IMAGE, SETTINGS, read_without_breaks, writes_no_breaks
from vistoken.processors.pixtral import read as read_pixtral

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames


def read(files: Files) -> Reading:
    """Patch from the tower's config, merge from the model's. Some folders of LightOnOCR say `model_type` "mistral3"."""
    # Without vision_config the model's default tower is taken, whose patch is 14; in one that is there, the tower's
    # own class completes what is missing.
    default = 16 if files.config.has("vision_config") else 14
    vision = files.config.child("vision_config").with_defaults(
        {"patch_size": default}, f"PixtralVisionConfig and Mistral3Config in {REFERENCE}"
    )
    config = files.config.with_defaults({"spatial_merge_size": 2}, f"Mistral3Config in {REFERENCE}")
    patch, merge = vision.patch("patch_size"), config.integer("spatial_merge_size", high=64)
    if writes_no_breaks(files):
        return replace(read_without_breaks(files, patch, merge), encoder=partial(_encoder, files, whole=False))
    return replace(read_pixtral(files, patch, merge), encoder=partial(_encoder, files, whole=True))


def _encoder(files: Files, whole: bool) -> EncoderSpec | None:
    from vistoken.towers.pixtral import mistral3  # counting does without it

    return mistral3(files, whole)


def _weights() -> WeightNames:
    from vistoken.towers.pixtral import MERGED

    return MERGED


def _published(
    name: str,
    label: Label,
    *aliases: str,
    series: str = "",
    kind: str = "mistral3",
    hidden: int = 1024,
    depth: int = 24,
    text: int = 0,
) -> Published:
    """`text` is the LLM's width, where it is known with all of the tower's own sizes."""
    vision = {"model_type": "pixtral", "patch_size": 14, "image_size": 1540, "hidden_size": hidden,
              "num_hidden_layers": depth}  # fmt: skip
    config = {"model_type": kind, "spatial_merge_size": 2, "vision_config": vision}
    if text:
        vision |= {"num_attention_heads": 16, "intermediate_size": 4096, "hidden_act": "silu"}
        config |= {"text_config": {"model_type": "mistral", "hidden_size": text, "rms_norm_eps": 1e-5}}
    preprocessor = IMAGE | {"image_processor_type": "PixtralImageProcessorFast", "patch_size": 14,
                            "size": {"longest_edge": 1540}}  # fmt: skip
    processor = {"patch_size": 14, "spatial_merge_size": 2, "image_token": "[IMG]", "image_break_token": "[IMG_BREAK]",
                 "image_end_token": "[IMG_END]"}  # fmt: skip
    return Published((name, *aliases), config, preprocessor, label, series, processor=processor)


FAMILY = Family(
    name="Mistral 3",
    model_types=("mistral3", "mistral_large4"),
    read=read,
    published=(
        _published("mistralai/Mistral-Small-3.1-24B-Instruct-2503", SEEN, "mistral-small-3.1", text=5120),
        _published("mistralai/Mistral-Small-3.1-24B-Base-2503", SIBLING, "mistral-small-3.1-base", text=5120),
        _published("mistralai/Mistral-Small-3.2-24B-Instruct-2506", SIBLING, "mistral-small-3.2", text=5120),
        _published("mistralai/Ministral-3-3B-Instruct-2512", SIBLING, "ministral-3-3b", series="ministral-3"),
        _published("mistralai/Ministral-3-8B-Instruct-2512", SEEN, "ministral-3-8b", series="ministral-3", text=4096),
        _published("mistralai/Ministral-3-14B-Instruct-2512", SIBLING, "ministral-3-14b", series="ministral-3"),
        _published("mistralai/Devstral-Small-2-24B-Instruct-2512", RECALLED, "devstral-small-2", text=5120),
        _published("mistralai/Mistral-Small-4-119B-2603", SIBLING, "mistral-small-4"),
        _published("mistralai/Mistral-Medium-3.5-128B", SIBLING, "mistral-medium-3.5", hidden=1664, depth=48),
        _published("mistralai/Mistral-Large-3-675B-Instruct-2512", RECALLED, "mistral-large-3"),
        _published("mistralai/Mistral-Large-4-1T-A52B", RECALLED, "mistral-large-4", kind="mistral_large4"),
    ),
    rule=Label("verified", f"PixtralProcessor and PixtralImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=_weights,
    examples=(
        Example("mistral-small-3.1", 1280, 720, 4784, 1222, "PixtralProcessor: 26 rows of 46, one marker a row", 26),
        # 1541 pixels are one over the long edge: 1000 / (1541 / 1540) = 999.35 is cut to 999, and 36 rows hold it.
        Example("ministral-3-8b", 1541, 1000, 7920, 2016, "PixtralProcessor: 36 rows of 55", 36),
        Example("mistral-small-3.2", 29, 28, 8, 3, "PixtralProcessor: one row of 2, and only [IMG_END]", 1),
    ),
    reference=Reference(
        processor="PixtralProcessor",
        image="PixtralImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "[IMG]", "image_break_token": "[IMG_BREAK]", "image_end_token": "[IMG_END]"},
        torchvision=True,
        settings=({"size": {"longest_edge": 700}}, {"size": {"height": 500, "width": 2000}}),
        thresholds=((1540, 1540), (1541, 28), (28, 56)),
    ),
)  # fmt: skip
