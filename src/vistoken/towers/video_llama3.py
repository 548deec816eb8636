"""The tower of VideoLLaMA3: SigLIP with rotary angles instead of its table, and two matrices.

Pictures keep all their patches; of videos blocks of 2 x 2 become one token, so that they are counted, not encoded.
Sources: transformers 5.23.0, `models/video_llama_3/modeling_video_llama_3.py` and `configuration_video_llama_3.py`;
arXiv 2501.13106.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.connector import Activate, AveragePool, Connector, Linear, Stage
from vistoken.family import REFERENCE, Files
from vistoken.spec import EncoderSpec, NoPosition
from vistoken.towers import siglip
from vistoken.towers.axial import axial
from vistoken.towers.llm import text_width
from vistoken.weight_names import CLIP_BLOCKS, LLM_PARTS, WeightNames, affine, under

DEFAULTS = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
    "num_channels": 3, "patch_size": 16, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6,
}  # fmt: skip


def tower(files: Files) -> EncoderSpec | None:
    """The encoder that a config describes; None where a built-in name has the values for counting alone."""
    given = files.config.child("vision_config")
    if files.built_in and not given.has("hidden_size"):
        return None
    vision = given.with_defaults(DEFAULTS, f"VideoLlama3VisionConfig in {REFERENCE}")
    width = text_width(files.config, "qwen2")
    connector = Connector(stages=(*_smaller(files), Linear(width), Activate("gelu"), Linear(width)))
    spec = siglip.trunk(vision, NoPosition(), vision.integer("intermediate_size"), connector)
    return replace(spec, rotary=axial(vision))


def _smaller(files: Files) -> tuple[Stage, ...]:
    """The reference shrinks bilinearly without antialias, which is the mean of blocks of 2 x 2, and of no others."""
    if files.image is None or not files.image.has("merge_size"):
        return ()
    side = files.image.integer("merge_size", high=64)
    if side > 2:
        raise files.image.error("merge_size", side, "only 1 and 2 are encoded")
    return (AveragePool(side),) if side == 2 else ()


WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under(
            "vision_model.",
            *affine("embeddings.patch_embedding", "embed.patch"),
            *CLIP_BLOCKS,
        ),
        *affine("projector.readout.0", "connector.stages.0"),
        *affine("projector.readout.2", "connector.stages.2"),
        *affine("projector.readout.0", "connector.stages.1"),  # behind blocks of patches
        *affine("projector.readout.2", "connector.stages.3"),
    ),
    ignored=LLM_PARTS,
)
