"""Idefics2: a picture of at most 980 pixels as it is, or that and its four quarters; 64 tokens each.

Sources: transformers 5.23.0, `models/idefics2/image_processing_pil_idefics2.py` and `processing_idefics2.py`;
arXiv 2405.02246.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.completed import completed
from vistoken.prompts.tags import FencedViews
from vistoken.views.crops import BothEdges, Quarters
from vistoken.views.rule import OneView
from vistoken.views.steps import Filter

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 32}
PROCESSOR = {"image_seq_len": 64}
# Class attributes of Idefics2ImageProcessor.
IMAGE_PROCESSOR = {
    "size": {"shortest_edge": 378, "longest_edge": 980}, "do_image_splitting": False, "do_resize": True, "resample": 2,
    "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": HALF, "image_std": HALF,
}  # fmt: skip

# Source: Idefics2Processor, which takes out one of two fake tokens that meet.
SHARED = "a picture right after another shares a fake token with it: 1 token less"


def read(files: Files) -> Reading:
    """The patch from the vision config, the rule from the preprocessor, the tokens a view from the processor."""
    encoder = partial(_encoder, files)
    vision = files.config.child("vision_config").with_defaults(VISION, f"Idefics2VisionConfig in {REFERENCE}")
    processor = files.processor.with_defaults(PROCESSOR, f"Idefics2Processor in {REFERENCE}")
    prompt = FencedViews(processor.integer("image_seq_len"))
    patch = vision.patch("patch_size")
    if files.image is None:
        return Reading(encoder, None, None, prompt)
    image = completed(files.image, IMAGE_PROCESSOR, f"Idefics2ImageProcessor in {REFERENCE}")
    if not image.flag("do_resize"):
        raise image.error("do_resize", False, "views that are not resized are not supported by this family")
    filter = image.choice("resample", FILTERS)
    each = _each(image, filter, patch)
    rule = Quarters(each, filter, patch) if image.flag("do_image_splitting") else each
    return Reading(encoder, rule, pixel_values(image), prompt)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.idefics2 import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.idefics2 import WEIGHTS

    return WEIGHTS


def _each(image: Config, filter: Filter, patch: Patch) -> OneView:
    """What `size` says: bounds of the sides, or both sides."""
    value = image.raw("size")
    if isinstance(value, dict) and "height" in value:
        from vistoken.views.fixed import Stretch

        return Stretch(image.size("size"), filter, patch)
    edges: list[Any] = (
        [value.get(edge) for edge in ("shortest_edge", "longest_edge")] if isinstance(value, dict) else []
    )
    if not edges or any(type(edge) is not int or not 0 < edge <= 65_536 for edge in edges):
        raise image.error("size", value, "it must hold shortest_edge and longest_edge, or height and width")
    return BothEdges(edges[0], edges[1], filter, patch)


def _published(name: str, *aliases: str, split: bool) -> Published:
    config = {"model_type": "idefics2", "perceiver_config": {"resampler_n_latents": 64},
              "vision_config": {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27,
                                "num_attention_heads": 16, "image_size": 980, "patch_size": 14},
              "text_config": {"model_type": "mistral"}}  # fmt: skip
    preprocessor = {
        "image_processor_type": "Idefics2ImageProcessor", "size": {"shortest_edge": 378, "longest_edge": 980},
        "do_image_splitting": split, "do_pad": True, "resample": 2, "image_mean": HALF, "image_std": HALF,
    }  # fmt: skip
    return Published((name, *aliases), config, preprocessor, SEEN, processor={"image_seq_len": 64}, notes=(SHARED,))


FAMILY = Family(
    name="Idefics2",
    model_types=("idefics2",),
    read=read,
    published=(
        _published("HuggingFaceM4/idefics2-8b", "idefics2", "idefics2-8b", split=True),
        _published("HuggingFaceM4/idefics2-8b-chatty", "idefics2-8b-chatty", split=True),
        _published("HuggingFaceM4/idefics2-8b-base", "idefics2-8b-base", split=False),
    ),
    rule=Label("verified", f"Idefics2Processor and Idefics2ImageProcessorPil of {REFERENCE}"),
    settings=("size", "do_image_splitting", "resample", "image_mean", "image_std"),
    weights=_weights,
    examples=(
        Example("idefics2", 1280, 720, 7590, 326, "Idefics2Processor: 4 x 27 x 45 and 39 x 70 patches", 6),
        # Quarters of an odd side: 391 pixels hold 27 patches, 392 hold 28.
        Example("idefics2", 783, 783, 6050, 326, "Idefics2Processor: quarters of 27 or 28 patches a side", 6),
        Example("idefics2", 5, 3, 3645, 326, "Idefics2Processor: every view stretched to 378 x 378", 6),
        Example("idefics2-8b-base", 1280, 720, 2730, 66, "Idefics2Processor: 39 x 70 patches", 2),
    ),
    reference=Reference(
        processor="Idefics2Processor",
        image="Idefics2ImageProcessorPil",
        sees="pixel_attention_mask",
        tokens={"image_token": "<image>", "image_boundary_token": "<fake_token_around_image>"},
        placeholder="<image>",
        settings=(
            {"do_image_splitting": False},
            {"size": {"shortest_edge": 100, "longest_edge": 700}},
            {"size": {"height": 448, "width": 672}},
        ),
        thresholds=((980, 980), (1960, 378), (757, 980), (378, 378), (5, 3)),
    ),
)  # fmt: skip
