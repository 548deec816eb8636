"""DINOv3's tower: reader of its config, and its tensors by name, the library's, Meta's own and timm's.

Keys have no bias, which would not change a softmax; the largest size has none on queries and values either.
Sources: transformers 5.23.0, `models/dinov3_vit/modeling_dinov3_vit.py` and `configuration_dinov3_vit.py`;
facebookresearch/dinov3, `dinov3/models/vision_transformer.py`; timm 1.0.31, `models/eva.py`; arXiv 2508.10104.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import ACTIVATIONS, REFERENCE, heads_of
from vistoken.spec import (
    CentredRotary,
    ClassPool,
    ClassToken,
    EncoderSpec,
    GatedMlp,
    LayerNorm,
    Mlp,
    NoPosition,
    PlainMlp,
    PrefixToken,
    QkvBias,
    Registers,
)
from vistoken.weight_names import (
    GAMMAS,
    TIMM,
    TIMM_CLASSIFIER,
    TIMM_GATED,
    DropOnes,
    Ignore,
    NoKeys,
    Part,
    Row,
    Weight,
    WeightNames,
    affine,
    gated_mlp,
)

DEFAULTS = {
    "hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 12, "num_attention_heads": 6,
    "hidden_act": "gelu", "layer_norm_eps": 1e-5, "rope_theta": 100.0, "image_size": 224, "patch_size": 16,
    "num_channels": 3, "query_bias": True, "key_bias": False, "value_bias": True, "proj_bias": True,
    "mlp_bias": True, "use_gated_mlp": False, "num_register_tokens": 0,
}  # fmt: skip

SOURCE = f"DINOv3ViTConfig in {REFERENCE}"


def tower(config: Config) -> EncoderSpec:
    """The encoder that a config describes, which `DEFAULTS` complete."""
    config = config.with_defaults(DEFAULTS, SOURCE)
    dim, heads = heads_of(config)
    patch = config.patch("patch_size")
    prefix: tuple[PrefixToken, ...] = (ClassToken(),)
    if registers := config.integer("num_register_tokens", low=0, high=1024):
        prefix += (Registers(registers),)
    return EncoderSpec(
        patch=patch,
        dim=dim,
        depth=config.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=config.integer("num_channels", low=3, high=3),
        norm=LayerNorm(config.number("layer_norm_eps", 0, 1)),
        mlp=_mlp(config),
        qkv_bias=_qkv_bias(config),
        out_bias=config.flag("proj_bias"),
        layer_scale=True,
        prefix=prefix,
        position=NoPosition(),
        rotary=CentredRotary(config.number("rope_theta", 1.001, 1e9)),
        pool=ClassPool(),
        mask_token=True,  # always stored
    )


def _mlp(config: Config) -> Mlp:
    kind = GatedMlp if config.flag("use_gated_mlp") else PlainMlp
    return kind(config.integer("intermediate_size"), config.choice("hidden_act", ACTIVATIONS), config.flag("mlp_bias"))


def _qkv_bias(config: Config) -> QkvBias:
    """Biases of queries and values, or none at all: no other combination was published."""
    if config.flag("key_bias"):
        raise config.error("key_bias", True, "published models have no bias on keys, which would change nothing")
    query, value = config.flag("query_bias"), config.flag("value_bias")
    if query is not value:
        raise config.error("value_bias", value, f"it must equal {config.path}query_bias, which is {query}")
    return "query and value" if query else "none"


# facebookresearch/dinov3, and where timm 1.0.31 differs from it (`models/eva.py`, `checkpoint_filter_fn`).
ORIGINAL = (
    *TIMM,
    *TIMM_GATED,
    Weight("storage_tokens", "embed.prefix.reg", DropOnes()),
    Weight("mask_token", "mask_token", Row()),
    Weight("blocks.{n}.attn.qkv.bias", "blocks.{n}.attention.qv_bias", NoKeys()),
    *affine("blocks.{n}.mlp.w3", "blocks.{n}.mlp.down"),
    *GAMMAS,
    Weight("blocks.{n}.attn.q_bias", "blocks.{n}.attention.qv_bias", Part(0, 2)),
    Weight("blocks.{n}.attn.v_bias", "blocks.{n}.attention.qv_bias", Part(1, 2)),
)
WEIGHTS = WeightNames(
    roots=("", "model."),  # the second in the library's own newer module tree
    weights=(
        Weight("embeddings.cls_token", "embed.prefix.cls", DropOnes()),
        Weight("embeddings.register_tokens", "embed.prefix.reg", DropOnes()),
        Weight("embeddings.mask_token", "mask_token", Row()),
        *affine("embeddings.patch_embeddings", "embed.patch"),
        *affine("layer.{n}.norm1", "blocks.{n}.norm1"),
        *(
            Weight(f"layer.{{n}}.attention.{name}_proj.weight", "blocks.{n}.attention.qkv.weight", Part(index, 3))
            for index, name in enumerate("qkv")
        ),
        Weight("layer.{n}.attention.q_proj.bias", "blocks.{n}.attention.qv_bias", Part(0, 2)),
        Weight("layer.{n}.attention.v_proj.bias", "blocks.{n}.attention.qv_bias", Part(1, 2)),
        *affine("layer.{n}.attention.o_proj", "blocks.{n}.attention.out"),
        Weight("layer.{n}.layer_scale1.lambda1", "blocks.{n}.scale1"),
        *affine("layer.{n}.norm2", "blocks.{n}.norm2"),
        # `up_proj` is the only way up of a plain MLP, and stands beside the gate in a gated one.
        *affine("layer.{n}.mlp.up_proj", "blocks.{n}.mlp.up"),
        *gated_mlp("layer.{n}.mlp", "blocks.{n}.mlp", "weight", "bias"),
        Weight("layer.{n}.layer_scale2.lambda1", "blocks.{n}.scale2"),
        *affine("norm", "norm"),
        *ORIGINAL,
    ),
    ignored=(
        ("blocks.{n}.attn.qkv.bias_mask", Ignore("keys have no bias here")),
        ("rope_embed.periods", Ignore("computed from rope_theta")),
        ("local_cls_norm.*", Ignore("used in training on small crops alone")),
        *TIMM_CLASSIFIER,
    ),
)
