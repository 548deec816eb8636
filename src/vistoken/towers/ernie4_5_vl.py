"""The tower of ERNIE-4.5-VL and its resampler: blocks of 2 x 2, then pairs of frames, become one token.

A still picture stands in for both frames of its pair. Videos are counted, not encoded.
Sources: transformers 5.23.0, `models/ernie4_5_vl_moe/modeling_ernie4_5_vl_moe.py` and
`configuration_ernie4_5_vl_moe.py`.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.connector import Activate, Connector, Linear, MergeBlocks, Normalise, NumberedPositions, Stage, Twice
from vistoken.family import ACTIVATIONS, REFERENCE, Files
from vistoken.spec import EncoderSpec, LayerNorm, NoPosition, Norm, PlainMlp, RmsNorm
from vistoken.towers.axial import axial, heads
from vistoken.weight_names import LLM_PARTS, Flattened, Weight, WeightNames, affine, under

DEFAULTS = {
    "depth": 32, "hidden_size": 1280, "hidden_act": "quick_gelu", "num_heads": 16, "in_channels": 3, "patch_size": 14,
    "spatial_merge_size": 2, "intermediate_size": 5120, "temporal_merge_size": 2, "rms_norm_eps": 1e-6,
}  # fmt: skip
TEXT = {"hidden_size": 2560, "rms_norm_eps": 1e-5}


def tower(files: Files) -> EncoderSpec | None:
    """The encoder that a config in transformers' words describes; None for the vendor's, and for counting alone."""
    given = files.config.child("vision_config")
    if files.config.raw("model_type") != "ernie4_5_vl_moe" or (files.built_in and not given.has("hidden_size")):
        return None
    vision = given.with_defaults(DEFAULTS, f"Ernie4_5_VLMoeVisionConfig in {REFERENCE}")
    text = files.config.child("text_config").with_defaults(TEXT, f"Ernie4_5_VLMoeTextConfig in {REFERENCE}")
    dim, number = heads(vision)
    norm = LayerNorm(vision.number("rms_norm_eps", 0, 1))  # layer norms, in spite of the name
    return EncoderSpec(
        patch=vision.patch("patch_size"),
        dim=dim,
        depth=vision.integer("depth", low=0, high=1024),
        heads=number,
        channels=vision.integer("in_channels", low=3, high=3),
        norm=norm,
        mlp=PlainMlp(vision.integer("intermediate_size"), vision.choice("hidden_act", ACTIVATIONS)),
        position=NoPosition(),
        rotary=axial(vision),
        patch_bias=False,
        connector=_resampler(vision, dim, norm, text),
    )


def _resampler(vision: Config, dim: int, norm: Norm, text: Config) -> Connector:
    if (frames := vision.integer("temporal_merge_size", high=64)) != 2:
        raise vision.error("temporal_merge_size", frames, "only pairs of frames are merged here")
    side = vision.integer("spatial_merge_size", high=64)
    width = side * side * dim
    mlp: tuple[Stage, ...] = (Linear(width), Activate("gelu"), Linear(width), Normalise(norm))
    last = RmsNorm(text.number("rms_norm_eps", 0, 1))
    out = Linear(text.integer("hidden_size", high=65_536))
    stages = (MergeBlocks(side), *mlp, Twice(), *mlp, out, Normalise(last))
    return Connector(stages=stages, positions=NumberedPositions())


VISION = (
    Weight("patch_embed.proj.weight", "embed.patch.weight", Flattened()),
    *affine("blocks.{n}.norm1", "blocks.{n}.norm1"),
    *affine("blocks.{n}.attn.qkv", "blocks.{n}.attention.qkv"),
    *affine("blocks.{n}.attn.proj", "blocks.{n}.attention.out"),
    *affine("blocks.{n}.norm2", "blocks.{n}.norm2"),
    *affine("blocks.{n}.mlp.fc1", "blocks.{n}.mlp.up"),
    *affine("blocks.{n}.mlp.fc2", "blocks.{n}.mlp.down"),
    *affine("ln", "norm"),
)
RESAMPLER = (
    *affine("spatial_linear.0", "connector.stages.1"),
    *affine("spatial_linear.2", "connector.stages.3"),
    *affine("spatial_linear.3", "connector.stages.4"),
    *affine("temporal_linear.0", "connector.stages.6"),
    *affine("temporal_linear.2", "connector.stages.8"),
    *affine("temporal_linear.3", "connector.stages.9"),
    *affine("mlp", "connector.stages.10"),
    Weight("after_norm.weight", "connector.stages.11.weight"),
)
WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(*under("vision_model.", *VISION), *under("resampler_model.", *RESAMPLER)),
    ignored=LLM_PARTS,
)
