"""LLaVA 1.5, LLaVA-NeXT and LLaVA-OneVision: a tower of CLIP, SigLIP or Pixtral, one of its layers, and two matrices.

The layer is the last but one (CLIP) or the last (SigLIP), in each case before the tower's last norm.
Sources: transformers 5.23.0, `models/llava/modeling_llava.py` (`LlavaMultiModalProjector`, `get_image_features`) and
`configuration_llava.py`, and the same of `llava_next` and `llava_onevision`; arXiv 2310.03744, 2408.03326.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vistoken.configs import Config
from vistoken.connector import IN_ORDER, Activate, Arrangement, Connector, Linear
from vistoken.family import ACTIVATIONS, REFERENCE, Files, hidden_state
from vistoken.spec import EncoderSpec
from vistoken.towers import clip, pixtral, siglip
from vistoken.towers.llm import text_width
from vistoken.weight_names import LLM_PARTS, Ignore, Weight, WeightNames, affine, under

# By the `model_type` of the vision config: what its own class assumes, that class, whether there is a class token, and
# the reader.
TOWERS: Mapping[str, tuple[Mapping[str, Any], str, bool, Callable[[Config, Connector], EncoderSpec]]] = {
    "clip_vision_model": (clip.DEFAULTS, clip.SOURCE, True, clip.tower),
    "siglip_vision_model": (siglip.DEFAULTS, siglip.SOURCE, False, siglip.tower),
    "pixtral": (pixtral.DEFAULTS, pixtral.SOURCE, False, pixtral.tower),
}
# What the config classes of all three assume of the projector.
PROJECTOR = {"projector_hidden_act": "gelu", "multimodal_projector_bias": True}
# Which selection leaves the patches alone, by the tower's class token.
SELECTION = {True: "default", False: "full"}


def encoder(
    files: Files, assumed: Mapping[str, Any], layer: int, selection: str, arrangement: Arrangement = IN_ORDER,
    llm: str = "llama",
) -> EncoderSpec | None:  # fmt: skip
    """The encoder and its projector; None where the tower is none of these.

    `assumed` is the vision config, `layer` and `selection` the feature layer and what is kept of it, and `llm` the kind
    of LLM, that the model's config class assumes.
    """
    source = f"the model's config class in {REFERENCE}"
    given = files.config.child("vision_config")
    kind = given.with_defaults(assumed, source).raw("model_type")
    if kind not in TOWERS:
        return None
    defaults, name, class_token, tower = TOWERS[kind]
    vision = given.with_defaults(defaults if given.values else {**defaults, **assumed}, name)
    config = files.config.with_defaults(
        {**PROJECTOR, "vision_feature_layer": layer, "vision_feature_select_strategy": selection}, source
    )
    _check_selection(config, class_token)
    return tower(vision, _projector(config, vision, text_width(files.config, llm), arrangement))


def _projector(config: Config, vision: Config, width: int, arrangement: Arrangement) -> Connector:
    bias = config.flag("multimodal_projector_bias")
    activation = Activate(config.choice("projector_hidden_act", ACTIVATIONS))
    return Connector(
        stages=(Linear(width, bias), activation, Linear(width, bias)),
        layers=_layers(config, vision.integer("num_hidden_layers", low=0, high=1024)),
        arrangement=arrangement,
    )


def _layers(config: Config, depth: int) -> tuple[int, ...]:
    value = config.raw("vision_feature_layer")
    layers = value if value and isinstance(value, list | tuple) else [value]  # an empty list names none
    return tuple(hidden_state(config, "vision_feature_layer", layer, depth) for layer in layers)


def _check_selection(config: Config, class_token: bool) -> None:
    """Image tokens are patches here: the other selection would keep a class token, or lose the first patch."""
    value, fits = config.raw("vision_feature_select_strategy"), SELECTION[class_token]
    if value != fits:
        has = "a class token, which is no image token here" if class_token else "no class token that could be dropped"
        raise config.error("vision_feature_select_strategy", value, f"the tower has {has}: only {fits!r} is encoded")


TOWER = tuple(dict.fromkeys((*clip.WEIGHTS, *siglip.WEIGHTS)))
WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("vision_tower.vision_model.", *TOWER),  # as published
        *under("vision_tower.", *TOWER),  # as transformers 5 writes it
        *under("vision_tower.", *pixtral.WEIGHTS),
        *affine("multi_modal_projector.linear_1", "connector.stages.0"),
        *affine("multi_modal_projector.linear_2", "connector.stages.2"),
        Weight("image_newline", "connector.newline"),
    ),
    ignored=(
        *LLM_PARTS,
        ("vision_tower.vision_model.embeddings.position_ids", Ignore("a counter that older files store")),
    ),
)
