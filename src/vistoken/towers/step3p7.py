"""The tower of Step 3.7: Perception Encoder without a class token, two convolutions that halve the grid, one matrix.

Its weights are published under Meta's names; heads pair neighbours, the column's pairs before the row's.
Sources: transformers 5.23.0, `models/step3p7/modeling_step3p7.py`, `configuration_step3p7.py`, and
`conversion_mapping.py` for the published names; facebookresearch/perception_models, `core/vision_encoder/pe.py`.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.configs import Config
from vistoken.connector import Connector, Downsample, Linear
from vistoken.family import ACTIVATIONS, REFERENCE, Files
from vistoken.spec import EncoderSpec, LayerNorm, PlainMlp
from vistoken.towers import perception
from vistoken.towers.axial import axial
from vistoken.weight_names import LLM_PARTS, WeightNames, affine, under

# Class attributes of Step3p7VisionConfig.
DEFAULTS = {
    "hidden_size": 1536, "num_hidden_layers": 47, "num_attention_heads": 16, "num_channels": 3, "image_size": 728,
    "patch_size": 14, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "mlp_ratio": 8960 / 1536,
}  # fmt: skip
# The published words for some of them, which win.
PUBLISHED = {"width": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads"}


def step3p7(files: Files) -> EncoderSpec | None:
    """The encoder with its connector; None where a built-in name has the values for counting alone."""
    given = files.config.child("vision_config")
    if files.built_in and not (given.has("hidden_size") or given.has("width")):
        return None
    vision = given.with_defaults(DEFAULTS, f"Step3p7VisionConfig in {REFERENCE}")
    vision.integer("num_channels", low=3, high=3)
    spec = _tower(vision)
    return replace(spec, connector=_connector(files, spec.dim))


def _tower(vision: Config) -> EncoderSpec:
    words = {word: vision.raw(word if vision.has(word) else name) for word, name in PUBLISHED.items()}
    # Scales of the layers are always there, whatever they begin with.
    values = {**words, "use_cls_token": False, "use_ln_post": False, "pool_type": "none", "ls_init_value": 0.1}
    spec = perception.tower(
        vision.replaced(
            **values,
            mlp_ratio=vision.raw("mlp_ratio"),
            image_size=vision.raw("image_size"),
            patch_size=vision.raw("patch_size"),
        )
    )
    return replace(
        spec,
        norm=LayerNorm(vision.number("layer_norm_eps", 0, 1)),
        mlp=PlainMlp(spec.mlp.hidden, vision.choice("hidden_act", ACTIVATIONS)),
        rotary=axial(vision),
    )


def _connector(files: Files, dim: int) -> Connector:
    config = files.config.with_defaults({"projector_bias": False}, f"Step3p7Config in {REFERENCE}")
    text = files.config.child("text_config").with_defaults({"hidden_size": 4096}, f"Step3p7TextConfig in {REFERENCE}")
    width = text.integer("hidden_size", high=65_536)
    return Connector(stages=(Downsample(2 * dim), Downsample(4 * dim), Linear(width, config.flag("projector_bias"))))


WEIGHTS = WeightNames(
    roots=("",),
    weights=(
        *under("vision_model.", *perception.META),
        *affine("vision_model.vit_downsampler1", "connector.stages.0.convolution"),
        *affine("vision_model.vit_downsampler2", "connector.stages.1.convolution"),
        *affine("vit_large_projector", "connector.stages.2"),
    ),
    ignored=LLM_PARTS,
)
