"""The tower of Molmo2: SigLIP's trunk without a last norm. The pooling behind it is not encoded.

An attention over windows of 2 x 2 patches of the whole canvas, put together from overlapping crops, makes image tokens.
Sources: transformers 5.23.0, `models/molmo2/modeling_molmo2.py` (`Molmo2VisionModel`), `configuration_molmo2.py`, and
its `conversion_mapping.py` for the published names; arXiv 2601.10611.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vistoken.configs import Config
from vistoken.family import REFERENCE, Files, heads_of
from vistoken.spec import EncoderSpec
from vistoken.towers import siglip
from vistoken.weight_names import ChannelsLast, Ignore, Part, Weight, WeightNames, affine

SOURCE = f"Molmo2VisionConfig in {REFERENCE}"
DEFAULTS = {
    "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 25, "num_attention_heads": 16,
    "num_key_value_heads": 16, "head_dim": 72, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6,
    "image_size": [378, 378], "patch_size": 14, "num_channels": 3, "attention_bias": True,
}  # fmt: skip
# Names of the published files, which keep the tower in `vit_config`.
OLD = {"image_default_input_size": "image_size", "image_patch_size": "patch_size"}


def tower(files: Files) -> EncoderSpec | None:
    """The encoder; None where only values for counting are built in."""
    vision = _vision(files.config)
    if files.built_in and not vision.has("hidden_size"):
        return None
    dim, heads = heads_of(vision)
    for name, wanted in (("num_key_value_heads", heads), ("head_dim", dim // heads), ("attention_bias", True)):
        if (said := vision.raw(name)) != wanted:
            raise vision.error(name, said, f"only {wanted} is encoded")
    # The reference takes no other grid than the table's.
    spec = siglip.trunk(vision, siglip.table(vision), vision.integer("intermediate_size"), connector=None)
    return replace(spec, final_norm="none")


def _vision(config: Config) -> Config:
    """The tower's config. Of the older one, blocks behind the last layer that is read are in no file."""
    if config.has("vision_config") or not config.has("vit_config"):
        return config.child("vision_config").with_defaults(DEFAULTS, SOURCE)
    given = config.child("vit_config")
    vision = given.replaced(**{new: given.raw(old) for old, new in OLD.items() if given.has(old)})
    vision = vision.with_defaults(DEFAULTS, SOURCE)
    depth, adapter = vision.integer("num_hidden_layers", high=1024), config.child("adapter_config")
    layers = adapter.with_defaults({"vit_layers": [24, 18]}, f"Molmo2AdapterConfig in {REFERENCE}").raw("vit_layers")
    known = isinstance(layers, list | tuple) and layers and all(type(layer) is int for layer in layers)
    if not known or not all(-depth <= layer < depth for layer in layers):
        raise adapter.error("vit_layers", layers, f"it must list layers from {-depth} to {depth - 1}")
    return vision.replaced(num_hidden_layers=max(layer % depth for layer in layers) + 1)


def _weights() -> Iterator[Weight]:
    vit, block = "vision_backbone.image_vit", "vision_backbone.image_vit.transformer.resblocks.{n}"
    yield Weight(f"{vit}.patch_embedding.weight", "embed.patch.weight", ChannelsLast())
    yield Weight(f"{vit}.patch_embedding.bias", "embed.patch.bias")
    yield Weight(f"{vit}.positional_embedding", "embed.position.table")
    for index, name in enumerate("qkv"):
        for leaf in ("weight", "bias"):
            yield Weight(f"{block}.attention.w{name}.{leaf}", f"blocks.{{n}}.attention.qkv.{leaf}", Part(index, 3))
    yield from affine(f"{block}.attention.wo", "blocks.{n}.attention.out")
    yield from affine(f"{block}.attention_norm", "blocks.{n}.norm1")
    yield from affine(f"{block}.ffn_norm", "blocks.{n}.norm2")
    yield from affine(f"{block}.feed_forward.w1", "blocks.{n}.mlp.up")
    yield from affine(f"{block}.feed_forward.w2", "blocks.{n}.mlp.down")


WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=tuple(_weights()),
    ignored=tuple(
        (pattern, Ignore(why))
        for pattern, why in (
            ("vision_backbone.image_pooling_2d.*", "the pooling in front of the LLM"),
            ("vision_backbone.image_projector.*", "the pooling in front of the LLM"),
            ("transformer.*", "the LLM"),
            ("lm_head.*", "the LLM"),
        )
    ),
)
