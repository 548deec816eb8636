"""Inkling: pictures at their own size, cut into patches of 40 x 40 pixels, each one token. Counted, not encoded.

The tower is a small network over each patch by itself.
Sources: transformers 5.23.0, `models/inkling/image_processing_inkling.py`, `models/inkling/processing_inkling.py`.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import DEFAULTS, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, pixel_values
from vistoken.prompts.plain import Merged, SpaceToDepth
from vistoken.views.cells import ScaledCells

VISION = {"patch_size": 40, "temporal_patch_size": 2}
# Class attributes of InklingImageProcessor.
PROCESSOR = {
    "size": {"height": 40, "width": 40}, "rescale_image_frac": None, "rescale_image_max_upscaled_long_edge": 2048,
    "resample": 1, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": CLIP_MEAN,
    "image_std": CLIP_STD,
}  # fmt: skip
TEMPLATE = "the chat template puts <|content_image|> before the picture: 1 token"


def read(files: Files) -> Reading:
    """Patch from the vision config, which the preprocessor must repeat as `size`."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"InklingVisionConfig in {REFERENCE}")
    patch = vision.patch("patch_size", vision.integer("temporal_patch_size", high=64))
    prompt = Merged(SpaceToDepth(1), "<|unused_200054|>", template=TEMPLATE)
    if files.image is None:
        return Reading(None, None, None, prompt)
    processor = files.image.with_defaults(PROCESSOR, f"InklingImageProcessor in {REFERENCE}")
    return Reading(None, _rule(processor, patch), pixel_values(processor), prompt)


def _rule(processor: Config, patch: Patch) -> ScaledCells:
    size = processor.size("size")
    if (size.height, size.width) != (patch.height, patch.width):
        raise processor.error("size", str(size), f"config.json says a patch of {patch}: the two must agree")
    factor, cap = "rescale_image_frac", "rescale_image_max_upscaled_long_edge"
    return ScaledCells(
        processor.number(factor, 1e-6, 1e6) if processor.raw(factor) is not None else None,
        processor.integer(cap) if processor.raw(cap) is not None else None,
        processor.choice("resample", FILTERS),
        patch,
    )


FAMILY = Family(
    name="Inkling",
    model_types=("inkling_mm_model",),
    read=read,
    published=(
        Published(
            ("thinkingmachines/Inkling", "inkling"),
            {"model_type": "inkling_mm_model", "vision_config": VISION},
            PROCESSOR | {"image_processor_type": "InklingImageProcessor"},
            DEFAULTS,
            notes=("servers may first scale small pictures by 2 (SGLang does): rescale_image_frac=2.0 counts so",),
        ),
    ),
    rule=Label("verified", f"InklingProcessor and InklingImageProcessor of {REFERENCE}"),
    settings=("rescale_image_frac", "rescale_image_max_upscaled_long_edge", "resample", "image_mean", "image_std"),
    examples=(
        # 1280 = 32 x 40: the width is whole, and a 33rd column of padding alone comes with it.
        Example("inkling", 1280, 720, 594, 594, "InklingProcessor: 18 rows, 1280 // 40 + 1 = 33 columns"),
        Example("inkling", 40, 40, 2, 2, "InklingProcessor: 1 row, 2 columns"),
        Example("inkling", 641, 480, 204, 204, "InklingProcessor: 12 rows, 17 columns"),
        Example("inkling", 640, 480, 792, 792, "InklingProcessor: 24 rows, 33 columns of 1280 x 960; a port agrees",
                arguments={"rescale_image_frac": 2.0}),
    ),
    reference=Reference(
        processor="InklingProcessor",
        image="InklingImageProcessor",
        sees="",  # it hands over the number of patches, without rows and columns
        tokens={"image_token": "<|unused_200054|>", "audio_token": "<|unused_200053|>",
                "image_bos_token": "<|content_image|>", "audio_bos_token": "<|content_audio_input|>"},
        torchvision=True,
        settings=({"rescale_image_frac": 2.0},
                  {"rescale_image_frac": 0.37, "rescale_image_max_upscaled_long_edge": 700},
                  {"rescale_image_frac": 1.3, "rescale_image_max_upscaled_long_edge": None}),
        thresholds=((40, 40), (1024, 768), (2048, 1000)),
    ),
)  # fmt: skip
