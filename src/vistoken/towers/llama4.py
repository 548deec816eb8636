"""Llama 4's tower: a class token that its files hold last, rotary angles, and a pixel shuffle before two matrices.

Attention does not mind where the class token stands: here it is in front, and the row of it in the position table is
brought there at load. Coordinates begin at 1, since 0 is the class token's. The table is for tiles of one size; other
sizes, which the reference does not take, are read off it with bicubic interpolation.
Sources: transformers 5.23.0, `models/llama4/modeling_llama4.py` (`Llama4VisionModel`), `configuration_llama4.py`.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.connector import Activate, Connector, Linear, MergeBlocks
from vistoken.family import REFERENCE, heads_of, table_of
from vistoken.spec import ClassToken, EncoderSpec, LayerNorm, LearnedTable, PlainMlp, Rotary, TableResize
from vistoken.towers.llm import text_width
from vistoken.weight_names import (
    LLM_PARTS,
    Flattened,
    LastRowFirst,
    Part,
    Row,
    Weight,
    WeightNames,
    affine,
    under,
)

# Class attributes of Llama4VisionConfig, whose hidden_size of 768 is that of no published tower.
DEFAULTS = {
    "hidden_size": 768, "num_hidden_layers": 34, "num_attention_heads": 16, "num_channels": 3,
    "intermediate_size": 5632, "vision_output_dim": 7680, "image_size": 448, "patch_size": 14,
    "vision_feature_select_strategy": "default", "pixel_shuffle_ratio": 0.5, "projector_input_dim": 4096,
    "projector_output_dim": 4096,
}  # fmt: skip
ROPE = {"rope_type": "default", "rope_theta": 10_000.0}
# The code's own: it does not read norm_eps, and its activations are exact GELUs whatever hidden_act says.
NORM = LayerNorm(1e-5)


def tower(config: Config, built_in: bool) -> EncoderSpec | None:
    """The encoder that a config describes; None where a built-in name has the values for counting alone."""
    given = config.child("vision_config")
    if built_in and not given.has("hidden_size"):
        return None
    vision = given.with_defaults(DEFAULTS, f"Llama4VisionConfig in {REFERENCE}")
    rope = vision.child("rope_parameters").with_defaults(ROPE, f"Llama4VisionConfig in {REFERENCE}")
    dim, heads = heads_of(vision)
    patch = vision.patch("patch_size")
    table, _ = table_of(vision, patch)
    return EncoderSpec(
        patch=patch,
        dim=dim,
        depth=vision.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=vision.integer("num_channels", low=3, high=3),
        norm=NORM,
        mlp=PlainMlp(vision.integer("intermediate_size"), "gelu"),
        prefix=(ClassToken(),),
        position=LearnedTable(table.rows, table.cols, 1, TableResize("bicubic", antialias=False)),
        rotary=Rotary(rope.number("rope_theta", 1.001, 1e12), start=1),
        patch_bias=False,
        pre_norm=True,
        connector=_connector(config, vision, dim),
    )


def _connector(config: Config, vision: Config, dim: int) -> Connector:
    """The adapter in the tower, and the matrix before the LLM. The shuffle keeps a share of rows and of columns."""
    if (strategy := vision.raw("vision_feature_select_strategy")) != "default":
        raise vision.error("vision_feature_select_strategy", strategy, "the class token is dropped: only 'default'")
    ratio = vision.number("pixel_shuffle_ratio", 0.01, 1)
    side = round(1 / ratio)
    if abs(side * ratio - 1) > 1e-6:
        raise vision.error("pixel_shuffle_ratio", ratio, "it must be 1 / n, of blocks of n x n patches")
    if vision.integer("intermediate_size") != dim * side * side:
        rule = f"the adapter reads blocks of {side} x {side} patches, {dim * side * side:,} numbers"
        raise vision.error("intermediate_size", vision.raw("intermediate_size"), rule)
    inner, out = (vision.integer(f"projector_{end}_dim", high=65_536) for end in ("input", "output"))
    if inner != out or vision.integer("vision_output_dim") != out:
        rule = f"projector_input_dim ({inner:,}), projector_output_dim ({out:,}) and vision_output_dim must agree"
        raise vision.error("vision_output_dim", vision.raw("vision_output_dim"), rule)
    matrices = (Linear(inner, bias=False), Activate("gelu"), Linear(out, bias=False), Activate("gelu"))
    return Connector(stages=(MergeBlocks(side), *matrices, Linear(text_width(config, "llama4_text"), bias=False)))


LAYER = "model.layers.{n}"
WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under(
            "vision_model.",
            Weight("patch_embedding.linear.weight", "embed.patch.weight", Flattened()),
            Weight("class_embedding", "embed.prefix.cls", Row()),
            Weight("positional_embedding_vlm", "embed.position.table", LastRowFirst()),
            *affine("layernorm_pre", "pre_norm"),
            *affine(f"{LAYER}.input_layernorm", "blocks.{n}.norm1"),
            *(
                Weight(f"{LAYER}.self_attn.{name}_proj.{leaf}", f"blocks.{{n}}.attention.qkv.{leaf}", step)
                for leaf in ("weight", "bias")
                for name, step in (("q", Part(0, 3, "cols first")), ("k", Part(1, 3, "cols first")), ("v", Part(2, 3)))
            ),
            *affine(f"{LAYER}.self_attn.o_proj", "blocks.{n}.attention.out"),
            *affine(f"{LAYER}.post_attention_layernorm", "blocks.{n}.norm2"),
            *affine(f"{LAYER}.mlp.fc1", "blocks.{n}.mlp.up"),
            *affine(f"{LAYER}.mlp.fc2", "blocks.{n}.mlp.down"),
            *affine("layernorm_post", "norm"),
            Weight("vision_adapter.mlp.fc1.weight", "connector.stages.1.weight"),
            Weight("vision_adapter.mlp.fc2.weight", "connector.stages.3.weight"),
        ),
        Weight("multi_modal_projector.linear_1.weight", "connector.stages.5.weight"),
    ),
    ignored=LLM_PARTS,
)
