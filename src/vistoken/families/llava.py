"""LLaVA 1.5: one view of 336 x 336 pixels, whatever the picture's size.

Sources: transformers 5.23.0, `models/llava/processing_llava.py`, `models/clip/image_processing_pil_clip.py`; for the
encoder see `vistoken.towers.llava`; arXiv 2310.03744.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, SEEN, SIBLING, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, SETTINGS, processor_name
from vistoken.processors.llava import image_rule, read_tower
from vistoken.prompts.towers import TowerTokens

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

# CLIP L/14 at 336 pixels, which LlavaConfig assumes too.
VISION = {"model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
          "num_attention_heads": 16, "patch_size": 14, "image_size": 336}  # fmt: skip
PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": 336}, "resample": 3,
    "do_center_crop": True, "crop_size": {"height": 336, "width": 336}, "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
}  # fmt: skip
PROCESSOR = {
    "processor_class": "LlavaProcessor", "image_token": "<image>", "num_additional_image_tokens": 1, "patch_size": 14,
    "vision_feature_select_strategy": "default",
}  # fmt: skip


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

    return encoder(files, VISION, layer=-2, selection="default")


def _weights() -> WeightNames:
    from vistoken.towers.llava import WEIGHTS

    return WEIGHTS


def _published(label: Label, width: int, *names: str) -> Published:
    config = {"model_type": "llava", "vision_config": VISION, "vision_feature_select_strategy": "default",
              "text_config": {"hidden_size": width}}  # fmt: skip
    return Published(names, config, PREPROCESSOR, label, "llava-1.5", processor=PROCESSOR)


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
