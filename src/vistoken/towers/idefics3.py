"""Idefics3's tower and SmolVLM's: SigLIP without its head, positions by bucket, pixel shuffle, one matrix.

Sources: transformers 5.23.0, `models/idefics3/modeling_idefics3.py` (`Idefics3VisionTransformer`,
`Idefics3Connector`), `configuration_idefics3.py`, and the same of `smolvlm`; arXiv 2408.12637, 2504.05299.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.connector import Connector, Linear, MergeBlocks
from vistoken.family import ACTIVATIONS, REFERENCE, Files, heads_of, table_of
from vistoken.geometry import Patch
from vistoken.spec import Buckets, EncoderSpec, LayerNorm, PlainMlp
from vistoken.towers.llm import text_width
from vistoken.weight_names import CLIP_BLOCKS, LLM_PARTS, Ignore, Weight, WeightNames, affine, under

# Class attributes of Idefics3VisionConfig and SmolVLMVisionConfig alike.
DEFAULTS = {
    "hidden_size": 1152, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 16,
    "num_channels": 3, "image_size": 224, "patch_size": 32, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6,
}  # fmt: skip


def tower(files: Files) -> EncoderSpec:
    """The encoder and its connector."""
    vision = files.config.child("vision_config").with_defaults(DEFAULTS, f"the vision config's class in {REFERENCE}")
    return encoder(vision, _connector(files.config))


def encoder(vision: Config, connector: Connector) -> EncoderSpec:
    """The tower that a completed vision config describes, in front of `connector`; Idefics2 has the same."""
    dim, heads = heads_of(vision)
    patch = vision.patch("patch_size")
    return EncoderSpec(
        patch=patch,
        dim=dim,
        depth=vision.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=vision.integer("num_channels", low=3, high=3),
        norm=LayerNorm(vision.number("layer_norm_eps", 0, 1)),
        mlp=PlainMlp(vision.integer("intermediate_size"), vision.choice("hidden_act", ACTIVATIONS)),
        position=_buckets(vision, patch),
        connector=connector,
    )


def _buckets(vision: Config, patch: Patch) -> Buckets:
    table, size = table_of(vision, patch)
    if table.rows != table.cols:
        raise vision.error("image_size", str(size), "the table of positions must be square")
    return Buckets(table.rows)


def _connector(config: Config) -> Connector:
    shuffle = config.with_defaults({"scale_factor": 2}, f"the config class in {REFERENCE}")
    stages = (MergeBlocks(shuffle.integer("scale_factor", high=64)), Linear(text_width(config, "llama"), bias=False))
    return Connector(stages=stages)


TOWER = (
    *affine("embeddings.patch_embedding", "embed.patch"),
    Weight("embeddings.position_embedding.weight", "embed.position.table"),
    *CLIP_BLOCKS,
)
WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("vision_model.", *TOWER),
        Weight("connector.modality_projection.proj.weight", "connector.stages.1.weight"),
    ),
    ignored=(*LLM_PARTS, ("text_model.*", Ignore("the LLM"))),
)
