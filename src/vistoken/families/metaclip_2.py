"""MetaCLIP 2: CLIP's image tower beside a text tower for all languages (arXiv 2507.22062); see `vistoken.towers.clip`.

Most sizes have exact GELU, those with "quickgelu" in their name the quick one.
Source: transformers 5.23.0, `models/metaclip_2/modeling_metaclip_2.py`.
"""

from __future__ import annotations

from vistoken.family import QUOTED, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, SETTINGS
from vistoken.towers.clip import CONTRASTIVE, contrastive


def read(files: Files) -> Reading:
    return contrastive(files, "MetaClip2")


# hidden_size, num_hidden_layers, num_attention_heads, projection_dim
SIZES = {"S": (384, 12, 6, 384), "B": (768, 12, 12, 512), "L": (1024, 24, 16, 768), "H": (1280, 32, 16, 1024),
         "G": (1664, 48, 16, 1280)}  # fmt: skip


def _metaclip(size: str, patch: int, pixels: int, *names: str, act: str = "gelu") -> Published:
    dim, depth, heads, projection = SIZES[size]
    # 4.92 times dim in the largest, four times in the others, as in open_clip's ViT-bigG-14.
    hidden = 8192 if size == "G" else 4 * dim
    vision = {"hidden_size": dim, "num_hidden_layers": depth, "num_attention_heads": heads, "patch_size": patch,
              "intermediate_size": hidden, "image_size": pixels, "hidden_act": act}  # fmt: skip
    config = {"model_type": "metaclip_2", "projection_dim": projection, "vision_config": vision}
    square = {"height": pixels, "width": pixels}
    preprocessor = {"image_processor_type": "CLIPImageProcessor", "size": square, "crop_size": square, "resample": 3,
                    "image_mean": CLIP_MEAN, "image_std": CLIP_STD}  # fmt: skip
    if names[0].endswith("quickgelu"):  # the first of the series keeps the sides' ratio, the others stretch
        preprocessor["size"] = {"shortest_edge": pixels}
    return Published(names, config, preprocessor, QUOTED)


FAMILY = Family(
    name="MetaCLIP 2",
    model_types=("metaclip_2", "metaclip_2_vision_model"),
    read=read,
    published=(
        _metaclip("H", 14, 224, "facebook/metaclip-2-worldwide-huge-quickgelu", "metaclip2-h14", act="quick_gelu"),
        _metaclip("H", 14, 378, "facebook/metaclip-2-worldwide-huge-378", "metaclip2-h14-378"),
        _metaclip("G", 14, 224, "facebook/metaclip-2-worldwide-giant", "metaclip2-bigg14"),
        _metaclip("G", 14, 378, "facebook/metaclip-2-worldwide-giant-378", "metaclip2-bigg14-378"),
        _metaclip("L", 14, 224, "facebook/metaclip-2-worldwide-l14", "metaclip2-l14"),
        _metaclip("B", 16, 224, "facebook/metaclip-2-worldwide-b16", "metaclip2-b16"),
        _metaclip("B", 32, 224, "facebook/metaclip-2-worldwide-b32", "metaclip2-b32"),
        _metaclip("S", 16, 224, "facebook/metaclip-2-worldwide-s16", "metaclip2-s16"),
    ),
    rule=Label("verified", f"CLIPImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=CONTRASTIVE,
    reference=Reference(
        processor="",
        image="CLIPImageProcessorPil",
        sees="pixel_values",
        settings=({"size": {"shortest_edge": 100}}, {"do_center_crop": False}),
    ),
    examples=(
        Example("metaclip2-h14", 1280, 720, 256, 257, "224 / 14 = 16 a side, and one class token"),
        Example("metaclip2-bigg14-378", 640, 480, 729, 730, "378 / 14 = 27 a side"),
    ),
)
