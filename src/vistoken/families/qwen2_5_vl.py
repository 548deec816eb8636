"""Qwen2.5-VL: any size, rounded to whole tokens of 28 x 28 pixels under a pixel budget. Counted; not yet encoded.

Sources: transformers 5.23.0, `models/qwen2_vl/image_processing_pil_qwen2_vl.py` and
`models/qwen2_5_vl/processing_qwen2_5_vl.py`; arXiv 2502.13923.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import RECALLED, REFERENCE, SEEN, Example, Family, Published, Reading
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, pixel_values
from vistoken.sequence import Prompt, SpaceToDepth
from vistoken.views.budget import PixelBudget

# Class attributes of Qwen2VLImageProcessor. Its own max is 1,003,520; checkpoints say 12,845,056 and always say it.
PROCESSOR = {
    "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2, "do_resize": True, "resample": 3, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
}  # fmt: skip
VISION = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2}


def read(config: Config, preprocessor: Config | None) -> Reading:
    """Patch and merge from the vision config; the pixel budget from the preprocessor."""
    vision = config.child("vision_config").with_defaults(VISION, f"Qwen2_5_VLVisionConfig in {REFERENCE}")
    frames = vision.integer("temporal_patch_size", high=64)
    patch, merge = vision.patch("patch_size", frames), vision.integer("spatial_merge_size", high=64)
    prompt = Prompt(SpaceToDepth(merge), template="the chat template adds vision_start and vision_end: 2 tokens")
    if preprocessor is None:
        return Reading(None, None, None, prompt)
    processor = preprocessor.with_defaults(PROCESSOR, f"Qwen2VLImageProcessor in {REFERENCE}")
    for field, value, ours in (("patch_size", "patch_size", patch.height), ("merge_size", "spatial_merge_size", merge)):
        if (given := processor.integer(field, high=4096)) != ours:
            raise processor.error(field, given, f"config.json says {value} {ours}: the two must agree")
    low, high = _budget(processor, "min_pixels", "shortest_edge"), _budget(processor, "max_pixels", "longest_edge")
    if low > high:
        if "max_pixels" in processor.overrides:
            raise processor.error("max_pixels", high, f"it must not be less than min_pixels, which is {low:,}")
        raise processor.error("min_pixels", low, f"it must not be more than max_pixels, which is {high:,}")
    filter = processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):  # then sides must be whole tokens, which the merge checks
        from vistoken.views.fixed import Native  # rare, and start-up counts

        return Reading(None, Native(None, filter, patch), pixel_values(processor), prompt)
    rule = PixelBudget(patch.height * merge, low, high, filter, patch)
    return Reading(None, rule, pixel_values(processor), prompt)


def _budget(processor: Config, name: str, nested: str) -> int:
    """A budget stands as `min_pixels` / `max_pixels` (old files), or as an edge, in pixels all the same, in `size`."""
    if processor.has(name):
        return processor.integer(name, high=10**12)
    size = processor.child("size")
    return size.integer(nested, high=10**12) if size.has(nested) else processor.integer(name, high=10**12)


def _published(name: str, alias: str, label: Label, depth: int, intermediate: int, out: int) -> Published:
    vision = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "hidden_size": 1280,
              "depth": depth, "intermediate_size": intermediate, "out_hidden_size": out}  # fmt: skip
    preprocessor = PROCESSOR | {"min_pixels": 3136, "max_pixels": 12_845_056}
    return Published(
        (name, alias), {"model_type": "qwen2_5_vl", "vision_config": vision}, preprocessor, label, "qwen2.5-vl"
    )


FAMILY = Family(
    name="Qwen2.5-VL",
    model_types=("qwen2_5_vl",),
    read=read,
    published=(
        _published("Qwen/Qwen2.5-VL-3B-Instruct", "qwen2.5-vl-3b", SEEN, 32, 3420, 2048),
        _published("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5-vl-7b", SEEN, 32, 3420, 3584),
        _published("Qwen/Qwen2.5-VL-32B-Instruct", "qwen2.5-vl-32b", RECALLED, 32, 3456, 5120),
        _published("Qwen/Qwen2.5-VL-72B-Instruct", "qwen2.5-vl-72b", RECALLED, 32, 3456, 8192),
    ),
    rule=Label("verified", f"Qwen2VLImageProcessorPil of {REFERENCE}"),
    settings=("min_pixels", "max_pixels", "resample", "image_mean", "image_std"),
    examples=(
        Example("qwen2.5-vl-7b", 1280, 720, 4784, 1196, "Qwen2VLImageProcessorPil: grid 1 x 52 x 92, merged 2 x 2"),
        # 70 / 28 = 2.5 rounds to 2, 98 / 28 = 3.5 rounds to 4: ties go to even.
        Example("qwen2.5-vl-7b", 98, 70, 32, 8, "smart_resize: 70 / 28 = 2.5 and 98 / 28 = 3.5 round to even"),
        # A side under half a token becomes 0, the area is under the minimum, and the picture is enlarged.
        Example("qwen2.5-vl-7b", 1200, 6, 116, 29, "smart_resize, minimum branch; the vendor's own utility gives 43"),
    ),
)  # fmt: skip
