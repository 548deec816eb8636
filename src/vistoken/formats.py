"""Folders in timm's and open_clip's form, put into the words of the family that has the network.

timm's `config.json` names an `architecture` instead of a `model_type`, and how pictures are brought to size stands in
`pretrained_cfg`. open_clip's `open_clip_config.json` describes a ViT of its own, which is CLIP's, or names one of
timm's.
Sources: timm 1.0.31, `models/_hub.py` (`load_model_config_from_hf`), `models/_builder.py`, `data/config.py`
(`resolve_data_config`) and `data/transforms_factory.py` (`transforms_imagenet_eval`); open_clip 3.3.0, `model.py`
(`CLIPVisionCfg`), `timm_model.py`, `transform.py` (`PreprocessCfg`, `image_transform`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vistoken.configs import Config
from vistoken.family import Family, Files, Reading
from vistoken.geometry import Size
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD
from vistoken.spec import EncoderSpec, LearnedTable, TableResize

# timm/data/constants.py and config.py: what a pretrained_cfg leaves out.
_DEFAULTS = {"interpolation": "bicubic", "crop_pct": 0.875, "crop_mode": "center", "mean": IMAGENET_MEAN,
             "std": IMAGENET_STD, "model_args": {}}  # fmt: skip
_RESAMPLE = {"bicubic": 3, "bilinear": 2, "lanczos": 1, "nearest": 0}
_TIMM = Label("documented", "timm 1.0.31, `transforms_imagenet_eval`")
# open_clip's CLIPVisionCfg and PreprocessCfg.
_VISION = {"layers": 12, "width": 768, "head_width": 64, "mlp_ratio": 4.0, "patch_size": 16, "image_size": 224,
           "timm_pool": "avg", "timm_proj": "linear"}  # fmt: skip
_PREPROCESS = {"mean": CLIP_MEAN, "std": CLIP_STD, "interpolation": "bicubic", "resize_mode": "shortest"}
_OPEN_CLIP = Label("documented", "open_clip 3.3.0, `image_transform`")
# What makes another network of open_clip's ViT, and the value that does not.
_PLAIN = {"ls_init_value": None, "attentional_pool": False, "no_ln_pre": False, "pos_embed_type": "learnable",
          "final_ln_after_pool": False, "pool_type": "tok", "act_kwargs": None, "norm_kwargs": None, "block_type": None,
          "qk_norm": False, "scaled_cosine_attn": False, "scale_heads": False, "scale_attn_inner": False,
          "scale_attn": False, "scale_fc": False}  # fmt: skip


def read_timm(family: Family, files: Files) -> Reading:
    """What `family` makes of a folder that timm wrote."""
    assert family.timm is not None  # asked only for the architectures that it names
    config = files.config
    network, name = config.choice("architecture", family.timm.architectures), config.raw("architecture")
    # Older files have no pretrained_cfg: all its values stand at the top.
    trained = (config.child("pretrained_cfg") if config.has("pretrained_cfg") else config).with_defaults(
        _DEFAULTS, "timm 1.0.31"
    )
    size = _input_size(config, trained)
    where = f"{config.where}, architecture {name}"
    values = {**network, "image_size": [size.height, size.width]}
    # One list of origins: whatever is read is told with its source.
    own = Config(values, where, origins=config.origins)
    overrides = files.image.overrides if files.image else config.overrides
    image = Config(_preprocessor(trained, size), config.where, overrides=overrides, origins=config.origins)
    reading = family.read(replace(files, config=own, image=image))
    assert isinstance(reading.encoder, EncoderSpec)  # families that timm has are towers alone
    return replace(reading, encoder=family.timm.adapt(reading.encoder, config), rule_trust=_TIMM)


def read_open_clip(family: Family, files: Files) -> Reading:
    """What `family` makes of a folder that open_clip wrote: CLIP of its own ViT, another of timm's."""
    config = files.config
    model = config.child("model_cfg")
    if not model.has("vision_cfg"):
        raise model.error("vision_cfg", None, "without it there is no tower for pictures")
    vision = model.child("vision_cfg").with_defaults(_VISION, "open_clip 3.3.0")
    trained = _as_timms(config.child("preprocess_cfg").with_defaults(_PREPROCESS, "open_clip 3.3.0"))
    read = _read_trunk if vision.has("timm_model_name") else _read_own
    return replace(read(family, files, model, vision, trained), rule_trust=_OPEN_CLIP)


def _read_trunk(family: Family, files: Files, model: Config, vision: Config, trained: Mapping[str, Any]) -> Reading:
    """A tower of timm. "none" hands out its pooled vector; null makes its classifier the projection (`TimmModel`)."""
    projection = vision.raw("timm_proj") or None
    if projection not in ("none", None):
        raise vision.error("timm_proj", projection, "towers that are read have none, or their own head (null)")
    values = {
        "architecture": vision.raw("timm_model_name"), "global_pool": vision.raw("timm_pool"),
        "num_classes": model.integer("embed_dim") if projection is None else 0,
        "model_args": {"img_size": vision.raw("image_size")}, "pretrained_cfg": trained,
    }  # fmt: skip
    config = Config(values, model.where, overrides=files.config.overrides, origins=model.origins)
    return read_timm(family, replace(files, config=config))


def _read_own(family: Family, files: Files, model: Config, vision: Config, trained: Mapping[str, Any]) -> Reading:
    """open_clip's own ViT in the words of CLIP's `config.json`."""
    if isinstance(vision.raw("layers"), list):
        raise vision.error("layers", vision.raw("layers"), "one number for each stage is a ResNet, no ViT")
    for name, plain in _PLAIN.items():
        if vision.values.get(name, plain) != plain:
            raise vision.error(name, vision.values[name], f"the networks that are read have {plain}")
    size, patch = vision.size("image_size"), vision.size("patch_size")
    width, embedding = vision.integer("width", high=65_536), model.integer("embed_dim", high=65_536)
    quick = model.with_defaults({"quick_gelu": False}, "open_clip 3.3.0").flag("quick_gelu")
    values = {
        "hidden_size": width, "num_hidden_layers": vision.integer("layers", low=0, high=1024),
        "num_attention_heads": width // vision.integer("head_width", high=width),
        "patch_size": [patch.height, patch.width],
        "intermediate_size": int(width * vision.number("mlp_ratio", 0.01, 64)),
        "image_size": [size.height, size.width], "hidden_act": "quick_gelu" if quick else "gelu",
    }  # fmt: skip
    where, overrides = model.where, files.config.overrides
    own = Config({"model_type": "clip", "projection_dim": embedding, "vision_config": values}, where)
    image = _preprocessor(Config({**_DEFAULTS, **trained}, where, path="preprocess_cfg.", overrides=overrides), size)
    reading = family.read(replace(files, config=own, image=Config(image, where, overrides=overrides)))
    assert isinstance(reading.encoder, EncoderSpec)
    assert isinstance(reading.encoder.position, LearnedTable)
    # `resize_pos_embed` in open_clip's model.py
    position = replace(reading.encoder.position, resize=TableResize("bicubic", antialias=True))
    return replace(reading, encoder=replace(reading.encoder, position=position))


def _as_timms(preprocess: Config) -> Mapping[str, Any]:
    """open_clip's `preprocess_cfg` as timm's `pretrained_cfg`: nothing is cut off but what makes a square."""
    return {
        "interpolation": preprocess.raw("interpolation"), "crop_pct": 1.0, "mean": preprocess.raw("mean"),
        "std": preprocess.raw("std"),
        "crop_mode": preprocess.choice("resize_mode", {"shortest": "center", "squash": "squash"}),
    }  # fmt: skip


def _input_size(config: Config, trained: Config) -> Size:
    """The size that the position table is made for: `model_args` may set another than the weights were trained at."""
    arguments = config.child("model_args")
    for name in arguments.values:
        if name != "img_size":
            raise arguments.error(name, arguments.values[name], "of model_args img_size alone is read")
    if arguments.has("img_size"):
        return arguments.size("img_size")
    shape = trained.raw("input_size")
    if not isinstance(shape, list | tuple) or len(shape) != 3 or shape[0] != 3:
        raise trained.error("input_size", shape, "it must be [3, height, width]")
    return trained.replaced(input_size=list(shape[1:])).size("input_size")


def _preprocessor(trained: Config, size: Size) -> Mapping[str, Any]:
    """timm's evaluation transform in the words of a `preprocessor_config.json`; see `preprocessing.PROCESSORS`."""
    share = trained.number("crop_pct", 0.05, 1)
    height, width = math.floor(size.height / share), math.floor(size.width / share)
    values = {
        "image_processor_type": "TimmTransform", "crop_size": {"height": size.height, "width": size.width},
        "resample": trained.choice("interpolation", _RESAMPLE), "image_mean": trained.numbers("mean", 3, -1e6, 1e6),
        "image_std": trained.numbers("std", 3, 1e-9, 1e6),
    }  # fmt: skip
    mode = trained.raw("crop_mode")
    if mode == "squash":
        return values | {"size": {"height": height, "width": width}, "do_center_crop": share < 1}
    if mode not in ("center", None):
        raise trained.error("crop_mode", mode, "known are center and squash")
    if height != width:
        raise trained.error("crop_mode", mode, "a crop of the middle is read for square sizes alone")
    return values | {"size": {"shortest_edge": height}}
