"""CLIPSeg: CLIP's image tower at 352 pixels, under a decoder that segments (arXiv 2112.10003).

The decoder is left out; see `vistoken.towers.clip`. Source: transformers 5.23.0, `models/clipseg/modeling_clipseg.py`.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.family import RECALLED, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD, SETTINGS
from vistoken.towers.clip import CONTRASTIVE, contrastive
from vistoken.weight_names import Ignore


def read(files: Files) -> Reading:
    return contrastive(files, "CLIPSeg", "ViTImageProcessor")


VISION = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "patch_size": 16,
          "intermediate_size": 3072, "image_size": 224, "hidden_act": "quick_gelu"}  # fmt: skip
# The table is made for 224 pixels and resized for the 352 of the processor.
PREPROCESSOR = {"image_processor_type": "ViTImageProcessor", "size": {"height": 352, "width": 352}, "resample": 2,
                "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}  # fmt: skip


def _clipseg(*names: str) -> Published:
    config = {"model_type": "clipseg", "projection_dim": 512, "vision_config": VISION}
    return Published(names, config, PREPROCESSOR, RECALLED)


PARTS = tuple((f"clip.{pattern}", reason) for pattern, reason in CONTRASTIVE.ignored)

FAMILY = Family(
    name="CLIPSeg",
    model_types=("clipseg", "clipseg_vision_model"),
    read=read,
    published=(
        _clipseg("CIDAS/clipseg-rd64-refined", "clipseg-b16"),
        _clipseg("CIDAS/clipseg-rd64", "clipseg-b16-rd64"),
        _clipseg("CIDAS/clipseg-rd16", "clipseg-b16-rd16"),
    ),
    rule=Label("verified", f"ViTImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=replace(
        CONTRASTIVE,
        roots=("", "vision_model.", "clip.", "clip.vision_model."),
        ignored=(*CONTRASTIVE.ignored, *PARTS, ("decoder.*", Ignore("the decoder that segments"))),
    ),
    reference=Reference(
        processor="",
        image="ViTImageProcessorPil",
        sees="pixel_values",
        settings=({"size": {"height": 224, "width": 224}}, {"size": {"height": 97, "width": 225}, "resample": 3}),
    ),
    examples=(Example("clipseg-b16", 1280, 720, 484, 485, "352 / 16 = 22 a side, and one class token"),),
)
