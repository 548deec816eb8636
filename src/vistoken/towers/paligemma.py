"""PaliGemma's connector behind SigLIP: one matrix on the normed patches. Pi0 has a whole PaliGemma inside.

Sources: transformers 5.23.0, `models/paligemma/modeling_paligemma.py` (`PaliGemmaMultiModalProjector`) and
`configuration_paligemma.py`, `models/pi0/modeling_pi0.py` and `configuration_pi0.py`; arXiv 2407.07726, 2410.24164.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vistoken.connector import Connector, Linear
from vistoken.family import REFERENCE, Files
from vistoken.spec import EncoderSpec
from vistoken.towers import siglip
from vistoken.weight_names import LLM_PARTS, Ignore, WeightNames, affine, under

# SigLIP SO400M/14 without its head. Where a file has no vision config, the class of PaliGemma assumes a smaller MLP.
PALIGEMMA = {"hidden_size": 1152, "intermediate_size": 4096, "num_hidden_layers": 27, "num_attention_heads": 16,
             "patch_size": 14, "image_size": 224, "vision_use_head": False}  # fmt: skip
PI0 = PALIGEMMA | {"intermediate_size": 4304}


def tower(
    files: Files, assumed: Mapping[str, Any] = PALIGEMMA, source: str = f"PaliGemmaConfig in {REFERENCE}"
) -> EncoderSpec | None:
    """The encoder and its projector; None where only values for counting are built in."""
    vision = siglip.behind(files, assumed, source)
    if vision is None:
        return None
    config = files.config.with_defaults({"projection_dim": 2048}, source)
    return siglip.tower(vision, Connector(stages=(Linear(config.integer("projection_dim", high=65_536)),)))


def pi0(files: Files) -> EncoderSpec | None:
    """The PaliGemma in `vlm_config`, which a file may leave out whole."""
    inside = files.config.child("vlm_config")
    return tower(replace(files, config=inside), PALIGEMMA if inside.values else PI0, f"PI0Config in {REFERENCE}")


_VLM = (
    *under("vision_tower.vision_model.", *siglip.WEIGHTS),  # as published
    *under("vision_tower.", *siglip.WEIGHTS),  # as transformers 5 writes it
    *affine("multi_modal_projector.linear", "connector.stages.0"),
)
WEIGHTS = WeightNames(roots=("", "model."), weights=_VLM, ignored=LLM_PARTS)
PI0_WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("paligemma_with_expert.paligemma.model.", *_VLM),  # as published
        *under("vlm.", *_VLM),  # as transformers 5 has it in memory
    ),
    ignored=tuple(
        (pattern, Ignore(why))
        for pattern, why in (
            ("paligemma_with_expert.paligemma.model.language_model.*", "the LLM"),
            ("paligemma_with_expert.paligemma.lm_head.*", "the LLM"),
            ("vlm.language_model.*", "the LLM"),
            ("paligemma_with_expert.gemma_expert.*", "the expert that makes actions"),
            ("dit.*", "the expert that makes actions"),
            ("embed_action_time.*", "the robot's state and actions"),
            ("state_proj.*", "the robot's state and actions"),
            ("action_in_proj.*", "the robot's state and actions"),
            ("action_out_proj.*", "the robot's state and actions"),
            ("action_time_mlp_in.*", "the robot's state and actions"),
            ("action_time_mlp_out.*", "the robot's state and actions"),
        )
    ),
)
