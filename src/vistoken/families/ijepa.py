"""I-JEPA: a ViT without a class token, trained to predict features of what it does not see (arXiv 2301.08243).

Its classifier reads the mean of the patches. Source: transformers 5.23.0, `models/ijepa/modeling_ijepa.py`.
"""

from __future__ import annotations

from vistoken.family import RECALLED, REFERENCE, Example, Family, Files, Published, Reading, Reference, Timm
from vistoken.model_spec import Label
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD, SETTINGS, standard
from vistoken.spec import MeanPool
from vistoken.towers.timm import as_timm
from vistoken.towers.vit import DEFAULTS, UNUSED, WEIGHTS, config_of, tower
from vistoken.weight_names import TIMM, TIMM_CLASSIFIER, WeightNames


def read(files: Files) -> Reading:
    config = files.config.with_defaults(DEFAULTS, f"IJepaConfig in {REFERENCE}")
    encoder = tower(config, prefix=(), pool=MeanPool())
    return Reading(encoder, *standard(files.image, "ViTImageProcessor", encoder.patch, config.size("image_size")))


def _ijepa(size: str, patch: int, pixels: int, *names: str) -> Published:
    # The original code norms with 1e-6 (src/models/vision_transformer.py), the class's default is 1e-12.
    config = config_of("ijepa", size, patch, pixels) | {"layer_norm_eps": 1e-6}
    preprocessor = {"image_processor_type": "ViTImageProcessor", "size": {"height": pixels, "width": pixels},
                    "resample": 2, "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}  # fmt: skip
    return Published(names, config, preprocessor, RECALLED)


FAMILY = Family(
    name="I-JEPA",
    model_types=("ijepa",),
    read=read,
    published=(
        _ijepa("H", 14, 224, "facebook/ijepa_vith14_1k", "ijepa-h14"),
        _ijepa("H", 14, 224, "facebook/ijepa_vith14_22k", "ijepa-h14-22k"),
        _ijepa("H", 16, 448, "facebook/ijepa_vith16_1k", "ijepa-h16-448"),
        _ijepa("g", 16, 224, "facebook/ijepa_vitg16_22k", "ijepa-g16-22k"),
    ),
    rule=Label("verified", f"ViTImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=WeightNames(roots=("", "ijepa."), weights=(*WEIGHTS, *TIMM), ignored=(*UNUSED, *TIMM_CLASSIFIER)),
    timm=Timm(  # timm 1.0.31, `models/vision_transformer.py`: the mean of normed patches (`fc_norm=False`)
        architectures={
            "vit_huge_patch14_gap_224": _ijepa("H", 14, 224, "").config,
            "vit_huge_patch16_gap_448": _ijepa("H", 16, 448, "").config,
            "vit_giant_patch16_gap_224": _ijepa("g", 16, 224, "").config,
        },
        adapt=as_timm,
    ),
    reference=Reference(
        processor="",
        image="ViTImageProcessorPil",
        sees="pixel_values",
        settings=({"size": {"height": 448, "width": 448}}, {"size": {"height": 97, "width": 225}, "resample": 3}),
    ),
    examples=(
        Example("ijepa-h14", 1280, 720, 256, 256, "224 / 14 = 16 a side, no class token (arXiv 2301.08243)"),
        Example("ijepa-h16-448", 640, 480, 784, 784, "448 / 16 = 28 a side"),
    ),
)
