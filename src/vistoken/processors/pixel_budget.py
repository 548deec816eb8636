"""Image processors of kind A that differ from Qwen2-VL's in defaults and guard alone.

Sources: transformers 5.23.0, `image_processing_pil_*.py` of `models/ernie4_5_vl_moe`, `paddleocr_vl`, `hunyuan_vl`,
`video_llama_3` and `cohere_compass`, and `models/minimax_m3_vl/image_processing_minimax_m3_vl.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.geometry import Patch
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors import qwen2_vl
from vistoken.processors.edges import whole_tokens
from vistoken.views.budget import PixelBudget

if TYPE_CHECKING:
    from vistoken.model_spec import PixelSpec
    from vistoken.views.rule import ViewRule

# Class attributes that all of them share with Qwen2-VL's.
PROCESSOR = {name: value for name, value in qwen2_vl.PROCESSOR.items() if name != "temporal_patch_size"}
HALVES = {"image_mean": HALF, "image_std": HALF}

SETTINGS = ("min_pixels", "max_pixels", "resample", "image_mean", "image_std")


def patch_of(processor: Config, frames: int = 1) -> tuple[Patch, int]:
    """The patch and the merge as the processor says them: what it counts with, whatever config.json says."""
    return processor.patch("patch_size", frames), processor.integer("merge_size", high=64)


def image_rule(
    processor: Config,
    patch: Patch,
    merge: int,
    budget: tuple[int, int],
    kind: type[PixelBudget] = PixelBudget,
) -> tuple[ViewRule, PixelSpec]:
    """The view rule and the pixel values; `kind` is the type with the class's guard."""
    filter = processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):
        return whole_tokens(patch, merge, filter), pixel_values(processor)
    return kind(patch.height * merge, *budget, filter, patch), pixel_values(processor)
