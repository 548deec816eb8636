"""Step 3.7: the whole picture at 728 x 728, and sliding windows of it at 504 x 504.

Sources: transformers 5.23.0, `models/step3p7/image_processing_step3p7.py`, `models/step3p7/processing_step3p7.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import DEFAULTS, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, pixel_values
from vistoken.prompts.sliding import WindowsThenWhole
from vistoken.views.sliding import SlidingWindows

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 14}
# Class attributes of Step3p7ImageProcessor; `patch_size` is the side of a window.
PROCESSOR = {
    "size": {"height": 728, "width": 728}, "patch_size": 504, "max_image_size": 3024, "vision_patch_size": 14,
    "downsampler_stride": 4, "resample": 2, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
}  # fmt: skip


def read(files: Files) -> Reading:
    """The tower's patch from the vision config, which the preprocessor must repeat; all else from the preprocessor."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"Step3p7VisionConfig in {REFERENCE}")
    patch = vision.patch("patch_size")
    encoder = partial(_encoder, files)
    if files.image is None:
        return Reading(encoder, None, None)
    processor = files.image.with_defaults(PROCESSOR, f"Step3p7ImageProcessor in {REFERENCE}")
    rule = _rule(processor, patch)
    # Two convolutions of the tower, at every second row and column each: Step3p7VisionModel has no other.
    stride = patch.height * processor.integer("downsampler_stride", low=4, high=4)
    prompt = WindowsThenWhole((rule.tile // stride) ** 2, (rule.overview // stride) ** 2, "<im_patch>")
    return Reading(encoder, rule, pixel_values(processor), prompt)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.step3p7 import step3p7  # counting does without it

    return step3p7(files)


def _weights() -> WeightNames:
    from vistoken.towers.step3p7 import WEIGHTS

    return WEIGHTS


def _rule(processor: Config, patch: Patch) -> SlidingWindows:
    if processor.patch("vision_patch_size") != patch:
        shown = processor.raw("vision_patch_size")
        raise processor.error("vision_patch_size", shown, f"config.json says {patch}: the two must agree")
    size, tile = processor.size("size"), processor.integer("patch_size", high=8192)
    if size.height != size.width or size.height > 8192:
        raise processor.error("size", str(size), "it must be a square of at most 8192 pixels")
    return SlidingWindows(
        tile,
        size.height,
        processor.integer("max_image_size", high=65_536),
        processor.choice("resample", FILTERS),
        patch,
    )


FAMILY = Family(
    name="Step 3.7",
    model_types=("step3p7",),
    read=read,
    published=(
        Published(
            ("stepfun-ai/Step-3.7-Flash", "step-3.7-flash"),
            {"model_type": "step3p7", "vision_config": {"patch_size": 14, "image_size": 728}},
            PROCESSOR | {"image_processor_type": "Step3p7ImageProcessor"},
            DEFAULTS,
        ),
    ),
    rule=Label("verified", f"Step3p7Processor and Step3p7ImageProcessor of {REFERENCE}"),
    settings=("size", "patch_size", "max_image_size", "resample", "image_mean", "image_std"),
    weights=_weights,
    examples=(
        Example("step-3.7-flash", 1280, 720, 10_480, 670, "Step3p7Processor: 2 x 3 windows of 81, 169 for all", 15),
        Example("step-3.7-flash", 728, 728, 2704, 171, "Step3p7Processor: fits, no windows", 2),
        # It fits, too, but is over 1.5 times as wide as high: windows of its height, 400 pixels.
        Example("step-3.7-flash", 728, 400, 5296, 337, "Step3p7Processor: 1 x 2 windows", 6),
        # A side under 32 and over four times as long: padded to a square of 3000, 6 x 6 windows.
        Example("step-3.7-flash", 30, 3000, 49_360, 3164, "Step3p7Processor: 6 x 6 windows", 79),
    ),
    reference=Reference(
        processor="Step3p7Processor",
        image="Step3p7ImageProcessor",
        sees="pixel_values_local",
        tokens={"image_token": "<im_patch>"},
        torchvision=True,
        settings=({"max_image_size": 1000}, {"max_image_size": 500},
                  {"size": {"height": 560, "width": 560}, "patch_size": 336}),
        built=("max_image_size", "size", "patch_size"),
        thresholds=((728, 728), (3024, 3024), (728, 485), (31, 124), (604, 604), (605, 1109), (2016, 504)),
    ),
)  # fmt: skip
