"""Janus and Janus-Pro: a padded square of 384 pixels, 24 x 24 tokens between a start and an end token.

Of the two image tokenizers only the one for understanding (SigLIP) is counted; pictures that the model draws are made
of other tokens.
Sources: transformers 5.23.0, `models/janus/processing_janus.py` and `models/janus/image_processing_pil_janus.py`;
arXiv 2410.13848 and 2501.17811.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import RECALLED, REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF
from vistoken.processors.deepseek_vl import SETTINGS, image_rule
from vistoken.prompts.fixed import FixedTokens
from vistoken.sequence import Marker

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

MARKERS = {"image_token": "<image_placeholder>", "boi_token": "<begin_of_image>", "eoi_token": "<end_of_image>"}


def read(files: Files) -> Reading:
    """The patch from the vision config; the number of tokens from the processor."""
    vision = files.config.child("vision_config").with_defaults({"patch_size": 16}, f"JanusVisionConfig in {REFERENCE}")
    rule, pixels = image_rule(files.image, vision.patch("patch_size"))
    processor = files.processor.with_defaults({"num_image_tokens": 576}, f"JanusProcessor in {REFERENCE}")
    before, after = (Marker(MARKERS["boi_token"]),), (Marker(MARKERS["eoi_token"]),)
    prompt = FixedTokens(processor.integer("num_image_tokens"), MARKERS["image_token"], before, after)
    return Reading(partial(_encoder, files), rule, pixels, prompt)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.janus import janus  # counting does without it

    return janus(files)


def _weights() -> WeightNames:
    from vistoken.towers.janus import WEIGHTS

    return WEIGHTS


def _published(name: str, alias: str, label: Label, series: str, width: int = 0) -> Published:
    """`width` is the LLM's, where it is known with all of the tower's own sizes."""
    vision = {"patch_size": 16, "image_size": 384, "num_image_tokens": 576}
    if width:
        vision |= {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "depth": 2,
                   "projection_dim": width}  # fmt: skip
    config = {"model_type": "janus", "vision_config": vision}
    preprocessor = {"image_processor_type": "JanusImageProcessor", "size": {"height": 384, "width": 384},
                    "min_size": 14, "resample": 3, "image_mean": HALF, "image_std": HALF}  # fmt: skip
    return Published((f"deepseek-community/{name}", alias), config, preprocessor, label, series)


FAMILY = Family(
    name="Janus",
    model_types=("janus",),
    read=read,
    published=(
        _published("Janus-Pro-1B", "janus-pro-1b", SEEN, "janus-pro", 2048),
        _published("Janus-Pro-7B", "janus-pro-7b", SEEN, "janus-pro", 4096),
        _published("Janus-1.3B", "janus-1.3b", RECALLED, ""),
    ),
    rule=Label("verified", f"JanusProcessor and JanusImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        Example("janus-pro-7b", 1280, 720, 576, 578, "JanusProcessor: 576 between a start and an end token", 2),
        Example("janus-pro-7b", 3000, 1, 576, 578, "JanusImageProcessorPil: 384x14 in a square of 384", 2),
        Example("janus-pro-1b", 640, 480, 256, 578, "JanusProcessor: num_image_tokens does not follow size", 2,
                {"size": 256}),
    ),
    weights=_weights,
    reference=Reference(
        processor="JanusProcessor",
        image="JanusImageProcessorPil",
        sees="pixel_values",
        tokens=MARKERS,
        settings=({"size": {"height": 512, "width": 512}, "min_size": 100}, {"size": {"height": 80, "width": 80}}),
        thresholds=((384, 384), (384, 14), (768, 5), (3, 2)),
    ),
)  # fmt: skip
