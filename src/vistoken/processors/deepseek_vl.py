"""DeepseekVLImageProcessor, its hybrid and JanusImageProcessor: the whole picture in the middle of a padded square.

Sources: transformers 5.23.0, `models/deepseek_vl/image_processing_pil_deepseek_vl.py`,
`models/deepseek_vl_hybrid/image_processing_pil_deepseek_vl_hybrid.py`, `models/janus/image_processing_pil_janus.py`.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import REFERENCE
from vistoken.geometry import Patch
from vistoken.model_spec import PixelSpec
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, pixel_values
from vistoken.processors.background import mean_colour
from vistoken.views.rule import ViewRule
from vistoken.views.square import PadSquare, SquareForTwoTowers

# Class attributes, the same in the three classes; those with high_res are the hybrid's alone.
PROCESSOR = {
    "size": 384, "min_size": 14, "do_resize": True, "do_pad": True, "resample": 3, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
    "high_res_size": 1024, "high_res_resample": 3, "high_res_image_mean": CLIP_MEAN,
}  # fmt: skip
SETTINGS = ("size", "min_size", "resample", "image_mean", "image_std")
HIGH_RES_SETTINGS = ("high_res_size", "high_res_resample")


def image_rule(image: Config | None, patch: Patch) -> tuple[ViewRule | None, PixelSpec | None]:
    """One square for one tower."""
    if image is None:
        return None, None
    processor = _complete(image)
    return _square(processor, patch), pixel_values(processor)


def two_towers(image: Config | None, patch: Patch, high_patch: Patch) -> tuple[ViewRule | None, PixelSpec | None]:
    """The hybrid: the small square is resized from the large one. The pixel values are the small one's.

    The large one has its own `high_res_image_mean` and `high_res_image_std`.
    """
    if image is None:
        return None, None
    processor = _complete(image)
    small, large = _square(processor, patch), _square(processor, high_patch, "high_res_")
    return SquareForTwoTowers(small.side, large, small.filter, patch), pixel_values(processor)


def _complete(image: Config) -> Config:
    processor = image.with_defaults(PROCESSOR, f"DeepseekVLHybridImageProcessor in {REFERENCE}")
    for name in ("do_resize", "do_pad"):
        if not processor.flag(name):
            raise processor.error(name, False, "pictures that are no squares are not read: it must be true")
    return processor


def _square(processor: Config, patch: Patch, prefix: str = "") -> PadSquare:
    size = f"{prefix}size"
    square, least = processor.size(size), processor.integer("min_size")
    if square.height != square.width:
        raise processor.error(size, str(square), "it must be a square")
    if least > square.height:
        raise processor.error("min_size", least, f"it must not be more than {size}, which is {square.height}")
    filter, fill = processor.choice(f"{prefix}resample", FILTERS), mean_colour(processor, f"{prefix}image_mean")
    return PadSquare(square.height, least, filter, patch, fill)
