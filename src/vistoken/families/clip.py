"""CLIP: the image tower with its projected class token; see `vistoken.towers.clip`.

Files come in the names of transformers, of OpenAI and open_clip, and of timm. Tokens are un-normed in all of them,
although timm's own code hands them out normed.
Sources: transformers 5.23.0, `models/clip/modeling_clip.py`; timm 1.0.31, `models/vision_transformer.py`; arXiv
2103.00020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vistoken.configs import Config
from vistoken.family import (
    QUOTED,
    RECALLED,
    REFERENCE,
    SEEN,
    Example,
    Family,
    Files,
    Published,
    Reading,
    Reference,
    Timm,
)
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, HALF, SETTINGS
from vistoken.spec import ClassPool, EncoderSpec, ProjectedClass
from vistoken.towers.clip import CONTRASTIVE, contrastive
from vistoken.towers.timm import as_timm
from vistoken.weight_names import OPENAI_TOWER, TIMM, TIMM_CLASSIFIER, affine


def read(files: Files) -> Reading:
    return contrastive(files, "CLIP")


WEIGHTS = replace(
    CONTRASTIVE,
    weights=(*CONTRASTIVE.weights, *OPENAI_TOWER, *TIMM, *affine("head", "pool.projection")),
    ignored=(*CONTRASTIVE.ignored, *TIMM_CLASSIFIER),
)

OPENAI = {"image_mean": CLIP_MEAN, "image_std": CLIP_STD, "act": "quick_gelu"}
LAION = OPENAI | {"act": "gelu"}
LAION_HALF = LAION | {"image_mean": HALF, "image_std": HALF}  # L/14 on LAION-2B used 0.5 (open_clip, pretrained.py)


def _clip(size: str, patch: int, pixels: int, like: Mapping[str, object], label: Label, *names: str) -> Published:
    dim, depth, heads, projection = {"B": (768, 12, 12, 512), "L": (1024, 24, 16, 768), "H": (1280, 32, 16, 1024)}[size]
    vision = {"hidden_size": dim, "num_hidden_layers": depth, "num_attention_heads": heads, "patch_size": patch,
              "intermediate_size": 4 * dim, "image_size": pixels, "hidden_act": like["act"]}  # fmt: skip
    config = {"model_type": "clip", "projection_dim": projection, "vision_config": vision}
    preprocessor = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": pixels}, "resample": 3,
                    "crop_size": pixels, "image_mean": like["image_mean"], "image_std": like["image_std"]}  # fmt: skip
    return Published(names, config, preprocessor, label)


def _tower(size: str, patch: int, pixels: int, *names: str) -> Published:
    """The tower alone, without a projection: the smaller models of MLCD (arXiv 2407.17331)."""
    whole = _clip(size, patch, pixels, OPENAI, QUOTED, *names)
    alone = {"model_type": "clip_vision_model", "architectures": ["CLIPVisionModel"]}
    return replace(whole, config=whole.config["vision_config"] | alone)


def _timm(
    dim: int, depth: int, heads: int, patch: int, projection: int, act: str = "gelu", hidden: int = 0
) -> dict[str, object]:
    return {"model_type": "clip_vision_model", "hidden_size": dim, "num_hidden_layers": depth, "hidden_act": act,
            "num_attention_heads": heads, "patch_size": patch, "projection_dim": projection,
            "intermediate_size": hidden or 4 * dim}  # fmt: skip


def _adapted(encoder: EncoderSpec, config: Config) -> EncoderSpec:
    """A head as wide as CLIP's embedding is the projection, to which timm adds a bias; any other is a classifier."""
    encoder = as_timm(encoder, config)
    if not isinstance(encoder.pool, ProjectedClass):
        return encoder
    classes = config.with_defaults({"num_classes": 0}, "timm 1.0.31").integer("num_classes", low=0)
    return replace(encoder, pool=replace(encoder.pool, bias=True) if classes == encoder.pool.dim else ClassPool())


# timm 1.0.31, `models/vision_transformer.py`: dim, depth, heads, patch, and the width of CLIP's embedding.
TIMM_NETWORKS = Timm(
    architectures={
        "vit_xsmall_patch16_clip_224": _timm(256, 10, 4, 16, 512),
        "vit_medium_patch32_clip_224": _timm(512, 12, 8, 32, 512),
        "vit_medium_patch16_clip_224": _timm(512, 12, 8, 16, 512),
        "vit_betwixt_patch32_clip_224": _timm(640, 12, 10, 32, 512),
        "vit_base_patch32_clip_224": _timm(768, 12, 12, 32, 512),
        "vit_base_patch32_clip_256": _timm(768, 12, 12, 32, 512),
        "vit_base_patch32_clip_384": _timm(768, 12, 12, 32, 512),
        "vit_base_patch32_clip_448": _timm(768, 12, 12, 32, 512),
        "vit_base_patch16_clip_224": _timm(768, 12, 12, 16, 512),
        "vit_base_patch16_clip_384": _timm(768, 12, 12, 16, 512),
        "vit_base_patch16_plus_clip_240": _timm(896, 12, 14, 16, 640),
        "vit_large_patch14_clip_224": _timm(1024, 24, 16, 14, 768),
        "vit_large_patch14_clip_336": _timm(1024, 24, 16, 14, 768),
        "vit_huge_patch14_clip_224": _timm(1280, 32, 16, 14, 1024),
        "vit_huge_patch14_clip_336": _timm(1280, 32, 16, 14, 1024),
        "vit_huge_patch14_clip_378": _timm(1280, 32, 16, 14, 1024),
        "vit_giant_patch14_clip_224": _timm(1408, 40, 16, 14, 1024, hidden=6144),
        "vit_gigantic_patch14_clip_224": _timm(1664, 48, 16, 14, 1280, hidden=8192),
        "vit_gigantic_patch14_clip_378": _timm(1664, 48, 16, 14, 1280, hidden=8192),
        "vit_base_patch32_clip_quickgelu_224": _timm(768, 12, 12, 32, 512, "quick_gelu"),
        "vit_base_patch16_clip_quickgelu_224": _timm(768, 12, 12, 16, 512, "quick_gelu"),
        "vit_large_patch14_clip_quickgelu_224": _timm(1024, 24, 16, 14, 768, "quick_gelu"),
        "vit_large_patch14_clip_quickgelu_336": _timm(1024, 24, 16, 14, 768, "quick_gelu"),
        "vit_huge_patch14_clip_quickgelu_224": _timm(1280, 32, 16, 14, 1024, "quick_gelu"),
        "vit_huge_patch14_clip_quickgelu_378": _timm(1280, 32, 16, 14, 1024, "quick_gelu"),
        "vit_gigantic_patch14_clip_quickgelu_224": _timm(1664, 48, 16, 14, 1280, "quick_gelu", 8192),
    },
    adapt=_adapted,
)


FAMILY = Family(
    name="CLIP",
    model_types=("clip", "clip_vision_model"),
    read=read,
    published=(
        _clip("B", 32, 224, OPENAI, SEEN, "openai/clip-vit-base-patch32", "clip-b32"),
        _clip("B", 16, 224, OPENAI, RECALLED, "openai/clip-vit-base-patch16", "clip-b16"),
        _clip("L", 14, 224, OPENAI, SEEN, "openai/clip-vit-large-patch14", "clip-l14"),
        _clip("L", 14, 336, OPENAI, SEEN, "openai/clip-vit-large-patch14-336", "clip-l14-336"),
        _clip("B", 32, 224, LAION, RECALLED, "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "clip-b32-laion"),
        _clip("B", 16, 224, LAION, RECALLED, "laion/CLIP-ViT-B-16-laion2B-s34B-b88K", "clip-b16-laion"),
        _clip("L", 14, 224, LAION_HALF, RECALLED, "laion/CLIP-ViT-L-14-laion2B-s32B-b82K", "clip-l14-laion"),
        _clip("H", 14, 224, LAION, RECALLED, "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "clip-h14-laion"),
        _tower("B", 32, 224, "DeepGlint-AI/mlcd-vit-base-patch32-224", "mlcd-b32"),
        _tower("L", 14, 336, "DeepGlint-AI/mlcd-vit-large-patch14-336", "mlcd-l14-336"),
    ),
    rule=Label("verified", f"CLIPImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=WEIGHTS,
    timm=TIMM_NETWORKS,
    reference=Reference(
        processor="",
        image="CLIPImageProcessorPil",
        sees="pixel_values",
        settings=({"size": {"shortest_edge": 100}}, {"do_center_crop": False}),
    ),
    examples=(
        Example("clip-l14-336", 1280, 720, 576, 577, "336 / 14 = 24 a side, and one class token"),
        Example("clip-b32", 640, 427, 49, 50, "224 / 32 = 7 a side, and one class token"),
    ),
)
