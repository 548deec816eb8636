"""SigLIP's image tower at a fixed resolution: no prefix token, a learned table, pooling by attention.

A side that patches do not divide keeps its remainder unread: 384 / 14 gives 27, and 6 pixels change nothing.
Sources: transformers 5.23.0, `models/siglip/modeling_siglip.py` and `configuration_siglip.py`; arXiv 2303.15343.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import ACTIVATIONS, REFERENCE, Files, heads_of, table_of
from vistoken.spec import (
    AttentionPool,
    EncoderSpec,
    LayerNorm,
    LearnedTable,
    PlainMlp,
    Position,
    TableResize,
)
from vistoken.weight_names import CLIP_BLOCKS, SIGLIP_HEAD, Weight, affine

if TYPE_CHECKING:
    from vistoken.connector import Connector

SOURCE = f"SiglipVisionConfig in {REFERENCE}"
DEFAULTS = {
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
    "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6, "image_size": 224, "patch_size": 16,
    "num_channels": 3, "vision_use_head": True,
}  # fmt: skip

# SiglipVisionEmbeddings.interpolate_pos_encoding.
RESIZE = TableResize("bicubic", antialias=False)


def behind(files: Files, assumed: Mapping[str, Any], source: str) -> Config | None:
    """The vision config of a vision-language model, completed; None where only values for counting are built in.

    The model's config class `source` assumes `assumed` where there is no vision config at all, and a config without
    a `model_type` to be SigLIP's. Raises `ConfigError` for another tower.
    """
    given = files.config.child("vision_config")
    if files.built_in and not given.has("hidden_size"):
        return None
    defaults = {"model_type": "siglip_vision_model", **DEFAULTS, **({} if given.values else assumed)}
    vision = given.with_defaults(defaults, SOURCE if given.values else source)
    if (kind := vision.raw("model_type")) != "siglip_vision_model":
        raise vision.error("model_type", kind, "only SigLIP's tower, siglip_vision_model, is encoded")
    return vision


def tower(vision: Config, connector: Connector | None = None, position: Position | None = None) -> EncoderSpec:
    """The encoder that a vision config describes, which `DEFAULTS` complete; `position` where it is not the table."""
    hidden = vision.integer("intermediate_size")
    spec = trunk(vision, position or table(vision), hidden, connector)
    return replace(spec, pool=AttentionPool(spec.heads, hidden)) if vision.flag("vision_use_head") else spec


def table(vision: Config, resize: TableResize = RESIZE) -> LearnedTable:
    """The learned positions of the grid that `image_size` holds."""
    grid, _ = table_of(vision, vision.patch("patch_size"))
    return LearnedTable(grid.rows, grid.cols, prefix_rows=0, resize=resize)


def trunk(vision: Config, position: Position, hidden: int, connector: Connector | None) -> EncoderSpec:
    """SigLIP without its pooling head, which its kin share; `hidden` is the MLP's."""
    dim, heads = heads_of(vision)
    return EncoderSpec(
        patch=vision.patch("patch_size"),
        dim=dim,
        depth=vision.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=vision.integer("num_channels", low=3, high=3),
        norm=LayerNorm(vision.number("layer_norm_eps", 0, 1)),
        mlp=PlainMlp(hidden, vision.choice("hidden_act", ACTIVATIONS)),
        position=position,
        connector=connector,
    )


# The tower alone, as its kin without a pooling head store it.
TRUNK_WEIGHTS = (
    *affine("embeddings.patch_embedding", "embed.patch"),
    Weight("embeddings.position_embedding.weight", "embed.position.table"),
    *CLIP_BLOCKS,
)
WEIGHTS = (*TRUNK_WEIGHTS, *SIGLIP_HEAD)
