"""Pixio: MAE's successor with eight class tokens, of which the mean stands for the picture.

Each class token has a row of the position table. The norms of a block are named as in DINOv2, all else as in ViT.
Source: transformers 5.23.0, `models/pixio/modeling_pixio.py` and `conversion_mapping.py`.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.family import RECALLED, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD, SETTINGS, standard
from vistoken.spec import ClassPool, ClassToken
from vistoken.towers import vit
from vistoken.weight_names import WeightNames

DEFAULTS = vit.DEFAULTS | {
    "hidden_size": 1280, "num_hidden_layers": 32, "num_attention_heads": 16, "mlp_ratio": 4, "layer_norm_eps": 1e-6,
    "image_size": 256, "n_cls_tokens": 8,
}  # fmt: skip
NORMS = {"layernorm_before": "norm1", "layernorm_after": "norm2"}


def read(files: Files) -> Reading:
    config = files.config.with_defaults(DEFAULTS, f"PixioConfig in {REFERENCE}")
    hidden = int(config.integer("hidden_size", high=65_536) * config.number("mlp_ratio", 0.01, 64))
    prefix = (ClassToken(config.integer("n_cls_tokens", high=1024)),)
    encoder = vit.tower(config.replaced(intermediate_size=hidden), prefix=prefix, pool=ClassPool())
    return Reading(encoder, *standard(files.image, "BitImageProcessor", encoder.patch, config.size("image_size")))


def _named(file: str) -> str:
    for theirs, ours in NORMS.items():
        file = file.replace(theirs, ours)
    return file


SIZES = {"B": (768, 12, 12), "L": (1024, 24, 16), "H": (1280, 32, 16), "1B": (1536, 48, 24), "5B": (3072, 48, 32)}
PREPROCESSOR = {
    "image_processor_type": "BitImageProcessor", "size": {"height": 256, "width": 256}, "do_center_crop": False,
    "resample": 3, "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD,
}  # fmt: skip


def _pixio(size: str, *names: str) -> Published:
    dim, depth, heads = SIZES[size]
    config = {"model_type": "pixio", "hidden_size": dim, "num_hidden_layers": depth, "num_attention_heads": heads,
              "image_size": 256, "patch_size": 16, "n_cls_tokens": 8}  # fmt: skip
    return Published(names, config, PREPROCESSOR, RECALLED)


FAMILY = Family(
    name="Pixio",
    model_types=("pixio",),
    read=read,
    published=(
        _pixio("B", "facebook/pixio-vitb16", "pixio-b16"),
        _pixio("L", "facebook/pixio-vitl16", "pixio-l16"),
        _pixio("H", "facebook/pixio-vith16", "pixio-h16"),
        _pixio("1B", "facebook/pixio-vit1b16", "pixio-1b16"),
        _pixio("5B", "facebook/pixio-vit5b16", "pixio-5b16"),
    ),
    rule=Label("verified", f"BitImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=WeightNames(
        roots=("", "pixio."),
        weights=tuple(replace(weight, file=_named(weight.file)) for weight in vit.WEIGHTS),
        ignored=vit.UNUSED,
    ),
    reference=Reference(
        processor="",
        image="BitImageProcessorPil",
        sees="pixel_values",
        settings=({"size": {"height": 384, "width": 256}}, {"size": {"shortest_edge": 100}}),
    ),
    examples=(Example("pixio-h16", 1280, 720, 256, 264, "256 / 16 = 16 a side, and eight class tokens"),),
)
