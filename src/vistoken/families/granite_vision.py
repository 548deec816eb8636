"""Granite Vision 3.1, 3.2 and 3.3: LLaVA-NeXT with a SigLIP tower and 27 canvases of tiles of 384 pixels.

Their folders have model type "llava_next", which the family of that name reads.
Sources: transformers 5.23.0, `models/llava_next/processing_llava_next.py`,
`models/llava_next/image_processing_pil_llava_next.py`; arXiv 2502.09927.
"""

from __future__ import annotations

from vistoken.family import RECALLED, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.processors.granite_vision import PINPOINTS, PREPROCESSOR
from vistoken.processors.llava import read_tower
from vistoken.processors.llava_next import SETTINGS, image_rule, unpadded

VISION = {"model_type": "siglip_vision_model", "patch_size": 14, "image_size": 384}
PROCESSOR = {
    "processor_class": "LlavaNextProcessor", "image_token": "<image>", "num_additional_image_tokens": 0,
    "patch_size": 14, "vision_feature_select_strategy": "full",
}  # fmt: skip


def read(files: Files) -> Reading:
    """As LLaVA-NeXT; the tower has no class token, and all its tokens are kept."""
    tower = read_tower(files)
    rule, pixels = image_rule(files.image, tower.patch)
    prompt = unpadded(rule, tower.change) if rule else None
    return Reading(None, rule, pixels, prompt, prefix=tower.prefix)


def _published(name: str, alias: str) -> Published:
    config = {"model_type": "llava_next", "vision_config": VISION, "image_grid_pinpoints": PINPOINTS,
              "vision_feature_select_strategy": "full"}  # fmt: skip
    return Published((name, alias), config, PREPROCESSOR, RECALLED, "granite-vision-3", processor=PROCESSOR)


FAMILY = Family(
    name="Granite Vision 3",
    model_types=(),
    read=read,
    published=(
        _published("ibm-granite/granite-vision-3.2-2b", "granite-vision-3.2"),
        _published("ibm-granite/granite-vision-3.1-2b-preview", "granite-vision-3.1"),
        _published("ibm-granite/granite-vision-3.3-2b", "granite-vision-3.3"),
    ),
    rule=Label("verified", f"LlavaNextProcessor and LlavaNextImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    reference=Reference(
        processor="LlavaNextProcessor",
        image="LlavaNextImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image>"},
        settings=(
            {"image_grid_pinpoints": [[384, 384], [768, 1536], [1536, 768], [1152, 1152]]},
            {"size": {"height": 448, "width": 448}, "crop_size": {"height": 448, "width": 448},
             "image_grid_pinpoints": [[448, 1344], [896, 896], [1344, 448]]},
        ),
        thresholds=((384, 384), (768, 384), (1152, 1152), (3840, 384), (738, 820)),
    ),
    examples=(
        Example("granite-vision-3.2", 1280, 720, 6561, 5967, "LlavaNextProcessor: 729 + 54 rows x (96 + newline)"),
        Example("granite-vision-3.1", 595, 842, 5103, 4964, "LlavaNextProcessor: 729 + 77 rows x (54 + newline)"),
        # Wider than any canvas of the other families of this kind.
        Example("granite-vision-3.3", 3840, 384, 8019, 8046, "LlavaNextProcessor: 729 + 27 rows x (270 + newline)"),
    ),
)  # fmt: skip
