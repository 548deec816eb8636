"""DINOv2's tower: reader of its config, and its tensors by name, the library's, Meta's own and timm's.

Sources: transformers 5.23.0, `models/dinov2/modeling_dinov2.py` and `configuration_dinov2.py`, and the same of
`dinov2_with_registers`; facebookresearch/dinov2, `dinov2/models/vision_transformer.py`; timm 1.0.31,
`models/vision_transformer.py`; arXiv 2304.07193, 2309.16588.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import ACTIVATIONS, REFERENCE, heads_of, table_of
from vistoken.spec import (
    ClassPool,
    ClassToken,
    EncoderSpec,
    GatedMlp,
    LayerNorm,
    LearnedTable,
    Mlp,
    PlainMlp,
    PrefixToken,
    Registers,
    TableResize,
)
from vistoken.weight_names import (
    TIMM,
    TIMM_CLASSIFIER,
    DropOnes,
    Ignore,
    Row,
    Weight,
    WeightNames,
    affine,
    chunked,
    fused_qkv,
)

DEFAULTS = {
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "mlp_ratio": 4, "hidden_act": "gelu",
    "layer_norm_eps": 1e-6, "image_size": 224, "patch_size": 14, "num_channels": 3, "qkv_bias": True,
    "use_swiglu_ffn": False, "use_mask_token": True,
}  # fmt: skip
REGISTER_DEFAULTS = DEFAULTS | {"patch_size": 16, "num_register_tokens": 4}


def completed(config: Config) -> Config:
    """What the file leaves out comes from the class that its `model_type` names."""
    registered = config.raw("model_type") == "dinov2_with_registers"
    source = "Dinov2WithRegistersConfig" if registered else "Dinov2Config"
    return config.with_defaults(REGISTER_DEFAULTS if registered else DEFAULTS, f"{source} in {REFERENCE}")


def tower(config: Config) -> EncoderSpec:
    """The encoder that a completed config describes."""
    registered = config.raw("model_type") == "dinov2_with_registers"
    dim, heads = heads_of(config)
    patch = config.patch("patch_size")
    table, _ = table_of(config, patch)
    prefix: tuple[PrefixToken, ...] = (ClassToken(),)
    if registered:
        prefix += (Registers(config.integer("num_register_tokens", high=1024)),)
    return EncoderSpec(
        patch=patch,
        dim=dim,
        depth=config.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=config.integer("num_channels", low=3, high=3),
        norm=LayerNorm(config.number("layer_norm_eps", 0, 1)),
        mlp=_mlp(config, dim),
        qkv_bias="all" if config.flag("qkv_bias") else "none",
        layer_scale=True,
        prefix=prefix,
        position=LearnedTable(
            table.rows, table.cols, prefix_rows=1, resize=TableResize("bicubic", antialias=registered)
        ),
        pool=ClassPool(),
        # The register models always store the unused mask token; the others by option.
        mask_token=registered or config.flag("use_mask_token"),
    )


def _mlp(config: Config, dim: int) -> Mlp:
    """The hidden size follows from mlp_ratio; a gated MLP keeps two thirds, rounded up to a multiple of 8."""
    hidden = int(dim * config.number("mlp_ratio", 0.01, 64))
    if config.flag("use_swiglu_ffn"):
        return GatedMlp((int(hidden * 2 / 3) + 7) // 8 * 8, "silu")
    return PlainMlp(hidden, config.choice("hidden_act", ACTIVATIONS))


# facebookresearch/dinov2, and where timm differs from it: `reg_token`, and the gated MLP's two matrices.
ORIGINAL = (
    *chunked(*TIMM),
    Weight("register_tokens", "embed.prefix.reg", DropOnes()),
    Weight("mask_token", "mask_token", Row()),
    *chunked(
        *affine("blocks.{n}.mlp.w12", "blocks.{n}.mlp.gate_up"),
        *affine("blocks.{n}.mlp.fc1", "blocks.{n}.mlp.gate_up"),
        *affine("blocks.{n}.mlp.w3", "blocks.{n}.mlp.down"),
    ),
)
WEIGHTS = WeightNames(
    roots=("", "dinov2.", "dinov2_with_registers."),
    weights=(
        Weight("embeddings.cls_token", "embed.prefix.cls", DropOnes()),
        Weight("embeddings.register_tokens", "embed.prefix.reg", DropOnes()),
        Weight("embeddings.mask_token", "mask_token", Row()),
        Weight("embeddings.position_embeddings", "embed.position.table", DropOnes()),
        *affine("embeddings.patch_embeddings.projection", "embed.patch"),
        *affine("encoder.layer.{n}.norm1", "blocks.{n}.norm1"),
        *fused_qkv(
            "encoder.layer.{n}.attention.attention.query",
            "encoder.layer.{n}.attention.attention.key",
            "encoder.layer.{n}.attention.attention.value",
            "blocks.{n}.attention.qkv",
        ),
        *affine("encoder.layer.{n}.attention.output.dense", "blocks.{n}.attention.out"),
        Weight("encoder.layer.{n}.layer_scale1.lambda1", "blocks.{n}.scale1"),
        *affine("encoder.layer.{n}.norm2", "blocks.{n}.norm2"),
        *affine("encoder.layer.{n}.mlp.fc1", "blocks.{n}.mlp.up"),
        *affine("encoder.layer.{n}.mlp.fc2", "blocks.{n}.mlp.down"),
        # weights_in holds [gate; up]: the first half of its rows goes through the activation.
        *affine("encoder.layer.{n}.mlp.weights_in", "blocks.{n}.mlp.gate_up"),
        *affine("encoder.layer.{n}.mlp.weights_out", "blocks.{n}.mlp.down"),
        Weight("encoder.layer.{n}.layer_scale2.lambda1", "blocks.{n}.scale2"),
        *affine("layernorm", "norm"),
        *ORIGINAL,
    ),
    ignored=(("classifier.*", Ignore("the classifier")), *TIMM_CLASSIFIER),
)
