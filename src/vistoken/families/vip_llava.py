"""ViP-LLaVA: LLaVA 1.5 that reads five layers of its tower side by side, and norms them.

Sources: transformers 5.23.0, `models/vipllava/modeling_vipllava.py`, `models/llava/processing_llava.py`,
`models/clip/image_processing_pil_clip.py`; for the encoder see `vistoken.towers.llava`; arXiv 2312.00784.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import SETTINGS
from vistoken.processors.llava import CLIP_PREPROCESSOR, CLIP_PROCESSOR, CLIP_VISION, image_rule, read_tower
from vistoken.prompts.towers import TowerTokens

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames


def read(files: Files) -> Reading:
    """The tower from config.json, the tokens that are kept from processor_config.json."""
    tower = read_tower(files)
    rule, pixels = image_rule(files.image, tower)
    return Reading(partial(_encoder, files), rule, pixels, TowerTokens(tower.change, "<image>"), prefix=tower.prefix)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.llava import vip  # counting does without it

    return vip(files, CLIP_VISION)


def _weights() -> WeightNames:
    from vistoken.towers.llava import VIP_WEIGHTS

    return VIP_WEIGHTS


def _published(width: int, *names: str) -> Published:
    config = {"model_type": "vipllava", "vision_config": CLIP_VISION, "vision_feature_select_strategy": "default",
              "vision_feature_layer": -2, "text_config": {"hidden_size": width}}  # fmt: skip
    return Published(names, config, CLIP_PREPROCESSOR, SEEN, "vip-llava", processor=CLIP_PROCESSOR)


FAMILY = Family(
    name="ViP-LLaVA",
    model_types=("vipllava",),
    read=read,
    published=(
        _published(4096, "llava-hf/vip-llava-7b-hf", "vip-llava-7b"),
        _published(5120, "llava-hf/vip-llava-13b-hf", "vip-llava-13b"),
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
            {"size": {"shortest_edge": 224}, "crop_size": {"height": 448, "width": 280}},
        ),
        thresholds=((336, 336), (336, 672)),
    ),
    examples=(
        Example("vip-llava-7b", 336, 1000, 576, 576, "LlavaProcessor: the middle 336 x 336 of 336 x 1000"),
        Example("vip-llava-13b", 1280, 720, 576, 576, "LlavaProcessor: 24 x 24 + 1 class token, which is dropped"),
        Example("vip-llava-7b", 1, 1, 576, 576, "LlavaProcessor: every size gives the same"),
    ),
)  # fmt: skip
