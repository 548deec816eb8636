"""Perception Encoder: core (pooled, beside a text tower), lang and spatial (towers alone); arXiv 2504.13181.

Meta publishes no `config.json` and its weights as pickles; a folder that is to be read in its form holds the words of
its `PEConfig` under the `model_type` "perception_encoder". timm's files are the same weights in safetensors, and its
network differs in two things at other sizes: the table is resized bicubic with antialias, and rotary coordinates are
stretched to the grid of pre-training.
Sources: facebookresearch/perception_models, `core/vision_encoder/config.py`, `pe.py`, `rope.py` and `transforms.py`;
timm 1.0.31, `models/eva.py`.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.configs import Config
from vistoken.family import Example, Family, Files, Published, Reading, Timm
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF, SETTINGS, standard
from vistoken.spec import AttentionPool, EncoderSpec, MeanPool
from vistoken.towers.perception import WEIGHTS, tower
from vistoken.towers.timm import as_timm


def read(files: Files) -> Reading:
    encoder = tower(files.config)
    return Reading(encoder, *standard(files.image, "ViTImageProcessor", encoder.patch, files.config.size("image_size")))


def _as_timm(encoder: EncoderSpec, config: Config) -> EncoderSpec:
    """timm's head is as wide as `num_classes`, and has a bias; without a probe it pools the mean over the patches."""
    out, pool = config.integer("num_classes", low=0, high=65_536), encoder.pool
    if isinstance(pool, AttentionPool):
        pool = replace(pool, projection=out or None, bias=True)
    elif config.with_defaults({"global_pool": "avg"}, "timm 1.0.31").choice("global_pool", {"avg": True, "": False}):
        pool = MeanPool()
    return as_timm(replace(encoder, pool=pool), config)


CORE: dict[str, object] = {"use_cls_token": True}
LANG: dict[str, object] = {"use_cls_token": True, "pool_type": "none", "use_ln_post": False, "ls_init_value": 0.1}
SPATIAL: dict[str, object] = {"use_cls_token": True, "pool_type": "none", "use_ln_post": False}
GIANT: dict[str, object] = {"use_cls_token": False, "ls_init_value": 0.1}
WORDS = ("width", "layers", "heads", "mlp_ratio", "output_dim")
# Meta's name, timm's for it, and the size of both; then WORDS, and what is not as in PEConfig.
MODELS: tuple[tuple[str, str, int, tuple[object, ...], dict[str, object]], ...] = (
    ("Core-T16", "core_tiny_patch16", 384, (192, 12, 3, 4.0, 512), CORE),
    ("Core-S16", "core_small_patch16", 384, (384, 12, 6, 4.0, 512), CORE),
    ("Core-B16", "core_base_patch16", 224, (768, 12, 12, 4.0, 1024), CORE),
    ("Core-L14", "core_large_patch14", 336, (1024, 24, 16, 4.0, 1024), CORE),
    ("Core-G14", "core_gigantic_patch14", 448, (1536, 50, 16, 8960 / 1536, 1280), {}),
    ("Lang-L14", "lang_large_patch14", 448, (1024, 23, 16, 4.0, None), LANG),
    ("Lang-G14", "lang_gigantic_patch14", 448, (1536, 47, 16, 8960 / 1536, None), LANG | GIANT),
    ("Spatial-T16", "spatial_tiny_patch16", 512, (192, 12, 3, 4.0, None), SPATIAL),
    ("Spatial-S16", "spatial_small_patch16", 512, (384, 12, 6, 4.0, None), SPATIAL),
    ("Spatial-B16", "spatial_base_patch16", 512, (768, 12, 12, 4.0, None), SPATIAL),
    ("Spatial-L14", "spatial_large_patch14", 448, (1024, 24, 16, 4.0, None), SPATIAL),
    ("Spatial-G14", "spatial_gigantic_patch14", 448, (1536, 50, 16, 8960 / 1536, None), SPATIAL | GIANT),
)
TIMM_CFGS = Label("documented", "timm 1.0.31, default_cfgs in models/eva.py")
META_CFGS = Label("documented", "facebookresearch/perception_models, core/vision_encoder/config.py and transforms.py")
PICKLE = "Meta's own file of weights is a pickle, which is never opened: timm/vit_pe_{}.fb holds them too"


def _networks() -> dict[str, dict[str, object]]:
    """timm's architectures in the words of PEConfig."""
    return {
        f"vit_pe_{timm}_{pixels}": {
            "patch_size": int(meta[-2:]), **dict(zip(WORDS, values, strict=True)), **other,
            "ref_feat_shape": pixels // int(meta[-2:]),
        }
        for meta, timm, pixels, values, other in MODELS
    }  # fmt: skip


def _timm(meta: str, timm: str, pixels: int, classes: object, tag: str = "fb") -> Published:
    name = f"{timm}_{pixels}"
    trained = {
        "input_size": (3, pixels, pixels),
        "interpolation": "bicubic",
        "crop_pct": 1.0,
        "mean": HALF,
        "std": HALF,
    }
    config = {"architecture": f"vit_pe_{name}", "num_classes": classes or 0,
              "global_pool": "map" if classes else "avg", "pretrained_cfg": trained}  # fmt: skip
    alias = f"pe-{meta}-{pixels}".lower() + tag.removeprefix("fb").replace("_", "-")
    return Published((f"timm/vit_pe_{name}.{tag}", alias), config, {}, TIMM_CFGS)


def _meta(meta: str, timm: str, pixels: int, tag: str = "") -> Published:
    values = {**_networks()[f"vit_pe_{timm}_{pixels}"], "ref_feat_shape": None}
    preprocessor = {"image_processor_type": "ViTImageProcessor", "size": pixels, "resample": 2, "image_mean": HALF,
                    "image_std": HALF}  # fmt: skip
    config = {"model_type": "perception_encoder", **values, "image_size": pixels}
    note = PICKLE.format(f"{timm}_{pixels}")
    return Published((f"facebook/PE-{meta}-{pixels}{tag}",), config, preprocessor, META_CFGS, notes=(note,))


TILING = [row for row in MODELS if row[0].startswith("Lang")]

FAMILY = Family(
    name="Perception Encoder",
    model_types=("perception_encoder",),
    read=read,
    published=(
        *(_timm(*row[:3], row[3][-1]) for row in MODELS),
        *(_timm(*row[:3], None, "fb_tiling") for row in TILING),
        *(_meta(*row[:3]) for row in MODELS),
        *(_meta(*row[:3], "-Tiling") for row in TILING),
    ),
    rule=Label(
        "documented", "timm 1.0.31, transforms_imagenet_eval; facebookresearch/perception_models, transforms.py"
    ),
    settings=SETTINGS,
    weights=WEIGHTS,
    timm=Timm(_networks(), _as_timm),
    examples=(
        Example("pe-core-l14-336", 1280, 720, 576, 577, "336 / 14 = 24 a side, and one class token"),
        Example("pe-core-g14-448", 1280, 720, 1024, 1024, "448 / 14 = 32 a side, no class token"),
        Example("facebook/PE-Core-B16-224", 640, 480, 196, 197, "224 / 16 = 14 a side, and one class token"),
        Example("pe-spatial-t16-512", 640, 480, 1024, 1025, "512 / 16 = 32 a side, and one class token"),
    ),
)
