"""DeiT with distillation: ViT with a second prefix token that learned from a teacher (arXiv 2012.12877).

Without distillation DeiT is a ViT, and its files say so (`model_type` "vit"). The pooled vector is the normed class
token; the published classifier averages a head on it with one on the distillation token.
Source: transformers 5.23.0, `models/deit/modeling_deit.py`, `image_processing_pil_deit.py`.
"""

from __future__ import annotations

from vistoken.family import (
    ACTIVATIONS,
    RECALLED,
    REFERENCE,
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
from vistoken.spec import (
    ClassPool,
    ClassToken,
    DistillationToken,
    EncoderSpec,
    LayerNorm,
    LearnedTable,
    PlainMlp,
    TableResize,
)
from vistoken.towers.timm import as_timm
from vistoken.weight_names import TIMM, TIMM_CLASSIFIER, VIT_BLOCKS, DropOnes, Ignore, Weight, WeightNames, affine

DEFAULTS = {
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
    "hidden_act": "gelu", "layer_norm_eps": 1e-12, "image_size": 224, "patch_size": 16, "num_channels": 3,
    "qkv_bias": True,
}  # fmt: skip


def read(files: Files) -> Reading:
    config = files.config.with_defaults(DEFAULTS, f"DeiTConfig in {REFERENCE}")
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
        prefix=(ClassToken(), DistillationToken()),
        # DeiTEmbeddings.interpolate_pos_encoding: bicubic, no antialias, both prefix rows kept.
        position=LearnedTable(table.rows, table.cols, prefix_rows=2, resize=TableResize("bicubic", antialias=False)),
        pool=ClassPool(),
    )
    return Reading(encoder, *standard(files.image, "DeiTImageProcessor", patch, image))


WEIGHTS = WeightNames(
    roots=("", "deit."),
    weights=(
        Weight("embeddings.cls_token", "embed.prefix.cls", DropOnes()),
        Weight("embeddings.distillation_token", "embed.prefix.dist", DropOnes()),
        Weight("embeddings.position_embeddings", "embed.position.table", DropOnes()),
        *affine("embeddings.patch_embeddings.projection", "embed.patch"),
        *VIT_BLOCKS,
        # timm's names are those of DeiT's own repository.
        *TIMM,
        Weight("dist_token", "embed.prefix.dist", DropOnes()),
    ),
    ignored=(
        ("pooler.*", Ignore("the tanh pooler, untrained in most files")),
        ("cls_classifier.*", Ignore("the classifier on the class token")),
        ("distillation_classifier.*", Ignore("the classifier on the distillation token")),
        ("classifier.*", Ignore("the classifier")),
        *TIMM_CLASSIFIER,
        ("head_dist.*", Ignore("the classifier on the distillation token")),
        ("embeddings.mask_token", Ignore("used in masked pre-training alone")),
    ),
)

# The published files override the class's mean and std of 0.5 with ImageNet's (facebookresearch/deit, datasets.py).
PREPROCESSOR = {
    "image_processor_type": "DeiTImageProcessor", "resample": 3, "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD,
}  # fmt: skip


def _deit(dim: int, heads: int, pixels: int, *names: str) -> Published:
    config = {"model_type": "deit", "hidden_size": dim, "num_hidden_layers": 12, "num_attention_heads": heads,
              "intermediate_size": 4 * dim, "image_size": pixels, "patch_size": 16}  # fmt: skip
    # 224 after 256, 384 after 438: the crop is 0.875 of the side.
    sizes = {"size": 256 if pixels == 224 else 438, "crop_size": pixels}
    return Published(names, config, PREPROCESSOR | sizes, RECALLED)


def _timm(dim: int, heads: int) -> dict[str, object]:
    """timm 1.0.31, `models/deit.py`: eps 1e-6 instead of the library's 1e-12."""
    return {"hidden_size": dim, "num_hidden_layers": 12, "num_attention_heads": heads, "intermediate_size": 4 * dim,
            "layer_norm_eps": 1e-6}  # fmt: skip


TIMM_NETWORKS = Timm(
    architectures={
        "deit_tiny_distilled_patch16_224": _timm(192, 3),
        "deit_small_distilled_patch16_224": _timm(384, 6),
        "deit_base_distilled_patch16_224": _timm(768, 12),
        "deit_base_distilled_patch16_384": _timm(768, 12),
    },
    adapt=as_timm,
)


FAMILY = Family(
    name="DeiT",
    model_types=("deit",),
    read=read,
    published=(
        _deit(192, 3, 224, "facebook/deit-tiny-distilled-patch16-224", "deit-ti16-224"),
        _deit(384, 6, 224, "facebook/deit-small-distilled-patch16-224", "deit-s16-224"),
        _deit(768, 12, 224, "facebook/deit-base-distilled-patch16-224", "deit-b16-224"),
        _deit(768, 12, 384, "facebook/deit-base-distilled-patch16-384", "deit-b16-384"),
    ),
    rule=Label("verified", f"DeiTImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=WEIGHTS,
    timm=TIMM_NETWORKS,
    reference=Reference(
        processor="",
        image="DeiTImageProcessorPil",
        sees="pixel_values",
        settings=({"crop_size": {"height": 100, "width": 300}}, {"do_center_crop": False}),
    ),
    examples=(
        Example(
            "deit-b16-224", 1280, 720, 196, 198, "14 x 14 patches, class and distillation token (arXiv 2012.12877)"
        ),
    ),
)
