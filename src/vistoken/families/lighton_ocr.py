"""LightOnOCR: Pixtral's view rule rounded to patches of 14, tokens of 2 x 2 whole patches, no row markers.

The image processor rounds to single patches, so a last odd row or column of patches gets no token.
Sources: transformers 5.23.0, `models/lighton_ocr/processing_lighton_ocr.py` and
`models/pixtral/image_processing_pil_pixtral.py`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import RECALLED, REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.processors.pixtral import IMAGE, SETTINGS, read_without_breaks

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

NOTE = "its files as seen name Mistral's model type; the count is that of LightOnOcrProcessor"


def read(files: Files) -> Reading:
    """Patch from the tower's config, merge from the model's."""
    default = 16 if files.config.has("vision_config") else 14  # see mistral3
    vision = files.config.child("vision_config").with_defaults(
        {"patch_size": default}, f"PixtralVisionConfig and LightOnOcrConfig in {REFERENCE}"
    )
    config = files.config.with_defaults({"spatial_merge_size": 2}, f"LightOnOcrConfig in {REFERENCE}")
    merge = config.integer("spatial_merge_size", high=64)
    return replace(read_without_breaks(files, vision.patch("patch_size"), merge), encoder=partial(_encoder, files))


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.pixtral import lighton  # counting does without it

    return lighton(files)


def _weights() -> WeightNames:
    from vistoken.towers.pixtral import MERGED

    return MERGED


def _published(name: str, label: Label, *aliases: str) -> Published:
    vision = {"model_type": "pixtral", "patch_size": 14, "image_size": 1540}
    if label is SEEN:
        vision |= {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
                   "hidden_act": "silu"}  # fmt: skip
    # The LLM's width is that of LightOnOcrConfig.
    config = {"model_type": "mistral3", "spatial_merge_size": 2, "vision_config": vision,
              "text_config": {"model_type": "qwen3", "hidden_size": 1024}}  # fmt: skip
    preprocessor = IMAGE | {"image_processor_type": "PixtralImageProcessorFast", "patch_size": 14,
                            "size": {"longest_edge": 1540}}  # fmt: skip
    return Published(
        (name, *aliases), config, preprocessor, label,
        processor={"patch_size": 14, "spatial_merge_size": 2, "processor_class": "LightOnOCRProcessor"},
        notes=(NOTE,) if label is SEEN else (),
    )  # fmt: skip


FAMILY = Family(
    name="LightOnOCR",
    model_types=("lighton_ocr",),
    read=read,
    published=(
        _published("lightonai/LightOnOCR-1B-1025", SEEN, "lighton-ocr-1b"),
        _published("lightonai/LightOnOCR-2-1B", RECALLED, "lighton-ocr-2-1b"),
    ),
    weights=_weights,
    rule=Label("verified", f"LightOnOcrProcessor and PixtralImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        Example("lighton-ocr-1b", 1280, 720, 4784, 1196, "LightOnOcrProcessor: 52 x 92 patches"),
        # Sides are rounded to single patches: of 5 rows and 3 columns only 2 x 1 blocks are whole.
        Example("lighton-ocr-1b", 42, 70, 15, 2, "LightOnOcrProcessor: 5 x 3 patches"),
        Example("lighton-ocr-1b", 14, 14, 1, 0, "LightOnOcrProcessor: one patch fills no block"),
        Example("lighton-ocr-2-1b", 1654, 2339, 8580, 2145, "LightOnOcrProcessor: 110 x 78 patches"),
    ),
    reference=Reference(
        processor="LightOnOcrProcessor",
        image="PixtralImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<|image_pad|>", "image_break_token": "<|vision_pad|>",
                "image_end_token": "<|vision_end|>"},
        settings=({"size": {"longest_edge": 700}}, {"size": {"height": 500, "width": 2000}}),
        thresholds=((1540, 1540), (14, 28), (42, 70)),
    ),
)  # fmt: skip
