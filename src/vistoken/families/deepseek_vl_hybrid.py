"""DeepSeek-VL 7B: one padded square, seen at 1024 pixels by one tower (SAM) and at 384 by another (SigLIP).

The features of the large view are brought to the 24 x 24 grid of the small one, so that 576 tokens reach the language
model; `patches` are those of both towers, 24 x 24 and 64 x 64. The large view is listed as the overview.
Sources: transformers 5.23.0, `models/deepseek_vl_hybrid/processing_deepseek_vl_hybrid.py` and
`models/deepseek_vl_hybrid/image_processing_pil_deepseek_vl_hybrid.py`; arXiv 2403.05525.
"""

from __future__ import annotations

from vistoken.family import RECALLED, REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF
from vistoken.processors.deepseek_vl import HIGH_RES_SETTINGS, SETTINGS, two_towers
from vistoken.prompts.fixed import FixedTokens

IMAGE = "<image_placeholder>"


def read(files: Files) -> Reading:
    """Both patches from the two vision configs; the number of tokens from the processor."""
    low = files.config.child("vision_config").with_defaults({"patch_size": 16}, f"SiglipVisionConfig in {REFERENCE}")
    high = files.config.child("high_res_vision_config")
    high = high.with_defaults({"patch_size": 16}, f"SamVisionConfig in {REFERENCE}")
    rule, pixels = two_towers(files.image, low.patch("patch_size"), high.patch("patch_size"))
    processor = files.processor.with_defaults({"num_image_tokens": 576}, f"DeepseekVLHybridProcessor in {REFERENCE}")
    return Reading(None, rule, pixels, FixedTokens(processor.integer("num_image_tokens"), IMAGE))


def _published(name: str, alias: str, label: Label) -> Published:
    config = {"model_type": "deepseek_vl_hybrid", "vision_config": {"patch_size": 16, "image_size": 384},
              "high_res_vision_config": {"patch_size": 16, "image_size": 1024}}  # fmt: skip
    preprocessor = {"image_processor_type": "DeepseekVLHybridImageProcessor", "size": {"height": 384, "width": 384},
                    "min_size": 14, "resample": 2, "image_mean": HALF, "image_std": HALF,
                    "high_res_size": {"height": 1024, "width": 1024}, "high_res_resample": 3}  # fmt: skip
    return Published((f"deepseek-community/{name}", alias), config, preprocessor, label,
                     processor={"num_image_tokens": 576})  # fmt: skip


FAMILY = Family(
    name="DeepSeek-VL hybrid",
    model_types=("deepseek_vl_hybrid",),
    read=read,
    published=(
        _published("deepseek-vl-7b-chat", "deepseek-vl-7b", SEEN),
        _published("deepseek-vl-7b-base", "deepseek-vl-7b-base", RECALLED),
    ),
    rule=Label("verified", f"DeepseekVLHybridProcessor and DeepseekVLHybridImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS + HIGH_RES_SETTINGS,
    examples=(
        Example("deepseek-vl-7b", 1280, 720, 4672, 576, "DeepseekVLHybridProcessor; 24 x 24 + 64 x 64 patches"),
        Example("deepseek-vl-7b", 1, 3000, 4672, 576, "DeepseekVLHybridImageProcessorPil: 14x1024 in a square"),
        Example("deepseek-vl-7b", 640, 480, 1600, 576, "DeepseekVLHybridProcessor: 24 x 24 + 32 x 32 patches",
                arguments={"high_res_size": 512}),
    ),
    reference=Reference(
        processor="DeepseekVLHybridProcessor",
        image="DeepseekVLHybridImageProcessorPil",
        sees="high_res_pixel_values",
        tokens={"image_token": IMAGE},
        settings=(
            {"high_res_size": {"height": 512, "width": 512}, "min_size": 100},
            {"size": {"height": 800, "width": 800}, "high_res_size": {"height": 300, "width": 300}},
        ),
        thresholds=((1024, 1024), (1024, 14), (3, 2)),
    ),
)  # fmt: skip
