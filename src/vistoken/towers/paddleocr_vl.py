"""The tower of PaddleOCR-VL: SigLIP with rotary angles besides its table, and blocks of 2 x 2 for the LLM.

The table is resized to every picture's own grid.
Sources: transformers 5.23.0, `models/paddleocr_vl/modeling_paddleocr_vl.py` and `configuration_paddleocr_vl.py`;
arXiv 2510.14528.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.configs import Config
from vistoken.connector import Activate, Connector, Linear, MergeBlocks, Normalise, NumberedPositions
from vistoken.family import REFERENCE, Files
from vistoken.spec import EncoderSpec, LayerNorm, TableResize
from vistoken.towers import siglip
from vistoken.towers.axial import axial
from vistoken.weight_names import LLM_PARTS, Ignore, WeightNames, affine, under

DEFAULTS = {
    "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16,
    "num_channels": 3, "image_size": 384, "patch_size": 14, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6,
    "spatial_merge_size": 2,
}  # fmt: skip


def tower(files: Files) -> EncoderSpec | None:
    """The encoder that a config describes; None where a built-in name has the values for counting alone."""
    given = files.config.child("vision_config")
    if files.built_in and not given.has("hidden_size"):
        return None
    vision = given.with_defaults(DEFAULTS, f"PaddleOCRVisionConfig in {REFERENCE}")
    position = siglip.table(vision, TableResize("bilinear", antialias=False))
    connector = _merger(vision, _text_width(files.config))
    spec = siglip.trunk(vision, position, vision.integer("intermediate_size"), connector)
    return replace(spec, rotary=axial(vision))


def _text_width(config: Config) -> int:
    """Dimensions of the LLM's tokens; published files hold the LLM's values beside those of the whole."""
    text = config.child("text_config") if config.has("text_config") else config
    return text.with_defaults({"hidden_size": 1024}, f"PaddleOCRTextConfig in {REFERENCE}").integer("hidden_size")


def _merger(vision: Config, width: int) -> Connector:
    side = vision.integer("spatial_merge_size", high=64)
    stages = (
        Normalise(LayerNorm(1e-5)),  # fixed in the code of the reference
        MergeBlocks(side),
        Linear(side * side * vision.integer("hidden_size")),
        Activate("gelu"),
        Linear(width),
    )
    return Connector(stages=stages, positions=NumberedPositions())


PROJECTOR = (
    *affine("pre_norm", "connector.stages.0"),
    *affine("linear_1", "connector.stages.2"),
    *affine("linear_2", "connector.stages.4"),
)
WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("visual.vision_model.", *siglip.TRUNK_WEIGHTS),
        *under("mlp_AR.", *PROJECTOR),  # as published
        *under("projector.", *PROJECTOR),  # as transformers 5 names it within
    ),
    ignored=(
        *LLM_PARTS,
        ("visual.vision_model.head.*", Ignore("SigLIP's pooling head, which nothing reads")),
        ("visual.vision_model.embeddings.packing_position_embedding.*", Ignore("a table that nothing reads")),
    ),
)
