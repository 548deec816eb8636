"""The tower of Cosmos3-Edge: SigLIP 2 for grids of any shape, and a merger like Qwen3-VL's with a width of its own.

Frames of a video do not see one another. What generates pictures lies beside it in the published files.
Sources: transformers 5.23.0, `models/cosmos3_edge/modeling_cosmos3_edge.py`, `configuration_cosmos3_edge.py`, and
`conversion_mapping.py` for the published names.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.connector import Activate, Connector, Linear, MergeBlocks, Normalise, SeparatePositions
from vistoken.family import REFERENCE, Files
from vistoken.spec import EncoderSpec, LayerNorm
from vistoken.towers import siglip2
from vistoken.weight_names import LLM_PARTS, Ignore, Weight, WeightNames, affine, under

# Class attributes of Cosmos3EdgeVisionConfig, which has no pooling head.
DEFAULTS = {**siglip2.DEFAULTS, "hidden_size": 1152, "num_hidden_layers": 27, "num_attention_heads": 16,
            "intermediate_size": 4304, "vision_use_head": False, "spatial_merge_size": 2}  # fmt: skip
# Fixed in the code of the reference.
MERGER_NORM = LayerNorm(1e-6)


def cosmos3_edge(files: Files) -> EncoderSpec | None:
    """The encoder and its merger; None where a built-in name has the values for counting alone."""
    given = files.config.child("vision_config")
    if files.built_in and not given.has("hidden_size"):
        return None
    vision = given.with_defaults(DEFAULTS, f"Cosmos3EdgeVisionConfig in {REFERENCE}")
    config = files.config.with_defaults({"projector_hidden_size": 11_520}, f"Cosmos3EdgeConfig in {REFERENCE}")
    text = files.config.child("text_config").with_defaults(
        {"hidden_size": 2048}, f"Cosmos3EdgeTextConfig in {REFERENCE}"
    )
    stages = (
        Normalise(MERGER_NORM),
        MergeBlocks(vision.integer("spatial_merge_size", high=64)),
        Linear(config.integer("projector_hidden_size")),
        Activate("gelu"),
        Linear(text.integer("hidden_size", high=65_536)),
    )
    return siglip2.tower(vision, Connector(stages=stages, positions=SeparatePositions()))


# Published under the names that the layers of the LLM have.
_RENAMED = {"self_attn.q_proj": "self_attn.to_q", "self_attn.k_proj": "self_attn.to_k",
            "self_attn.v_proj": "self_attn.to_v", "mlp.fc1": "mlp.up_proj", "mlp.fc2": "mlp.down_proj"}  # fmt: skip


def _as_published(weight: Weight) -> Weight:
    for old, new in _RENAMED.items():
        weight = replace(weight, file=weight.file.replace(old, new))
    return weight


_GENERATOR = ("action_modality_embed", "action_proj_in.*", "action_proj_out.*", "time_embedder.*", "proj_in.*",
              "proj_out.*", "norm_moe_gen.*")  # fmt: skip
WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("visual.", *siglip2.TRUNK_WEIGHTS),
        *under("visual.", *map(_as_published, siglip2.TRUNK_WEIGHTS)),
        *affine("projector.norm", "connector.stages.0"),
        *affine("projector.linear_fc1", "connector.stages.2"),
        *affine("projector.linear_fc2", "connector.stages.4"),
    ),
    ignored=(
        *LLM_PARTS,
        *((name, Ignore("the LLM")) for name in ("layers.*", "embed_tokens.*", "norm.weight")),
        *((name, Ignore("what generates pictures")) for name in _GENERATOR),
    ),
)
