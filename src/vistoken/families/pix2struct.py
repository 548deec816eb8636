"""Pix2Struct, DePlot and MatCha: the picture fills up to 2048 whole patches, which the text decoder reads.

Nothing stands in the decoder's own input: the patches are read by cross-attention. `patches` are the real ones; the
tensor is filled up with empty rows to the budget, which the attention masks. Models that answer questions draw the
question above the picture first, in a font of their own: their counts are of the picture alone.
Sources: transformers 5.23.0, `models/pix2struct/processing_pix2struct.py` and
`models/pix2struct/image_processing_pil_pix2struct.py`; arXiv 2210.03347, 2212.10505.
"""

from __future__ import annotations

from vistoken.family import RECALLED, REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.processors.pix2struct import SETTINGS, image_rule
from vistoken.views.patches_budget import FillPatchesByPower

# Pix2StructProcessor.images_kwargs, which win over the image processor's own file: pix2struct-large has 4096 there.
BUDGET = 2048
HEADER = (
    "the processor draws the question above the picture before all else, which changes the aspect ratio and by that "
    "the grid: this count is of the picture without it"
)


def read(files: Files) -> Reading:
    """The patch from the preprocessor, which also says whether a question is drawn."""
    rule, pixels = image_rule(files.image, FillPatchesByPower, BUDGET, f"Pix2StructImageProcessor in {REFERENCE}")
    asks = files.image is not None and files.image.has("is_vqa") and files.image.flag("is_vqa")
    return Reading(None, rule, pixels, notes=(HEADER,) if asks else ())


def _published(name: str, label: Label = SEEN, budget: int = 2048, asks: bool = True) -> Published:
    preprocessor = {"image_processor_type": "Pix2StructImageProcessor", "max_patches": budget,
                    "patch_size": {"height": 16, "width": 16}} | ({"is_vqa": True} if asks else {})  # fmt: skip
    return Published((f"google/{name}", name), {"model_type": "pix2struct"}, preprocessor, label)


FAMILY = Family(
    name="Pix2Struct",
    model_types=("pix2struct",),
    read=read,
    published=(
        _published("pix2struct-base", asks=False),
        _published("pix2struct-large", budget=4096),
        _published("pix2struct-docvqa-base"),
        _published("pix2struct-screen2words-base"),
        _published("pix2struct-textcaps-base", RECALLED, asks=False),
        _published("deplot"),
    ),
    rule=Label("verified", f"Pix2StructProcessor and Pix2StructImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
    ),
    reference=Reference(
        processor="Pix2StructProcessor",
        image="Pix2StructImageProcessorPil",
        sees="flattened_patches",
        text=False,
        call={"is_vqa": False},
        settings=({"max_patches": 1000}, {"max_patches": 7}),
        thresholds=((1024, 1024), (2048, 1), (1, 2048)),
    ),
)  # fmt: skip
