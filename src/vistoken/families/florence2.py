"""Florence-2: a square of 768 pixels, whose 24 x 24 cells and their mean are what the language model reads.

The tower (DaViT) shrinks the picture in stages: `patches` are the cells of the last stage, one for each 32 x 32 pixels,
the product of the stages' strides. The mean over all cells is one more token.
Sources: transformers 5.23.0, `models/florence2/processing_florence2.py` and `models/florence2/modeling_florence2.py`
(`Florence2MultiModalProjector`); arXiv 2311.06242.
"""

from __future__ import annotations

from math import prod

from vistoken.configs import Config
from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch, Size
from vistoken.model_spec import Label
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD, SETTINGS, standard
from vistoken.prompts.fixed import FixedTokens

STRIDES = (4, 2, 2, 2)


def read(files: Files) -> Reading:
    """The number of tokens stands in the preprocessor's file; the processor repeats it whatever the size."""
    vision = files.config.child("vision_config").with_defaults(
        {"patch_stride": STRIDES}, f"Florence2VisionConfig in {REFERENCE}"
    )
    patch = Patch.square(_stride(vision))
    rule, pixels = standard(files.image, "CLIPImageProcessor", patch, Size(height=768, width=768))
    tokens = files.image.integer("image_seq_length") if files.image and files.image.has("image_seq_length") else None
    if tokens is None and rule and rule.own_size:  # the cells and their mean, which the model's projector makes
        tokens = patch.grid(rule.own_size).patches + 1
    return Reading(None, rule, pixels, FixedTokens(tokens, "<image>") if tokens else None)


def _stride(vision: Config) -> int:
    """Pixels of a side of one cell of the last stage."""
    strides = vision.raw("patch_stride")
    if not isinstance(strides, list | tuple) or not all(type(stride) is int and 0 < stride <= 64 for stride in strides):
        raise vision.error("patch_stride", strides, "it must be a list of whole numbers from 1 to 64")
    if not 1 <= len(strides) <= 8:
        raise vision.error("patch_stride", strides, "it must hold from 1 to 8 strides")
    return prod(strides)


SETTLED = Label("inferred", "the published preprocessor_config.json; the config's values are those of the copies for "
                "transformers")  # fmt: skip


def _published(*names: str, label: Label = SEEN) -> Published:
    config = {"model_type": "florence2", "vision_config": {"patch_stride": [4, 2, 2, 2], "depths": [1, 1, 9, 1]}}
    preprocessor = {"image_processor_type": "CLIPImageProcessor", "do_center_crop": False, "image_seq_length": 577,
                    "size": {"height": 768, "width": 768}, "crop_size": {"height": 768, "width": 768}, "resample": 3,
                    "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}  # fmt: skip
    return Published(names, config, preprocessor, label, "florence-2")


FAMILY = Family(
    name="Florence-2",
    model_types=("florence2",),
    read=read,
    published=(
        _published("florence-community/Florence-2-base", "florence-2-base"),
        _published("florence-community/Florence-2-base-ft", "florence-2-base-ft"),
        _published("florence-community/Florence-2-large", "florence-2-large"),
        _published("florence-community/Florence-2-large-ft", "florence-2-large-ft"),
        _published("microsoft/Florence-2-base", label=SETTLED),
        _published("microsoft/Florence-2-large", label=SETTLED),
    ),
    rule=Label("verified", f"Florence2Processor and CLIPImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        Example("florence-2-base", 1280, 720, 576, 577, "Florence2Processor: image_seq_length 577; 768 / 32 = 24"),
        Example("florence-2-large", 1, 1, 576, 577, "Florence2Processor: stretched to 768x768 whatever the size"),
        # The processor goes on to write 577 tokens, though 12 x 12 cells make only 145.
        Example("florence-2-base", 640, 480, 144, 577, "Florence2Processor: image_seq_length does not follow size",
                arguments={"size": {"height": 384, "width": 384}}),
    ),
    reference=Reference(
        processor="Florence2Processor",
        image="CLIPImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image>"},
        settings=({"size": {"height": 384, "width": 512}}, {"size": {"shortest_edge": 512}, "do_center_crop": True}),
        thresholds=((768, 768),),
    ),
)  # fmt: skip
