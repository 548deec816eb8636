"""LLaVA 1.5, LLaVA-NeXT, LLaVA-OneVision and kin: a layer of CLIP, SigLIP or Pixtral, and two matrices.

The layer is the last but one (CLIP) or the last (SigLIP), in each case before the tower's last norm. ViP-LLaVA reads
five layers side by side and norms them. Video-LLaVA has a second tower for videos, which is not encoded.
Sources: transformers 5.23.0, `models/llava/modeling_llava.py` (`LlavaMultiModalProjector`, `get_image_features`) and
`configuration_llava.py`, and the same of `llava_next`, `llava_next_video`, `llava_onevision`,
`video_llava` and `vipllava`; arXiv 2310.03744, 2408.03326.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from vistoken.configs import Config
from vistoken.connector import IN_ORDER, Activate, Arrangement, Connector, Linear, Normalise
from vistoken.family import ACTIVATIONS, REFERENCE, Files, hidden_state
from vistoken.spec import EncoderSpec, LayerNorm
from vistoken.towers import clip, pixtral, siglip
from vistoken.towers.llm import text_width
from vistoken.weight_names import LLM_PARTS, Ignore, Weight, WeightNames, affine, under

SOURCE = f"the model's config class in {REFERENCE}"
TowerReader = Callable[[Config, Connector], EncoderSpec]
# By the `model_type` of the vision config: what its own class assumes, that class, whether there is a class token, and
# the reader.
TOWERS: Mapping[str, tuple[Mapping[str, Any], str, bool, TowerReader]] = {
    "clip_vision_model": (clip.DEFAULTS, clip.SOURCE, True, clip.tower),
    "siglip_vision_model": (siglip.DEFAULTS, siglip.SOURCE, False, siglip.tower),
    "pixtral": (pixtral.DEFAULTS, pixtral.SOURCE, False, pixtral.tower),
}
# What the config classes of all three assume of the projector.
PROJECTOR = {"projector_hidden_act": "gelu", "multimodal_projector_bias": True}
# Of VipLlavaConfig.
VIP_LAYERS = (-2, -5, -8, -11, 6)
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
    vision, class_token, tower = _vision(files, assumed)
    if tower is None:
        return None
    config = files.config.with_defaults(
        {**PROJECTOR, "vision_feature_layer": layer, "vision_feature_select_strategy": selection}, SOURCE
    )
    _check_selection(config, class_token)
    return tower(vision, _projector(config, vision, text_width(files.config, llm), arrangement))


def vip(files: Files, assumed: Mapping[str, Any]) -> EncoderSpec | None:
    """ViP-LLaVA: the class token of all its layers is dropped, and what they hold side by side is normed.

    Published files name one layer, a remnant of LLaVA's config that their weights contradict: only a list is read.
    """
    vision, class_token, tower = _vision(files, assumed)
    if tower is None or not class_token:
        return None
    defaults = {**PROJECTOR, "vision_feature_layer": VIP_LAYERS, "projector_layernorm_eps": 1e-5}
    config = files.config.with_defaults(defaults, f"VipLlavaConfig in {REFERENCE}")
    if isinstance(config.raw("vision_feature_layer"), int):
        config = config.replaced(vision_feature_layer=VIP_LAYERS)
    norm = Normalise(LayerNorm(config.number("projector_layernorm_eps", 0, 1)))
    connector = _projector(config, vision, text_width(files.config, "llama"), IN_ORDER)
    return tower(vision, replace(connector, stages=(norm, *connector.stages)))


def _vision(files: Files, assumed: Mapping[str, Any]) -> tuple[Config, bool, TowerReader | None]:
    """The vision config, completed; whether there is a class token; and the reader, None for another tower."""
    given = files.config.child("vision_config")
    kind = given.with_defaults(assumed, SOURCE).raw("model_type")
    if kind not in TOWERS:
        return given, False, None
    defaults, name, class_token, tower = TOWERS[kind]
    return given.with_defaults(defaults if given.values else {**defaults, **assumed}, name), class_token, tower


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
PROJECTOR_WEIGHTS = (
    *affine("multi_modal_projector.linear_1", "connector.stages.0"),
    *affine("multi_modal_projector.linear_2", "connector.stages.2"),
)
WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("vision_tower.vision_model.", *TOWER),  # as published
        *under("vision_tower.", *TOWER),  # as transformers 5 writes it
        *under("vision_tower.", *pixtral.WEIGHTS),
        *PROJECTOR_WEIGHTS,
        Weight("image_newline", "connector.newline"),
    ),
    ignored=(
        *LLM_PARTS,
        ("vision_tower.vision_model.embeddings.position_ids", Ignore("a counter that older files store")),
    ),
)
VIP_WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("vision_tower.vision_model.", *TOWER),
        *under("vision_tower.", *TOWER),
        *affine("multi_modal_projector.projector_layernorm", "connector.stages.0"),
        *affine("multi_modal_projector.linear_1", "connector.stages.1"),
        *affine("multi_modal_projector.linear_2", "connector.stages.3"),
    ),
    ignored=WEIGHTS.ignored,
)
VIDEO_LLAVA_WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("image_tower.vision_model.", *TOWER),
        *under("image_tower.", *TOWER),
        *PROJECTOR_WEIGHTS,
    ),
    ignored=(
        *LLM_PARTS,
        ("video_tower.*", Ignore("the tower of videos")),
        ("image_tower.vision_model.embeddings.position_ids", Ignore("a counter that older files store")),
    ),
)
