"""Model types that take pictures in transformers and that no family reads, each with the reason.

First those of its mapping for image-text-to-text (`models/auto/modeling_auto.py`): a test holds families and this list
together against the installed version. Then vision towers that are no plain ViT, as `models/` of transformers 5.23.0
defines them.
"""

from __future__ import annotations

from collections.abc import Mapping

_BIAS = "its attention adds a learned bias for every offset of two patches"
_STAGES = "it is no plain transformer: its tokens are merged from stage to stage"
_CONVOLUTIONS = "it is made of convolutions and has no tokens"
_VIDEO = "it is an encoder of clips, not of pictures"

UNREAD: Mapping[str, str] = {
    "evolla": "it reads proteins, not pictures",
    "mistral4": "it reads text alone: the checkpoint that sees pictures names mistral3",
    "vision-encoder-decoder": "a frame for any pair of an encoder and a decoder: ask for the encoder's own model type",
    "beit": _BIAS,
    "data2vec-vision": _BIAS,
    "vitdet": f"{_BIAS}, within windows",
    "sam": f"{_BIAS}, within windows",
    "swin": _STAGES,
    "swinv2": _STAGES,
    "hiera": _STAGES,
    "segformer": _STAGES,
    "pvt": _STAGES,
    "cvt": _STAGES,
    "levit": _STAGES,
    "mobilevit": _STAGES,
    "convnext": _CONVOLUTIONS,
    "convnextv2": _CONVOLUTIONS,
    "dinov3_convnext": _CONVOLUTIONS,
    "resnet": _CONVOLUTIONS,
    "efficientnet": _CONVOLUTIONS,
    "vitpose_backbone": "its patch convolution pads the picture, so that patches overlap its border",
    "yolos": "it puts tokens behind the patches, and adds positions again between blocks",
    "xclip": "its blocks exchange messages between frames",
    "timesformer": _VIDEO,
    "vivit": _VIDEO,
    "videomae": _VIDEO,
    "vjepa2": _VIDEO,
}
