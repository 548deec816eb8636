"""The tower of Qwen2.5-VL: RMS norms, gated MLPs with biases, windows of 112 pixels but for four blocks, a merger.

Qwen2.5-Omni's is the same, with queries, keys and values apart in the file, and its LLM numbers time in its own way.
EXAONE 4.5's has fewer heads of keys and values, and its LLM numbers tokens in one dimension.
A patch spans two frames; a still picture is its one frame twice. The reference puts tokens into blocks of 2 x 2 and
into windows; here they stand in raster order, and only attention sees them window by window.
Sources: transformers 5.23.0, `models/qwen2_5_vl/modeling_qwen2_5_vl.py` and `configuration_qwen2_5_vl.py`, and the
same of `qwen2_5_omni` and `exaone4_5`; arXiv 2502.13923, section 2.1.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.configs import Config
from vistoken.connector import (
    Activate,
    Connector,
    Linear,
    MergeBlocks,
    Normalise,
    SecondsPositions,
    TimedPositions,
    TokenPositions,
)
from vistoken.family import ACTIVATIONS, REFERENCE
from vistoken.geometry import Patch
from vistoken.spec import EncoderSpec, GatedMlp, NoPosition, RmsNorm, Windows
from vistoken.towers.axial import OMNI_PARTS, PER_SECOND, ROOTS, THINKER_ROOTS, axial, heads
from vistoken.weight_names import LLM_PARTS, Ignore, Weight, WeightNames, affine, fused_qkv, gated_mlp

# Class attributes of Qwen2_5_VLVisionConfig. Its hidden_size of 3584 is that of no published tower.
DEFAULTS = {
    "depth": 32, "hidden_size": 3584, "hidden_act": "silu", "intermediate_size": 3420, "num_heads": 16,
    "in_channels": 3, "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "tokens_per_second": 4,
    "window_size": 112, "out_hidden_size": 3584, "fullatt_block_indexes": [7, 15, 23, 31],
}  # fmt: skip
# Fixed in the code of the reference.
NORM = RmsNorm(1e-6)


def tower(vision: Config, built_in: bool) -> EncoderSpec | None:
    """The encoder that a `vision_config` describes; None where a built-in name has the values for counting alone."""
    if built_in and not vision.has("hidden_size"):
        return None
    config = vision.with_defaults(DEFAULTS, f"Qwen2_5_VLVisionConfig in {REFERENCE}")
    return _tower(config, TimedPositions(config.number("tokens_per_second", 0, 1e6)))


def omni(thinker: Config, built_in: bool) -> EncoderSpec | None:
    """The same of a `thinker_config` of Qwen2.5-Omni."""
    vision = thinker.child("vision_config")
    if built_in and not vision.has("hidden_size"):
        return None
    config = vision.with_defaults(DEFAULTS, f"Qwen2_5OmniVisionEncoderConfig in {REFERENCE}")
    timed = thinker.with_defaults(PER_SECOND, f"Qwen2_5OmniThinkerConfig in {REFERENCE}")
    return _tower(config, SecondsPositions(timed.number("position_id_per_seconds", 0, 1e6), whole=True))


def exaone(vision: Config, built_in: bool) -> EncoderSpec | None:
    """The same of EXAONE 4.5."""
    if built_in and not vision.has("hidden_size"):
        return None
    config = vision.with_defaults(DEFAULTS | {"num_key_value_heads": 8}, f"Exaone4_5_VisionConfig in {REFERENCE}")
    number, shared = heads(config)[1], config.integer("num_key_value_heads", high=1024)
    if number % shared:
        raise config.error("num_key_value_heads", shared, f"it must divide num_heads, which is {number}")
    return replace(_tower(config, None), kv_heads=shared)


def _tower(config: Config, positions: TokenPositions | None) -> EncoderSpec:
    dim, number = heads(config)
    patch = config.patch("patch_size", config.integer("temporal_patch_size", high=64))
    return EncoderSpec(
        patch=patch,
        dim=dim,
        depth=config.integer("depth", low=0, high=1024),
        heads=number,
        channels=config.integer("in_channels", low=3, high=3),
        norm=NORM,
        mlp=GatedMlp(config.integer("intermediate_size"), config.choice("hidden_act", ACTIVATIONS)),
        position=NoPosition(),
        rotary=axial(config),
        windows=_windows(config, patch),
        patch_bias=False,
        final_norm="none",
        connector=_merger(config, dim, positions),
    )


def _windows(config: Config, patch: Patch) -> Windows:
    """Windows hold whole tokens of the LLM: their side in pixels is divided by that of a token, and cut down."""
    merge = config.integer("spatial_merge_size", high=64)
    side = config.integer("window_size", high=65_536) // merge // patch.height
    if side < 1:
        raise config.error("window_size", config.raw("window_size"), f"a window must hold {merge} x {merge} patches")
    full = config.raw("fullatt_block_indexes")
    if not isinstance(full, list) or not all(type(block) is int and 0 <= block < 1024 for block in full):
        raise config.error("fullatt_block_indexes", full, "it must be a list of block numbers from 0")
    return Windows(side * merge, tuple(full))


def _merger(config: Config, dim: int, positions: TokenPositions | None) -> Connector:
    side = config.integer("spatial_merge_size", high=64)
    stages = (
        Normalise(NORM),
        MergeBlocks(side),
        Linear(side * side * dim),
        Activate("gelu"),
        Linear(config.integer("out_hidden_size", high=65_536)),
    )
    return Connector(stages=stages, positions=positions)


PARTS = (
    Weight("patch_embed.proj.weight", "embed.patch.weight"),
    Weight("blocks.{n}.norm1.weight", "blocks.{n}.norm1.weight"),
    *affine("blocks.{n}.attn.proj", "blocks.{n}.attention.out"),
    Weight("blocks.{n}.norm2.weight", "blocks.{n}.norm2.weight"),
    *gated_mlp("blocks.{n}.mlp", "blocks.{n}.mlp", "weight", "bias"),
    Weight("merger.ln_q.weight", "connector.stages.0.weight"),
    *affine("merger.mlp.0", "connector.stages.2"),
    *affine("merger.mlp.2", "connector.stages.4"),
)
WEIGHTS = WeightNames(
    roots=ROOTS,
    weights=(*PARTS, *affine("blocks.{n}.attn.qkv", "blocks.{n}.attention.qkv")),
    ignored=LLM_PARTS,
)
OMNI_WEIGHTS = WeightNames(
    roots=THINKER_ROOTS,
    weights=(
        *PARTS,
        *fused_qkv("blocks.{n}.attn.q", "blocks.{n}.attn.k", "blocks.{n}.attn.v", "blocks.{n}.attention.qkv"),
    ),
    ignored=OMNI_PARTS,
)
EXAONE_WEIGHTS = replace(WEIGHTS, ignored=(*LLM_PARTS, ("mtp.*", Ignore("the LLM"))))
