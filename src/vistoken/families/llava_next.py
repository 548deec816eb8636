"""LLaVA-NeXT (LLaVA 1.6): tiles of 336 pixels on the best of five canvases, freed of padding, and the whole picture.

Sources: transformers 5.23.0, `models/llava_next/processing_llava_next.py`,
`models/llava_next/image_processing_pil_llava_next.py`; LLaVA-NeXT's `mm_utils.py` and `llava_arch.py`; for the encoder
see `vistoken.towers.llava`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, SCRIPT, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD
from vistoken.processors.llava import read_tower
from vistoken.processors.llava_next import NEXT, SETTINGS, image_rule, unpadded

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

# CLIP L/14 at 336 pixels, which LlavaNextConfig assumes too.
VISION = {"model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
          "num_attention_heads": 16, "patch_size": 14, "image_size": 336}  # fmt: skip
PINPOINTS = NEXT["image_grid_pinpoints"]
PREPROCESSOR = {
    "image_processor_type": "LlavaNextImageProcessor", "do_resize": True, "size": {"shortest_edge": 336}, "resample": 3,
    "do_center_crop": True, "crop_size": {"height": 336, "width": 336}, "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "do_pad": True,
    "image_grid_pinpoints": PINPOINTS,
}  # fmt: skip
PROCESSOR = {
    "processor_class": "LlavaNextProcessor", "image_token": "<image>", "num_additional_image_tokens": 1,
    "patch_size": 14, "vision_feature_select_strategy": "default",
}  # fmt: skip


def read(files: Files) -> Reading:
    """The tower from config.json, canvases from the preprocessor, the tokens that are kept from the processor."""
    tower = read_tower(files)
    rule, pixels = image_rule(files.image, tower.patch)
    prompt = unpadded(rule, tower.change) if rule else None
    return Reading(partial(_encoder, files), rule, pixels, prompt, prefix=tower.prefix)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.connector import Unpadded  # counting does without it
    from vistoken.towers.llava import encoder

    return encoder(files, VISION, layer=-2, selection="default", arrangement=Unpadded())


def _weights() -> WeightNames:
    from vistoken.towers.llava import WEIGHTS

    return WEIGHTS


def _published(name: str, alias: str, label: Label, width: int) -> Published:
    config = {"model_type": "llava_next", "vision_config": VISION, "image_grid_pinpoints": PINPOINTS,
              "vision_feature_select_strategy": "default", "text_config": {"hidden_size": width}}  # fmt: skip
    return Published((name, alias), config, PREPROCESSOR, label, "llava-next", processor=PROCESSOR)


FAMILY = Family(
    name="LLaVA-NeXT",
    model_types=("llava_next",),
    read=read,
    published=(
        _published("llava-hf/llava-v1.6-mistral-7b-hf", "llava-v1.6-mistral-7b", SEEN, 4096),
        _published("llava-hf/llava-v1.6-vicuna-7b-hf", "llava-v1.6-vicuna-7b", SEEN, 4096),
        _published("llava-hf/llava-v1.6-vicuna-13b-hf", "llava-v1.6-vicuna-13b", SEEN, 5120),
        _published("llava-hf/llava-v1.6-34b-hf", "llava-v1.6-34b", SEEN, 7168),
        _published("llava-hf/llama3-llava-next-8b-hf", "llama3-llava-next-8b", SCRIPT, 4096),
        _published("llava-hf/llava-next-72b-hf", "llava-next-72b", SCRIPT, 8192),
        _published("llava-hf/llava-next-110b-hf", "llava-next-110b", SCRIPT, 8192),
    ),
    rule=Label("verified", f"LlavaNextProcessor and LlavaNextImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="LlavaNextProcessor",
        image="LlavaNextImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image>"},
        settings=(
            {"image_grid_pinpoints": [[336, 336], [672, 1344], [1344, 672], [1008, 1008]]},
            {"size": {"shortest_edge": 448}, "crop_size": {"height": 448, "width": 448},
             "image_grid_pinpoints": [[448, 1344], [896, 896], [1344, 448]]},
            {"size": {"height": 400, "width": 350}},
        ),
        thresholds=((336, 672), (672, 672), (336, 1008), (504, 504), (55, 88)),
    ),
    examples=(
        Example("llava-v1.6-mistral-7b", 1280, 720, 2880, 1948, "LlavaNextProcessor: 576 + 28 rows x (48 + newline)"),
        # Canvases are (height, width): 336 wide and 1008 high are 3 rows of tiles.
        Example("llava-v1.6-34b", 336, 1008, 2304, 2376, "LlavaNextProcessor: 576 + 72 rows x (24 + newline)"),
        Example("llava-next-72b", 500, 336, 1728, 1464, "LlavaNextProcessor: 576 + 24 rows x (36 + newline)"),
        # So thin that all rows of tokens are padding.
        Example("llama3-llava-next-8b", 3000, 30, 2304, 576, "LlavaNextProcessor: 576 + 0 rows x (72 + newline)"),
    ),
)  # fmt: skip
