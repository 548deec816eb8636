"""ViT: the plain vision transformer, with a class token and a learned position table (arXiv 2010.11929).

DINO v1 checkpoints (arXiv 2104.14294) are this network too. Sources: transformers 5.23.0, `models/vit/modeling_vit.py`;
sizes from the papers' tables (Ti: arXiv 2012.12877; g and G: arXiv 2106.04560).
"""

from __future__ import annotations

from vistoken.family import (
    ACTIVATIONS,
    RECALLED,
    REFERENCE,
    SEEN,
    Example,
    Family,
    Files,
    Published,
    Reading,
    Reference,
    Timm,
    heads_of,
    table_of,
)
from vistoken.model_spec import Label
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD, SETTINGS, standard
from vistoken.spec import ClassPool, ClassToken, EncoderSpec, LayerNorm, LearnedTable, PlainMlp, TableResize
from vistoken.towers.timm import as_timm
from vistoken.weight_names import TIMM, TIMM_CLASSIFIER, VIT_BLOCKS, DropOnes, Ignore, Weight, WeightNames, affine

DEFAULTS = {
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
    "hidden_act": "gelu", "layer_norm_eps": 1e-12, "image_size": 224, "patch_size": 16, "num_channels": 3,
    "qkv_bias": True,
}  # fmt: skip


def read(files: Files) -> Reading:
    config = files.config.with_defaults(DEFAULTS, f"ViTConfig in {REFERENCE}")
    dim, heads = heads_of(config)
    patch = config.patch("patch_size")
    table, image = table_of(config, patch)
    encoder = EncoderSpec(
        patch=patch,
        dim=dim,
        depth=config.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=config.integer("num_channels", low=3, high=3),
        norm=LayerNorm(config.number("layer_norm_eps", 0, 1)),
        mlp=PlainMlp(config.integer("intermediate_size"), config.choice("hidden_act", ACTIVATIONS)),
        qkv_bias="all" if config.flag("qkv_bias") else "none",
        prefix=(ClassToken(),),
        # ViTEmbeddings.interpolate_pos_encoding: bicubic, no antialias, the class token's row kept.
        position=LearnedTable(table.rows, table.cols, prefix_rows=1, resize=TableResize("bicubic", antialias=False)),
        pool=ClassPool(),
    )
    return Reading(encoder, *standard(files.image, "ViTImageProcessor", patch, image))


WEIGHTS = WeightNames(
    roots=("", "vit."),
    weights=(
        Weight("embeddings.cls_token", "embed.prefix.cls", DropOnes()),
        Weight("embeddings.position_embeddings", "embed.position.table", DropOnes()),
        *affine("embeddings.patch_embeddings.projection", "embed.patch"),
        *VIT_BLOCKS,
        *TIMM,
    ),
    ignored=(
        ("pooler.*", Ignore("the tanh pooler, untrained in most files")),
        ("classifier.*", Ignore("the classifier")),
        *TIMM_CLASSIFIER,
        ("embeddings.mask_token", Ignore("used in masked pre-training alone")),
    ),
)

SIZES = {  # hidden_size, num_hidden_layers, num_attention_heads, intermediate_size
    "Ti": (192, 12, 3, 768),
    "S": (384, 12, 6, 1536),
    "B": (768, 12, 12, 3072),
    "L": (1024, 24, 16, 4096),
    "H": (1280, 32, 16, 5120),
    "g": (1408, 40, 16, 6144),
    "G": (1664, 48, 16, 8192),
}

GOOGLE = {"image_processor_type": "ViTImageProcessor", "resample": 2, "image_mean": (0.5,) * 3, "image_std": (0.5,) * 3}
DINO = GOOGLE | {"image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}
PAPER = Label("assumed", "geometry of the paper; no published file in this format")


def _timm(size: str, patch: int) -> dict[str, object]:
    """timm 1.0.31, `models/vision_transformer.py`: the same sizes, eps 1e-6 instead of the library's 1e-12."""
    dim, depth, heads, hidden = SIZES[size]
    return {"hidden_size": dim, "num_hidden_layers": depth, "num_attention_heads": heads, "intermediate_size": hidden,
            "patch_size": patch, "layer_norm_eps": 1e-6}  # fmt: skip


TIMM_NETWORKS = Timm(
    architectures={
        "vit_tiny_patch16_224": _timm("Ti", 16),
        "vit_tiny_patch16_384": _timm("Ti", 16),
        "vit_small_patch32_224": _timm("S", 32),
        "vit_small_patch32_384": _timm("S", 32),
        "vit_small_patch16_224": _timm("S", 16),
        "vit_small_patch16_384": _timm("S", 16),
        "vit_small_patch8_224": _timm("S", 8),
        "vit_base_patch32_224": _timm("B", 32),
        "vit_base_patch32_384": _timm("B", 32),
        "vit_base_patch16_224": _timm("B", 16),
        "vit_base_patch16_384": _timm("B", 16),
        "vit_base_patch8_224": _timm("B", 8),
        "vit_large_patch32_224": _timm("L", 32),
        "vit_large_patch32_384": _timm("L", 32),
        "vit_large_patch16_224": _timm("L", 16),
        "vit_large_patch16_384": _timm("L", 16),
        "vit_large_patch14_224": _timm("L", 14),
        "vit_huge_patch14_224": _timm("H", 14),
        "vit_giant_patch14_224": _timm("g", 14),
        "vit_gigantic_patch14_224": _timm("G", 14),
        # DeiT without distillation is this network (timm 1.0.31, `models/deit.py`).
        "deit_tiny_patch16_224": _timm("Ti", 16),
        "deit_small_patch16_224": _timm("S", 16),
        "deit_base_patch16_224": _timm("B", 16),
        "deit_base_patch16_384": _timm("B", 16),
    },
    adapt=as_timm,
)


def _vit(
    size: str, patch: int, pixels: int, *names: str, like: dict[str, object] = GOOGLE, label: Label = RECALLED
) -> Published:
    dim, depth, heads, hidden = SIZES[size]
    config = {"model_type": "vit", "hidden_size": dim, "num_hidden_layers": depth, "num_attention_heads": heads,
              "intermediate_size": hidden, "image_size": pixels, "patch_size": patch}  # fmt: skip
    return Published(names, config, like | {"size": {"height": pixels, "width": pixels}}, label)


FAMILY = Family(
    name="ViT",
    model_types=("vit",),
    read=read,
    published=(
        _vit("Ti", 16, 224, "WinKawaks/vit-tiny-patch16-224", "vit-ti16-224"),
        _vit("S", 16, 224, "WinKawaks/vit-small-patch16-224", "vit-s16-224"),
        _vit("B", 16, 224, "google/vit-base-patch16-224", "vit-b16-224"),
        _vit("B", 16, 224, "google/vit-base-patch16-224-in21k", "vit-b16-224-in21k", label=SEEN),
        _vit("B", 16, 384, "google/vit-base-patch16-384", "vit-b16-384"),
        _vit("B", 32, 224, "google/vit-base-patch32-224-in21k", "vit-b32-224"),
        _vit("B", 32, 384, "google/vit-base-patch32-384", "vit-b32-384"),
        _vit("L", 16, 224, "google/vit-large-patch16-224", "vit-l16-224"),
        _vit("L", 16, 224, "google/vit-large-patch16-224-in21k", "vit-l16-224-in21k"),
        _vit("L", 16, 384, "google/vit-large-patch16-384", "vit-l16-384"),
        _vit("L", 32, 224, "google/vit-large-patch32-224-in21k", "vit-l32-224"),
        _vit("L", 32, 384, "google/vit-large-patch32-384", "vit-l32-384"),
        _vit("H", 14, 224, "google/vit-huge-patch14-224-in21k", "vit-h14-224"),
        _vit("S", 8, 224, "facebook/dino-vits8", "dino-s8", like=DINO),
        _vit("S", 16, 224, "facebook/dino-vits16", "dino-s16", like=DINO),
        _vit("B", 8, 224, "facebook/dino-vitb8", "dino-b8", like=DINO),
        _vit("B", 16, 224, "facebook/dino-vitb16", "dino-b16", like=DINO),
        _vit("S", 32, 224, "vit-s32-224", label=PAPER),
        _vit("B", 8, 224, "vit-b8-224", label=PAPER),
        _vit("B", 14, 224, "vit-b14-224", label=PAPER),
        _vit("L", 14, 224, "vit-l14-224", label=PAPER),
        _vit("H", 16, 224, "vit-h16-224", label=PAPER),
        _vit("g", 14, 224, "vit-g14-224", label=PAPER),
        _vit("G", 14, 224, "vit-gigantic14-224", label=PAPER),
    ),
    rule=Label("verified", f"ViTImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=WEIGHTS,
    timm=TIMM_NETWORKS,
    reference=Reference(
        processor="",
        image="ViTImageProcessorPil",
        sees="pixel_values",
        settings=({"size": {"height": 384, "width": 256}}, {"size": {"height": 97, "width": 225}, "resample": 3}),
    ),
    examples=(
        Example("vit-b16-224", 1280, 720, 196, 197, "224 / 16 = 14 a side, and one class token (arXiv 2010.11929)"),
        Example("vit-h14-224", 640, 480, 256, 257, "224 / 14 = 16 a side"),
        Example("dino-b8", 224, 224, 784, 785, "224 / 8 = 28 a side"),
    ),
)
