"""The tower of Ovis2: AIMv2, and a head whose probabilities mix the rows of a table of visual words.

Sources: transformers 5.23.0, `models/ovis2/modeling_ovis2.py` and `configuration_ovis2.py`; arXiv 2405.20797.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.connector import Connector, Linear, MergeBlocks, Normalise, Softmax, Stage
from vistoken.family import ACTIVATIONS, REFERENCE, Files, heads_of, table_of
from vistoken.spec import EncoderSpec, GatedMlp, LayerNorm, LearnedTable, RmsNorm, TableResize
from vistoken.weight_names import LLM_PARTS, Table, Weight, WeightNames, affine, fused_qkv, gated_mlp, under

DEFAULTS = {
    "hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 24, "num_attention_heads": 8,
    "num_channels": 3, "image_size": 224, "patch_size": 14, "rms_norm_eps": 1e-5, "qkv_bias": False, "mlp_bias": False,
    "hidden_act": "silu", "vocab_size": 16_384, "hidden_stride": 1, "num_visual_indicator_tokens": 5,
    "tokenize_function": "softmax",
}  # fmt: skip
# Visual words that stand for no picture but for its start, end and grid, in all published models.
INDICATORS = 5


def tower(files: Files) -> EncoderSpec | None:
    """The encoder that a config describes; None where a built-in name has the values for counting alone."""
    given = files.config.child("vision_config")
    if files.built_in and not given.has("hidden_size"):
        return None
    vision = given.with_defaults(DEFAULTS, f"Ovis2VisionConfig in {REFERENCE}")
    (dim, heads), patch = heads_of(vision), vision.patch("patch_size")
    grid, _ = table_of(vision, patch)
    bias, hidden = vision.flag("qkv_bias"), vision.integer("intermediate_size")
    config = files.config.with_defaults({"hidden_size": 1536}, f"Ovis2Config in {REFERENCE}")
    return EncoderSpec(
        patch=patch,
        dim=dim,
        depth=vision.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=vision.integer("num_channels", low=3, high=3),
        norm=RmsNorm(vision.number("rms_norm_eps", 0, 1)),
        mlp=GatedMlp(hidden, vision.choice("hidden_act", ACTIVATIONS), vision.flag("mlp_bias")),
        position=LearnedTable(grid.rows, grid.cols, 0, TableResize("bicubic", antialias=False)),
        embed_norm=True,
        qkv_bias="all" if bias else "none",
        out_bias=bias,
        connector=_words(vision, config.integer("hidden_size", high=65_536)),
    )


def _words(vision: Config, width: int) -> Connector:
    """Blocks of patches, scores over the words, probabilities, and the mean of the words' vectors under them."""
    if (indicators := vision.integer("num_visual_indicator_tokens", low=0)) != INDICATORS:
        raise vision.error("num_visual_indicator_tokens", indicators, f"only {INDICATORS} are encoded")
    if (kind := vision.raw("tokenize_function")) != "softmax":
        raise vision.error("tokenize_function", kind, 'only "softmax" is encoded, as all published models say')
    words = vision.integer("vocab_size", low=INDICATORS + 1) - INDICATORS
    stages: tuple[Stage, ...] = (
        MergeBlocks(vision.integer("hidden_stride", high=64)),
        Linear(words, bias=False),
        Normalise(LayerNorm(1e-5)),  # torch's default
        Softmax(),
        Linear(width, bias=False),
    )
    return Connector(stages=stages)


WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under(
            "vision_tower.transformer.",
            *affine("embeddings.patch_embedding", "embed.patch"),
            Weight("embeddings.rms_norm.weight", "embed.norm.weight"),
            Weight("embeddings.position_embedding.weight", "embed.position.table"),
            Weight("encoder.layers.{n}.rms_norm1.weight", "blocks.{n}.norm1.weight"),
            *fused_qkv(
                "encoder.layers.{n}.attention.q_proj",
                "encoder.layers.{n}.attention.k_proj",
                "encoder.layers.{n}.attention.v_proj",
                "blocks.{n}.attention.qkv",
            ),
            *affine("encoder.layers.{n}.attention.out_proj", "blocks.{n}.attention.out"),
            Weight("encoder.layers.{n}.rms_norm2.weight", "blocks.{n}.norm2.weight"),
            *gated_mlp("encoder.layers.{n}.ffn", "blocks.{n}.mlp", "weight", "bias"),
            Weight("rms_norm.weight", "norm.weight"),
        ),
        Weight("vision_tower.head_linear.weight", "connector.stages.1.weight"),
        *affine("vision_tower.head_norm", "connector.stages.2"),
        Weight("visual_embeddings_table.weight", "connector.stages.4.weight", Table(INDICATORS)),
    ),
    ignored=LLM_PARTS,
)
