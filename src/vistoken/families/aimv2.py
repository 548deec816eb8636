"""AIMv2: RMS norms, gated MLPs without biases, patches normed before positions are added, no prefix token.

The reference's learned table fits its own size alone; other sizes follow timm's rule, bicubic with antialias (timm
1.0.31, `layers/pos_embed.py`). The "native" model computes its positions instead, and takes any size. Only the model
tuned on captions ("lit") pools: a learned query, used without a projection of its own, attends to all tokens.
Files come in three spellings: the vendor's (`trunk.blocks`, q, k and v fused), the library's, and timm's.
Sources: transformers 5.23.0, `models/aimv2/modeling_aimv2.py` and `configuration_aimv2.py`; its script
`convert_aimv2_original_pytorch_to_hf.py` for the vendor's names; arXiv 2411.14402.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import RECALLED, REFERENCE, Example, Family, Files, Published, Reading, Reference, Timm
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, SETTINGS, standard
from vistoken.spec import EncoderSpec, MeanPool
from vistoken.towers.aimv2 import WEIGHTS, tower, vision_of
from vistoken.towers.timm import as_timm


def read(files: Files) -> Reading:
    vision, projection = vision_of(files.config)
    encoder = tower(vision, projection)
    return Reading(encoder, *standard(files.image, "CLIPImageProcessor", encoder.patch, vision.size("image_size")))


# hidden_size, num_hidden_layers, num_attention_heads, intermediate_size
SIZES = {
    "large": (1024, 24, 8, 2816),
    "huge": (1536, 24, 12, 4096),
    "1B": (2048, 24, 16, 5632),
    "3B": (3072, 24, 24, 8192),
}


def _aimv2(size: str, pixels: int, *names: str, **more: bool) -> Published:
    dim, depth, heads, hidden = SIZES[size]
    config = {"model_type": "aimv2_vision_model", "hidden_size": dim, "num_hidden_layers": depth,
              "num_attention_heads": heads, "intermediate_size": hidden, "image_size": pixels, "patch_size": 14,
              "use_head": False, **more}  # fmt: skip
    preprocessor = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": pixels},
                    "crop_size": {"height": pixels, "width": pixels}, "resample": 3, "image_mean": CLIP_MEAN,
                    "image_std": CLIP_STD}  # fmt: skip
    if more.get("is_native"):
        preprocessor |= {"do_resize": False, "do_center_crop": False}
    return Published(names, config, preprocessor, RECALLED)


def _lit(*names: str) -> Published:
    tower = _aimv2("large", 224, *names, use_head=True)
    config = {"model_type": "aimv2", "vision_config": tower.config, "projection_dim": 768}
    return Published(names, config, tower.preprocessor, tower.settings)


def _adapted(encoder: EncoderSpec, config: Config) -> EncoderSpec:
    """timm pools by the mean of normed patches (timm 1.0.31, `models/vision_transformer.py`, `fc_norm=False`)."""
    return as_timm(encoder, config, mean=MeanPool())


TIMM_NETWORKS = Timm(
    architectures={
        f"aimv2_{size.lower()}_patch14_{side}": _aimv2(size, side).config for size in SIZES for side in (224, 336, 448)
    },
    adapt=_adapted,
)


FAMILY = Family(
    name="AIMv2",
    model_types=("aimv2", "aimv2_vision_model"),
    read=read,
    published=(
        _aimv2("large", 224, "apple/aimv2-large-patch14-224", "aimv2-l14-224"),
        _aimv2("large", 336, "apple/aimv2-large-patch14-336", "aimv2-l14-336"),
        _aimv2("large", 448, "apple/aimv2-large-patch14-448", "aimv2-l14-448"),
        _aimv2("huge", 224, "apple/aimv2-huge-patch14-224", "aimv2-h14-224"),
        _aimv2("huge", 336, "apple/aimv2-huge-patch14-336", "aimv2-h14-336"),
        _aimv2("huge", 448, "apple/aimv2-huge-patch14-448", "aimv2-h14-448"),
        _aimv2("1B", 224, "apple/aimv2-1B-patch14-224", "aimv2-1b14-224"),
        _aimv2("1B", 336, "apple/aimv2-1B-patch14-336", "aimv2-1b14-336"),
        _aimv2("1B", 448, "apple/aimv2-1B-patch14-448", "aimv2-1b14-448"),
        _aimv2("3B", 224, "apple/aimv2-3B-patch14-224", "aimv2-3b14-224"),
        _aimv2("3B", 336, "apple/aimv2-3B-patch14-336", "aimv2-3b14-336"),
        _aimv2("3B", 448, "apple/aimv2-3B-patch14-448", "aimv2-3b14-448"),
        _aimv2("large", 224, "apple/aimv2-large-patch14-native", "aimv2-l14-native", is_native=True),
        _lit("apple/aimv2-large-patch14-224-lit", "aimv2-l14-224-lit"),
    ),
    rule=Label("verified", f"CLIPImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=WEIGHTS,
    timm=TIMM_NETWORKS,
    reference=Reference(
        processor="",
        image="CLIPImageProcessorPil",
        sees="pixel_values",
        # Settings of sizes mean nothing to the native model; CLIP's models compare this processor under them.
        settings=({"image_mean": [0.5, 0.5, 0.5]}, {"image_std": [0.5, 0.5, 0.5]}),
    ),
    examples=(
        Example("aimv2-l14-224", 1280, 720, 256, 256, "224 / 14 = 16 a side, no prefix token"),
        Example("aimv2-3b14-448", 100, 3000, 1024, 1024, "448 / 14 = 32 a side"),
        Example("aimv2-l14-native", 640, 480, 1530, 1530, "45 x 34 patches of 14, the remainder unread"),
    ),
)
