"""The residual network of hybrids: reader of its config, and its tensors' names in both formats.

Sources: transformers 5.23.0, `models/bit/configuration_bit.py`; transformers 4.40, `models/vit_hybrid/`
(`configuration_vit_hybrid.py`, `convert_vit_hybrid_timm_to_pytorch.py`); timm 1.0.31, `models/resnetv2.py`.
"""

from __future__ import annotations

from vistoken.choices import BitStem
from vistoken.configs import Config
from vistoken.weight_names import Weight, affine, under

SOURCE = "ViTHybridConfig in transformers 4.40"
DEFAULTS = {
    "model_type": "bit", "layer_type": "bottleneck", "global_padding": "same", "embedding_dynamic_padding": True,
    "depths": (3, 4, 9), "embedding_size": 64, "hidden_act": "relu", "num_groups": 32, "output_stride": 32,
    "width_factor": 1, "hidden_sizes": None, "out_features": None,
}  # fmt: skip
# Of these only one value was ever published, or means the network that is read here.
FIXED = {"model_type": ("bit",), "layer_type": ("bottleneck",), "global_padding": ("same", "SAME"),
         "embedding_dynamic_padding": (True,), "hidden_act": ("relu",), "num_groups": (32,), "output_stride": (32,),
         "width_factor": (1,)}  # fmt: skip


def bit_stem(config: Config) -> BitStem:
    """The stem that a `backbone_config` describes. Raises `ConfigError` for one that no hybrid has."""
    backbone = config.with_defaults(DEFAULTS, SOURCE)
    for name, known in FIXED.items():
        if (value := backbone.raw(name)) not in known:
            raise backbone.error(name, value, f"no published hybrid has another than {known[0]!r}")
    depths, width = backbone.raw("depths"), backbone.integer("embedding_size", high=1024)
    if not isinstance(depths, list | tuple) or any(type(depth) is not int or not 0 < depth <= 9 for depth in depths):
        raise backbone.error("depths", depths, "it must hold the number of blocks, up to 9, of each stage")
    stem = BitStem(tuple(depths), width)
    for name, wanted in (
        ("hidden_sizes", [after for _, _, after, _ in stem.stages()]),
        ("out_features", [f"stage{len(depths)}"]),
    ):
        value = backbone.raw(name)
        if value is not None and (not isinstance(value, list | tuple) or list(value)[: len(wanted)] != wanted):
            raise backbone.error(name, value, f"with these depths it must be {wanted}")
    return stem


def _bottleneck(file: str, ours: str) -> tuple[Weight, ...]:
    """The tensors of one block, which both formats name alike."""
    pairs = [(f"conv{n}", f"norm{n}") for n in (1, 2, 3)] + [("downsample.conv", "downsample.norm")]
    return tuple(
        weight
        for conv, norm in pairs
        for weight in (
            Weight(f"{file}.{conv}.weight", f"{ours}.{conv.replace('downsample', 'shortcut')}.weight"),
            *affine(f"{file}.{norm}", f"{ours}.{norm.replace('downsample', 'shortcut')}"),
        )
    )


BLOCKS = range(9)  # the longest stage, that of R50's first three
HF_STEM = under(
    "embeddings.patch_embeddings.backbone.bit.",
    Weight("embedder.convolution.weight", "embed.stem.conv.weight"),
    *affine("embedder.norm", "embed.stem.norm"),
    *(w for b in BLOCKS for w in _bottleneck(f"encoder.stages.{{n}}.layers.{b}", f"embed.stem.stages.{{n}}.{b}")),
)
TIMM_STEM = under(
    "patch_embed.backbone.",
    Weight("stem.conv.weight", "embed.stem.conv.weight"),
    *affine("stem.norm", "embed.stem.norm"),
    # Without stages the network is the stem alone, under shorter names.
    Weight("conv.weight", "embed.stem.conv.weight"),
    *affine("norm", "embed.stem.norm"),
    *(w for b in BLOCKS for w in _bottleneck(f"stages.{{n}}.blocks.{b}", f"embed.stem.stages.{{n}}.{b}")),
)
