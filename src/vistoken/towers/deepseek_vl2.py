"""The tower of DeepSeek-VL2: SigLIP's trunk as the vendor copied it from timm, with GELU's approximation by tanh.

The pool that lies in the files is never asked. Patches alone are made: the projector pads an odd grid with zeros before
it merges blocks, and puts a learned vector behind each row and between the views, which no connector does here.
Source: github.com/deepseek-ai/DeepSeek-VL2, `deepseek_vl2/models/siglip_vit.py` and `modeling_deepseek_vl_v2.py`.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import Files
from vistoken.geometry import Patch
from vistoken.spec import EncoderSpec
from vistoken.towers import siglip
from vistoken.weight_names import TIMM, Ignore, WeightNames, under

# The vendor's VisionEncoderConfig: SigLIP-L.
DEFAULTS = {
    "image_size": 384, "patch_size": 16, "width": 1024, "layers": 24, "heads": 16, "mlp_ratio": 4, "global_pool": "map",
    "class_token": False,
}  # fmt: skip


def deepseek_vl2(files: Files, patch: Patch) -> EncoderSpec:
    """The encoder; `patch` is what the processor says, which the tower must repeat."""
    vision = files.config.child("vision_config").with_defaults(DEFAULTS, "the vendor's VisionEncoderConfig")
    if vision.patch("patch_size") != patch:
        raise vision.error("patch_size", vision.raw("patch_size"), f"the processor says {patch}: the two must agree")
    if vision.flag("class_token"):
        raise vision.error("class_token", True, "no published model has one")
    vision.choice("global_pool", {"map": None})  # another would move the last norm
    hidden = int(vision.integer("width", high=65_536) * vision.number("mlp_ratio", 0.01, 64))
    named = _in_words_of_siglip(vision)
    return siglip.trunk(named, siglip.table(named), hidden, None)


def _in_words_of_siglip(vision: Config) -> Config:
    return vision.replaced(
        hidden_size=vision.raw("width"),
        num_hidden_layers=vision.raw("layers"),
        num_attention_heads=vision.raw("heads"),
        num_channels=3,
        hidden_act="gelu_pytorch_tanh",
        layer_norm_eps=1e-6,
    )


_PROJECTOR = ("projector.*", "image_newline", "view_seperator", "tile_indicators")
WEIGHTS = WeightNames(
    weights=under("vision.", *TIMM),
    ignored=(
        ("vision.attn_pool.*", Ignore("a pool that the model never asks")),
        ("language.*", Ignore("the LLM")),
        *((name, Ignore("the projector, which is not built")) for name in _PROJECTOR),
    ),
)
