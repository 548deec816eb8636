"""Folders in timm's form: its `config.json` put into the words of the family that has the network.

It names an `architecture` instead of a `model_type`, and how pictures are brought to size stands in `pretrained_cfg`.
Sources: timm 1.0.31, `models/_hub.py` (`load_model_config_from_hf`), `models/_builder.py`, `data/config.py`
(`resolve_data_config`) and `data/transforms_factory.py` (`transforms_imagenet_eval`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vistoken.configs import Config
from vistoken.family import Family, Files, Reading
from vistoken.geometry import Size
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from vistoken.spec import EncoderSpec

# timm/data/constants.py and config.py: what a pretrained_cfg leaves out.
_DEFAULTS = {"interpolation": "bicubic", "crop_pct": 0.875, "crop_mode": "center", "mean": IMAGENET_MEAN,
             "std": IMAGENET_STD, "model_args": {}}  # fmt: skip
_RESAMPLE = {"bicubic": 3, "bilinear": 2, "lanczos": 1, "nearest": 0}


def read_timm(family: Family, files: Files) -> Reading:
    """What `family` makes of a folder that timm wrote."""
    assert family.timm is not None  # asked only for the architectures that it names
    config = files.config
    name = config.raw("architecture")
    # Older files have no pretrained_cfg: all its values stand at the top.
    trained = (config.child("pretrained_cfg") if config.has("pretrained_cfg") else config).with_defaults(
        _DEFAULTS, "timm 1.0.31"
    )
    size = _input_size(config, trained)
    where = f"{config.where}, architecture {name}"
    values = {"image_size": [size.height, size.width], **family.timm.architectures[name]}
    # One list of origins: whatever is read is told with its source.
    own = Config(values, where, origins=config.origins)
    overrides = files.image.overrides if files.image else config.overrides
    image = Config(_preprocessor(trained, size), config.where, overrides=overrides, origins=config.origins)
    reading = family.read(replace(files, config=own, image=image))
    assert isinstance(reading.encoder, EncoderSpec)  # families that timm has are towers alone
    return replace(reading, encoder=family.timm.adapt(reading.encoder, config))


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
