"""Gemma 3's connector behind SigLIP: the mean over blocks of normed patches, a norm, one matrix.

The norm's weight is stored as what is added to 1, and the matrix multiplies from the other side.
Sources: transformers 5.23.0, `models/gemma3/modeling_gemma3.py` (`Gemma3MultiModalProjector`, `Gemma3RMSNorm`) and
`configuration_gemma3.py`; arXiv 2503.19786.
"""

from __future__ import annotations

import math

from vistoken.configs import Config
from vistoken.connector import AveragePool, Connector, Linear, Normalise
from vistoken.family import REFERENCE, Files, table_of
from vistoken.spec import EncoderSpec, RmsNorm
from vistoken.towers import siglip
from vistoken.towers.llm import text_width
from vistoken.weight_names import LLM_PARTS, PlusOne, Transposed, Weight, WeightNames, under


def tower(files: Files) -> EncoderSpec:
    """The encoder and its connector."""
    vision = files.config.child("vision_config").with_defaults(siglip.DEFAULTS, siglip.SOURCE)
    stages = (
        AveragePool(_side(files.config, vision)),
        Normalise(RmsNorm(vision.number("layer_norm_eps", 0, 1))),
        Linear(text_width(files.config, "gemma3_text"), bias=False),
    )
    return siglip.tower(vision, Connector(stages=stages))


def _side(config: Config, vision: Config) -> int:
    """Patches along a side of what becomes one token: a square of `mm_tokens_per_image` tokens remains."""
    config = config.with_defaults({"mm_tokens_per_image": 256}, f"Gemma3Config in {REFERENCE}")
    tokens = config.integer("mm_tokens_per_image", high=2**20)
    side, (table, _) = math.isqrt(tokens), table_of(vision, vision.patch("patch_size"))
    if side * side != tokens or table.rows != table.cols or table.rows % side:
        raise config.error("mm_tokens_per_image", tokens, f"its root must divide both sides of {table} patches")
    return table.rows // side


WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("vision_tower.vision_model.", *siglip.WEIGHTS),  # as published
        *under("vision_tower.", *siglip.WEIGHTS),  # as transformers 5 writes it
        Weight("multi_modal_projector.mm_soft_emb_norm.weight", "connector.stages.1.weight", PlusOne()),
        Weight("multi_modal_projector.mm_input_projection_weight", "connector.stages.2.weight", Transposed()),
    ),
    ignored=LLM_PARTS,
)
