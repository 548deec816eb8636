"""ShieldGemma 2: Gemma 3's picture without pan-and-scan, which its processor switches off.

Sources: transformers 5.23.0, `models/shieldgemma2/processing_shieldgemma2.py` and
`models/gemma3/image_processing_pil_gemma3.py`; arXiv 2504.01081.
"""

from __future__ import annotations

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF
from vistoken.processors.gemma3 import SETTINGS, image_rule
from vistoken.prompts.tags import PictureAndCrops

VISION = {"patch_size": 16}
PROCESSOR = {"image_seq_length": 256}


def read(files: Files) -> Reading:
    """The patch from the vision config, the size from the preprocessor, the tokens from the processor."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"SiglipVisionConfig in {REFERENCE}")
    rule, pixels = image_rule(files.image, vision.patch("patch_size"), pan=False)
    processor = files.processor.with_defaults(PROCESSOR, f"ShieldGemma2Processor in {REFERENCE}")
    tokens = processor.integer("image_seq_length")
    prompt = PictureAndCrops(
        tokens, "<image_soft_token>", "<start_of_image>", "<end_of_image>",
        template="the processor repeats the picture in one prompt for every policy it is asked about, three by itself",
    )  # fmt: skip
    return Reading(None, rule, pixels, prompt)


FAMILY = Family(
    name="ShieldGemma 2",
    model_types=("shieldgemma2",),
    read=read,
    published=(
        Published(
            ("google/shieldgemma-2-4b-it", "shieldgemma-2", "shieldgemma-2-4b"),
            {"model_type": "shieldgemma2", "mm_tokens_per_image": 256,
             "vision_config": {"image_size": 896, "patch_size": 14}},
            {"image_processor_type": "Gemma3ImageProcessor", "size": {"height": 896, "width": 896}, "resample": 2,
             "image_mean": HALF, "image_std": HALF},
            SEEN,
        ),
    ),
    rule=Label("verified", f"ShieldGemma2Processor and Gemma3ImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
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
