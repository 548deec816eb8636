"""LLaVA 1.5: one view of 336 x 336 pixels, whatever the picture's size.

Sources: transformers 5.23.0, `models/llava/processing_llava.py`, `models/clip/image_processing_pil_clip.py`; for the
encoder see `vistoken.towers.llava`; arXiv 2310.03744.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, SEEN, SIBLING, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import SETTINGS, processor_name
from vistoken.processors.llava import CLIP_PREPROCESSOR, CLIP_PROCESSOR, CLIP_VISION, image_rule, read_tower
from vistoken.prompts.towers import TowerTokens

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames


def read(files: Files) -> Reading:
    """The tower from config.json, the tokens that are kept from processor_config.json."""
    if files.image is not None and processor_name(files.image, "") == "PixtralImageProcessor":
        # Pixtral-12B's copy for transformers has this model type, but the rule and the prompt of Mistral's models.
        from vistoken.processors.pixtral import read_llava

        return read_llava(files)
    tower = read_tower(files)
    rule, pixels = image_rule(files.image, tower)
    return Reading(partial(_encoder, files), rule, pixels, TowerTokens(tower.change, "<image>"), prefix=tower.prefix)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.llava import encoder  # counting does without it

    return encoder(files, CLIP_VISION, layer=-2, selection="default")


def _weights() -> WeightNames:
    from vistoken.towers.llava import WEIGHTS

    return WEIGHTS


def _published(label: Label, width: int, *names: str) -> Published:
    config = {"model_type": "llava", "vision_config": CLIP_VISION, "vision_feature_select_strategy": "default",
              "text_config": {"hidden_size": width}}  # fmt: skip
    return Published(names, config, CLIP_PREPROCESSOR, label, "llava-1.5", processor=CLIP_PROCESSOR)


FAMILY = Family(
    name="LLaVA 1.5",
    model_types=("llava",),
    read=read,
    published=(
        _published(SEEN, 4096, "llava-hf/llava-1.5-7b-hf", "llava-1.5-7b"),
        _published(SIBLING, 5120, "llava-hf/llava-1.5-13b-hf", "llava-1.5-13b"),
    ),
    rule=Label("verified", f"LlavaProcessor and CLIPImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="LlavaProcessor",
        image="CLIPImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image>"},
        settings=(
            {"size": {"height": 350, "width": 500}, "do_center_crop": False},
            {"size": {"shortest_edge": 98}, "do_center_crop": False},
            {"size": {"shortest_edge": 224}, "crop_size": {"height": 448, "width": 280}},
        ),
        thresholds=((336, 336), (336, 672)),
    ),
    examples=(
        Example("llava-1.5-7b", 1280, 720, 576, 576, "LlavaProcessor: 24 x 24 + 1 class token, which is dropped"),
        Example("llava-1.5-13b", 1, 1, 576, 576, "LlavaProcessor: every size gives the same"),
        Example("llava-1.5-7b", 336, 1000, 576, 576, "LlavaProcessor: the middle 336 x 336 of 336 x 1000"),
        Example("llava-1.5-7b", 640, 480, 1024, 1024, "LlavaProcessor: 448 // 14 = 32 rows and columns",
                arguments={"size": {"shortest_edge": 448}, "crop_size": 448}),
    ),
)  # fmt: skip
