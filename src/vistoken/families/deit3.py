"""DeiT-3: ViT with layer scale, whose class token has no place in the position table (arXiv 2204.07118).

Sources: timm 1.0.31, `models/deit.py` and `models/vision_transformer.py` (`no_embed_class`); facebookresearch/deit,
`models_v2.py`, where scales are called `gamma_1` and `gamma_2`.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import Example, Family, Files, Published, Reading, Timm, heads_of, table_of
from vistoken.model_spec import Label
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD, SETTINGS, standard
from vistoken.spec import ClassPool, ClassToken, EncoderSpec, LayerNorm, LearnedTable, PlainMlp
from vistoken.towers.timm import RESIZE
from vistoken.weight_names import GAMMAS, TIMM, TIMM_CLASSIFIER, WeightNames


def read(files: Files) -> Reading:
    config = files.config
    dim, heads = heads_of(config)
    patch = config.patch("patch_size")
    table, image = table_of(config, patch)
    encoder = EncoderSpec(
        patch=patch,
        dim=dim,
        depth=config.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        norm=LayerNorm(1e-6),
        mlp=PlainMlp(config.integer("intermediate_size"), "gelu"),
        layer_scale=True,
        prefix=(ClassToken(),),
        position=LearnedTable(table.rows, table.cols, prefix_rows=0, resize=RESIZE),
        pool=ClassPool(),
    )
    return Reading(encoder, *standard(files.image, "TimmTransform", patch, image))


def as_timm(encoder: EncoderSpec, config: Config) -> EncoderSpec:
    """The networks are timm's; no published one pools otherwise."""
    if config.has("global_pool"):
        config.choice("global_pool", {"token": True})
    return encoder


WEIGHTS = WeightNames(
    weights=(
        *TIMM,
        *GAMMAS,
    ),
    ignored=TIMM_CLASSIFIER,
)


def _network(dim: int, depth: int, heads: int, patch: int = 16) -> dict[str, object]:
    return {"hidden_size": dim, "num_hidden_layers": depth, "num_attention_heads": heads,
            "intermediate_size": 4 * dim, "patch_size": patch}  # fmt: skip


NETWORKS = {
    "deit3_small_patch16_224": _network(384, 12, 6),
    "deit3_small_patch16_384": _network(384, 12, 6),
    "deit3_medium_patch16_224": _network(512, 12, 8),
    "deit3_base_patch16_224": _network(768, 12, 12),
    "deit3_base_patch16_384": _network(768, 12, 12),
    "deit3_large_patch16_224": _network(1024, 24, 16),
    "deit3_large_patch16_384": _network(1024, 24, 16),
    "deit3_huge_patch14_224": _network(1280, 32, 16, patch=14),
}

CFGS = Label("documented", "timm 1.0.31, default_cfgs in models/deit.py")


def _timm(architecture: str, alias: str) -> tuple[Published, Published]:
    """Trained on ImageNet-1k alone, and on ImageNet-22k first; the former keeps 0.9 of a picture at 224 pixels."""
    pixels = int(architecture.rpartition("_")[2])

    def published(tag: str, alias: str, share: float) -> Published:
        trained = {"input_size": (3, pixels, pixels), "interpolation": "bicubic", "crop_pct": share,
                   "mean": IMAGENET_MEAN, "std": IMAGENET_STD}  # fmt: skip
        config = {"architecture": architecture, "pretrained_cfg": trained}
        return Published((f"timm/{architecture}.{tag}", alias), config, {}, CFGS)

    return (
        published("fb_in1k", alias, 0.9 if pixels == 224 else 1.0),
        published("fb_in22k_ft_in1k", f"{alias}-in22k", 1.0),
    )


FAMILY = Family(
    name="DeiT-3",
    model_types=(),
    read=read,
    published=(
        *_timm("deit3_small_patch16_224", "deit3-s16-224"),
        *_timm("deit3_small_patch16_384", "deit3-s16-384"),
        *_timm("deit3_medium_patch16_224", "deit3-m16-224"),
        *_timm("deit3_base_patch16_224", "deit3-b16-224"),
        *_timm("deit3_base_patch16_384", "deit3-b16-384"),
        *_timm("deit3_large_patch16_224", "deit3-l16-224"),
        *_timm("deit3_large_patch16_384", "deit3-l16-384"),
        *_timm("deit3_huge_patch14_224", "deit3-h14-224"),
    ),
    rule=Label("verified", "timm 1.0.31, transforms_imagenet_eval"),
    settings=SETTINGS,
    weights=WEIGHTS,
    timm=Timm(NETWORKS, as_timm),
    examples=(
        Example("deit3-b16-384", 1280, 720, 576, 577, "384 / 16 = 24 a side, and one class token"),
        Example("deit3-h14-224", 640, 480, 256, 257, "224 / 14 = 16 a side, and one class token"),
    ),
)
