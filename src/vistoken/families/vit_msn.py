"""MSN: masked siamese networks, whose encoder is a ViT with norms of 1e-6 (arXiv 2204.07141).

Source: transformers 5.23.0, `models/vit_msn/modeling_vit_msn.py`.
"""

from __future__ import annotations

from vistoken.family import QUOTED, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD, SETTINGS, standard
from vistoken.spec import ClassPool, ClassToken
from vistoken.towers.vit import DEFAULTS, UNUSED, WEIGHTS, config_of, tower
from vistoken.weight_names import WeightNames


def read(files: Files) -> Reading:
    config = files.config.with_defaults(DEFAULTS | {"layer_norm_eps": 1e-6}, f"ViTMSNConfig in {REFERENCE}")
    encoder = tower(config, prefix=(ClassToken(),), pool=ClassPool())
    return Reading(encoder, *standard(files.image, "ViTImageProcessor", encoder.patch, config.size("image_size")))


PREPROCESSOR = {"image_processor_type": "ViTImageProcessor", "size": 224, "resample": 2, "image_mean": IMAGENET_MEAN,
                "image_std": IMAGENET_STD}  # fmt: skip


def _msn(size: str, patch: int, *names: str) -> Published:
    return Published(names, config_of("vit_msn", size, patch, 224), PREPROCESSOR, QUOTED)


FAMILY = Family(
    name="MSN",
    model_types=("vit_msn",),
    read=read,
    published=(
        _msn("S", 16, "facebook/vit-msn-small", "msn-s16"),
        _msn("B", 16, "facebook/vit-msn-base", "msn-b16"),
        _msn("B", 4, "facebook/vit-msn-base-4", "msn-b4"),
        _msn("L", 16, "facebook/vit-msn-large", "msn-l16"),
        _msn("L", 7, "facebook/vit-msn-large-7", "msn-l7"),
    ),
    rule=Label("verified", f"ViTImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=WeightNames(roots=("", "vit."), weights=WEIGHTS, ignored=UNUSED),
    reference=Reference(
        processor="",
        image="ViTImageProcessorPil",
        sees="pixel_values",
        settings=({"size": {"height": 384, "width": 256}}, {"size": {"height": 97, "width": 225}, "resample": 3}),
    ),
    examples=(
        Example("msn-b16", 1280, 720, 196, 197, "224 / 16 = 14 a side, and one class token"),
        Example("msn-b4", 640, 480, 3136, 3137, "224 / 4 = 56 a side (arXiv 2204.07141)"),
    ),
)
