"""PP-FormulaNet: a picture of a formula in the middle of a square of 768 pixels, read by a tower of SAM's kind.

Nothing stands in the decoder's own input: of the 48 x 48 patches two convolutions of stride 2 make 144 features, which
it reads by cross-attention. Before all else, the processor cuts off margins of one colour, which only the pixels can
tell: the square is the same, the steps before it are those of a picture without margins.
Sources: transformers 5.23.0, `models/pp_formulanet/image_processing_pp_formulanet.py` and
`models/pp_formulanet/modeling_pp_formulanet.py`; arXiv 2503.18382.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import FILTERS, pixel_values
from vistoken.views.square import Thumbnail

# Class attributes of PPFormulaNetImageProcessor.
PROCESSOR = {
    "size": 768, "do_resize": True, "do_thumbnail": True, "do_pad": True, "do_align_long_axis": False,
    "do_crop_margin": True, "resample": 2, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": (0.7931, 0.7931, 0.7931), "image_std": (0.1738, 0.1738, 0.1738),
}  # fmt: skip
MARGINS = "margins of one colour are cut off first, which needs the pixels: the steps are those without margins"


def read(files: Files) -> Reading:
    """The patch from the vision config; the square from the preprocessor."""
    vision = files.config.child("vision_config").with_defaults(
        {"patch_size": 16}, f"PPFormulaNetVisionConfig in {REFERENCE}"
    )
    patch = vision.patch("patch_size")
    if files.image is None:
        return Reading(None, None, None)
    processor = files.image.with_defaults(PROCESSOR, f"PPFormulaNetImageProcessor in {REFERENCE}")
    notes = (MARGINS,) if processor.flag("do_crop_margin") else ()
    return Reading(None, _rule(processor, patch), pixel_values(processor), notes=notes)


def _rule(processor: Config, patch: Patch) -> Thumbnail:
    for name in ("do_resize", "do_thumbnail", "do_pad"):
        if not processor.flag(name):
            raise processor.error(name, False, "pictures of several sizes are not read: it must be true")
    box = processor.size("size")
    if processor.flag("do_align_long_axis") and box.height != box.width:
        raise processor.error("do_align_long_axis", True, f"turning the picture is not read: {box} must be a square")
    return Thumbnail(box, processor.choice("resample", FILTERS), patch)


def _published(name: str, alias: str) -> Published:
    config = {"model_type": "pp_formulanet", "vision_config": {"patch_size": 16, "image_size": 768}}
    preprocessor = PROCESSOR | {"image_processor_type": "PPFormulaNetImageProcessor",
                                "size": {"height": 768, "width": 768}}  # fmt: skip
    return Published((f"PaddlePaddle/{name}_safetensors", alias), config, preprocessor, SEEN)


FAMILY = Family(
    name="PP-FormulaNet",
    model_types=("pp_formulanet",),
    read=read,
    published=(
        _published("PP-FormulaNet-L", "pp-formulanet-l"),
        _published("PP-FormulaNet_plus-L", "pp-formulanet-plus-l"),
    ),
    rule=Label("verified", f"PPFormulaNetImageProcessor of {REFERENCE}"),
    settings=("size", "resample", "image_mean", "image_std"),
    examples=(
        Example("pp-formulanet-l", 1280, 720, 2304, 2304, "PPFormulaNetImageProcessor: 768 / 16 = 48 a side"),
        Example("pp-formulanet-plus-l", 700, 40, 2304, 2304, "PPFormulaNetImageProcessor: 13440x768, 768x43, padded"),
        Example("pp-formulanet-l", 640, 480, 768, 768, "PPFormulaNetImageProcessor: 24 x 32",
                arguments={"size": {"height": 384, "width": 512}}),
    ),
    reference=Reference(
        processor="",
        image="PPFormulaNetImageProcessor",
        sees="pixel_values",
        text=False,
        torchvision=True,
        settings=({"size": {"height": 384, "width": 512}}, {"size": {"height": 300, "width": 100}}),
        thresholds=((768, 768), (768, 1), (1, 769), (1537, 2)),
    ),
)  # fmt: skip
