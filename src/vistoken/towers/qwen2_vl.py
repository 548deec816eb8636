"""The tower of Qwen2-VL: layer norms, plain MLPs with CLIP's activation, rotary angles, no windows, a merger.

Sources: transformers 5.23.0, `models/qwen2_vl/modeling_qwen2_vl.py` and `configuration_qwen2_vl.py`; arXiv 2409.12191.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.connector import Activate, Connector, Linear, MergeBlocks, Normalise, NumberedPositions
from vistoken.family import ACTIVATIONS, REFERENCE
from vistoken.spec import EncoderSpec, LayerNorm, NoPosition, PlainMlp
from vistoken.towers.axial import ROOTS, axial, heads
from vistoken.weight_names import LLM_PARTS, Weight, WeightNames, affine

# Class attributes of Qwen2VLVisionConfig. The tower's dim is `embed_dim`; `hidden_size` is that of the LLM.
DEFAULTS = {
    "depth": 32, "embed_dim": 1280, "hidden_size": 3584, "hidden_act": "quick_gelu", "mlp_ratio": 4, "num_heads": 16,
    "in_channels": 3, "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2,
}  # fmt: skip
# Fixed in the code of the reference.
NORM = LayerNorm(1e-6)


def tower(vision: Config, built_in: bool) -> EncoderSpec | None:
    """The encoder that a `vision_config` describes; None where a built-in name has the values for counting alone."""
    if built_in and not vision.has("hidden_size"):
        return None
    config = vision.with_defaults(DEFAULTS, f"Qwen2VLVisionConfig in {REFERENCE}")
    dim, number = heads(config, "embed_dim")
    side = config.integer("spatial_merge_size", high=64)
    out = Linear(config.integer("hidden_size", high=65_536))
    stages = (Normalise(NORM), MergeBlocks(side), Linear(side * side * dim), Activate("gelu"), out)
    return EncoderSpec(
        patch=config.patch("patch_size", config.integer("temporal_patch_size", high=64)),
        dim=dim,
        depth=config.integer("depth", low=0, high=1024),
        heads=number,
        channels=config.integer("in_channels", low=3, high=3),
        norm=NORM,
        mlp=PlainMlp(dim * config.integer("mlp_ratio", high=64), config.choice("hidden_act", ACTIVATIONS)),
        position=NoPosition(),
        rotary=axial(config),
        patch_bias=False,
        final_norm="none",
        connector=Connector(stages=stages, positions=NumberedPositions()),
    )


WEIGHTS = WeightNames(
    roots=ROOTS,
    weights=(
        Weight("patch_embed.proj.weight", "embed.patch.weight"),
        *affine("blocks.{n}.norm1", "blocks.{n}.norm1"),
        *affine("blocks.{n}.attn.qkv", "blocks.{n}.attention.qkv"),
        *affine("blocks.{n}.attn.proj", "blocks.{n}.attention.out"),
        *affine("blocks.{n}.norm2", "blocks.{n}.norm2"),
        *affine("blocks.{n}.mlp.fc1", "blocks.{n}.mlp.up"),
        *affine("blocks.{n}.mlp.fc2", "blocks.{n}.mlp.down"),
        *affine("merger.ln_q", "connector.stages.0"),
        *affine("merger.mlp.0", "connector.stages.2"),
        *affine("merger.mlp.2", "connector.stages.4"),
    ),
    ignored=LLM_PARTS,
)
