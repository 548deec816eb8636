"""Kosmos-2.5: the picture fills up to 4096 whole patches, of which 2048 queries take what the language model reads.

`patches` are the real ones; the tensor is filled up with empty rows to the budget, which the attention masks.
Sources: transformers 5.23.0, `models/kosmos2_5/processing_kosmos2_5.py` and
`models/kosmos2_5/image_processing_pil_kosmos2_5.py`; arXiv 2309.11419.
"""

from __future__ import annotations

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.processors.pix2struct import SETTINGS, image_rule
from vistoken.prompts.fixed import FixedTokens
from vistoken.sequence import Marker
from vistoken.views.patches_budget import FillPatchesByRoot

# Kosmos2_5Processor.images_kwargs, which win over the image processor's own file.
BUDGET = 4096
MARKERS = {"image_token": "<s>", "boi_token": "<image>", "eoi_token": "</image>"}


def read(files: Files) -> Reading:
    """The patch from the preprocessor; the number of tokens from the processor."""
    rule, pixels = image_rule(files.image, FillPatchesByRoot, BUDGET, f"Kosmos2_5ImageProcessor in {REFERENCE}")
    processor = files.processor.with_defaults({"num_image_tokens": 2048}, f"Kosmos2_5Processor in {REFERENCE}")
    before, after = (Marker(MARKERS["boi_token"]),), (Marker(MARKERS["eoi_token"]),)
    prompt = FixedTokens(processor.integer("num_image_tokens"), MARKERS["image_token"], before, after)
    return Reading(None, rule, pixels, prompt)


def _published(*names: str) -> Published:
    config = {"model_type": "kosmos-2.5", "latent_query_num": 2048, "vision_config": {"max_num_patches": 4096}}
    return Published(names, config, {"image_processor_type": "Kosmos2_5ImageProcessor"}, SEEN)


FAMILY = Family(
    name="Kosmos-2.5",
    model_types=("kosmos-2.5",),
    read=read,
    published=(
        _published("microsoft/kosmos-2.5", "kosmos-2.5"),
        _published("microsoft/kosmos-2.5-chat", "kosmos-2.5-chat"),
    ),
    rule=Label("verified", f"Kosmos2_5ImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
    ),
    reference=Reference(
        processor="",
        image="Kosmos2_5ImageProcessorPil",
        sees="flattened_patches",
        text=False,
        settings=({"max_patches": 1000}, {"max_patches": 7}),
        thresholds=((1024, 1024), (4096, 1), (1, 4096)),
    ),
)  # fmt: skip
