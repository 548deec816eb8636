"""Pixtral's tower and the projectors behind it: RMS norms, no bias, gated MLPs, rotary positions, no final norm.

Pixtral's copies for transformers have LLaVA's projector, two linear maps on every patch; Mistral 3 and LightOnOCR norm
the patches and bring blocks of 2 x 2 back to one dim first, channel by channel.
Sources: transformers 5.23.0, `models/pixtral/modeling_pixtral.py`, `models/llava/modeling_llava.py`,
`models/mistral3/modeling_mistral3.py` and `models/lighton_ocr/modeling_lighton_ocr.py`; arXiv 2410.07073.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vistoken.configs import Config
from vistoken.connector import Activate, Connector, Linear, MergeBlocks, Normalise, Stage
from vistoken.family import ACTIVATIONS, REFERENCE, Files, heads_of
from vistoken.spec import EncoderSpec, EvenOddRotary, GatedMlp, NoPosition, RmsNorm
from vistoken.towers.language import text_config
from vistoken.weight_names import LLM_PARTS, Part, Weight, WeightNames, affine, under

# Class attributes of PixtralVisionConfig; published towers have the activation "silu".
DEFAULTS = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
    "num_channels": 3, "patch_size": 16, "hidden_act": "gelu",
}  # fmt: skip
# What Mistral3Config and LightOnOcrConfig take where a file has no vision_config at all.
MISTRAL3 = DEFAULTS | {"patch_size": 14}
LIGHTON = MISTRAL3 | {"hidden_act": "silu"}
# Fixed in the code of the reference.
NORM = RmsNorm(1e-5)


def tower(vision: Config, defaults: Mapping[str, Any] = DEFAULTS) -> EncoderSpec:
    """The encoder that a `vision_config` of Pixtral describes, without what follows it."""
    config = vision.with_defaults(defaults, f"PixtralVisionConfig in {REFERENCE}")
    dim, heads = heads_of(config)
    if config.has("head_dim") and config.integer("head_dim") != dim // heads:
        raise config.error(
            "head_dim", config.raw("head_dim"), f"it must be hidden_size / heads, which is {dim // heads}"
        )
    return EncoderSpec(
        patch=config.patch("patch_size"),
        dim=dim,
        depth=config.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=config.integer("num_channels", low=3, high=3),
        norm=NORM,
        mlp=GatedMlp(config.integer("intermediate_size"), config.choice("hidden_act", ACTIVATIONS), bias=False),
        position=NoPosition(),
        rotary=EvenOddRotary(_base(config)),
        patch_bias=False,
        pre_norm=True,
        qkv_bias="none",
        out_bias=False,
        final_norm="none",
    )


def _base(config: Config) -> float:
    """The base of the rotary frequencies, under its older name or its newer one."""
    if config.has("rope_theta"):
        return config.number("rope_theta", 1.001, 1e9)
    rope = config.child("rope_parameters").with_defaults({"rope_theta": 10_000.0}, "PixtralVisionConfig")
    return rope.number("rope_theta", 1.001, 1e9)


# ---------------------------------------------------------------- with a projector


def llava(files: Files) -> EncoderSpec | None:
    """Pixtral 12B's copies for transformers: `model_type` "llava". None where values for counting alone are at hand."""
    vision = files.config.child("vision_config")
    if files.built_in and not vision.has("intermediate_size"):
        return None
    config = files.config.with_defaults(
        {"vision_feature_layer": -2, "vision_feature_select_strategy": "default", "multimodal_projector_bias": True,
         "projector_hidden_act": "gelu"},
        f"LlavaConfig in {REFERENCE}",
    )  # fmt: skip
    if (kept := config.raw("vision_feature_select_strategy")) != "full":
        raise config.error("vision_feature_select_strategy", kept, 'this tower has no class token to drop: "full" fits')
    spec = tower(vision)
    layers = feature_layers(config, spec.depth)
    stages = _two_linears(config, "llama", config.flag("multimodal_projector_bias"))
    return replace(spec, connector=Connector(stages=stages, layers=layers))


def mistral3(files: Files) -> EncoderSpec | None:
    """Mistral 3's models: blocks of patches are merged before the projector. None as for `llava`."""
    config = files.config.with_defaults(
        {"vision_feature_layer": -1, "multimodal_projector_bias": False, "projector_hidden_act": "gelu",
         "spatial_merge_size": 2},
        f"Mistral3Config in {REFERENCE}",
    )  # fmt: skip
    layers = feature_layers(config, 1024)
    if layers is not None and len(layers) > 1:
        raise config.error("vision_feature_layer", config.raw("vision_feature_layer"), "the projector's norm fits one")
    return _merged(files, config, MISTRAL3, "mistral", layers)


def lighton(files: Files) -> EncoderSpec | None:
    """LightOnOCR: Mistral 3's projector, always without biases, on the tower's output. None as for `llava`."""
    config = files.config.with_defaults(
        {"multimodal_projector_bias": False, "projector_hidden_act": "gelu", "spatial_merge_size": 2},
        f"LightOnOcrConfig in {REFERENCE}",
    )
    return _merged(files, config, LIGHTON, "qwen3", None)


def _merged(
    files: Files, config: Config, absent: Mapping[str, Any], kind: str, layers: tuple[int, ...] | None
) -> EncoderSpec | None:
    vision = files.config.child("vision_config")
    if files.built_in and not vision.has("intermediate_size"):
        return None
    spec = tower(vision, DEFAULTS if files.config.has("vision_config") else absent)
    text = text_config(config, kind).with_defaults({"rms_norm_eps": 1e-6}, f"the text model's class in {REFERENCE}")
    stages = (
        Normalise(RmsNorm(text.number("rms_norm_eps", 0, 1))),
        MergeBlocks(config.integer("spatial_merge_size", high=64), "channels"),
        Linear(spec.dim, bias=False),
        *_two_linears(config, kind, config.flag("multimodal_projector_bias")),
    )
    return replace(spec, connector=Connector(stages=stages, layers=layers))


def _two_linears(config: Config, kind: str, bias: bool) -> tuple[Stage, ...]:
    width = text_config(config, kind).integer("hidden_size", high=65_536)
    return Linear(width, bias), Activate(config.choice("projector_hidden_act", ACTIVATIONS)), Linear(width, bias)


def feature_layers(config: Config, depth: int) -> tuple[int, ...] | None:
    """The hidden states named by `vision_feature_layer`; None for the last, since no norm follows it in this tower."""
    value = config.raw("vision_feature_layer")
    layers = tuple(value) if isinstance(value, list) else (value,)
    if not layers or any(type(layer) is not int or not -depth - 1 <= layer <= depth for layer in layers):
        raise config.error("vision_feature_layer", value, f"it must name hidden states from {-depth - 1} to {depth}")
    return None if layers == (-1,) else layers


# ---------------------------------------------------------------- weights

TOWER = (
    Weight("patch_conv.weight", "embed.patch.weight"),
    Weight("ln_pre.weight", "pre_norm.weight"),
    Weight("transformer.layers.{n}.attention_norm.weight", "blocks.{n}.norm1.weight"),
    *(
        Weight(
            f"transformer.layers.{{n}}.attention.{name}_proj.weight", "blocks.{n}.attention.qkv.weight", Part(index, 3)
        )
        for index, name in enumerate("qkv")
    ),
    Weight("transformer.layers.{n}.attention.o_proj.weight", "blocks.{n}.attention.out.weight"),
    Weight("transformer.layers.{n}.ffn_norm.weight", "blocks.{n}.norm2.weight"),
    Weight("transformer.layers.{n}.feed_forward.gate_proj.weight", "blocks.{n}.mlp.gate_up.weight", Part(0, 2)),
    Weight("transformer.layers.{n}.feed_forward.up_proj.weight", "blocks.{n}.mlp.gate_up.weight", Part(1, 2)),
    Weight("transformer.layers.{n}.feed_forward.down_proj.weight", "blocks.{n}.mlp.down.weight"),
)
_MERGER = (
    Weight("norm.weight", "connector.stages.0.weight"),
    Weight("patch_merger.merging_layer.weight", "connector.stages.2.weight"),
    *affine("linear_1", "connector.stages.3"),
    *affine("linear_2", "connector.stages.5"),
)
ALONE = WeightNames(roots=("", "vision_tower."), weights=TOWER)
# LLaVA's projector behind Pixtral's tower.
LLAVA = (
    *under("vision_tower.", *TOWER),
    *affine("multi_modal_projector.linear_1", "connector.stages.0"),
    *affine("multi_modal_projector.linear_2", "connector.stages.2"),
)
# LightOnOCR's folders may name Mistral's model type, so each of the two reads the names of both.
MERGED = WeightNames(
    roots=("", "model."),
    weights=(
        *under("vision_tower.", *TOWER),
        *under("multi_modal_projector.", *_MERGER),
        *under("vision_encoder.", *TOWER),
        *under("vision_projection.", *_MERGER),
    ),
    ignored=LLM_PARTS,
)
