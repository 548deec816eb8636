"""Gemma 4 12B, the unified one: Gemma 4's rule, without a tower: blocks of 48 x 48 pixels go straight into the LLM.

Sources: transformers 5.23.0, `models/gemma4_unified/image_processing_gemma4_unified.py`,
`models/gemma4_unified/processing_gemma4_unified.py`, `models/gemma4_unified/video_processing_gemma4_unified.py`.
"""

from __future__ import annotations

from vistoken.family import REFERENCE, SCRIPT, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.processors.gemma4 import IMAGE, SETTINGS, VIDEO
from vistoken.processors.gemma4 import read as read_gemma


def read(files: Files) -> Reading:
    """Blocks of patches are joined to one before the model looks at them."""
    return read_gemma(files, pooled_before=True)


FAMILY = Family(
    name="Gemma 4 unified",
    model_types=("gemma4_unified",),
    read=read,
    published=(
        Published(
            ("google/gemma-4-12B-it", "gemma-4-12b"),
            {"model_type": "gemma4_unified",
             "vision_config": {"model_type": "gemma4_unified_vision", "patch_size": 16, "pooling_kernel_size": 3}},
            IMAGE | {"image_processor_type": "Gemma4UnifiedImageProcessor"},
            SCRIPT,
            video={**VIDEO},
        ),
    ),
    rule=Label("verified", f"the processors of `gemma4_unified` of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        Example("gemma-4-12b", 1280, 720, 264, 266, "Gemma4UnifiedProcessor: 12 x 22 blocks of 48 pixels", 2),
        Example("gemma-4-12b", 1, 1, 256, 258, "Gemma4UnifiedProcessor: enlarged to 16 x 16", 2),
        Example("gemma-4-12b", 1000, 1000, 256, 258, "Gemma4UnifiedProcessor: 16 x 16, 24 tokens are left over", 2),
    ),
    reference=Reference(
        processor="Gemma4UnifiedProcessor",
        image="Gemma4UnifiedImageProcessor",
        sees="image_position_ids",
        tokens={"image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>"},
        video="Gemma4UnifiedVideoProcessor",
        sees_video="",
        torchvision=True,
        settings=({"max_soft_tokens": 70}, {"max_soft_tokens": 1120}),
        thresholds=((48, 48), (48, 13_440), (2304, 1104)),
    ),
)  # fmt: skip
