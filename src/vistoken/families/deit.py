"""DeiT with distillation: ViT with a second prefix token that learned from a teacher (arXiv 2012.12877).

Without distillation DeiT is a ViT, and its files say so (`model_type` "vit"). The pooled vector is the normed class
token; the published classifier averages a head on it with one on the distillation token.
Source: transformers 5.23.0, `models/deit/modeling_deit.py`, `image_processing_pil_deit.py`.
"""

from __future__ import annotations

from vistoken.family import RECALLED, REFERENCE, Example, Family, Files, Published, Reading, Reference, Timm
from vistoken.model_spec import Label
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD, SETTINGS, standard
from vistoken.spec import ClassPool, ClassToken, DistillationToken
from vistoken.towers.timm import as_timm
from vistoken.towers.vit import DEFAULTS, UNUSED, tower
from vistoken.towers.vit import WEIGHTS as TOWER
from vistoken.weight_names import TIMM, TIMM_CLASSIFIER, DropOnes, Ignore, Weight, WeightNames


def read(files: Files) -> Reading:
    config = files.config.with_defaults(DEFAULTS, f"DeiTConfig in {REFERENCE}")
    encoder = tower(config, prefix=(ClassToken(), DistillationToken()), pool=ClassPool())
    return Reading(encoder, *standard(files.image, "DeiTImageProcessor", encoder.patch, config.size("image_size")))


WEIGHTS = WeightNames(
    roots=("", "deit."),
    weights=(
        *TOWER,
        Weight("embeddings.distillation_token", "embed.prefix.dist", DropOnes()),
        # timm's names are those of DeiT's own repository.
        *TIMM,
        Weight("dist_token", "embed.prefix.dist", DropOnes()),
    ),
    ignored=(
        *UNUSED,
        ("cls_classifier.*", Ignore("the classifier on the class token")),
        ("distillation_classifier.*", Ignore("the classifier on the distillation token")),
        *TIMM_CLASSIFIER,
        ("head_dist.*", Ignore("the classifier on the distillation token")),
    ),
)

# The published files override the class's mean and std of 0.5 with ImageNet's (facebookresearch/deit, datasets.py).
PREPROCESSOR = {
    "image_processor_type": "DeiTImageProcessor", "resample": 3, "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD,
}  # fmt: skip


def _deit(dim: int, heads: int, pixels: int, *names: str) -> Published:
    config = {"model_type": "deit", "hidden_size": dim, "num_hidden_layers": 12, "num_attention_heads": heads,
              "intermediate_size": 4 * dim, "image_size": pixels, "patch_size": 16}  # fmt: skip
    # 224 after 256, 384 after 438: the crop is 0.875 of the side.
    sizes = {"size": 256 if pixels == 224 else 438, "crop_size": pixels}
    return Published(names, config, PREPROCESSOR | sizes, RECALLED)


def _timm(dim: int, heads: int) -> dict[str, object]:
    """timm 1.0.31, `models/deit.py`: eps 1e-6 instead of the library's 1e-12."""
    return {"hidden_size": dim, "num_hidden_layers": 12, "num_attention_heads": heads, "intermediate_size": 4 * dim,
            "layer_norm_eps": 1e-6}  # fmt: skip


TIMM_NETWORKS = Timm(
    architectures={
        "deit_tiny_distilled_patch16_224": _timm(192, 3),
        "deit_small_distilled_patch16_224": _timm(384, 6),
        "deit_base_distilled_patch16_224": _timm(768, 12),
        "deit_base_distilled_patch16_384": _timm(768, 12),
    },
    adapt=as_timm,
)


FAMILY = Family(
    name="DeiT",
    model_types=("deit",),
    read=read,
    published=(
        _deit(192, 3, 224, "facebook/deit-tiny-distilled-patch16-224", "deit-ti16-224"),
        _deit(384, 6, 224, "facebook/deit-small-distilled-patch16-224", "deit-s16-224"),
        _deit(768, 12, 224, "facebook/deit-base-distilled-patch16-224", "deit-b16-224"),
        _deit(768, 12, 384, "facebook/deit-base-distilled-patch16-384", "deit-b16-384"),
    ),
    rule=Label("verified", f"DeiTImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=WEIGHTS,
    timm=TIMM_NETWORKS,
    reference=Reference(
        processor="",
        image="DeiTImageProcessorPil",
        sees="pixel_values",
        settings=({"crop_size": {"height": 100, "width": 300}}, {"do_center_crop": False}),
    ),
    examples=(
        Example(
            "deit-b16-224", 1280, 720, 196, 198, "14 x 14 patches, class and distillation token (arXiv 2012.12877)"
        ),
    ),
)
