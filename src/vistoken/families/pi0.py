"""Pi0, a robot's policy with PaliGemma inside: each camera's picture is fitted into 224 pixels and becomes 256 tokens.

The processor writes the image tokens of all cameras before the token that begins the instruction.
Sources: transformers 5.23.0, `models/pi0/processing_pi0.py` and `models/pi0/image_processing_pi0.py`;
arXiv 2410.24164.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.errors import UsageError
from vistoken.family import RECALLED, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch, Size
from vistoken.model_spec import Label
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.background import zero_colour
from vistoken.prompts.fixed import FixedTokens
from vistoken.views.rule import ViewRule
from vistoken.views.square import FitIntoCorner

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

# Class attributes of PI0ImageProcessor.
PROCESSOR = {
    "size": {"max_height": 224, "max_width": 224}, "pad_size": {"height": 224, "width": 224}, "image_seq_length": 256,
    "do_resize": True, "do_pad": True, "resample": 3, "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": HALF, "image_std": HALF,
}  # fmt: skip


def read(files: Files) -> Reading:
    """The patch from the tower within `vlm_config`; the size and the number of tokens from the preprocessor."""
    encoder = partial(_encoder, files)
    vlm = files.config.child("vlm_config")
    tower = vlm.child("vision_config")
    # SiglipVisionConfig completes a vision config that is there; where there is none, PI0Config assumes another.
    patch = tower.with_defaults({"patch_size": 16 if tower.values else 14}, f"PI0Config in {REFERENCE}").patch(
        "patch_size"
    )
    if files.image is None:
        return Reading(encoder, None, None)
    processor = files.image.with_defaults(PROCESSOR, f"PI0ImageProcessor in {REFERENCE}")
    prompt = FixedTokens(processor.integer("image_seq_length"), "<image>")
    return Reading(encoder, _rule(processor, patch), pixel_values(processor), prompt)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.paligemma import pi0  # counting does without it

    return pi0(files)


def _weights() -> WeightNames:
    from vistoken.towers.paligemma import PI0_WEIGHTS

    return PI0_WEIGHTS


def _rule(processor: Config, patch: Patch) -> ViewRule:
    for name in ("do_resize", "do_pad"):
        if not processor.flag(name):
            raise processor.error(name, False, "pictures of several sizes are not read: it must be true")
    box, canvas = _box(processor), processor.size("pad_size")
    if box.height > canvas.height or box.width > canvas.width:
        raise processor.error("pad_size", str(canvas), f"it must hold the resized picture, up to {box}")
    return FitIntoCorner(box, canvas, processor.choice("resample", FILTERS), patch, zero_colour(processor))


def _box(processor: Config) -> Size:
    value = processor.raw("size")
    if not isinstance(value, Mapping) or set(value) != {"max_height", "max_width"}:
        raise processor.error("size", value, 'it must be {"max_height": ..., "max_width": ...}')
    try:
        return Size(height=value["max_height"], width=value["max_width"])
    except UsageError as error:
        raise processor.error("size", value, str(error)) from None


# As PI0Config assumes it.
SO400M = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16,
          "patch_size": 14, "image_size": 224, "vision_use_head": False}  # fmt: skip

FAMILY = Family(
    name="Pi0",
    model_types=("pi0",),
    read=read,
    published=(
        Published(
            ("lerobot/pi0_base", "pi0"),
            {"model_type": "pi0", "vlm_config": {"projection_dim": 2048, "vision_config": SO400M}},
            {"image_processor_type": "PI0ImageProcessor"},
            RECALLED,
        ),
    ),
    rule=Label("verified", f"PI0ImageProcessor of {REFERENCE}"),
    settings=("size", "pad_size", "resample", "image_mean", "image_std"),
    weights=_weights,
    examples=(
        Example("pi0", 1280, 720, 256, 256, "PI0Processor: image_seq_length 256; 224 / 14 = 16 a side"),
        Example("pi0", 640, 480, 256, 256, "PI0ImageProcessor: 224x168, padded at the bottom"),
        Example("pi0", 100, 100, 1024, 256, "PI0Processor: image_seq_length does not follow size",
                arguments={"pad_size": 448}),
    ),
    reference=Reference(
        processor="",
        image="PI0ImageProcessor",
        sees="pixel_values",
        text=False,
        torchvision=True,
        settings=(
            {"size": {"max_height": 100, "max_width": 333}, "pad_size": {"height": 336, "width": 336}},
            {"size": {"max_height": 224, "max_width": 56}},
        ),
        thresholds=((224, 224), (224, 1), (449, 2), (1, 225)),
    ),
)  # fmt: skip
