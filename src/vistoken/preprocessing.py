"""The image processors that many families share: `preprocessor_config.json` -> a view rule and pixel values.

Source: transformers 5.23.0, `image_processing_backends.py` (`PilBackend`) and the processors' class attributes. The
processor that a folder names decides, not the model: DINOv2 ships a `BitImageProcessor`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vistoken.configs import MAX_MODEL_SIDE, Config
from vistoken.errors import ConfigError, shown
from vistoken.family import REFERENCE
from vistoken.geometry import Patch, Size
from vistoken.model_spec import PixelSpec

if TYPE_CHECKING:
    from vistoken.views import Filter, ViewRule

# Pillow's numbers of its resampling filters.
FILTERS: Mapping[int, Filter] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}

HALF = (0.5, 0.5, 0.5)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_COMMON = {
    "do_resize": True, "do_center_crop": False, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
}  # fmt: skip
_CLIP = _COMMON | {
    "do_center_crop": True, "size": {"shortest_edge": 224}, "crop_size": 224, "resample": 3,
    "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
}  # fmt: skip
# Class attributes of the processors, which fill what a file leaves out.
PROCESSORS: Mapping[str, Mapping[str, Any]] = {
    "ViTImageProcessor": _COMMON | {"size": 224, "resample": 2, "image_mean": HALF, "image_std": HALF},
    "DeiTImageProcessor": _COMMON
    | {"do_center_crop": True, "size": 256, "crop_size": 224, "resample": 3, "image_mean": HALF, "image_std": HALF},
    "CLIPImageProcessor": _CLIP,
    "ChineseCLIPImageProcessor": _CLIP,
    "BitImageProcessor": _CLIP,
    # Of older versions (transformers 4.40, `models/vit_hybrid/image_processing_vit_hybrid.py`): CLIP's in all it does.
    "ViTHybridImageProcessor": _CLIP,
    "LlavaImageProcessor": _CLIP,
    "VideoLlavaImageProcessor": _CLIP,
    "SiglipImageProcessor": _COMMON
    | {"size": {"height": 224, "width": 224}, "resample": 3, "image_mean": HALF, "image_std": HALF},
    "BlipImageProcessor": _COMMON | {"size": 384, "resample": 3, "image_mean": CLIP_MEAN, "image_std": CLIP_STD},
    "ChameleonImageProcessor": _CLIP
    | {"size": {"shortest_edge": 512}, "crop_size": 512, "resample": 1, "rescale_factor": 0.0078,
       "image_mean": (1.0, 1.0, 1.0), "image_std": (1.0, 1.0, 1.0)},
    "LayoutLMv3ImageProcessor": _COMMON
    | {"size": 224, "resample": 2, "image_mean": HALF, "image_std": HALF},
    "DINOv3ViTImageProcessor": _COMMON
    | {"size": 224, "resample": 2, "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD},
    # Our word for timm's and open_clip's transforms, see `vistoken.formats`.
    "TimmTransform": _CLIP,
    "VideoMAEImageProcessor": _CLIP | {"resample": 2, "image_mean": HALF, "image_std": HALF},
}  # fmt: skip
# Processors for which a bare number as `size` means the short side, not a square: `default_to_square` is false.
_SHORT_SIDE = ("CLIPImageProcessor", "ChineseCLIPImageProcessor", "BitImageProcessor", "ViTHybridImageProcessor",
               "LlavaImageProcessor", "TimmTransform", "VideoLlavaImageProcessor", "SiglipImageProcessor",
               "ChameleonImageProcessor", "VideoMAEImageProcessor")  # fmt: skip

SETTINGS = ("size", "crop_size", "do_center_crop", "resample", "image_mean", "image_std")


def processor_name(preprocessor: Config, default: str) -> str:
    """The processor's class, whatever the generation of the file: Fast, Pil and FeatureExtractor are one rule."""
    for field in ("image_processor_type", "feature_extractor_type"):
        if preprocessor.has(field):
            name = preprocessor.raw(field)
            if not isinstance(name, str):
                raise preprocessor.error(field, name, "it must be the name of a class")
            for suffix in ("Fast", "Pil"):
                name = name.removesuffix(suffix)
            return name.replace("FeatureExtractor", "ImageProcessor")
    return default


def standard(
    preprocessor: Config | None, default: str, patch: Patch, own: Size
) -> tuple[ViewRule | None, PixelSpec | None]:
    """The view rule and pixel values of one of `PROCESSORS`; `default` is the family's where the file names none."""
    if preprocessor is None:
        return None, None
    name = processor_name(preprocessor, default)
    if name not in PROCESSORS:
        raise ConfigError(
            f"{preprocessor.where}: image_processor_type is {shown(name)}, which this family does not read: "
            f"known are {', '.join(PROCESSORS)}"
        )
    defaults = {**PROCESSORS[name], "default_to_square": name not in _SHORT_SIDE, "do_pad": False, "pad_size": None,
                "use_square_size": False}  # fmt: skip
    config = preprocessor.with_defaults(defaults, f"{name} in {REFERENCE}")
    # Kosmos-2's file of 2023: a square of the class's own size, whatever the file's (CLIPImageProcessor.__init__).
    square = name == "CLIPImageProcessor" and config.flag("use_square_size") and "size" not in config.overrides
    nearest = name == "TimmTransform"
    rule = resize_rule(config, patch, own, Size(height=224, width=224) if square else None, nearest)
    if config.flag("do_pad"):
        _refuse_padding(config, rule)
    return rule, pixel_values(config)


def _refuse_padding(config: Config, rule: ViewRule) -> None:
    """Without a size of its own, padding brings the pictures of a batch to one size: nothing where they have one."""
    from vistoken.views.fixed import ShortSideCrop, Stretch, StretchCrop

    if config.raw("pad_size") is not None or not isinstance(rule, Stretch | StretchCrop | ShortSideCrop):
        raise config.error("do_pad", True, "padding after the resize is not read by this family")


def resize_rule(config: Config, patch: Patch, own: Size, square: Size | None = None, nearest: bool = False) -> ViewRule:
    """The view rule of a processor, completed by its class's defaults, that resizes and perhaps cuts the middle.

    `square` wins over the file's size; `nearest` is torchvision's way of cutting the middle, see `centre_crop`.
    """
    # Here, since families with rules of their own use only the values above.
    from vistoken.views.fixed import Native, ShortSide, ShortSideCrop, Stretch, StretchCrop

    filter = config.choice("resample", FILTERS)
    if not config.flag("do_resize"):
        if config.flag("do_center_crop"):
            raise config.error("do_resize", False, "a centre crop without resizing is not supported")
        return Native(own, filter, patch)
    cropped = config.flag("do_center_crop")
    short = None if square else short_side(config)
    if short is None:
        size = square or config.size("size")
        if not cropped:
            return Stretch(size, filter, patch)
        return StretchCrop(size, config.size("crop_size"), filter, patch, nearest)
    if not cropped:
        return ShortSide(short, filter, patch)
    return ShortSideCrop(short, config.size("crop_size"), filter, patch, nearest)


def short_side(config: Config) -> int | None:
    """The length that the short side is scaled to, or None where `size` gives both sides."""
    value = config.raw("size")
    if isinstance(value, dict) and "shortest_edge" in value:
        if value.get("longest_edge") is not None:
            raise config.error("size", value, "shortest_edge together with longest_edge is not read by this family")
        value = value["shortest_edge"]
    elif type(value) is not int or config.flag("default_to_square"):
        return None
    if type(value) is not int or not 0 < value <= MAX_MODEL_SIDE:
        raise config.error("size", value, f"shortest_edge must be a whole number from 1 to {MAX_MODEL_SIDE:,}")
    return value


def pixel_values(config: Config) -> PixelSpec:
    """How bytes become numbers: `rescale_factor`, `image_mean` and `image_std`, each only where it is switched on."""
    scale = config.number("rescale_factor", 1e-9, 1e9) if config.flag("do_rescale") else 1.0
    if not config.flag("do_normalize"):
        return PixelSpec(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), scale=scale)
    mean = config.numbers("image_mean", 3, -1e6, 1e6)
    return PixelSpec(mean=mean, std=config.numbers("image_std", 3, 1e-9, 1e6), scale=scale)
