"""UDOP: a square of 224 or 512 pixels, whose patches the encoder reads together with the words on the page.

The processor writes no token for the picture: patches under a word are merged with it, the others stand behind the
text. The words come from OCR or from the caller.
Sources: transformers 5.23.0, `models/udop/processing_udop.py`, `models/udop/modeling_udop.py` and
`models/layoutlmv3/image_processing_pil_layoutlmv3.py`; arXiv 2212.02623.
"""

from __future__ import annotations

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Size
from vistoken.model_spec import Label
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD, SETTINGS, standard


def read(files: Files) -> Reading:
    """The patch from the config; the size from the preprocessor."""
    config = files.config.with_defaults({"patch_size": 16}, f"UdopConfig in {REFERENCE}")
    patch = config.patch("patch_size")
    return Reading(None, *standard(files.image, "LayoutLMv3ImageProcessor", patch, Size(height=224, width=224)))


def _published(name: str, side: int) -> Published:
    preprocessor = {"image_processor_type": "LayoutLMv3ImageProcessor", "size": {"height": side, "width": side},
                    "resample": 2, "apply_ocr": True, "image_mean": IMAGENET_MEAN,
                    "image_std": IMAGENET_STD}  # fmt: skip
    config = {"model_type": "udop", "image_size": side, "patch_size": 16}
    return Published((f"microsoft/{name}", name), config, preprocessor, SEEN)


FAMILY = Family(
    name="UDOP",
    model_types=("udop",),
    read=read,
    published=(
        _published("udop-large", 224),
        _published("udop-large-512", 512),
        _published("udop-large-512-300k", 512),
    ),
    rule=Label("verified", f"LayoutLMv3ImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        Example("udop-large", 1280, 720, 196, 196, "LayoutLMv3ImageProcessorPil: 224 / 16 = 14 a side"),
        Example("udop-large-512", 595, 842, 1024, 1024, "LayoutLMv3ImageProcessorPil: 512 / 16 = 32 a side"),
        Example("udop-large", 1, 3000, 400, 400, "LayoutLMv3ImageProcessorPil: one number is a square",
                arguments={"size": 320}),
    ),
    reference=Reference(
        processor="",
        image="LayoutLMv3ImageProcessorPil",
        sees="pixel_values",
        text=False,
        call={"apply_ocr": False},  # another program, which decides nothing about the picture
        settings=({"size": {"height": 320, "width": 240}}, {"size": 250}),
        thresholds=((224, 224),),
    ),
)  # fmt: skip
