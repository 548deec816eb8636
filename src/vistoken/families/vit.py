"""ViT: the plain vision transformer, with a class token and a learned position table (arXiv 2010.11929).

DINO v1 checkpoints (arXiv 2104.14294) are this network too; see `vistoken.towers.vit`.
Source: transformers 5.23.0, `models/vit/modeling_vit.py`.
"""

from __future__ import annotations

from vistoken.family import RECALLED, REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference, Timm
from vistoken.model_spec import Label
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD, SETTINGS, standard
from vistoken.spec import ClassPool, ClassToken
from vistoken.towers.timm import as_timm
from vistoken.towers.vit import DEFAULTS, UNUSED, config_of, shape_of, tower
from vistoken.towers.vit import WEIGHTS as TOWER
from vistoken.weight_names import TIMM, TIMM_CLASSIFIER, WeightNames


def read(files: Files) -> Reading:
    config = files.config.with_defaults(DEFAULTS, f"ViTConfig in {REFERENCE}")
    encoder = tower(config, prefix=(ClassToken(),), pool=ClassPool())
    return Reading(encoder, *standard(files.image, "ViTImageProcessor", encoder.patch, config.size("image_size")))


WEIGHTS = WeightNames(roots=("", "vit."), weights=(*TOWER, *TIMM), ignored=(*UNUSED, *TIMM_CLASSIFIER))

GOOGLE = {"image_processor_type": "ViTImageProcessor", "resample": 2, "image_mean": (0.5,) * 3, "image_std": (0.5,) * 3}
DINO = GOOGLE | {"image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}
PAPER = Label("assumed", "geometry of the paper; no published file in this format")


def _timm(size: str, patch: int) -> dict[str, object]:
    """timm 1.0.31, `models/vision_transformer.py`: the same sizes, eps 1e-6 instead of the library's 1e-12."""
    return shape_of(size, patch) | {"layer_norm_eps": 1e-6}


TIMM_NETWORKS = Timm(
    architectures={
        "vit_tiny_patch16_224": _timm("Ti", 16),
        "vit_tiny_patch16_384": _timm("Ti", 16),
        "vit_small_patch32_224": _timm("S", 32),
        "vit_small_patch32_384": _timm("S", 32),
        "vit_small_patch16_224": _timm("S", 16),
        "vit_small_patch16_384": _timm("S", 16),
        "vit_small_patch8_224": _timm("S", 8),
        "vit_base_patch32_224": _timm("B", 32),
        "vit_base_patch32_384": _timm("B", 32),
        "vit_base_patch16_224": _timm("B", 16),
        "vit_base_patch16_384": _timm("B", 16),
        "vit_base_patch8_224": _timm("B", 8),
        "vit_large_patch32_224": _timm("L", 32),
        "vit_large_patch32_384": _timm("L", 32),
        "vit_large_patch16_224": _timm("L", 16),
        "vit_large_patch16_384": _timm("L", 16),
        "vit_large_patch14_224": _timm("L", 14),
        "vit_huge_patch14_224": _timm("H", 14),
        "vit_giant_patch14_224": _timm("g", 14),
        "vit_gigantic_patch14_224": _timm("G", 14),
        # DeiT without distillation is this network (timm 1.0.31, `models/deit.py`).
        "deit_tiny_patch16_224": _timm("Ti", 16),
        "deit_small_patch16_224": _timm("S", 16),
        "deit_base_patch16_224": _timm("B", 16),
        "deit_base_patch16_384": _timm("B", 16),
    },
    adapt=as_timm,
)


def _vit(
    size: str, patch: int, pixels: int, *names: str, like: dict[str, object] = GOOGLE, label: Label = RECALLED
) -> Published:
    preprocessor = like | {"size": {"height": pixels, "width": pixels}}
    return Published(names, config_of("vit", size, patch, pixels), preprocessor, label)


FAMILY = Family(
    name="ViT",
    model_types=("vit",),
    read=read,
    published=(
        _vit("Ti", 16, 224, "WinKawaks/vit-tiny-patch16-224", "vit-ti16-224"),
        _vit("S", 16, 224, "WinKawaks/vit-small-patch16-224", "vit-s16-224"),
        _vit("B", 16, 224, "google/vit-base-patch16-224", "vit-b16-224"),
        _vit("B", 16, 224, "google/vit-base-patch16-224-in21k", "vit-b16-224-in21k", label=SEEN),
        _vit("B", 16, 384, "google/vit-base-patch16-384", "vit-b16-384"),
        _vit("B", 32, 224, "google/vit-base-patch32-224-in21k", "vit-b32-224"),
        _vit("B", 32, 384, "google/vit-base-patch32-384", "vit-b32-384"),
        _vit("L", 16, 224, "google/vit-large-patch16-224", "vit-l16-224"),
        _vit("L", 16, 224, "google/vit-large-patch16-224-in21k", "vit-l16-224-in21k"),
        _vit("L", 16, 384, "google/vit-large-patch16-384", "vit-l16-384"),
        _vit("L", 32, 224, "google/vit-large-patch32-224-in21k", "vit-l32-224"),
        _vit("L", 32, 384, "google/vit-large-patch32-384", "vit-l32-384"),
        _vit("H", 14, 224, "google/vit-huge-patch14-224-in21k", "vit-h14-224"),
        _vit("S", 8, 224, "facebook/dino-vits8", "dino-s8", like=DINO),
        _vit("S", 16, 224, "facebook/dino-vits16", "dino-s16", like=DINO),
        _vit("B", 8, 224, "facebook/dino-vitb8", "dino-b8", like=DINO),
        _vit("B", 16, 224, "facebook/dino-vitb16", "dino-b16", like=DINO),
        _vit("S", 32, 224, "vit-s32-224", label=PAPER),
        _vit("B", 8, 224, "vit-b8-224", label=PAPER),
        _vit("B", 14, 224, "vit-b14-224", label=PAPER),
        _vit("L", 14, 224, "vit-l14-224", label=PAPER),
        _vit("H", 16, 224, "vit-h16-224", label=PAPER),
        _vit("g", 14, 224, "vit-g14-224", label=PAPER),
        _vit("G", 14, 224, "vit-gigantic14-224", label=PAPER),
    ),
    rule=Label("verified", f"ViTImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=WEIGHTS,
    timm=TIMM_NETWORKS,
    reference=Reference(
        processor="",
        image="ViTImageProcessorPil",
        sees="pixel_values",
        settings=({"size": {"height": 384, "width": 256}}, {"size": {"height": 97, "width": 225}, "resample": 3}),
    ),
    examples=(
        Example("vit-b16-224", 1280, 720, 196, 197, "224 / 16 = 14 a side, and one class token (arXiv 2010.11929)"),
        Example("vit-h14-224", 640, 480, 256, 257, "224 / 14 = 16 a side"),
        Example("dino-b8", 224, 224, 784, 785, "224 / 8 = 28 a side"),
    ),
)
