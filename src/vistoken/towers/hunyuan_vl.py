"""The tower of HunyuanOCR: SigLIP's blocks, a large table resized to every picture, no norm behind the last block.

What follows writes a learned newline after each row before its last matrix, which is counted, not encoded: the tower
alone is. The table keeps a row for a class token that the tower does not have.
Sources: transformers 5.23.0, `models/hunyuan_vl/modeling_hunyuan_vl.py` and `configuration_hunyuan_vl.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from vistoken.family import REFERENCE, Files
from vistoken.spec import EncoderSpec, LearnedTable, TableResize
from vistoken.towers import siglip
from vistoken.weight_names import LLM_PARTS, Ignore, Weight, WeightNames, affine, fused_qkv, under

DEFAULTS = {
    "hidden_act": "gelu", "hidden_size": 1152, "intermediate_size": 4304, "interpolate_mode": "bilinear",
    "rms_norm_eps": 1e-5, "num_attention_heads": 16, "num_channels": 3, "num_hidden_layers": 27, "patch_size": 16,
    "max_image_size": 2048,
}  # fmt: skip
MODES: dict[str, Literal["bilinear", "bicubic"]] = {"bilinear": "bilinear", "bicubic": "bicubic"}


def tower(files: Files) -> EncoderSpec | None:
    """The encoder that a config describes; None where a built-in name has the values for counting alone."""
    given = files.config.child("vision_config")
    if files.built_in and not given.has("hidden_size"):
        return None
    vision = given.with_defaults(DEFAULTS, f"HunYuanVLVisionConfig in {REFERENCE}")
    side = vision.integer("max_image_size", high=65_536) // vision.patch("patch_size").height
    resize = TableResize(vision.choice("interpolate_mode", MODES), antialias=False)
    # Layer norms, in spite of the name.
    named = vision.replaced(layer_norm_eps=vision.number("rms_norm_eps", 0, 1))
    position = LearnedTable(side, side, prefix_rows=1, resize=resize)
    return replace(siglip.trunk(named, position, vision.integer("intermediate_size"), None), final_norm="none")


WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=under(
        "vit.",
        *affine("embeddings.patch_embedding", "embed.patch"),
        Weight("embeddings.position_embedding.weight", "embed.position.table"),
        *affine("layers.{n}.input_layernorm", "blocks.{n}.norm1"),
        *fused_qkv(
            "layers.{n}.self_attn.q_proj",
            "layers.{n}.self_attn.k_proj",
            "layers.{n}.self_attn.v_proj",
            "blocks.{n}.attention.qkv",
        ),
        *affine("layers.{n}.self_attn.o_proj", "blocks.{n}.attention.out"),
        *affine("layers.{n}.post_attention_layernorm", "blocks.{n}.norm2"),
        *affine("layers.{n}.mlp.dense_h_to_4h", "blocks.{n}.mlp.up"),
        *affine("layers.{n}.mlp.dense_4h_to_h", "blocks.{n}.mlp.down"),
    ),
    ignored=(*LLM_PARTS, ("vit.perceive.*", Ignore("what stands between tower and LLM"))),
)
