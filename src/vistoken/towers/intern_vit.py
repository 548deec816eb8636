"""InternViT and the projector behind it, in the words of transformers and of the vendor's own checkpoints.

The 300M tower has layer norms and biased queries, keys and values; the 6B one RMS norms, no such biases, and norms of
queries and keys over their whole width. Blocks are scaled layer by layer; `use_mean_pooling` leaves out the last norm.
Sources: transformers 5.23.0, `models/internvl/modeling_internvl.py` and `configuration_internvl.py`; its script
`convert_internvl_weights_to_hf.py` for the vendor's names; arXiv 2312.14238, 2412.05271.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vistoken.configs import Config
from vistoken.connector import Activate, Connector, Linear, MergeBlocks, Normalise
from vistoken.family import ACTIVATIONS, REFERENCE, Files, heads_of, hidden_state, table_of
from vistoken.spec import (
    ClassToken,
    EncoderSpec,
    LayerNorm,
    LearnedTable,
    NoPosition,
    Norm,
    PlainMlp,
    RmsNorm,
    TableResize,
    WidthNorm,
)
from vistoken.towers.llm import text_width
from vistoken.weight_names import (
    LLM_PARTS,
    TIMM,
    TIMM_CLASSIFIER,
    DropOnes,
    Ignore,
    Row,
    Weight,
    WeightNames,
    affine,
    fused_qkv,
    under,
)

# Class attributes of InternVLVisionConfig.
DEFAULTS = {
    "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "attention_bias": False,
    "use_qk_norm": False, "intermediate_size": 4096, "hidden_act": "gelu", "norm_type": "layer_norm",
    "layer_norm_eps": 1e-6, "image_size": [448, 448], "patch_size": [14, 14], "num_channels": 3,
    "use_mask_token": False, "use_absolute_position_embeddings": True, "use_mean_pooling": True,
}  # fmt: skip
# Defaults of the vendor's InternVisionConfig: those of its 6B tower.
VENDOR = {
    "hidden_size": 3200, "num_hidden_layers": 48, "num_attention_heads": 25, "qkv_bias": False,
    "qk_normalization": True, "intermediate_size": 12_800, "hidden_act": "gelu", "norm_type": "rms_norm",
    "layer_norm_eps": 1e-6, "image_size": 224, "patch_size": 14, "num_channels": 3,
}  # fmt: skip
# Fixed in the code of the reference: of queries and keys, and torch's default for the projector's LayerNorm.
QK_NORM, PROJECTOR_NORM = RmsNorm(1e-6), LayerNorm(1e-5)
RESIZE = TableResize("bicubic", antialias=False)


def internvl(files: Files) -> EncoderSpec | None:
    """`model_type` "internvl"; None where a built-in name has the values for counting alone."""
    return _internvl(files, DEFAULTS, "qwen2")


def qianfan(files: Files) -> EncoderSpec | None:
    """Qianfan-OCR, whose fields are InternVL's and whose weights have the vendor's names."""
    return _internvl(files, DEFAULTS | {"attention_bias": True}, "qwen3")


def _internvl(files: Files, assumed: Mapping[str, Any], llm: str) -> EncoderSpec | None:
    """`assumed` is what the vision config's class assumes, `llm` the kind of LLM that the model's class does."""
    vision = files.config.child("vision_config")
    if files.built_in and not vision.has("hidden_size"):
        return None
    spec = tower(vision.with_defaults(assumed, f"the vision config's class in {REFERENCE}"))
    config = files.config.with_defaults(
        {"downsample_ratio": 0.5, "projector_hidden_act": "gelu", "vision_feature_layer": -1,
         "vision_feature_select_strategy": "default"},
        f"the model's config class in {REFERENCE}",
    )  # fmt: skip
    if (kept := config.raw("vision_feature_select_strategy")) != "default":
        raise config.error("vision_feature_select_strategy", kept, '"default" drops the class token, as all models do')
    return replace(spec, connector=_connector(config, spec, "vision_feature_layer", text_width(config, llm)))


def internvl_chat(files: Files) -> EncoderSpec | None:
    """The vendor's `model_type`, whose fields have other names, and whose tower has no last norm. None as above."""
    vision = files.config.child("vision_config")
    if files.built_in and not vision.has("hidden_size"):
        return None
    vision = vision.with_defaults(VENDOR, "the vendor's InternVisionConfig")
    spec = tower(_renamed(vision))
    config = files.config.with_defaults(
        {"downsample_ratio": 0.5, "select_layer": -1, "projector_hidden_act": "gelu", "ps_version": "v1"},
        "the vendor's InternVLChatConfig",
    )
    if (version := config.raw("ps_version")) != "v2":
        raise config.error("ps_version", version, 'all published models say "v2": the first one swaps rows and columns')
    width = config.child("llm_config").integer("hidden_size", high=65_536)
    return replace(spec, connector=_connector(config, spec, "select_layer", width))


def alone(config: Config) -> EncoderSpec:
    """The tower by itself: `model_type` "internvl_vision", or the vendor's "intern_vit_6b", whatever its size."""
    if config.raw("model_type") == "intern_vit_6b":
        return tower(_renamed(config.with_defaults(VENDOR, "the vendor's InternVisionConfig")))
    return tower(config.with_defaults(DEFAULTS, f"InternVLVisionConfig in {REFERENCE}"))


def _renamed(vision: Config) -> Config:
    """The vendor's fields in the words of transformers."""
    return vision.replaced(
        attention_bias=vision.flag("qkv_bias"),
        use_qk_norm=vision.flag("qk_normalization"),
        use_mask_token=False,
        use_absolute_position_embeddings=True,
        use_mean_pooling=True,
    )


def tower(config: Config) -> EncoderSpec:
    """The encoder that a completed vision config describes, without what follows it."""
    dim, heads = heads_of(config)
    patch = config.patch("patch_size")
    eps = config.number("layer_norm_eps", 0, 1)
    norms: dict[str, Norm] = {"layer_norm": LayerNorm(eps), "rms_norm": RmsNorm(eps)}
    norm = config.choice("norm_type", norms)
    table, _ = table_of(config, patch)
    positions = config.flag("use_absolute_position_embeddings")
    return EncoderSpec(
        patch=patch,
        dim=dim,
        depth=config.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=config.integer("num_channels", low=3, high=3),
        norm=norm,
        mlp=PlainMlp(config.integer("intermediate_size"), config.choice("hidden_act", ACTIVATIONS)),
        qkv_bias="all" if config.flag("attention_bias") else "none",
        qkv_norm=WidthNorm(QK_NORM) if config.flag("use_qk_norm") else None,
        layer_scale=True,
        prefix=(ClassToken(),),
        position=LearnedTable(table.rows, table.cols, 1, RESIZE) if positions else NoPosition(),
        final_norm="all" if _normed(config, norm) else "none",
        mask_token=config.flag("use_mask_token"),
    )


def _normed(config: Config, norm: Norm) -> bool:
    """Whether a norm follows the last block. It would be a LayerNorm, whatever the blocks have."""
    normed = not config.flag("use_mean_pooling")
    if normed and isinstance(norm, RmsNorm):
        raise config.error("use_mean_pooling", False, "no published tower with RMS norms has a last norm")
    return normed


def _connector(config: Config, spec: EncoderSpec, layer_name: str, width: int) -> Connector:
    """Pixel shuffle, norm, two linear maps."""
    ratio = config.number("downsample_ratio", 1 / 64, 1)
    if 1 / ratio != (side := int(1 / ratio)):
        raise config.error("downsample_ratio", ratio, "it must be 1 divided by a whole number")
    layer = hidden_state(config, layer_name, config.raw(layer_name), spec.depth)
    stages = (
        MergeBlocks(side),
        Normalise(PROJECTOR_NORM),
        Linear(width),
        Activate(config.choice("projector_hidden_act", ACTIVATIONS)),
        Linear(width),
    )
    # The last hidden state is read after the last norm, where there is one.
    return Connector(stages=stages, layers=None if layer == -1 else (layer,))


# ---------------------------------------------------------------- weights

# A norm's bias, and those of q, k and v, are there or not: the config tells.
_TOWER = (
    Weight("embeddings.cls_token", "embed.prefix.cls", DropOnes()),
    Weight("embeddings.mask_token", "mask_token", Row()),
    Weight("embeddings.position_embeddings", "embed.position.table", DropOnes()),
    *affine("embeddings.patch_embeddings.projection", "embed.patch"),
    *affine("encoder.layer.{n}.layernorm_before", "blocks.{n}.norm1"),
    *fused_qkv(
        "encoder.layer.{n}.attention.q_proj",
        "encoder.layer.{n}.attention.k_proj",
        "encoder.layer.{n}.attention.v_proj",
        "blocks.{n}.attention.qkv",
    ),
    Weight("encoder.layer.{n}.attention.q_norm.weight", "blocks.{n}.attention.q_norm.weight"),
    Weight("encoder.layer.{n}.attention.k_norm.weight", "blocks.{n}.attention.k_norm.weight"),
    *affine("encoder.layer.{n}.attention.projection_layer", "blocks.{n}.attention.out"),
    Weight("encoder.layer.{n}.lambda_1", "blocks.{n}.scale1"),
    *affine("encoder.layer.{n}.layernorm_after", "blocks.{n}.norm2"),
    *affine("encoder.layer.{n}.mlp.fc1", "blocks.{n}.mlp.up"),
    *affine("encoder.layer.{n}.mlp.fc2", "blocks.{n}.mlp.down"),
    Weight("encoder.layer.{n}.lambda_2", "blocks.{n}.scale2"),
    *affine("layernorm", "norm"),
)
WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("vision_tower.", *_TOWER),
        *affine("multi_modal_projector.layer_norm", "connector.stages.1"),
        *affine("multi_modal_projector.linear_1", "connector.stages.2"),
        *affine("multi_modal_projector.linear_2", "connector.stages.4"),
    ),
    ignored=LLM_PARTS,
)
_VENDORS_TOWER = (
    Weight("embeddings.class_embedding", "embed.prefix.cls", DropOnes()),
    Weight("embeddings.position_embedding", "embed.position.table", DropOnes()),
    *affine("embeddings.patch_embedding", "embed.patch"),
    *affine("encoder.layers.{n}.norm1", "blocks.{n}.norm1"),
    *affine("encoder.layers.{n}.attn.qkv", "blocks.{n}.attention.qkv"),
    Weight("encoder.layers.{n}.attn.q_norm.weight", "blocks.{n}.attention.q_norm.weight"),
    Weight("encoder.layers.{n}.attn.k_norm.weight", "blocks.{n}.attention.k_norm.weight"),
    *affine("encoder.layers.{n}.attn.proj", "blocks.{n}.attention.out"),
    Weight("encoder.layers.{n}.ls1", "blocks.{n}.scale1"),
    *affine("encoder.layers.{n}.norm2", "blocks.{n}.norm2"),
    *affine("encoder.layers.{n}.mlp.fc1", "blocks.{n}.mlp.up"),
    *affine("encoder.layers.{n}.mlp.fc2", "blocks.{n}.mlp.down"),
    Weight("encoder.layers.{n}.ls2", "blocks.{n}.scale2"),
)
VENDORS_WEIGHTS = WeightNames(
    weights=(
        *under("vision_model.", *_VENDORS_TOWER),
        *affine("mlp1.0", "connector.stages.1"),
        *affine("mlp1.1", "connector.stages.2"),
        *affine("mlp1.3", "connector.stages.4"),
    ),
    ignored=(("language_model.*", Ignore("the LLM")),),
)
QIANFAN_WEIGHTS = replace(
    VENDORS_WEIGHTS,
    weights=(
        *VENDORS_WEIGHTS.weights,
        Weight("vision_model.embeddings.mask_token", "mask_token", Row()),
        *affine("vision_model.layernorm", "norm"),
    ),
    ignored=LLM_PARTS,
)
ALONE_WEIGHTS = WeightNames(weights=(*_TOWER, *_VENDORS_TOWER, *TIMM), ignored=TIMM_CLASSIFIER)
