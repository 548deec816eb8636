"""Chinese-CLIP: CLIP's image tower beside a Chinese BERT (arXiv 2211.01335); see `vistoken.towers.clip`.

Source: transformers 5.23.0, `models/chinese_clip/modeling_chinese_clip.py`.
"""

from __future__ import annotations

from vistoken.family import RECALLED, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, SETTINGS
from vistoken.towers.clip import CONTRASTIVE, contrastive


def read(files: Files) -> Reading:
    return contrastive(files, "ChineseCLIP", "ChineseCLIPImageProcessor")


def _chinese(size: str, patch: int, pixels: int, *names: str) -> Published:
    dim, depth, heads, projection = {"B": (768, 12, 12, 512), "L": (1024, 24, 16, 768), "H": (1280, 32, 16, 1024)}[size]
    vision = {"hidden_size": dim, "num_hidden_layers": depth, "num_attention_heads": heads, "patch_size": patch,
              "intermediate_size": 4 * dim, "image_size": pixels, "hidden_act": "quick_gelu"}  # fmt: skip
    config = {"model_type": "chinese_clip", "projection_dim": projection, "vision_config": vision}
    preprocessor = {"image_processor_type": "ChineseCLIPImageProcessor", "size": {"height": pixels, "width": pixels},
                    "do_center_crop": False, "resample": 3, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}  # fmt: skip
    return Published(names, config, preprocessor, RECALLED)


FAMILY = Family(
    name="Chinese-CLIP",
    model_types=("chinese_clip", "chinese_clip_vision_model"),
    read=read,
    published=(
        _chinese("B", 16, 224, "OFA-Sys/chinese-clip-vit-base-patch16", "chinese-clip-b16"),
        _chinese("L", 14, 224, "OFA-Sys/chinese-clip-vit-large-patch14", "chinese-clip-l14"),
        _chinese("L", 14, 336, "OFA-Sys/chinese-clip-vit-large-patch14-336px", "chinese-clip-l14-336"),
        _chinese("H", 14, 224, "OFA-Sys/chinese-clip-vit-huge-patch14", "chinese-clip-h14"),
    ),
    rule=Label("verified", f"ChineseCLIPImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=CONTRASTIVE,
    reference=Reference(
        processor="",
        image="ChineseCLIPImageProcessorPil",
        sees="pixel_values",
        settings=({"size": {"height": 336, "width": 224}}, {"size": {"shortest_edge": 100}}),
    ),
    examples=(
        Example("chinese-clip-b16", 1280, 720, 196, 197, "224 / 16 = 14 a side, and one class token"),
        Example("chinese-clip-l14-336", 640, 480, 576, 577, "336 / 14 = 24 a side"),
    ),
)
