"""InternViT by itself, without the model around it; see `vistoken.towers.intern_vit`.

Files come in the names of transformers, of the vendor and of timm. Patches are the last block's, un-normed.
Sources: transformers 5.23.0, `models/internvl/modeling_internvl.py`; timm 1.0.31, `models/vision_transformer.py`;
arXiv 2312.14238, 2412.05271.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import RECALLED, REFERENCE, Example, Family, Files, Published, Reading, Reference, Timm
from vistoken.model_spec import Label
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD, SETTINGS, standard
from vistoken.spec import EncoderSpec, MeanPool
from vistoken.towers.intern_vit import ALONE_WEIGHTS, alone
from vistoken.towers.timm import as_timm


def read(files: Files) -> Reading:
    encoder = alone(files.config)
    image = files.config.with_defaults({"image_size": 448}, "InternViT").size("image_size")
    return Reading(encoder, *standard(files.image, "CLIPImageProcessor", encoder.patch, image))


SMALL = {"hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096, "qkv_bias": True,
         "qk_normalization": False, "norm_type": "layer_norm", "num_hidden_layers": 24}  # fmt: skip
LARGE = {"hidden_size": 3200, "num_attention_heads": 25, "intermediate_size": 12_800, "qkv_bias": False,
         "qk_normalization": True, "norm_type": "rms_norm", "num_hidden_layers": 45}  # fmt: skip


def _published(size: dict[str, object], side: int, *names: str) -> Published:
    config = {"model_type": "intern_vit_6b", "image_size": side, "patch_size": 14, **size}
    preprocessor = {"image_processor_type": "CLIPImageProcessor", "size": side, "crop_size": side, "resample": 3,
                    "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}  # fmt: skip
    return Published(names, config, preprocessor, RECALLED)


def _adapted(encoder: EncoderSpec, config: Config) -> EncoderSpec:
    """The network has no last norm (`final_norm=False`), before a mean or behind it."""
    return as_timm(encoder, config, mean=MeanPool())


FAMILY = Family(
    name="InternViT",
    model_types=("internvl_vision", "intern_vit_6b"),
    read=read,
    published=(
        _published(SMALL, 448, "OpenGVLab/InternViT-300M-448px", "intern-vit-300m-448"),
        _published(SMALL, 448, "OpenGVLab/InternViT-300M-448px-V2_5", "intern-vit-300m-448-v2.5"),
        _published(LARGE, 448, "OpenGVLab/InternViT-6B-448px-V1-5", "intern-vit-6b-448"),
        _published(LARGE, 448, "OpenGVLab/InternViT-6B-448px-V2_5", "intern-vit-6b-448-v2.5"),
        _published(LARGE | {"num_hidden_layers": 48}, 224, "OpenGVLab/InternViT-6B-224px", "intern-vit-6b-224"),
    ),
    rule=Label("verified", f"CLIPImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=ALONE_WEIGHTS,
    timm=Timm(
        architectures={"vit_intern300m_patch14_448": {"model_type": "intern_vit_6b", "patch_size": 14, **SMALL}},
        adapt=_adapted,
    ),
    reference=Reference(
        processor="",
        image="CLIPImageProcessorPil",
        sees="pixel_values",
        # CLIP's models compare this processor under other sizes and crops.
        settings=({"image_mean": [0.5, 0.5, 0.5]}, {"image_std": [0.5, 0.5, 0.5]}),
    ),
    examples=(
        Example("intern-vit-300m-448", 1280, 720, 1024, 1025, "448 / 14 = 32 a side, and one class token"),
        Example("intern-vit-6b-224", 640, 480, 256, 257, "224 / 14 = 16 a side, and one class token"),
    ),
)
