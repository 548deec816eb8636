"""Perception Encoder's tower: reader of its config, and its tensors by name, Meta's own (OpenAI's for CLIP) and timm's.

Heads pair neighbours for rotary positions, the column's pairs before the row's. In a file that holds the text tower
too, all names of the vision tower begin with "visual."; those of the text tower are the same without.
Sources: facebookresearch/perception_models, `core/vision_encoder/pe.py`; timm 1.0.31, `models/eva.py`.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.configs import Config
from vistoken.family import table_of
from vistoken.spec import (
    AttentionPool,
    ClassToken,
    EncoderSpec,
    LayerNorm,
    LearnedTable,
    NoPool,
    PlainMlp,
    Pool,
    Rotary,
    TableResize,
)
from vistoken.weight_names import (
    TIMM,
    TIMM_POOL,
    PairedQk,
    Row,
    Transposed,
    Weight,
    WeightNames,
    affine,
    under,
)

# PEConfig; `image_size` is the size of pre-training, which its first version called `pretrain_image_size`.
DEFAULTS = {
    "ls_init_value": None, "use_abs_posemb": True, "use_cls_token": False, "use_rope2d": True, "pool_type": "attn",
    "attn_pooler_heads": 8, "use_ln_pre": True, "use_ln_post": True, "output_dim": None, "ref_feat_shape": None,
}  # fmt: skip
ALWAYS = ("use_abs_posemb", "use_rope2d", "use_ln_pre")


def tower(config: Config) -> EncoderSpec:
    """The encoder that PEConfig's words describe, with timm's `ref_feat_shape` beside them."""
    config = config.with_defaults(DEFAULTS, "PEConfig of facebookresearch/perception_models")
    for name in ALWAYS:
        if not config.flag(name):
            raise config.error(name, False, "no published model is without")
    patch, dim, prefix = config.patch("patch_size"), config.integer("width", high=65_536), config.flag("use_cls_token")
    table, _ = table_of(config, patch)
    return EncoderSpec(
        patch=patch,
        patch_bias=False,
        dim=dim,
        depth=config.integer("layers", low=0, high=1024),
        heads=config.integer("heads", high=1024),
        norm=LayerNorm(1e-5),
        pre_norm=True,
        mlp=PlainMlp(int(dim * config.number("mlp_ratio", 0.01, 64)), "gelu"),
        prefix=(ClassToken(),) if prefix else (),
        # _sample_abs_posemb: bilinear, no antialias, the class token's row kept.
        position=LearnedTable(table.rows, table.cols, int(prefix), TableResize("bilinear", antialias=False)),
        # Rope2D: the class token stands at (0, 0) and is not turned, so that patches begin at 1 behind it.
        rotary=Rotary(start=int(prefix), reference=_reference(config)),
        layer_scale=config.raw("ls_init_value") is not None,
        final_norm="all" if config.flag("use_ln_post") else "none",
        pool=_pool(config, dim),
    )


def _reference(config: Config) -> tuple[int, int] | None:
    """The rows and columns to which timm stretches rotary coordinates, in its word; Meta's own stay whole numbers."""
    if config.raw("ref_feat_shape") is None:
        return None
    side = config.integer("ref_feat_shape", high=65_536)
    return side, side


def _pool(config: Config, dim: int) -> Pool:
    """The probe attends with 8 heads whatever the trunk has, and its MLP is four times as wide as the tokens."""
    if config.choice("pool_type", {"attn": True, "none": False}):
        out = None if config.raw("output_dim") is None else config.integer("output_dim", high=65_536)
        return AttentionPool(config.integer("attn_pooler_heads", high=1024), 4 * dim, projection=out)
    return NoPool()


QKV = PairedQk("cols first")

META = (
    Weight("conv1.weight", "embed.patch.weight"),
    Weight("class_embedding", "embed.prefix.cls", Row()),
    Weight("positional_embedding", "embed.position.table"),
    *affine("ln_pre", "pre_norm"),
    *under(
        "transformer.resblocks.{n}.",
        *affine("ln_1", "blocks.{n}.norm1"),
        Weight("attn.in_proj_weight", "blocks.{n}.attention.qkv.weight", QKV),
        Weight("attn.in_proj_bias", "blocks.{n}.attention.qkv.bias", QKV),
        *affine("attn.out_proj", "blocks.{n}.attention.out"),
        Weight("ls_1.gamma", "blocks.{n}.scale1"),
        *affine("ln_2", "blocks.{n}.norm2"),
        *affine("mlp.c_fc", "blocks.{n}.mlp.up"),
        *affine("mlp.c_proj", "blocks.{n}.mlp.down"),
        Weight("ls_2.gamma", "blocks.{n}.scale2"),
    ),
    *affine("ln_post", "norm"),
    *under(
        "attn_pool.",
        Weight("probe", "pool.probe", Row()),
        Weight("attn.in_proj_weight", "pool.qkv.weight"),
        Weight("attn.in_proj_bias", "pool.qkv.bias"),
        *affine("attn.out_proj", "pool.out"),
        *affine("layernorm", "pool.norm"),
        *affine("mlp.c_fc", "pool.mlp.up"),
        *affine("mlp.c_proj", "pool.mlp.down"),
    ),
    Weight("proj", "pool.projection.weight", Transposed()),
)
# timm's names of all its transformers, and those of its EVA, which this network is there.
TIMM_TOWER = (
    *(replace(weight, step=QKV) if ".attn.qkv." in weight.file else weight for weight in TIMM),
    Weight("blocks.{n}.gamma_1", "blocks.{n}.scale1"),
    Weight("blocks.{n}.gamma_2", "blocks.{n}.scale2"),
)
WEIGHTS = WeightNames(
    roots=("", "visual.", "visual.trunk."),
    weights=(*TIMM_TOWER, *TIMM_POOL, *affine("head", "pool.projection"), *META),
    tower="visual.",
)
