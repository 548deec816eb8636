"""MiniCPM-V 4.6, 4.7 and MiniCPM-OCR: an overview and slices, tokens in proportion to their patches.

Sources: transformers 5.23.0, `models/minicpmv4_6/`, `models/minicpmv4_7/processing_minicpmv4_7.py` and
`models/minicpm_ocr/image_processing_minicpm_ocr.py`.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.prompts.slices import Slices
from vistoken.views.slices import LogAspectSlices

# Class attributes of MiniCPMV4_6ImageProcessor; MiniCPMOcrImageProcessor merges less, and knows small_image_upsize.
PROCESSOR = {
    "do_resize": True, "resample": 3, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": HALF, "image_std": HALF, "max_slice_nums": 9, "scale_resolution": 448, "patch_size": 14,
    "slice_mode": True, "downsample_mode": "16x", "use_image_id": True, "small_image_upsize": "always",
}  # fmt: skip
# downsample_mode -> patches along a side of what becomes one token.
MERGES = {"16x": 4, "4x": 2}
TOKENS = {
    "image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "image_start_token": "<image>",
    "image_end_token": "</image>", "slice_start_token": "<slice>", "slice_end_token": "</slice>",
    "image_id_start_token": "<image_id>", "image_id_end_token": "</image_id>",
}  # fmt: skip


def read(files: Files) -> Reading:
    """Everything stands in the preprocessor."""
    if files.image is None:
        return Reading(None, None, None)
    defaults = PROCESSOR
    if files.config.raw("model_type") == "minicpm_ocr":
        defaults = PROCESSOR | {"downsample_mode": "4x"}
    processor = files.image.with_defaults(defaults, f"the image processor of MiniCPM-V in {REFERENCE}")
    if not processor.flag("do_resize"):
        raise processor.error("do_resize", False, "slices are always resized")
    patch, merge = Patch.square(processor.integer("patch_size", high=4096)), processor.choice("downsample_mode", MERGES)
    rule = LogAspectSlices(
        side=processor.integer("scale_resolution", high=65_536),
        most=processor.integer("max_slice_nums", high=1024),
        unit=patch.height * merge,
        filter=processor.choice("resample", FILTERS),
        patch=patch,
        slicing=processor.flag("slice_mode"),
        enlarge=_enlarges(processor),
    )
    prompt = Slices("<|image_pad|>", merge * merge, numbered=processor.flag("use_image_id"))
    return Reading(None, rule, pixel_values(processor), prompt)


def _enlarges(processor: Config) -> bool:
    """Whether a picture that needs no slices is enlarged. MiniCPM-OCR can also decide by what the picture shows."""
    if processor.raw("small_image_upsize") == "adaptive":
        raise processor.error("small_image_upsize", "adaptive", "then the count follows from the pixels, not the size")
    return processor.choice("small_image_upsize", {"always": True, "never": False})


_PREPROCESSOR = {
    "image_processor_type": "MiniCPMV4_6ImageProcessor", "max_slice_nums": 9, "scale_resolution": 448, "patch_size": 14,
    "use_image_id": True, "slice_mode": True, "image_mean": list(HALF), "image_std": list(HALF),
}  # fmt: skip

FAMILY = Family(
    name="MiniCPM-V 4.6",
    model_types=("minicpmv4_6", "minicpmv4_7", "minicpm_ocr"),
    read=read,
    published=(
        Published(("openbmb/MiniCPM-V-4_6", "minicpm-v-4.6"), {"model_type": "minicpmv4_6"}, _PREPROCESSOR, SEEN),
    ),
    rule=Label("verified", f"MiniCPMV4_6Processor and MiniCPMV4_6ImageProcessorPil of {REFERENCE}"),
    settings=("max_slice_nums", "scale_resolution", "slice_mode", "downsample_mode", "use_image_id", "resample",
              "image_mean", "image_std"),
    examples=(
        Example("minicpm-v-4.6", 640, 480, 3248, 211, "MiniCPMV4_6Processor run on this size", markers=8),
        Example("minicpm-v-4.6", 1280, 720, 7104, 460, "MiniCPMV4_6Processor run on this size", markers=16),
    ),
    reference=Reference(
        processor="MiniCPMV4_6Processor",
        image="MiniCPMV4_6ImageProcessorPil",
        sees="target_sizes",
        tokens=TOKENS,
        settings=({"max_slice_nums": 4, "downsample_mode": "4x"}, {"slice_mode": False}, {"scale_resolution": 336}),
        thresholds=((448, 448), (896, 448), (1344, 1344)),
    ),
)  # fmt: skip
