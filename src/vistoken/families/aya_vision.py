"""Aya Vision: tiles of 364 pixels by aspect ratio, each with a number before it, and an overview.

Sources: transformers 5.23.0, `models/aya_vision/processing_aya_vision.py` and
`models/got_ocr2/image_processing_pil_got_ocr2.py`; arXiv 2505.08751.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF
from vistoken.processors.got_ocr2 import SETTINGS, image_rule
from vistoken.prompts.tiles import NumberedTiles

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

# Of AyaVisionConfig where a file has no vision config at all, and of SiglipVisionConfig, which completes one.
VISION, SIGLIP = {"patch_size": 14}, {"patch_size": 16}
PROCESSOR = {
    "patch_size": 28, "img_size": 364, "downsample_factor": 1, "start_of_img_token": "<|START_OF_IMG|>",
    "end_of_img_token": "<|END_OF_IMG|>", "img_patch_token": "<|IMG_PATCH|>", "tile_token": "TILE",
    "tile_global_token": "TILE_GLOBAL",
}  # fmt: skip
# What AyaVisionProcessor passes to the image processor at every call.
PASSED = {"crop_to_patches": True}


def read(files: Files) -> Reading:
    """The tile from the preprocessor; tokens a tile from the sizes that the processor's own file repeats."""
    encoder = partial(_encoder, files)
    given = files.config.child("vision_config")
    vision = given.with_defaults(SIGLIP if given.values else VISION, f"AyaVisionConfig in {REFERENCE}")
    rule, pixels = image_rule(files.image, vision.patch("patch_size"), PASSED, "AyaVisionProcessor")
    processor = files.processor.with_defaults(PROCESSOR, f"AyaVisionProcessor in {REFERENCE}")
    unit = processor.integer("patch_size", high=4096) * processor.integer("downsample_factor", high=64)
    side = processor.integer("img_size", high=65_536)
    if side < unit:
        raise processor.error("img_size", side, f"it must hold one token of {unit} pixels")
    prompt = NumberedTiles(
        (side // unit) ** 2, _word(processor, "img_patch_token"), _word(processor, "start_of_img_token"),
        _word(processor, "end_of_img_token"), _word(processor, "tile_token"), _word(processor, "tile_global_token"),
    )  # fmt: skip
    return Reading(encoder, rule, pixels, prompt)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.cohere import aya  # counting does without it

    return aya(files)


def _weights() -> WeightNames:
    from vistoken.towers.cohere import AYA_WEIGHTS

    return AYA_WEIGHTS


def _word(processor: Config, name: str) -> str:
    word = processor.raw(name)
    if not isinstance(word, str) or not 0 < len(word) <= 64:
        raise processor.error(name, word, "it must be a token of the vocabulary, of up to 64 characters")
    return word


def _published(name: str, *aliases: str, mlp: int, llm: str, width: int) -> Published:
    vision = {"model_type": "siglip_vision_model", "hidden_size": 1152, "intermediate_size": 4304,
              "num_hidden_layers": 27, "num_attention_heads": 16, "image_size": 364, "patch_size": 14,
              "vision_use_head": False}  # fmt: skip
    config = {"model_type": "aya_vision", "downsample_factor": 2, "max_splits_per_img": 12, "vision_config": vision,
              "alignment_intermediate_size": mlp, "text_config": {"model_type": llm, "hidden_size": width}}  # fmt: skip
    preprocessor = {"image_processor_type": "GotOcr2ImageProcessor", "crop_to_patches": False, "min_patches": 1,
                    "max_patches": 12, "size": {"height": 364, "width": 364}, "resample": 3,
                    "image_mean": HALF, "image_std": HALF}  # fmt: skip
    processor = {"patch_size": 28, "img_size": 364}
    return Published((name, *aliases), config, preprocessor, SEEN, "aya-vision", processor)


FAMILY = Family(
    name="Aya Vision",
    model_types=("aya_vision",),
    read=read,
    published=(
        _published("CohereLabs/aya-vision-8b", "aya-vision-8b", "CohereForAI/aya-vision-8b",
                   mlp=28_672, llm="cohere2", width=4096),
        _published("CohereLabs/aya-vision-32b", "aya-vision-32b", "CohereForAI/aya-vision-32b",
                   mlp=49_152, llm="cohere", width=8192),
    ),
    rule=Label("verified", f"AyaVisionProcessor and GotOcr2ImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=_weights,
    reference=Reference(
        processor="AyaVisionProcessor",
        image="GotOcr2ImageProcessorPil",
        sees="pixel_values",
        tokens={"img_patch": "<|IMG_PATCH|>"},
        settings=({"max_patches": 6}, {"min_patches": 4, "max_patches": 24}, {"crop_to_patches": False}),
        thresholds=((364, 364), (728, 364), (640, 480), (910, 364)),
    ),
    examples=(
        Example("aya-vision-8b", 1280, 720, 6084, 1532, "AyaVisionProcessor: 8 tiles and an overview, 169 each", 11),
        # An exact match of the aspect ratio, 4 x 3, beats fewer tiles.
        Example("aya-vision-8b", 640, 480, 8788, 2212, "AyaVisionProcessor: 12 tiles and an overview", 15),
        # One tile alone is the overview: no TILE_1.
        Example("aya-vision-8b", 448, 448, 676, 172, "AyaVisionProcessor: the overview alone", 3),
    ),
)  # fmt: skip
