"""SigLIP and the fixed-resolution SigLIP 2: no prefix token, a learned table, pooling by attention.

SigLIP 2 at a fixed resolution is the same network in the same format: no registers, no rotary positions, no mean
pooling, whatever introductory texts say (big_vision, README_siglip2; `modeling_siglip.py` has none of the three).
The tower itself stands in `vistoken.towers.siglip`.
Sources: transformers 5.23.0, `models/siglip/modeling_siglip.py`; arXiv 2303.15343, 2502.14786.
"""

from __future__ import annotations

from vistoken.family import (
    RECALLED,
    REFERENCE,
    SCRIPT,
    SEEN,
    SIBLING,
    Example,
    Family,
    Files,
    Published,
    Reading,
    Reference,
)
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF, SETTINGS, standard
from vistoken.towers.siglip import DEFAULTS, SOURCE, tower
from vistoken.towers.siglip import WEIGHTS as TOWER
from vistoken.weight_names import CONTRASTIVE_PARTS, WeightNames


def read(files: Files) -> Reading:
    """`model_type` "siglip" holds a `vision_config` beside the text tower's; "siglip_vision_model" is the tower."""
    config = files.config
    vision = config.child("vision_config") if config.raw("model_type") == "siglip" else config
    vision = vision.with_defaults(DEFAULTS, SOURCE)
    encoder = tower(vision)
    rule, pixels = standard(files.image, "SiglipImageProcessor", encoder.patch, vision.size("image_size"))
    return Reading(encoder, rule, pixels)


WEIGHTS = WeightNames(roots=("", "vision_model."), weights=TOWER, ignored=CONTRASTIVE_PARTS)

SIZES = {  # hidden_size, num_hidden_layers, num_attention_heads, intermediate_size
    "B": (768, 12, 12, 3072),
    "L": (1024, 24, 16, 4096),
    "SO400M": (1152, 27, 16, 4304),  # the shape-optimised ViT of arXiv 2305.13035
    "g-opt": (1536, 40, 16, 6144),
}


def _siglip(size: str, patch: int, pixels: int, *names: str, resample: int = 3, label: Label = SCRIPT) -> Published:
    dim, depth, heads, hidden = SIZES[size]
    vision = {"hidden_size": dim, "num_hidden_layers": depth, "num_attention_heads": heads,
              "intermediate_size": hidden, "image_size": pixels, "patch_size": patch}  # fmt: skip
    preprocessor = {"image_processor_type": "SiglipImageProcessor", "size": {"height": pixels, "width": pixels},
                    "resample": resample, "image_mean": HALF, "image_std": HALF}  # fmt: skip
    return Published(names, {"model_type": "siglip", "vision_config": vision}, preprocessor, label)


def _siglip2(size: str, patch: int, pixels: int, *names: str, label: Label = SCRIPT) -> Published:
    return _siglip(size, patch, pixels, *names, resample=2, label=label)  # bilinear in SigLIP 2's files, bicubic before


FAMILY = Family(
    name="SigLIP",
    model_types=("siglip", "siglip_vision_model"),
    read=read,
    published=(
        _siglip("B", 16, 224, "google/siglip-base-patch16-224", "siglip-b16-224", label=SEEN),
        _siglip("B", 16, 256, "google/siglip-base-patch16-256", "siglip-b16-256", label=SEEN),
        _siglip("B", 16, 384, "google/siglip-base-patch16-384", "siglip-b16-384"),
        _siglip("B", 16, 512, "google/siglip-base-patch16-512", "siglip-b16-512"),
        _siglip("L", 16, 256, "google/siglip-large-patch16-256", "siglip-l16-256"),
        _siglip("L", 16, 384, "google/siglip-large-patch16-384", "siglip-l16-384"),
        _siglip("SO400M", 14, 224, "google/siglip-so400m-patch14-224", "siglip-so400m14-224", label=RECALLED),
        _siglip("SO400M", 14, 384, "google/siglip-so400m-patch14-384", "siglip-so400m14-384", label=SEEN),
        _siglip2("B", 16, 224, "google/siglip2-base-patch16-224", "siglip2-b16-224", label=SEEN),
        _siglip2("B", 16, 256, "google/siglip2-base-patch16-256", "siglip2-b16-256", label=SEEN),
        _siglip2("B", 16, 384, "google/siglip2-base-patch16-384", "siglip2-b16-384", label=SEEN),
        _siglip2("B", 16, 512, "google/siglip2-base-patch16-512", "siglip2-b16-512", label=SIBLING),
        _siglip2("L", 16, 256, "google/siglip2-large-patch16-256", "siglip2-l16-256", label=SEEN),
        _siglip2("L", 16, 384, "google/siglip2-large-patch16-384", "siglip2-l16-384"),
        _siglip2("L", 16, 512, "google/siglip2-large-patch16-512", "siglip2-l16-512"),
        _siglip2("SO400M", 14, 224, "google/siglip2-so400m-patch14-224", "siglip2-so400m14-224"),
        _siglip2("SO400M", 14, 384, "google/siglip2-so400m-patch14-384", "siglip2-so400m14-384", label=SEEN),
        _siglip2("SO400M", 16, 256, "google/siglip2-so400m-patch16-256", "siglip2-so400m16-256", label=SEEN),
        _siglip2("SO400M", 16, 384, "google/siglip2-so400m-patch16-384", "siglip2-so400m16-384"),
        _siglip2("SO400M", 16, 512, "google/siglip2-so400m-patch16-512", "siglip2-so400m16-512", label=SEEN),
        _siglip2("g-opt", 16, 256, "google/siglip2-giant-opt-patch16-256", "siglip2-gopt16-256"),
        _siglip2("g-opt", 16, 384, "google/siglip2-giant-opt-patch16-384", "siglip2-gopt16-384", label=SEEN),
    ),
    rule=Label("verified", f"SiglipImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=WEIGHTS,
    reference=Reference(
        processor="",
        image="SiglipImageProcessorPil",
        sees="pixel_values",
        settings=({"size": {"height": 384, "width": 256}}, {"size": {"height": 97, "width": 225}}),
    ),
    examples=(
        Example("siglip-so400m14-384", 1280, 720, 729, 729, "384 // 14 = 27 a side, the last 6 pixels unread"),
        Example("siglip2-b16-512", 100, 3000, 1024, 1024, "512 / 16 = 32 a side, no prefix token"),
    ),
)
