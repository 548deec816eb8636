"""Hybrid ViT: a residual network makes a map of the picture, whose cells the transformer takes for patches.

The baseline from before pure ViTs (arXiv 2010.11929, section 4.1; augmented: arXiv 2106.10270). A view whose sides are
no whole number of patches is cut at the right and below, as everywhere here; timm's convolutions would make cells of
what is left over. Transformers 5 has no such model any more; files that its version 4 wrote (`model_type` "vit-hybrid",
timm's values with an epsilon of 1e-12) are read nevertheless.
Sources: timm 1.0.31, `models/vision_transformer_hybrid.py`; transformers 4.40, `models/vit_hybrid/`
(`configuration_vit_hybrid.py`, `convert_vit_hybrid_timm_to_pytorch.py`); transformers 5.23.0, `models/bit/`.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.family import RECALLED, Example, Family, Files, Published, Reading, Timm
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF, SETTINGS, standard
from vistoken.spec import ClassPool, ClassToken
from vistoken.towers.bit import HF_STEM, SOURCE, TIMM_STEM, bit_stem
from vistoken.towers.timm import as_timm
from vistoken.towers.vit import DEFAULTS, UNUSED, tower
from vistoken.towers.vit import WEIGHTS as TOWER
from vistoken.weight_names import TIMM, TIMM_CLASSIFIER, WeightNames


def read(files: Files) -> Reading:
    config = files.config.with_defaults(DEFAULTS | {"patch_size": 1}, SOURCE)
    stem = bit_stem(config.child("backbone_config"))
    cells = config.patch("patch_size")
    patch = Patch(cells.height * stem.stride, cells.width * stem.stride)
    encoder = replace(tower(config, (ClassToken(),), ClassPool(), patch), stem=stem)
    return Reading(encoder, *standard(files.image, "ViTHybridImageProcessor", patch, config.size("image_size")))


WEIGHTS = WeightNames(
    roots=("", "vit."),
    weights=(
        *TOWER,
        *HF_STEM,
        *TIMM,
        *TIMM_STEM,
    ),
    ignored=(*UNUSED, *TIMM_CLASSIFIER),
)

NETWORKS = {  # hidden_size, num_hidden_layers, num_attention_heads, blocks of each stage, patch in cells of the map
    "tiny_r_s16_p8": (192, 12, 3, (), 8),
    "small_r26_s32": (384, 12, 6, (2, 2, 2, 2), 1),
    "base_r26_s32": (768, 12, 12, (2, 2, 2, 2), 1),
    "base_r50_s16": (768, 12, 12, (3, 4, 9), 1),
    "large_r50_s32": (1024, 24, 16, (3, 4, 6, 3), 1),
}


def _network(dim: int, depth: int, heads: int, depths: tuple[int, ...], cells: int) -> dict[str, object]:
    return {"hidden_size": dim, "num_hidden_layers": depth, "num_attention_heads": heads, "intermediate_size": 4 * dim,
            "patch_size": cells, "layer_norm_eps": 1e-6, "backbone_config": {"depths": depths}}  # fmt: skip


def _timm(name: str, pixels: int, tag: str, *aliases: str) -> Published:
    """The crop is 0.9 of a picture of 224 pixels and all of one of 384: `default_cfgs` of timm."""
    trained = {"input_size": (3, pixels, pixels), "interpolation": "bicubic", "mean": HALF, "std": HALF,
               "crop_pct": 0.9 if pixels == 224 else 1.0}  # fmt: skip
    config = {"architecture": f"vit_{name}_{pixels}", "pretrained_cfg": trained}
    return Published((f"timm/vit_{name}_{pixels}.{tag}", *aliases), config, {}, TIMM_CFGS)


TIMM_CFGS = Label("documented", "timm 1.0.31, default_cfgs in models/vision_transformer_hybrid.py")
AUGREG = "augreg_in21k_ft_in1k"
GOOGLE = Published(
    ("google/vit-hybrid-base-bit-384", "vit-hybrid-b16-384"),
    {"model_type": "vit-hybrid", "image_size": 384, "backbone_config": {"depths": (3, 4, 9)}},
    {"image_processor_type": "ViTHybridImageProcessor", "size": {"shortest_edge": 384}, "crop_size": 384,
     "image_mean": HALF, "image_std": HALF},
    RECALLED,
)  # fmt: skip

FAMILY = Family(
    name="Hybrid ViT",
    model_types=("vit-hybrid",),
    read=read,
    published=(
        GOOGLE,
        _timm("base_r50_s16", 384, "orig_in21k_ft_in1k", "vit-r50-b16-384"),
        _timm("base_r50_s16", 224, "orig_in21k", "vit-r50-b16-224"),
        _timm("tiny_r_s16_p8", 224, AUGREG, "vit-r-ti-224"),
        _timm("tiny_r_s16_p8", 384, AUGREG, "vit-r-ti-384"),
        _timm("small_r26_s32", 224, AUGREG, "vit-r26-s32-224"),
        _timm("small_r26_s32", 384, AUGREG, "vit-r26-s32-384"),
        _timm("large_r50_s32", 224, AUGREG, "vit-r50-l32-224"),
        _timm("large_r50_s32", 384, AUGREG, "vit-r50-l32-384"),
    ),
    rule=Label("documented", "timm 1.0.31, transforms_imagenet_eval; transformers 4.40, ViTHybridImageProcessor"),
    settings=SETTINGS,
    weights=WEIGHTS,
    timm=Timm(
        {
            f"vit_{name}_{pixels}": _network(*values)
            for name, values in NETWORKS.items()
            for pixels in ((224,) if name == "base_r26_s32" else (224, 384))  # timm has no other
        },
        as_timm,
    ),
    examples=(
        Example("vit-r50-b16-384", 1280, 720, 576, 577, "384 / 16 = 24 a side, and one class token"),
        Example("vit-r26-s32-224", 640, 480, 49, 50, "224 / 32 = 7 a side, and one class token"),
        Example("vit-r-ti-224", 640, 480, 49, 50, "224 / (4 x 8) = 7 a side, and one class token"),
    ),
)
