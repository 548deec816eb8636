"""AltCLIP: CLIP's image tower, unchanged, beside XLM-RoBERTa (arXiv 2211.06679); see `vistoken.towers.clip`.

transformers 5 writes its blocks as "encoder.layer", the published file as "encoder.layers": both are read.
Source: transformers 5.23.0, `models/altclip/modeling_altclip.py` and `conversion_mapping.py`.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.family import RECALLED, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, SETTINGS
from vistoken.towers.clip import CONTRASTIVE, contrastive
from vistoken.weight_names import CLIP_BLOCKS

BLOCKS = "encoder.layers."
WRITTEN = tuple(
    replace(weight, file=weight.file.replace(BLOCKS, "encoder.layer."))
    for weight in CLIP_BLOCKS
    if weight.file.startswith(BLOCKS)
)


def read(files: Files) -> Reading:
    return contrastive(files, "AltCLIP", projection_dim=768)


VISION = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "patch_size": 14,
          "intermediate_size": 4096, "image_size": 224, "hidden_act": "quick_gelu"}  # fmt: skip
PREPROCESSOR = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 224}, "crop_size": 224,
                "resample": 3, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}  # fmt: skip
CONFIG = {"model_type": "altclip", "projection_dim": 768, "vision_config": VISION}

FAMILY = Family(
    name="AltCLIP",
    model_types=("altclip", "altclip_vision_model"),
    read=read,
    published=(
        Published(("BAAI/AltCLIP", "altclip-l14"), CONFIG, PREPROCESSOR, RECALLED),
        Published(("BAAI/AltCLIP-m9", "altclip-l14-m9"), CONFIG, PREPROCESSOR, RECALLED),
    ),
    rule=Label("verified", f"CLIPImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=replace(CONTRASTIVE, weights=(*CONTRASTIVE.weights, *WRITTEN)),
    reference=Reference(
        processor="",
        image="CLIPImageProcessorPil",
        sees="pixel_values",
        settings=({"size": {"shortest_edge": 100}}, {"do_center_crop": False}),
    ),
    examples=(Example("altclip-l14", 1280, 720, 256, 257, "224 / 14 = 16 a side, and one class token"),),
)
