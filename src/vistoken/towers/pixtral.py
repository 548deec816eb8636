"""Pixtral's tower: RMS norms, no bias, gated MLPs, rotary positions, no final norm; and Mistral 3's merger behind it.

Pixtral's copies for transformers have LLaVA's projector, see `vistoken.towers.llava`; Mistral 3 norms the patches and
brings blocks of 2 x 2 back to one dim first, channel by channel. LightOnOCR does so too, and drops a last odd row.
Sources: transformers 5.23.0, `models/pixtral/modeling_pixtral.py`, `models/mistral3/modeling_mistral3.py`,
`models/lighton_ocr/modeling_lighton_ocr.py` and their configurations; arXiv 2410.07073.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vistoken.configs import Config
from vistoken.connector import Activate, Connector, Linear, MergeBlocks, Normalise
from vistoken.family import ACTIVATIONS, REFERENCE, Files, heads_of, hidden_state
from vistoken.spec import EncoderSpec, EvenOddRotary, GatedMlp, NoPosition, RmsNorm
from vistoken.towers.llm import text_width
from vistoken.weight_names import LLM_PARTS, Part, Weight, WeightNames, affine, gated_mlp, under

SOURCE = f"PixtralVisionConfig in {REFERENCE}"
# Its class attributes; published towers have the activation "silu".
DEFAULTS = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
    "num_channels": 3, "patch_size": 16, "hidden_act": "gelu",
}  # fmt: skip
# What Mistral3Config takes where a file has no vision_config, or no text_config, at all.
ABSENT_VISION = DEFAULTS | {"patch_size": 14}
ABSENT_TEXT = {"model_type": "mistral", "hidden_size": 5120, "rms_norm_eps": 1e-5}
# The same of LightOnOcrConfig.
LIGHTON_VISION = ABSENT_VISION | {"hidden_act": "silu"}
LIGHTON_TEXT = {"model_type": "qwen3", "hidden_size": 1024, "rms_norm_eps": 1e-6}
# `rms_norm_eps` of the text config's class, by `model_type`: published files leave out what equals it.
TEXT_EPS: Mapping[str, float] = {"mistral": 1e-6, "ministral3": 1e-5, "qwen3": 1e-6}
# Fixed in the code of the reference.
NORM = RmsNorm(1e-5)


def tower(config: Config, connector: Connector | None = None) -> EncoderSpec:
    """The encoder that a completed `vision_config` of Pixtral describes."""
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
        connector=connector,
    )


def _base(config: Config) -> float:
    """The base of the rotary frequencies, under its older name or its newer one."""
    if config.has("rope_theta"):
        return config.number("rope_theta", 1.001, 1e9)
    rope = config.child("rope_parameters").with_defaults({"rope_theta": 10_000.0}, "PixtralVisionConfig")
    return rope.number("rope_theta", 1.001, 1e9)


# ---------------------------------------------------------------- with a merger and a projector


def mistral3(files: Files, whole: bool = True) -> EncoderSpec | None:
    """Mistral 3's models; None where a built-in name has the values for counting alone.

    `whole` is that of `MergeBlocks`.
    """
    return _merged(files, ABSENT_VISION, ABSENT_TEXT, whole)


def lighton(files: Files) -> EncoderSpec | None:
    """LightOnOCR, in folders that name it."""
    return _merged(files, LIGHTON_VISION, LIGHTON_TEXT, whole=False)


def _merged(
    files: Files, absent_vision: Mapping[str, Any], absent_text: Mapping[str, Any], whole: bool
) -> EncoderSpec | None:
    given = files.config.child("vision_config")
    if files.built_in and not given.has("intermediate_size"):
        return None
    vision = given.with_defaults(DEFAULTS if files.config.has("vision_config") else absent_vision, SOURCE)
    config = files.config if files.config.has("text_config") else files.config.replaced(text_config=absent_text)
    defaults = {"vision_feature_layer": -1, "multimodal_projector_bias": False, "projector_hidden_act": "gelu",
                "spatial_merge_size": 2}  # fmt: skip
    return tower(vision, _merger(config.with_defaults(defaults, f"Mistral3Config in {REFERENCE}"), vision, whole))


def _merger(config: Config, vision: Config, whole: bool) -> Connector:
    """Norm, 2 x 2 blocks to one dim, two linear maps."""
    width, bias = text_width(config, "mistral"), config.flag("multimodal_projector_bias")
    stages = (
        Normalise(RmsNorm(_text_eps(config))),
        MergeBlocks(config.integer("spatial_merge_size", high=64), "channels", whole),
        Linear(vision.integer("hidden_size", high=65_536), bias=False),
        Linear(width, bias),
        Activate(config.choice("projector_hidden_act", ACTIVATIONS)),
        Linear(width, bias),
    )
    return Connector(stages=stages, layers=_layers(config, vision.integer("num_hidden_layers", low=0, high=1024)))


def _text_eps(config: Config) -> float:
    """Of the LLM's norms, which the projector's norm shares."""
    text = config.child("text_config")
    kind = text.raw("model_type") if text.has("model_type") else "mistral"
    defaults = {"rms_norm_eps": TEXT_EPS[kind]} if kind in TEXT_EPS else {}
    return text.with_defaults(defaults, f"the text config's class in {REFERENCE}").number("rms_norm_eps", 0, 1)


def _layers(config: Config, depth: int) -> tuple[int, ...] | None:
    """The hidden state that is read; None for the last, since no norm follows it in this tower."""
    layer = hidden_state(config, "vision_feature_layer", config.raw("vision_feature_layer"), depth)
    return None if layer == -1 else (layer,)


# ---------------------------------------------------------------- weights

WEIGHTS = (
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
    *gated_mlp("transformer.layers.{n}.feed_forward", "blocks.{n}.mlp"),
)
ALONE = WeightNames(roots=("", "vision_tower."), weights=WEIGHTS)
MERGER = (
    Weight("norm.weight", "connector.stages.0.weight"),
    Weight("patch_merger.merging_layer.weight", "connector.stages.2.weight"),
    *affine("linear_1", "connector.stages.3"),
    *affine("linear_2", "connector.stages.5"),
)
MERGED = WeightNames(
    roots=("", "model."),
    weights=(
        *under("vision_tower.", *WEIGHTS),
        *under("multi_modal_projector.", *MERGER),
        *under("vision_encoder.", *WEIGHTS),  # LightOnOCR
        *under("vision_projection.", *MERGER),
    ),
    ignored=LLM_PARTS,
)
