"""SigLIP and the fixed-resolution SigLIP 2: no prefix token, a learned table, pooling by attention.

SigLIP 2 at a fixed resolution is the same network in the same format: no registers, no rotary positions, no mean
pooling, whatever introductory texts say (big_vision, README_siglip2; `modeling_siglip.py` has none of the three).
The tower itself stands in `vistoken.towers.siglip`.
Sources: transformers 5.23.0, `models/siglip/modeling_siglip.py`; arXiv 2303.15343, 2502.14786.
"""

from __future__ import annotations

from vistoken.configs import Config
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
    Timm,
)
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF, SETTINGS, standard
from vistoken.spec import EncoderSpec, MeanPool
from vistoken.towers.siglip import DEFAULTS, SOURCE, tower
from vistoken.towers.siglip import WEIGHTS as TOWER
from vistoken.towers.timm import as_timm
from vistoken.weight_names import CONTRASTIVE_PARTS, TIMM, TIMM_CLASSIFIER, TIMM_POOL, WeightNames


def read(files: Files) -> Reading:
    """`model_type` "siglip" holds a `vision_config` beside the text tower's; "siglip_vision_model" is the tower."""
    config = files.config
    vision = config.child("vision_config") if config.raw("model_type") == "siglip" else config
    vision = vision.with_defaults(DEFAULTS, SOURCE)
    encoder = tower(vision)
    rule, pixels = standard(files.image, "SiglipImageProcessor", encoder.patch, vision.size("image_size"))
    return Reading(encoder, rule, pixels)


WEIGHTS = WeightNames(
    roots=("", "vision_model."),
    weights=(*TOWER, *TIMM, *TIMM_POOL),
    ignored=(*CONTRASTIVE_PARTS, *TIMM_CLASSIFIER),
)

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


def _timm(size: str, patch: int, act: str, gap: bool) -> dict[str, object]:
    dim, depth, heads, hidden = SIZES[size]
    return {"model_type": "siglip_vision_model", "hidden_size": dim, "num_hidden_layers": depth, "patch_size": patch,
            "num_attention_heads": heads, "intermediate_size": hidden, "hidden_act": act,
            "vision_use_head": not gap}  # fmt: skip


def _adapted(encoder: EncoderSpec, config: Config) -> EncoderSpec:
    """The gap networks pool by the mean of normed patches (`fc_norm=False`)."""
    return as_timm(encoder, config, mean=MeanPool())


# timm 1.0.31, `models/vision_transformer.py`. Its first networks have exact GELU, where the published weights were
# trained with the approximation by tanh: what timm gives for them differs a little from what transformers gives.
EXACT, TANH = "gelu", "gelu_pytorch_tanh"
TIMM_SIZES = {  # timm's word, patch, sides -> our size and activation
    ("base", 32, (256,)): ("B", TANH),
    ("base", 16, (224, 256, 384, 512)): ("B", EXACT),
    ("large", 16, (256, 384)): ("L", EXACT),
    ("large", 16, (512,)): ("L", TANH),
    ("so400m", 14, (224, 378, 384)): ("SO400M", EXACT),
    ("so400m", 16, (256, 384, 512)): ("SO400M", TANH),
    ("giantopt", 16, (256, 384)): ("g-opt", TANH),
}
TIMM_NETWORKS = Timm(
    architectures={
        f"vit_{word}_patch{patch}_siglip_{'gap_' * gap}{side}": _timm(size, patch, act, gap)
        for (word, patch, sides), (size, act) in TIMM_SIZES.items()
        for side in sides
        for gap in (False, True)
    }
    | {f"vit_so400m_patch14_siglip_gap_{side}": _timm("SO400M", 14, EXACT, True) for side in (448, 896)},
    adapt=_adapted,
)


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
    timm=TIMM_NETWORKS,
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
