"""Granite 4 Vision: as Granite Vision 3 with patches of 16 pixels, of which half as many a side reach the LLM.

Sources: transformers 5.23.0, `models/granite4_vision/processing_granite4_vision.py`,
`models/llava_next/image_processing_pil_llava_next.py`.
"""

from __future__ import annotations

import re

from vistoken.configs import Config
from vistoken.family import RECALLED, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Grid
from vistoken.model_spec import Label
from vistoken.processors.granite_vision import PINPOINTS, PREPROCESSOR
from vistoken.processors.llava import read_tower
from vistoken.processors.llava_next import SETTINGS, image_rule
from vistoken.prompts.unpad import Unpadded

VISION = {"model_type": "siglip_vision_model", "patch_size": 16, "image_size": 384}
# What Granite4VisionConfig assumes where there is no vision config.
CLIP = {"model_type": "clip_vision_model", "patch_size": 32, "image_size": 224}
PROCESSOR = {
    "processor_class": "Granite4VisionProcessor", "image_token": "<image>", "num_additional_image_tokens": 0,
    "patch_size": 16, "vision_feature_select_strategy": "full", "downsample_rate": "4/8",
}  # fmt: skip
_RATE = re.compile(r"([1-9]\d{0,2})/([1-9]\d{0,2})", re.ASCII)


def read(files: Files) -> Reading:
    """As LLaVA-NeXT, but a window of `downsample_rate` reduces the patches of each side."""
    tower = read_tower(files, CLIP)
    rule, pixels = image_rule(files.image, tower.patch)
    if rule is None:
        return Reading(None, None, None, prefix=tower.prefix)
    over, under = _rate(files.processor if files.processor.has("patch_size") else files.config)
    grid = rule.patch.grid(rule.crop)
    cells = Grid(grid.rows * over // under, grid.cols * over // under)
    if not cells.patches:
        raise files.processor.error("downsample_rate", f"{over}/{under}", f"of {grid} patches nothing is left")
    prompt = Unpadded(cells, cells.patches + tower.change, "<image>")
    return Reading(None, rule, pixels, prompt, prefix=tower.prefix)


def _rate(source: Config) -> tuple[int, int]:
    """The queries of a window's side, and its patches."""
    if not source.has("downsample_rate"):
        return 1, 1
    value = source.raw("downsample_rate")
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[1]) > int(match[2]):
        raise source.error("downsample_rate", value, "it must be a fraction of at most 1, for example 4/8")
    return int(match[1]), int(match[2])


def _published(name: str, alias: str) -> Published:
    config = {"model_type": "granite4_vision", "vision_config": VISION, "image_grid_pinpoints": PINPOINTS,
              "downsample_rate": "4/8"}  # fmt: skip
    return Published((name, alias), config, PREPROCESSOR, RECALLED, "granite-vision-4", processor=PROCESSOR)


FAMILY = Family(
    name="Granite 4 Vision",
    model_types=("granite4_vision",),
    read=read,
    published=(
        _published("ibm-granite/granite-4.0-3b-vision", "granite-vision-4.0"),
        _published("ibm-granite/granite-vision-4.1-4b", "granite-vision-4.1"),
    ),
    rule=Label("verified", f"Granite4VisionProcessor and LlavaNextImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    reference=Reference(
        processor="Granite4VisionProcessor",
        image="LlavaNextImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image>"},
        settings=(
            {"image_grid_pinpoints": [[384, 384], [768, 1536], [1536, 768], [1152, 1152]]},
            {"size": {"height": 432, "width": 432}, "crop_size": {"height": 432, "width": 432},
             "image_grid_pinpoints": [[432, 1296], [864, 864], [1296, 432]]},
        ),
        thresholds=((384, 384), (768, 384), (1152, 1152), (3840, 384), (376, 470)),
    ),
    examples=(
        Example("granite-vision-4.0", 1280, 720, 5184, 1176,
                "Granite4VisionProcessor: 144 + 24 rows x (42 + newline), from cells of 12 x 12"),
        Example("granite-vision-4.1", 595, 842, 4032, 994, "Granite4VisionProcessor: 144 + 34 rows x (24 + newline)"),
        Example("granite-vision-4.0", 3840, 384, 6336, 1596,
                "Granite4VisionProcessor: 144 + 12 rows x (120 + newline)"),
    ),
)  # fmt: skip
