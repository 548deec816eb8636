"""EVA's tower: reader of its config, and its tensors by name, timm's and BAAI's own.

The config is in the words of timm's constructor (BAAI publishes none beside its weights), with the MLP's size instead
of a ratio. Keys have no bias, but in the networks that timm builds as plain ViTs.
Sources: timm 1.0.31, `models/eva.py` (`Eva`, `checkpoint_filter_fn`); baaivision/EVA,
`EVA-02/asuka/modeling_finetune.py` and `EVA-CLIP/rei/eva_clip/eva_vit_model.py`.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.configs import Config
from vistoken.family import table_of
from vistoken.spec import (
    ClassPool,
    ClassToken,
    EncoderSpec,
    GatedMlp,
    LayerNorm,
    LearnedTable,
    MeanPool,
    Mlp,
    NoPool,
    PlainMlp,
    Pool,
    ProjectedClass,
    QkvBias,
    Rotary,
)
from vistoken.towers.timm import NORMED_MEAN, RESIZE, projected
from vistoken.weight_names import (
    TIMM_GATED,
    DropOnes,
    Ignore,
    PairedQk,
    Pairs,
    Part,
    Weight,
    WeightNames,
    affine,
    under,
)

DEFAULTS = {
    "qkv_bias": "query and value", "swiglu_mlp": False, "scale_mlp": False, "scale_attn_inner": False,
    "ref_feat_shape": None, "use_post_norm": False, "projection": None,
}  # fmt: skip
BIASES: dict[str, QkvBias] = {"all": "all", "query and value": "query and value"}
NORM = LayerNorm(1e-6)
POOLS: dict[str, Pool] = {"avg": NORMED_MEAN, "token": ClassPool(), "": NoPool()}


def tower(config: Config) -> EncoderSpec:
    """The encoder: with `projection` it ends in a projected class token, otherwise in a mean over the patches."""
    config = config.with_defaults(DEFAULTS, "Eva in timm 1.0.31")
    patch = config.patch("patch_size")
    table, _ = table_of(config, patch)
    out = None if config.raw("projection") is None else config.integer("projection", high=65_536)
    encoder = EncoderSpec(
        patch=patch,
        dim=config.integer("embed_dim", high=65_536),
        depth=config.integer("depth", low=0, high=1024),
        heads=config.integer("num_heads", high=1024),
        norm=NORM,
        mlp=_mlp(config),
        qkv_bias=config.choice("qkv_bias", BIASES),
        prefix=(ClassToken(),),
        position=LearnedTable(table.rows, table.cols, prefix_rows=1, resize=RESIZE),
        rotary=_rotary(config),
        block_norms="after" if config.flag("use_post_norm") else "before",
        attention_norm=config.flag("scale_attn_inner"),
    )
    return _pooled(encoder, ProjectedClass(out, bias=True) if out else POOLS["avg"])


def as_timm(encoder: EncoderSpec, config: Config) -> EncoderSpec:
    """What timm's `config.json` says of the pool, and whether the head is the projection or some classifier."""
    own = encoder.pool
    kind = "token" if isinstance(own, ProjectedClass) else "avg"
    pool = config.with_defaults({"global_pool": kind}, "Eva in timm 1.0.31").choice("global_pool", POOLS)
    if pool == ClassPool() and isinstance(own, ProjectedClass):
        pool = projected(own, config, assumed=own.dim)
    return _pooled(encoder, pool)


def _pooled(encoder: EncoderSpec, pool: Pool) -> EncoderSpec:
    """Where a mean is pooled, the last norm follows it instead of all tokens."""
    return replace(encoder, pool=pool, final_norm="none" if isinstance(pool, MeanPool) else "all")


def _mlp(config: Config) -> Mlp:
    hidden = config.integer("hidden_features")
    if config.flag("swiglu_mlp"):
        return GatedMlp(hidden, "silu", norm=NORM if config.flag("scale_mlp") else None)
    return PlainMlp(hidden, "gelu")


def _rotary(config: Config) -> Rotary | None:
    """Coordinates are stretched to `ref_feat_shape`, the grid of pre-training; without it nothing is turned."""
    if config.raw("ref_feat_shape") is None:
        return None
    side = config.integer("ref_feat_shape", high=65_536)
    return Rotary(reference=(side, side))


# Neighbours pair for rotary positions. Where nothing is turned their order is free, as long as q and k share it.
PAIRS: Pairs = "rows first"
QKV = PairedQk(PAIRS)
BLOCKS = under(
    "blocks.{n}.",
    *affine("norm1", "blocks.{n}.norm1"),
    Weight("attn.q_proj.weight", "blocks.{n}.attention.qkv.weight", Part(0, 3, PAIRS)),
    Weight("attn.k_proj.weight", "blocks.{n}.attention.qkv.weight", Part(1, 3, PAIRS)),
    Weight("attn.v_proj.weight", "blocks.{n}.attention.qkv.weight", Part(2, 3)),
    Weight("attn.qkv.weight", "blocks.{n}.attention.qkv.weight", QKV),
    Weight("attn.qkv.bias", "blocks.{n}.attention.qkv.bias", QKV),
    Weight("attn.q_proj.bias", "blocks.{n}.attention.qv_bias", Part(0, 2, PAIRS)),
    Weight("attn.v_proj.bias", "blocks.{n}.attention.qv_bias", Part(1, 2)),
    Weight("attn.q_bias", "blocks.{n}.attention.qv_bias", Part(0, 2, PAIRS)),
    Weight("attn.v_bias", "blocks.{n}.attention.qv_bias", Part(1, 2)),
    *affine("attn.norm", "blocks.{n}.attention.norm"),
    *affine("attn.inner_attn_ln", "blocks.{n}.attention.norm"),
    *affine("attn.proj", "blocks.{n}.attention.out"),
    *affine("norm2", "blocks.{n}.norm2"),
    *affine("mlp.fc1", "blocks.{n}.mlp.gate_up"),  # of gate and up in one, or
    *affine("mlp.fc1", "blocks.{n}.mlp.up"),  # of a plain MLP
    *affine("mlp.w12", "blocks.{n}.mlp.gate_up"),
    *affine("mlp.norm", "blocks.{n}.mlp.norm"),
    *affine("mlp.ffn_ln", "blocks.{n}.mlp.norm"),
    *affine("mlp.fc2", "blocks.{n}.mlp.down"),
    *affine("mlp.w3", "blocks.{n}.mlp.down"),
)
# Blocks with norms behind attention and MLP call them alike.
BEHIND = tuple(
    replace(weight, ours=f"blocks.{{n}}.after{number}.{leaf}")
    for number in (1, 2)
    for leaf in ("weight", "bias")
    for weight in BLOCKS
    if weight.file == f"blocks.{{n}}.norm{number}.{leaf}"
)
ANGLES = Ignore("angles of rotary positions, which are computed")
WEIGHTS = WeightNames(
    roots=("", "visual."),
    weights=(
        Weight("cls_token", "embed.prefix.cls", DropOnes()),
        Weight("pos_embed", "embed.position.table", DropOnes()),
        *affine("patch_embed.proj", "embed.patch"),
        *TIMM_GATED,
        *BLOCKS,
        *BEHIND,
        *affine("norm", "norm"),
        *affine("fc_norm", "pool.norm"),
        *affine("norm", "pool.norm"),  # of BAAI's masked pre-training, whose last norm timm puts behind the mean
        *affine("head", "pool.projection"),
    ),
    ignored=(
        ("head.*", Ignore("a classifier")),
        ("lm_head.*", Ignore("the head of masked pre-training")),
        ("mask_token", Ignore("used in masked pre-training alone")),
        ("rope.*", ANGLES),
        ("blocks.{n}.attn.rope.freqs_cos", ANGLES),
        ("blocks.{n}.attn.rope.freqs_sin", ANGLES),
    ),
)
