"""The towers of GLM-4.1V to GLM-4.6V, and of GLM-OCR: rotary angles, gated MLPs, and a merger of its own.

Blocks of 2 x 2 patches become one token by a strided convolution, which then goes through a matrix, a norm and a gated
MLP. GLM-4V norms patches before it adds a learned table, and its blocks' MLPs are as wide as the LLM; GLM-OCR has no
table, norms queries and keys head by head, and has biases. The reference samples the table at the centres of cells,
clamped at the border, which is bicubic interpolation without antialias. A patch spans two frames, and the frames of a
video do not see one another.
Sources: transformers 5.23.0, `models/glm4v/modeling_glm4v.py`, `configuration_glm4v.py`, `models/glm_ocr/`;
arXiv 2507.01006.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.configs import Config
from vistoken.connector import Activate, Connector, Linear, MergeBlocks, MlpStage, Normalise, SeparatePositions
from vistoken.family import ACTIVATIONS, REFERENCE, table_of
from vistoken.spec import EncoderSpec, GatedMlp, LayerNorm, LearnedTable, NoPosition, QkNorm, RmsNorm, TableResize
from vistoken.towers.axial import ROOTS, axial, heads
from vistoken.weight_names import LLM_PARTS, Flattened, Ignore, Weight, WeightNames, affine, gated_mlp

# Class attributes of Glm4vVisionConfig, which are Glm4vMoeVisionConfig's, and of GlmOcrVisionConfig.
DEFAULTS = {
    "depth": 24, "hidden_size": 1536, "hidden_act": "silu", "attention_bias": False, "num_heads": 12, "in_channels": 3,
    "image_size": 336, "patch_size": 14, "rms_norm_eps": 1e-5, "spatial_merge_size": 2, "temporal_patch_size": 2,
    "out_hidden_size": 4096, "intermediate_size": 13_696,
}  # fmt: skip
OCR = DEFAULTS | {"hidden_size": 1024, "attention_bias": True, "num_heads": 16, "out_hidden_size": 1536,
                  "intermediate_size": 4096}  # fmt: skip
RESIZE = TableResize("bicubic", antialias=False)
# torch's default, which the merger's norm has.
MERGER_NORM = LayerNorm(1e-5)


def tower(vision: Config, built_in: bool) -> EncoderSpec | None:
    """The encoder that a `vision_config` describes; None where a built-in name has the values for counting alone."""
    if built_in and not vision.has("hidden_size"):
        return None
    config = vision.with_defaults(DEFAULTS, f"Glm4vVisionConfig in {REFERENCE}")
    out, activation = config.integer("out_hidden_size", high=65_536), config.choice("hidden_act", ACTIVATIONS)
    table, _ = table_of(config, config.patch("patch_size"))
    spec = _trunk(config, GatedMlp(out, activation, bias=False))
    return replace(
        spec,
        position=LearnedTable(table.rows, table.cols, 0, RESIZE),
        embed_norm=True,
        connector=_merger(config, GatedMlp(config.integer("intermediate_size"), activation, bias=False)),
    )


def ocr(vision: Config, built_in: bool) -> EncoderSpec | None:
    """The same of GLM-OCR."""
    if built_in and not vision.has("hidden_size"):
        return None
    config = vision.with_defaults(OCR, f"GlmOcrVisionConfig in {REFERENCE}")
    out, activation = config.integer("out_hidden_size", high=65_536), config.choice("hidden_act", ACTIVATIONS)
    bias = config.flag("attention_bias")
    spec = _trunk(config, GatedMlp(config.integer("intermediate_size"), activation, bias))
    return replace(
        spec,
        out_bias=bias,
        qkv_norm=QkNorm(RmsNorm(config.number("rms_norm_eps", 0, 1))),
        # As wide as a pixel has channels, times the LLM: its own code's rule.
        connector=_merger(config, GatedMlp(3 * out, activation, bias=False)),
    )


def _trunk(config: Config, mlp: GatedMlp) -> EncoderSpec:
    """What both share."""
    dim, number = heads(config)
    return EncoderSpec(
        patch=config.patch("patch_size", config.integer("temporal_patch_size", high=64)),
        dim=dim,
        depth=config.integer("depth", low=0, high=1024),
        heads=number,
        channels=config.integer("in_channels", low=3, high=3),
        norm=RmsNorm(config.number("rms_norm_eps", 0, 1)),
        mlp=mlp,
        position=NoPosition(),
        rotary=axial(config),
        qkv_bias="all" if config.flag("attention_bias") else "none",
        out_bias=False,
    )


def _merger(config: Config, mlp: GatedMlp) -> Connector:
    side, out = config.integer("spatial_merge_size", high=64), config.integer("out_hidden_size", high=65_536)
    stages = (
        MergeBlocks(side, "channels"),
        Linear(out),
        Linear(out, bias=False),
        Normalise(MERGER_NORM),
        Activate("gelu"),
        MlpStage(mlp),
    )
    return Connector(stages=stages, positions=SeparatePositions())


WEIGHTS = WeightNames(
    roots=ROOTS,
    weights=(
        *affine("patch_embed.proj", "embed.patch"),
        Weight("post_conv_layernorm.weight", "embed.norm.weight"),
        Weight("embeddings.position_embedding.weight", "embed.position.table"),
        Weight("blocks.{n}.norm1.weight", "blocks.{n}.norm1.weight"),
        *affine("blocks.{n}.attn.qkv", "blocks.{n}.attention.qkv"),
        Weight("blocks.{n}.attn.q_norm.weight", "blocks.{n}.attention.q_norm.weight"),
        Weight("blocks.{n}.attn.k_norm.weight", "blocks.{n}.attention.k_norm.weight"),
        *affine("blocks.{n}.attn.proj", "blocks.{n}.attention.out"),
        Weight("blocks.{n}.norm2.weight", "blocks.{n}.norm2.weight"),
        *gated_mlp("blocks.{n}.mlp", "blocks.{n}.mlp", "weight", "bias"),
        Weight("post_layernorm.weight", "norm.weight"),
        # Its kernel's numbers are (channel, row, column): those of a merged block, channel by channel.
        Weight("downsample.weight", "connector.stages.1.weight", Flattened()),
        Weight("downsample.bias", "connector.stages.1.bias"),
        Weight("merger.proj.weight", "connector.stages.2.weight"),
        *affine("merger.post_projection_norm", "connector.stages.3"),
        *gated_mlp("merger", "connector.stages.5"),
    ),
    # GLM-OCR's files hold a layer that predicts several words at once.
    ignored=(*LLM_PARTS, ("mtp.*", Ignore("the LLM"))),
)
