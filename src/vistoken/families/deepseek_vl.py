"""DeepSeek-VL 1.3B: a padded square of 384 pixels, 24 x 24 tokens. The 7B model is in `deepseek_vl_hybrid.py`.

Sources: transformers 5.23.0, `models/deepseek_vl/processing_deepseek_vl.py` and
`models/deepseek_vl/image_processing_pil_deepseek_vl.py`; arXiv 2403.05525.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import RECALLED, REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF
from vistoken.processors.deepseek_vl import SETTINGS, image_rule
from vistoken.prompts.fixed import FixedTokens

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

IMAGE = "<image_placeholder>"
# SigLIP L/16 at 384 pixels.
TOWER = {"model_type": "siglip_vision_model", "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
          "intermediate_size": 4096, "hidden_act": "gelu", "patch_size": 16, "image_size": 384,
          "vision_use_head": False}  # fmt: skip


def read(files: Files) -> Reading:
    """The patch from the vision config; the number of tokens from the processor."""
    vision = files.config.child("vision_config").with_defaults({"patch_size": 16}, f"SiglipVisionConfig in {REFERENCE}")
    rule, pixels = image_rule(files.image, vision.patch("patch_size"))
    processor = files.processor.with_defaults({"num_image_tokens": 576}, f"DeepseekVLProcessor in {REFERENCE}")
    return Reading(partial(_encoder, files), rule, pixels, FixedTokens(processor.integer("num_image_tokens"), IMAGE))


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.janus import deepseek_vl  # counting does without it

    return deepseek_vl(files)


def _weights() -> WeightNames:
    from vistoken.towers.janus import DEEPSEEK_WEIGHTS

    return DEEPSEEK_WEIGHTS


def _published(name: str, alias: str, label: Label) -> Published:
    config = {"model_type": "deepseek_vl", "vision_config": TOWER, "text_config": {"hidden_size": 2048}}
    preprocessor = {"image_processor_type": "DeepseekVLImageProcessor", "size": {"height": 384, "width": 384},
                    "min_size": 14, "resample": 3, "image_mean": HALF, "image_std": HALF}  # fmt: skip
    names = (f"deepseek-community/{name}", alias)
    return Published(names, config, preprocessor, label, "deepseek-vl", {"num_image_tokens": 576})


FAMILY = Family(
    name="DeepSeek-VL",
    model_types=("deepseek_vl",),
    read=read,
    published=(
        _published("deepseek-vl-1.3b-chat", "deepseek-vl-1.3b", SEEN),
        _published("deepseek-vl-1.3b-base", "deepseek-vl-1.3b-base", RECALLED),
    ),
    rule=Label("verified", f"DeepseekVLProcessor and DeepseekVLImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        Example("deepseek-vl-1.3b", 1280, 720, 576, 576, "DeepseekVLProcessor: num_image_tokens; 384 / 16 = 24"),
        # The short side would be 0.13 pixels: it becomes 14, and is padded to 384.
        Example("deepseek-vl-1.3b", 3000, 1, 576, 576, "DeepseekVLImageProcessorPil: 384x14 in a square of 384"),
        Example("deepseek-vl-1.3b", 640, 480, 1024, 576, "DeepseekVLProcessor: num_image_tokens does not follow size",
                arguments={"size": 512}),
    ),
    weights=_weights,
    reference=Reference(
        processor="DeepseekVLProcessor",
        image="DeepseekVLImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": IMAGE},
        settings=({"size": {"height": 512, "width": 512}, "min_size": 100}, {"size": {"height": 80, "width": 80}}),
        thresholds=((384, 384), (384, 14), (768, 5), (3, 2)),
    ),
)  # fmt: skip
