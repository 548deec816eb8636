"""Hybrid ViT: a residual network makes a map of the picture, whose cells the transformer takes for patches.

The baseline from before pure ViTs (arXiv 2010.11929, section 4.1; augmented: arXiv 2106.10270). A view whose sides are
no whole number of patches is cut at the right and below, as everywhere here; timm's convolutions would make cells of
what is left over. Transformers 5 has no such model any more; files that its version 4 wrote (`model_type` "vit-hybrid",
timm's values with an epsilon of 1e-12) are read nevertheless.
Sources: timm 1.0.31, `models/vision_transformer_hybrid.py`; transformers 4.40, `models/vit_hybrid/`
(`configuration_vit_hybrid.py`, `convert_vit_hybrid_timm_to_pytorch.py`); transformers 5.23.0, `models/bit/`.
"""

from __future__ import annotations

from vistoken.family import ACTIVATIONS, RECALLED, Example, Family, Files, Published, Reading, Timm, heads_of, table_of
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF, SETTINGS, standard
from vistoken.spec import ClassPool, ClassToken, EncoderSpec, LayerNorm, LearnedTable, PlainMlp, TableResize
from vistoken.towers.bit import HF_STEM, TIMM_STEM, bit_stem
from vistoken.towers.timm import as_timm
from vistoken.weight_names import TIMM, VIT_BLOCKS, DropOnes, Ignore, Weight, WeightNames, affine

SOURCE = "ViTHybridConfig in transformers 4.40"
DEFAULTS = {
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
    "hidden_act": "gelu", "layer_norm_eps": 1e-12, "image_size": 224, "patch_size": 1, "num_channels": 3,
    "qkv_bias": True,
}  # fmt: skip


def read(files: Files) -> Reading:
    config = files.config.with_defaults(DEFAULTS, SOURCE)
    stem = bit_stem(config.child("backbone_config"))
    dim, heads = heads_of(config)
    cells = config.patch("patch_size")
    patch = Patch(cells.height * stem.stride, cells.width * stem.stride)
    table, image = table_of(config, patch)
    encoder = EncoderSpec(
        patch=patch,
        stem=stem,
        dim=dim,
        depth=config.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=config.integer("num_channels", low=3, high=3),
        norm=LayerNorm(config.number("layer_norm_eps", 0, 1)),
        mlp=PlainMlp(config.integer("intermediate_size"), config.choice("hidden_act", ACTIVATIONS)),
        qkv_bias="all" if config.flag("qkv_bias") else "none",
        prefix=(ClassToken(),),
        # ViTHybridEmbeddings.interpolate_pos_encoding: bicubic, no antialias, the class token's row kept.
        position=LearnedTable(table.rows, table.cols, prefix_rows=1, resize=TableResize("bicubic", antialias=False)),
        pool=ClassPool(),
    )
    return Reading(encoder, *standard(files.image, "ViTHybridImageProcessor", patch, image))


WEIGHTS = WeightNames(
    roots=("", "vit."),
    weights=(
        Weight("embeddings.cls_token", "embed.prefix.cls", DropOnes()),
        Weight("embeddings.position_embeddings", "embed.position.table", DropOnes()),
        *affine("embeddings.patch_embeddings.projection", "embed.patch"),
        *VIT_BLOCKS,
        *HF_STEM,
        *TIMM,
        *TIMM_STEM,
    ),
    ignored=(
        ("pooler.*", Ignore("the tanh pooler, untrained in most files")),
        ("classifier.*", Ignore("the classifier")),
        ("head.*", Ignore("timm's classifier")),
        ("embeddings.mask_token", Ignore("used in masked pre-training alone")),
    ),
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
