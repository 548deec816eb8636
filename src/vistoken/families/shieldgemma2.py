"""ShieldGemma 2: Gemma 3's picture without pan-and-scan, which its processor switches off.

Sources: transformers 5.23.0, `models/shieldgemma2/processing_shieldgemma2.py` and
`models/gemma3/image_processing_pil_gemma3.py`; arXiv 2504.01081.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF
from vistoken.processors.gemma3 import SETTINGS, image_rule
from vistoken.prompts.tags import PictureAndCrops

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 16}
PROCESSOR = {"image_seq_length": 256}


def read(files: Files) -> Reading:
    """The patch from the vision config, the size from the preprocessor, the tokens from the processor."""
    encoder = partial(_encoder, files)
    vision = files.config.child("vision_config").with_defaults(VISION, f"SiglipVisionConfig in {REFERENCE}")
    rule, pixels = image_rule(files.image, vision.patch("patch_size"), pan=False)
    processor = files.processor.with_defaults(PROCESSOR, f"ShieldGemma2Processor in {REFERENCE}")
    tokens = processor.integer("image_seq_length")
    prompt = PictureAndCrops(
        tokens, "<image_soft_token>", "<start_of_image>", "<end_of_image>",
        template="the processor repeats the picture in one prompt for every policy it is asked about, three by itself",
    )  # fmt: skip
    return Reading(encoder, rule, pixels, prompt)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.gemma3 import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.gemma3 import WEIGHTS

    return replace(WEIGHTS, roots=("", "model.", "model.model."))  # a Gemma 3 inside of another model


FAMILY = Family(
    name="ShieldGemma 2",
    model_types=("shieldgemma2",),
    read=read,
    published=(
        Published(
            ("google/shieldgemma-2-4b-it", "shieldgemma-2", "shieldgemma-2-4b"),
            {"model_type": "shieldgemma2", "mm_tokens_per_image": 256,
             "text_config": {"model_type": "gemma3_text", "hidden_size": 2560},
             "vision_config": {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27,
                               "num_attention_heads": 16, "image_size": 896, "patch_size": 14,
                               "vision_use_head": False}},
            {"image_processor_type": "Gemma3ImageProcessor", "size": {"height": 896, "width": 896}, "resample": 2,
             "image_mean": HALF, "image_std": HALF},
            SEEN,
        ),
    ),
    rule=Label("verified", f"ShieldGemma2Processor and Gemma3ImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=_weights,
    examples=(
        Example("shieldgemma-2", 1280, 720, 4096, 258, "ShieldGemma2Processor: 256 tokens and two markers", 2),
        Example("shieldgemma-2", 1, 1, 4096, 258, "ShieldGemma2Processor: the same whatever the picture", 2),
        Example("shieldgemma-2", 3000, 30, 4096, 258, "ShieldGemma2Processor: the same whatever the picture", 2),
    ),
    reference=Reference(
        processor="ShieldGemma2Processor",
        image="Gemma3ImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"},
        settings=({"size": {"height": 448, "width": 448}}, {"size": {"height": 224, "width": 336}, "resample": 3}),
        thresholds=((896, 896),),
    ),
)  # fmt: skip
