"""Gemma 4 and DiffusionGemma: every picture is scaled until its pooled tokens fill the budget.

Sources: transformers 5.23.0, `models/gemma4/image_processing_pil_gemma4.py`, `models/gemma4/processing_gemma4.py`,
`models/gemma4/video_processing_gemma4.py`; `models/auto/processing_auto.py` for DiffusionGemma. For the encoder see
`vistoken.towers.gemma4`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from operator import add
from typing import TYPE_CHECKING

from vistoken.family import RECALLED, REFERENCE, SEEN, SIBLING, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label, PixelSpec
from vistoken.processors.gemma4 import IMAGE, SETTINGS, VIDEO
from vistoken.processors.gemma4 import read as read_gemma

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames


def read(files: Files) -> Reading:
    """Blocks of patches are pooled in the tower's last step."""
    reading = read_gemma(files, pooled_before=False)
    return replace(reading, encoder=partial(_encoder, files), pixels=reading.pixels and _doubled(reading.pixels))


def _doubled(pixels: PixelSpec) -> PixelSpec:
    """The model maps what its processor returns to 2 x - 1, and 2 (v s - m) / d - 1 = (v s - (m + d/2)) / (d/2).

    Source: transformers 5.23.0, `models/gemma4/modeling_gemma4.py`, `Gemma4VisionPatchEmbedder`.
    """
    half = tuple(std / 2 for std in pixels.std)
    return PixelSpec(tuple(map(add, pixels.mean, half)), half, pixels.scale)


def _encoder(files: Files) -> EncoderSpec | None:
    if files.built_in and not files.config.child("text_config").has("hidden_size"):
        return None  # the width of the LLM is not known
    from vistoken.towers.gemma4 import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.gemma4 import WEIGHTS

    return WEIGHTS


# Towers and widths of the LLMs: `models/gemma4/convert_gemma4_weights.py`, which wrote the published files.
SMALL = {"hidden_size": 768, "num_hidden_layers": 16, "num_attention_heads": 12, "num_key_value_heads": 12,
         "head_dim": 64, "intermediate_size": 3072, "use_clipped_linears": True}  # fmt: skip
LARGE = {"hidden_size": 1152, "num_hidden_layers": 27, "num_attention_heads": 16, "num_key_value_heads": 16,
         "head_dim": 72, "intermediate_size": 4304, "standardize": True}  # fmt: skip


def _published(
    name: str, alias: str, label: Label, tower: Mapping[str, int], width: int | None, kind: str = "gemma4"
) -> Published:
    vision = {"model_type": "gemma4_vision", "patch_size": 16, "pooling_kernel_size": 3, **tower}
    text = {"model_type": "gemma4_text", **({} if width is None else {"hidden_size": width})}
    config = {"model_type": kind, "vision_config": vision, "text_config": text}
    image, video = IMAGE | {"image_processor_type": "Gemma4ImageProcessor"}, {**VIDEO}
    series = "gemma-4" if kind == "gemma4" else ""
    return Published((name, alias), config, image, label, series, video=video)


FAMILY = Family(
    name="Gemma 4",
    model_types=("gemma4", "diffusion_gemma"),
    read=read,
    published=(
        _published("google/gemma-4-E2B-it", "gemma-4-e2b", SEEN, SMALL, 1536),
        _published("google/gemma-4-E4B-it", "gemma-4-e4b", SEEN, SMALL, 2560),
        _published("google/gemma-4-26B-A4B-it", "gemma-4-26b-a4b", SIBLING, LARGE, 2816),
        _published("google/gemma-4-31B-it", "gemma-4-31b", SEEN, LARGE, 5376),
        _published("google/diffusiongemma-26B-A4B-it", "diffusiongemma-26b-a4b", RECALLED, LARGE, None,
                   "diffusion_gemma"),
    ),
    rule=Label("verified", f"Gemma4Processor, Gemma4ImageProcessorPil and Gemma4VideoProcessor of {REFERENCE}"),
    settings=SETTINGS,
    weights=_weights,
    examples=(
        Example("gemma-4-e4b", 1280, 720, 2376, 266, "Gemma4Processor: 12 x 22 tokens and two markers", 2),
        Example("gemma-4-e2b", 1, 1, 2304, 258, "Gemma4Processor: enlarged to 16 x 16 tokens", 2),
        # The short side would be cut to nothing: it becomes one token, the long one at most the budget.
        Example("gemma-4-31b", 3000, 10, 2520, 282, "Gemma4Processor: one row of 280, of floor(3000 / 10) = 300", 2),
        Example("gemma-4-31b", 30, 3000, 1503, 169, "Gemma4Processor: 167 x 1", 2),
    ),
    reference=Reference(
        processor="Gemma4Processor",
        image="Gemma4ImageProcessorPil",
        sees="image_position_ids",
        tokens={"image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>"},
        video="Gemma4VideoProcessor",
        sees_video="",
        settings=({"max_soft_tokens": 70}, {"max_soft_tokens": 1120}, {"max_soft_tokens": 140}),
        thresholds=((48, 48), (48, 13_440), (2304, 1104)),
    ),
)  # fmt: skip
