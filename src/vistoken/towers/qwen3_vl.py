"""The tower of Qwen3-VL and Qwen3.5: a learned table and rotary angles, plain blocks, a merger, and deepstack.

Deepstack (arXiv 2406.04334): what leaves some blocks goes through mergers of its own, whose tokens the LLM adds in its
first layers. Qwen3.5 has none; Qwen3-Omni's tower is Qwen3-VL's, its mergers under other names, and Cohere Compass's is
the same. A patch spans two frames; the frames of a video do not see one another.
Sources: transformers 5.23.0, `models/qwen3_vl/modeling_qwen3_vl.py`, `configuration_qwen3_vl.py`,
`models/qwen3_5/modeling_qwen3_5.py`, `models/qwen3_omni_moe/modeling_qwen3_omni_moe.py`,
`models/cohere_compass/modeling_cohere_compass.py`; arXiv 2511.21631.
"""

from __future__ import annotations

from math import isqrt

from vistoken.configs import Config
from vistoken.connector import (
    Activate,
    Connector,
    Linear,
    MergeBlocks,
    Normalise,
    SecondsPositions,
    SeparatePositions,
    Stage,
    TokenPositions,
)
from vistoken.family import ACTIVATIONS, MAX_TABLE, REFERENCE
from vistoken.spec import EncoderSpec, LayerNorm, LearnedTable, PlainMlp, TableResize
from vistoken.towers.axial import OMNI_PARTS, PER_SECOND, ROOTS, THINKER_ROOTS, axial, heads
from vistoken.weight_names import LLM_PARTS, Ignore, Weight, WeightNames, affine

# Class attributes of Qwen3VLVisionConfig; Qwen3_5VisionConfig has the same but for deepstack.
DEFAULTS = {
    "depth": 27, "hidden_size": 1152, "hidden_act": "gelu_pytorch_tanh", "intermediate_size": 4304, "num_heads": 16,
    "in_channels": 3, "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 3584,
    "num_position_embeddings": 2304,
}  # fmt: skip
DEEPSTACK = {"deepstack_visual_indexes": [8, 16, 24]}
# Fixed in the code of the reference.
NORM = LayerNorm(1e-6)
RESIZE = TableResize("bilinear", antialias=False, align_corners=True)


def tower(vision: Config, built_in: bool, deepstack: bool, source: str = "") -> EncoderSpec | None:
    """The encoder that a `vision_config` describes; None where a built-in name has the values for counting alone.

    `source` is the config's class where that is another one with the same defaults (Cohere Compass).
    """
    if built_in and not vision.has("hidden_size"):
        return None
    defaults = DEFAULTS | DEEPSTACK if deepstack else DEFAULTS
    source = source or f"{'Qwen3VL' if deepstack else 'Qwen3_5'}VisionConfig"
    config = vision.with_defaults(defaults, f"{source} in {REFERENCE}")
    return _tower(config, deepstack, SeparatePositions())


def omni(thinker: Config, built_in: bool) -> EncoderSpec | None:
    """The same of a `thinker_config` of Qwen3-Omni."""
    vision = thinker.child("vision_config")
    if built_in and not vision.has("hidden_size"):
        return None
    config = vision.with_defaults(DEFAULTS | DEEPSTACK, f"Qwen3OmniMoeVisionEncoderConfig in {REFERENCE}")
    timed = thinker.with_defaults(PER_SECOND, f"Qwen3OmniMoeThinkerConfig in {REFERENCE}")
    return _tower(config, True, SecondsPositions(timed.number("position_id_per_seconds", 0, 1e6), whole=False))


def _tower(config: Config, deepstack: bool, positions: TokenPositions) -> EncoderSpec:
    (dim, number), side = heads(config), _table_side(config)
    merge, out = config.integer("spatial_merge_size", high=64), config.integer("out_hidden_size", high=65_536)
    depth = config.integer("depth", low=0, high=1024)
    return EncoderSpec(
        patch=config.patch("patch_size", config.integer("temporal_patch_size", high=64)),
        dim=dim,
        depth=depth,
        heads=number,
        channels=config.integer("in_channels", low=3, high=3),
        norm=NORM,
        mlp=PlainMlp(config.integer("intermediate_size"), config.choice("hidden_act", ACTIVATIONS)),
        position=LearnedTable(side, side, 0, RESIZE),
        rotary=axial(config),
        final_norm="none",
        connector=Connector(stages=_merger(merge, dim, out, norm_first=True), positions=positions),
        deepstack=tuple(
            Connector(stages=_merger(merge, dim, out, norm_first=False), layers=(index + 1,))
            for index in (_indexes(config, depth) if deepstack else ())
        ),
    )


def _table_side(config: Config) -> int:
    """Rows and columns of the position table, which is square."""
    cells = config.integer("num_position_embeddings", high=MAX_TABLE)
    if isqrt(cells) ** 2 != cells:
        raise config.error("num_position_embeddings", cells, "the table is square: it must be a square number")
    return isqrt(cells)


def _indexes(config: Config, depth: int) -> tuple[int, ...]:
    """The blocks, from 0, whose output goes to the LLM as well."""
    given = config.raw("deepstack_visual_indexes")
    known = isinstance(given, list | tuple) and all(type(block) is int and 0 <= block < depth for block in given)
    if not known or sorted(set(given)) != list(given):
        rule = f"it must be an ascending list of block numbers from 0 to {depth - 1}"
        raise config.error("deepstack_visual_indexes", given, rule)
    return tuple(given)


def _merger(side: int, dim: int, out: int, norm_first: bool) -> tuple[Stage, ...]:
    """Blocks of `side` x `side` patches become one token; the main merger norms patches, deepstack's norm blocks."""
    start: tuple[Stage, Stage] = (Normalise(NORM), MergeBlocks(side))
    return (*(start if norm_first else start[::-1]), Linear(side * side * dim), Activate("gelu"), Linear(out))


NAMES, OMNI_NAMES = ("norm", "linear_fc1", "linear_fc2"), ("ln_q", "mlp.0", "mlp.2")


def _layers(file: str, ours: str, norm: int, names: tuple[str, str, str] = NAMES) -> tuple[Weight, ...]:
    """One merger, whose norm is stage `norm`; `names` are those of its norm and its two matrices."""
    stages = (norm, 2, 4)
    pairs = zip(names, stages, strict=True)
    return tuple(weight for name, stage in pairs for weight in affine(f"{file}.{name}", f"{ours}.stages.{stage}"))


PARTS = (
    *affine("patch_embed.proj", "embed.patch"),
    Weight("pos_embed.weight", "embed.position.table"),
    *affine("blocks.{n}.norm1", "blocks.{n}.norm1"),
    *affine("blocks.{n}.attn.qkv", "blocks.{n}.attention.qkv"),
    *affine("blocks.{n}.attn.proj", "blocks.{n}.attention.out"),
    *affine("blocks.{n}.norm2", "blocks.{n}.norm2"),
    *affine("blocks.{n}.mlp.linear_fc1", "blocks.{n}.mlp.up"),
    *affine("blocks.{n}.mlp.linear_fc2", "blocks.{n}.mlp.down"),
)
WEIGHTS = WeightNames(
    roots=ROOTS,
    weights=(*PARTS, *_layers("merger", "connector", 0), *_layers("deepstack_merger_list.{n}", "deepstack.{n}", 1)),
    # Qwen3.5's files hold layers that predict several words at once.
    ignored=(*LLM_PARTS, ("mtp.*", Ignore("the LLM"))),
)
OMNI_WEIGHTS = WeightNames(
    roots=THINKER_ROOTS,
    weights=(
        *PARTS,
        *_layers("merger", "connector", 0, OMNI_NAMES),
        *_layers("merger_list.{n}", "deepstack.{n}", 1, OMNI_NAMES),
    ),
    ignored=OMNI_PARTS,
)
