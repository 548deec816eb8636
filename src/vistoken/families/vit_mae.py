"""MAE: the encoder of a masked autoencoder, which sees all patches here (arXiv 2111.06377).

Its sine-cosine positions are stored in the weights and resized like a learned table. The reference shuffles the
patches even where it masks none; these are in raster order. `ViTMAEForPreTraining` holds the decoder too, which is left
out. Which vector stands for the picture the files do not say: choose `pool`.
Source: transformers 5.23.0, `models/vit_mae/modeling_vit_mae.py`.
"""

from __future__ import annotations

from vistoken.family import QUOTED, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD, SETTINGS, standard
from vistoken.spec import ClassToken, NoPool
from vistoken.towers.vit import DEFAULTS, UNUSED, WEIGHTS, config_of, tower
from vistoken.weight_names import TIMM, Ignore, WeightNames


def read(files: Files) -> Reading:
    config = files.config.with_defaults(DEFAULTS, f"ViTMAEConfig in {REFERENCE}")
    encoder = tower(config, prefix=(ClassToken(),), pool=NoPool())
    return Reading(encoder, *standard(files.image, "ViTImageProcessor", encoder.patch, config.size("image_size")))


PREPROCESSOR = {"image_processor_type": "ViTImageProcessor", "size": 224, "resample": 2, "image_mean": IMAGENET_MEAN,
                "image_std": IMAGENET_STD}  # fmt: skip


def _mae(size: str, patch: int, *names: str) -> Published:
    return Published(names, config_of("vit_mae", size, patch, 224), PREPROCESSOR, QUOTED)


FAMILY = Family(
    name="MAE",
    model_types=("vit_mae",),
    read=read,
    published=(
        _mae("B", 16, "facebook/vit-mae-base", "mae-b16"),
        _mae("L", 16, "facebook/vit-mae-large", "mae-l16"),
        _mae("H", 14, "facebook/vit-mae-huge", "mae-h14"),
    ),
    rule=Label("verified", f"ViTImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=WeightNames(
        roots=("", "vit."),
        weights=(*WEIGHTS, *TIMM),  # timm's names are those of facebookresearch/mae
        ignored=(
            *UNUSED,
            ("decoder.*", Ignore("the decoder of pre-training")),
            ("decoder_*", Ignore("the decoder of pre-training")),
            ("mask_token", Ignore("the decoder of pre-training")),
        ),
    ),
    reference=Reference(
        processor="",
        image="ViTImageProcessorPil",
        sees="pixel_values",
        settings=({"size": {"height": 448, "width": 224}}, {"size": {"height": 97, "width": 225}, "resample": 3}),
    ),
    examples=(
        Example("mae-b16", 1280, 720, 196, 197, "224 / 16 = 14 a side, and one class token (arXiv 2111.06377)"),
        Example("mae-h14", 640, 480, 256, 257, "224 / 14 = 16 a side"),
    ),
)
