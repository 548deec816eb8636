"""SigLIP 2 NaFlex: any aspect ratio, scaled until its patches fill a budget (arXiv 2502.14786).

The tower is `vistoken.towers.siglip2`. Fixed-resolution SigLIP 2 is in `siglip.py`.
Source: transformers 5.23.0, `models/siglip2/modeling_siglip2.py`, `image_processing_pil_siglip2.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import (
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
from vistoken.geometry import Patch
from vistoken.model_spec import Label, PixelSpec
from vistoken.preprocessing import FILTERS, HALF, pixel_values, processor_name
from vistoken.spec import EncoderSpec
from vistoken.towers import siglip2
from vistoken.towers.timm import as_timm
from vistoken.views.fill import FillTokens
from vistoken.weight_names import (
    CONTRASTIVE_PARTS,
    TIMM_BLOCKS,
    TIMM_CLASSIFIER,
    TIMM_POOL,
    CellRows,
    ChannelsLast,
    Weight,
    WeightNames,
    affine,
)

if TYPE_CHECKING:
    from vistoken.views import ViewRule

PROCESSOR = {
    "do_resize": True, "resample": 2, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": HALF, "image_std": HALF, "patch_size": 16, "max_num_patches": 256,
}  # fmt: skip


def read(files: Files) -> Reading:
    """`model_type` "siglip2" holds a `vision_config` beside the text tower's; "siglip2_vision_model" is the tower."""
    config = files.config
    vision = config.child("vision_config") if config.raw("model_type") == "siglip2" else config
    vision = vision.with_defaults(siglip2.DEFAULTS, siglip2.SOURCE)
    return Reading(siglip2.tower(vision), *_preprocessing(files.image, vision.patch("patch_size")))


def _preprocessing(preprocessor: Config | None, patch: Patch) -> tuple[ViewRule, PixelSpec] | tuple[None, None]:
    if preprocessor is None:
        return None, None
    defaults = PROCESSOR
    if processor_name(preprocessor, "") == "TimmTransform":
        # timm searches for the size alike (`data/naflex_transforms.py`); as many patches as it was trained with.
        trained = patch.grid(preprocessor.size("crop_size"))
        defaults = PROCESSOR | {"max_num_patches": trained.patches, "patch_size": patch.height}
    processor = preprocessor.with_defaults(defaults, f"Siglip2ImageProcessor in {REFERENCE}")
    if processor.patch("patch_size") != patch:
        raise processor.error(
            "patch_size", processor.raw("patch_size"), f"config.json says {patch.height}: they must agree"
        )
    rule = FillTokens(processor.integer("max_num_patches"), processor.choice("resample", FILTERS), patch)
    if not processor.flag("do_resize"):
        from vistoken.views.fixed import Native  # rare, and start-up counts

        return Native(rule.own_size, rule.filter, patch), pixel_values(processor)
    return rule, pixel_values(processor)


TIMM_NAMES = (  # timm 1.0.31, `models/naflexvit.py`
    Weight("embeds.proj.weight", "embed.patch.weight", ChannelsLast()),
    Weight("embeds.proj.bias", "embed.patch.bias"),
    Weight("embeds.pos_embed", "embed.position.table", CellRows()),
    *TIMM_BLOCKS,
    *affine("norm", "norm"),
    *TIMM_POOL,
)
WEIGHTS = WeightNames(
    roots=("", "vision_model."),
    weights=(*siglip2.WEIGHTS, *TIMM_NAMES),
    ignored=(*CONTRASTIVE_PARTS, *TIMM_CLASSIFIER),
)


def _naflex(dim: int, depth: int, heads: int, hidden: int, label: Label, *names: str) -> Published:
    vision = {"hidden_size": dim, "num_hidden_layers": depth, "num_attention_heads": heads,
              "intermediate_size": hidden, "patch_size": 16, "num_patches": 256}  # fmt: skip
    preprocessor = {"image_processor_type": "Siglip2ImageProcessor", "patch_size": 16, "max_num_patches": 256}
    return Published(names, {"model_type": "siglip2", "vision_config": vision}, preprocessor, label, "siglip2-naflex")


def _timm(dim: int, depth: int, heads: int, hidden: int) -> dict[str, object]:
    return {"model_type": "siglip2_vision_model", "hidden_size": dim, "num_hidden_layers": depth,
            "num_attention_heads": heads, "intermediate_size": hidden}  # fmt: skip


def _adapted(encoder: EncoderSpec, config: Config) -> EncoderSpec:
    """These networks of timm's resize the table as the family does (`pos_embed_interp_mode`)."""
    return replace(as_timm(encoder, config), position=encoder.position)


FAMILY = Family(
    name="SigLIP 2 NaFlex",
    model_types=("siglip2", "siglip2_vision_model"),
    read=read,
    published=(
        _naflex(768, 12, 12, 3072, SEEN, "google/siglip2-base-patch16-naflex", "siglip2-b16-naflex"),
        _naflex(1152, 27, 16, 4304, RECALLED, "google/siglip2-so400m-patch16-naflex", "siglip2-so400m16-naflex"),
    ),
    rule=Label("verified", f"Siglip2ImageProcessorPil of {REFERENCE}"),
    settings=("max_num_patches", "resample", "image_mean", "image_std"),
    weights=WEIGHTS,
    timm=Timm(
        architectures={
            "naflexvit_base_patch16_siglip": _timm(768, 12, 12, 3072),
            "naflexvit_so400m_patch16_siglip": _timm(1152, 27, 16, 4304),
        },
        adapt=_adapted,
    ),
    reference=Reference(
        processor="",
        image="Siglip2ImageProcessorPil",
        sees="spatial_shapes",
        settings=({"max_num_patches": 1024}, {"max_num_patches": 97}),
    ),
    examples=(
        Example("siglip2-b16-naflex", 1, 1, 49, 49, "get_image_size_for_max_num_patches stops at scale 100: 7 x 7"),
        Example("siglip2-b16-naflex", 1280, 720, 252, 252, "Siglip2ImageProcessorPil: 12 x 21"),
    ),
)
