"""FastVLM: one view of 1024 x 1024 pixels and 256 tokens, one for each 64 x 64. Counted, not encoded.

Sources: transformers 5.23.0, `models/llava/processing_llava.py`, which the copies for transformers name as their
processor, and `models/fast_vlm/configuration_fast_vlm.py`; arXiv 2412.13303.
"""

from __future__ import annotations

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import SETTINGS
from vistoken.processors.llava import image_rule, read_tower
from vistoken.prompts.towers import TowerTokens

VISION = {"model_type": "timm_wrapper", "architecture": "fastvit_mci3"}
PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": 1024}, "resample": 3,
    "do_center_crop": True, "crop_size": {"height": 1024, "width": 1024}, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.0, 0.0, 0.0], "image_std": [1.0, 1.0, 1.0],
}  # fmt: skip
PROCESSOR = {
    "processor_class": "LlavaProcessor", "image_token": "<image>", "num_additional_image_tokens": 0, "patch_size": 64,
    "vision_feature_select_strategy": None,
}  # fmt: skip


def read(files: Files) -> Reading:
    """The patch is the whole stride of the convolutional tower, which only the processor's file tells."""
    tower = read_tower(files, default={**VISION, "patch_size": 64, "image_size": 1024}, strategy="full")
    rule, pixels = image_rule(files.image, tower)
    return Reading(None, rule, pixels, TowerTokens(tower.change, "<image>"), prefix=tower.prefix)


def _published(name: str, alias: str) -> Published:
    config = {"model_type": "fast_vlm", "vision_config": VISION, "vision_feature_select_strategy": "full"}
    return Published((name, alias), config, PREPROCESSOR, SEEN, "fastvlm", processor=PROCESSOR)


FAMILY = Family(
    name="FastVLM",
    model_types=("fast_vlm",),
    read=read,
    published=(
        _published("KamilaMila/FastVLM-0.5B", "fastvlm-0.5b"),
        _published("KamilaMila/FastVLM-1.5B", "fastvlm-1.5b"),
        _published("KamilaMila/FastVLM-7B", "fastvlm-7b"),
    ),
    rule=Label("verified", f"LlavaProcessor and CLIPImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    reference=Reference(
        processor="LlavaProcessor",
        image="CLIPImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image>"},
        settings=(
            {"size": {"height": 512, "width": 768}, "do_center_crop": False},
            {"size": {"shortest_edge": 256}, "do_center_crop": False},
        ),
        thresholds=((1024, 1024), (1024, 2048)),
    ),
    examples=(
        Example("fastvlm-0.5b", 1280, 720, 256, 256, "LlavaProcessor: 1024 // 64 = 16 rows and columns"),
        Example("fastvlm-1.5b", 64, 64, 256, 256, "LlavaProcessor: every size gives the same"),
        Example("fastvlm-7b", 640, 480, 64, 64, "LlavaProcessor: 512 // 64 = 8 rows and columns",
                arguments={"size": {"shortest_edge": 512}, "crop_size": 512}),
    ),
)  # fmt: skip
