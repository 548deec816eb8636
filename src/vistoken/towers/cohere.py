"""Aya Vision and Command A Vision: SigLIP, 2 x 2 patches side by side, an MLP whose second half is the gate.

Aya reads the last hidden state before the tower's last norm, and norms the blocks; Command A reads it normed.
Sources: transformers 5.23.0, `models/aya_vision/modeling_aya_vision.py` (`AyaVisionMultiModalProjector`,
`get_image_features`), `models/cohere2_vision/modeling_cohere2_vision.py`, and their configurations; arXiv 2505.08751.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.connector import Connector, MergeBlocks, MlpStage, Normalise
from vistoken.family import REFERENCE, Files, hidden_state
from vistoken.spec import EncoderSpec, GatedMlp, LayerNorm
from vistoken.towers import siglip
from vistoken.towers.llm import text_width
from vistoken.weight_names import LLM_PARTS, SwappedHalves, Weight, WeightNames, affine, under

# What the config classes assume of their SigLIP where a file has no vision config.
AYA = {"hidden_size": 1152, "intermediate_size": 4304, "patch_size": 14, "image_size": 384, "num_hidden_layers": 26,
       "num_attention_heads": 14, "vision_use_head": False}  # fmt: skip
COMMAND = {"hidden_size": 1152, "intermediate_size": 3072, "image_size": 512, "num_hidden_layers": 27,
           "num_attention_heads": 12}  # fmt: skip


def aya(files: Files) -> EncoderSpec | None:
    """`model_type` "aya_vision"; None where only values for counting are built in."""
    source = f"AyaVisionConfig in {REFERENCE}"
    vision = siglip.behind(files, AYA, source)
    if vision is None:
        return None
    defaults = {"downsample_factor": 2, "adapter_layer_norm_eps": 1e-6, "vision_feature_layer": -1,
                "vision_feature_select_strategy": "full"}  # fmt: skip
    config = files.config.with_defaults(defaults, source)
    if (kept := config.raw("vision_feature_select_strategy")) != "full":
        raise config.error("vision_feature_select_strategy", kept, "the tower has no class token: only 'full' fits")
    norm = Normalise(LayerNorm(config.number("adapter_layer_norm_eps", 0, 1)))
    # The class has no default: the LLM's width stands in.
    width = config.with_defaults({"alignment_intermediate_size": text_width(config, "cohere2")}, source)
    stages = (_merge(config), norm, _mlp(config, width))
    depth = vision.integer("num_hidden_layers", low=0, high=1024)
    layer = hidden_state(config, "vision_feature_layer", config.raw("vision_feature_layer"), depth)
    return siglip.tower(vision, Connector(stages=stages, layers=(layer,)))


def command(files: Files) -> EncoderSpec | None:
    """`model_type` "cohere2_vision"; None as above."""
    source = f"Cohere2VisionConfig in {REFERENCE}"
    vision = siglip.behind(files, COMMAND, source)
    if vision is None:
        return None
    config = files.config.with_defaults({"downsample_factor": 2, "alignment_intermediate_size": 36_864}, source)
    return siglip.tower(vision, Connector(stages=(_merge(config), _mlp(config, config))))


def _merge(config: Config) -> MergeBlocks:
    return MergeBlocks(config.integer("downsample_factor", high=64))


def _mlp(config: Config, width: Config) -> MlpStage:
    """The config counts the rows of gate and gated together."""
    both = width.integer("alignment_intermediate_size", low=2)
    if both % 2:
        raise width.error("alignment_intermediate_size", both, "one half gates the other: it must be even")
    return MlpStage(GatedMlp(both // 2, "silu"), text_width(config, "cohere2"))


def _weights(mlp: str, *others: Weight) -> WeightNames:
    """`mlp` is the stage of the MLP."""
    return WeightNames(
        roots=("", "model."),
        weights=(
            *under("vision_tower.vision_model.", *siglip.WEIGHTS),  # as published
            *under("vision_tower.", *siglip.WEIGHTS),  # as transformers 5 writes it
            *others,
            *(
                Weight(f"multi_modal_projector.linear_1.{leaf}", f"{mlp}.gate_up.{leaf}", SwappedHalves())
                for leaf in ("weight", "bias")
            ),
            *affine("multi_modal_projector.linear_2", f"{mlp}.down"),
        ),
        ignored=LLM_PARTS,
    )


AYA_WEIGHTS = _weights("connector.stages.2", *affine("multi_modal_projector.layernorm", "connector.stages.1"))
COMMAND_WEIGHTS = _weights("connector.stages.1")
