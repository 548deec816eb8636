"""SigLIP 2's NaFlex tower: SigLIP for grids of any shape, to which its table is resized, bilinear with antialias.

The published linear patch layer counts a patch as (row, column, channel), unlike a convolution.
Sources: transformers 5.23.0, `models/siglip2/modeling_siglip2.py` and `configuration_siglip2.py`; arXiv 2502.14786.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE
from vistoken.spec import EncoderSpec, LearnedTable, TableResize
from vistoken.towers import siglip
from vistoken.weight_names import CLIP_BLOCKS, SIGLIP_HEAD, ChannelsLast, Weight

if TYPE_CHECKING:
    from vistoken.connector import Connector

SOURCE = f"Siglip2VisionConfig in {REFERENCE}"
DEFAULTS = {
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
    "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6, "patch_size": 16, "num_channels": 3,
    "vision_use_head": True, "num_patches": 256,
}  # fmt: skip


def tower(vision: Config, connector: Connector | None = None) -> EncoderSpec:
    """The encoder that a vision config describes, which `DEFAULTS` complete."""
    side = isqrt(vision.integer("num_patches"))
    if side * side != vision.integer("num_patches"):
        raise vision.error("num_patches", vision.integer("num_patches"), "the position table must be a square")
    # Siglip2VisionEmbeddings.resize_positional_embeddings: bilinear, antialias on, for each picture's own grid.
    position = LearnedTable(side, side, prefix_rows=0, resize=TableResize("bilinear", antialias=True))
    return siglip.tower(vision, connector, position)


# The tower alone, as its kin without a pooling head store it.
TRUNK_WEIGHTS = (
    Weight("embeddings.patch_embedding.weight", "embed.patch.weight", ChannelsLast()),
    Weight("embeddings.patch_embedding.bias", "embed.patch.bias"),
    Weight("embeddings.position_embedding.weight", "embed.position.table"),
    *CLIP_BLOCKS,
)
WEIGHTS = (*TRUNK_WEIGHTS, *SIGLIP_HEAD)
