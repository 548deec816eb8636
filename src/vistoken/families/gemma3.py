"""Gemma 3 and T5Gemma 2: 256 tokens for every picture, and as many for each crop where pan-and-scan is on.

Sources: transformers 5.23.0, `models/gemma3/image_processing_pil_gemma3.py` and `processing_gemma3.py`;
arXiv 2503.19786.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vistoken.family import RECALLED, REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF
from vistoken.processors.gemma3 import PAN_SETTINGS, SETTINGS, image_rule
from vistoken.prompts.tags import PictureAndCrops

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 16}
PROCESSOR = {"image_seq_length": 256}


def read(files: Files) -> Reading:
    """The patch from the vision config, which T5Gemma 2 keeps in its encoder; the tokens from the processor."""
    config = files.config.child("encoder") if files.config.has("encoder") else files.config
    vision = config.child("vision_config").with_defaults(VISION, f"SiglipVisionConfig in {REFERENCE}")
    rule, pixels = image_rule(files.image, vision.patch("patch_size"), pan=True)
    processor = files.processor.with_defaults(PROCESSOR, f"Gemma3Processor in {REFERENCE}")
    tokens = processor.integer("image_seq_length")
    prompt = PictureAndCrops(tokens, "<image_soft_token>", "<start_of_image>", "<end_of_image>")
    # T5Gemma 2 keeps its tower in an encoder that is no LLM.
    encoder = partial(_encoder, files) if files.config.raw("model_type") == "gemma3" else None
    return Reading(encoder, rule, pixels, prompt)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.gemma3 import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.gemma3 import WEIGHTS

    return WEIGHTS


# SigLIP SO400M/14 at 896 pixels without its head (`models/gemma3/convert_gemma3_weights.py`).
VISION_896 = {"model_type": "siglip_vision_model", "hidden_size": 1152, "intermediate_size": 4304,
              "num_hidden_layers": 27, "num_attention_heads": 16, "image_size": 896, "patch_size": 14,
              "vision_use_head": False}  # fmt: skip
PREPROCESSOR = {
    "image_processor_type": "Gemma3ImageProcessor", "size": {"height": 896, "width": 896}, "resample": 2,
    "image_mean": HALF, "image_std": HALF, "do_pan_and_scan": None, "pan_and_scan_min_crop_size": None,
    "pan_and_scan_max_num_crops": None, "pan_and_scan_min_ratio_to_activate": None,
}  # fmt: skip


def _gemma(name: str, alias: str, width: int) -> Published:
    config = {"model_type": "gemma3", "mm_tokens_per_image": 256, "vision_config": VISION_896,
              "text_config": {"model_type": "gemma3_text", "hidden_size": width}}  # fmt: skip
    return Published((name, alias), config, PREPROCESSOR, SEEN, "gemma-3", processor={"image_seq_length": 256})


def _t5gemma(name: str, alias: str) -> Published:
    config: dict[str, Any] = {"model_type": "t5gemma2", "encoder": {"vision_config": VISION_896}}
    return Published((name, alias), config, PREPROCESSOR, RECALLED, "t5gemma-2", processor={"image_seq_length": 256})


FAMILY = Family(
    name="Gemma 3",
    model_types=("gemma3", "t5gemma2", "t5gemma2_encoder"),
    read=read,
    published=(
        _gemma("google/gemma-3-4b-it", "gemma-3-4b", 2560),
        _gemma("google/gemma-3-12b-it", "gemma-3-12b", 3840),
        _gemma("google/gemma-3-27b-it", "gemma-3-27b", 5376),
        _t5gemma("google/t5gemma-2-270m-270m", "t5gemma-2-270m"),
        _t5gemma("google/t5gemma-2-1b-1b", "t5gemma-2-1b"),
        _t5gemma("google/t5gemma-2-4b-4b", "t5gemma-2-4b"),
    ),
    rule=Label("verified", f"Gemma3Processor and Gemma3ImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS + PAN_SETTINGS,
    weights=_weights,
    examples=(
        Example("gemma-3-4b", 1280, 720, 4096, 258, "Gemma3Processor: 256 tokens and two markers", 2),
        Example("gemma-3-4b", 1280, 720, 12_288, 774, "Gemma3Processor: the picture and 2 crops", 6,
                arguments={"do_pan_and_scan": True}),
        # 1199 / 1000 is under 1.2; 1000 / 400 = 2.5 rounds up to 3, not to even.
        Example("gemma-3-12b", 1199, 1000, 4096, 258, "Gemma3Processor: no crops", 2,
                arguments={"do_pan_and_scan": True}),
        Example("gemma-3-27b", 1000, 400, 16_384, 1032, "Gemma3Processor: the picture and 3 crops", 8,
                arguments={"do_pan_and_scan": True}),
        Example("gemma-3-27b", 900, 255, 4096, 258, "Gemma3Processor: crops would be under 256 pixels", 2,
                arguments={"do_pan_and_scan": True}),
        Example("t5gemma-2-1b", 1280, 720, 4096, 258, "Gemma3Processor: 256 tokens and two markers", 2),
    ),
    reference=Reference(
        processor="Gemma3Processor",
        image="Gemma3ImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"},
        settings=(
            {"do_pan_and_scan": True},
            {"do_pan_and_scan": True, "pan_and_scan_min_crop_size": 64, "pan_and_scan_max_num_crops": 7,
             "pan_and_scan_min_ratio_to_activate": 1.5},
            {"do_pan_and_scan": True, "pan_and_scan_min_crop_size": 100, "pan_and_scan_max_num_crops": 1},
        ),
        # 1.2 starts the crops; ratios of 2.5 and 3.5 stand between two numbers; crops of 256 are the least.
        thresholds=((1200, 1000), (600, 500), (1000, 400), (1400, 400), (512, 256), (256, 768), (1024, 300)),
    ),
)  # fmt: skip
