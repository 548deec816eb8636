"""Idefics: one fixed size; 64 latents of a resampler reach the LLM by cross-attention, not through its prompt.

Sources: transformers 5.23.0, `models/idefics/image_processing_pil_idefics.py`, `processing_idefics.py` and
`modeling_idefics.py`; arXiv 2306.16527.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import RECALLED, REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label, PixelSpec
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, pixel_values
from vistoken.processors.completed import completed
from vistoken.prompts.tags import FencedCross
from vistoken.views.fixed import Native, Stretch
from vistoken.views.rule import ViewRule

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 14}
RESAMPLER = {"resampler_n_latents": 64}
# Class attributes of IdeficsImageProcessor.
IMAGE_PROCESSOR = {
    "size": {"height": 224, "width": 224}, "do_resize": True, "resample": 3, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
}  # fmt: skip

# Source: IdeficsProcessor, `image_tokens`.
SHARED = "a picture right after another shares a fake token with it: 1 token less"


def read(files: Files) -> Reading:
    """The patch and the resampler from the config, the size from the preprocessor. The tower has a class token."""
    config = files.config.with_defaults({"use_resampler": False}, f"IdeficsConfig in {REFERENCE}")
    vision = config.child("vision_config").with_defaults(VISION, f"IdeficsVisionConfig in {REFERENCE}")
    latents = None
    if config.flag("use_resampler"):
        resampler = config.child("perceiver_config").with_defaults(RESAMPLER, f"IdeficsPerceiverConfig in {REFERENCE}")
        latents = resampler.integer("resampler_n_latents", high=65_536)
    rule, pixels = _rule(files.image, vision.patch("patch_size"))
    return Reading(partial(_encoder, files), rule, pixels, FencedCross(latents, prefix=1), prefix=1)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.idefics import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.idefics import WEIGHTS

    return WEIGHTS


def _rule(image: Config | None, patch: Patch) -> tuple[ViewRule | None, PixelSpec | None]:
    """`image_size`, the older spelling, wins over `size` in a file; a call can set `size` alone."""
    if image is None:
        return None, None
    processor = completed(image, IMAGE_PROCESSOR, f"IdeficsImageProcessor in {REFERENCE}")
    old = "image_size" in processor.values and "size" not in processor.overrides
    size, filter = processor.size("image_size" if old else "size"), processor.choice("resample", FILTERS)
    rule = Stretch(size, filter, patch) if processor.flag("do_resize") else Native(size, filter, patch)
    return rule, pixel_values(processor)


def _published(name: str, *aliases: str) -> Published:
    config = {"model_type": "idefics", "use_resampler": True, "perceiver_config": {"resampler_n_latents": 64},
              # LAION's CLIP H/14.
              "vision_config": {"embed_dim": 1280, "intermediate_size": 5120, "num_hidden_layers": 32,
                                "num_attention_heads": 16, "image_size": 224, "patch_size": 14}}  # fmt: skip
    preprocessor = {"image_processor_type": "IdeficsImageProcessor", "image_size": 224, "image_num_channels": 3,
                    "image_mean": CLIP_MEAN, "image_std": CLIP_STD}  # fmt: skip
    return Published((name, *aliases), config, preprocessor, RECALLED, series="idefics", notes=(SHARED,))


FAMILY = Family(
    name="Idefics",
    model_types=("idefics",),
    read=read,
    published=(
        _published("HuggingFaceM4/idefics-9b-instruct", "idefics-9b-instruct"),
        _published("HuggingFaceM4/idefics-9b", "idefics-9b"),
        _published("HuggingFaceM4/idefics-80b-instruct", "idefics-80b-instruct"),
        _published("HuggingFaceM4/idefics-80b", "idefics-80b"),
    ),
    rule=Label("verified", f"IdeficsProcessor and IdeficsImageProcessorPil of {REFERENCE}"),
    settings=("size", "do_resize", "resample", "image_mean", "image_std"),
    weights=_weights,
    examples=(
        Example("idefics-9b", 1280, 720, 256, 3, "IdeficsProcessor: 224 x 224, one <image> between two fake tokens", 3),
        Example("idefics-9b", 1, 1, 256, 3, "IdeficsProcessor: the same whatever the picture", 3),
        Example("idefics-80b-instruct", 3000, 30, 256, 3, "IdeficsProcessor: the same whatever the picture", 3),
    ),
    reference=Reference(
        processor="IdeficsProcessor",
        image="IdeficsImageProcessorPil",
        sees="array",
        tokens={"bos_token": "<s>", "eos_token": "</s>", "image_token": "<image>",
                "fake_image_token": "<fake_token_around_image>"},
        settings=({"size": {"height": 336, "width": 448}}, {"size": {"height": 280, "width": 280}, "resample": 2}),
        thresholds=((224, 224),),
    ),
)  # fmt: skip
