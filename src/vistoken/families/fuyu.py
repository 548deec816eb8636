"""Fuyu: patches of 30 x 30 go straight into the language model, with a newline token after each row.

Counted, not encoded. The published file's `target_height` and `target_width` are an older spelling, which the
library's class does not read; they equal its own size.
Sources: transformers 5.23.0, `models/fuyu/image_processing_fuyu.py` and `models/fuyu/processing_fuyu.py`.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.prompts.rows import RowEnds
from vistoken.views.shrink import BoxCells

CONFIG = {"patch_size": 30}
# Class attributes of FuyuImageProcessor.
PROCESSOR = {
    "do_resize": True, "size": {"height": 1080, "width": 1920}, "patch_size": {"height": 30, "width": 30},
    "resample": 2, "do_pad": True, "do_normalize": True, "image_mean": HALF, "image_std": HALF, "do_rescale": True,
    "rescale_factor": 1 / 255,
}  # fmt: skip


def read(files: Files) -> Reading:
    """Patch from the config, which the preprocessor must repeat; the box from the preprocessor."""
    patch = files.config.with_defaults(CONFIG, f"FuyuConfig in {REFERENCE}").patch("patch_size")
    prompt = RowEnds("|SPEAKER|", "|NEWLINE|", "<s>")
    if files.image is None:
        return Reading(None, None, None, prompt)
    processor = files.image.with_defaults(PROCESSOR, f"FuyuImageProcessor in {REFERENCE}")
    return Reading(None, _rule(processor, patch), pixel_values(processor), prompt)


def _rule(processor: Config, patch: Patch) -> BoxCells:
    if processor.patch("patch_size") != patch:
        raise processor.error("patch_size", processor.raw("patch_size"), f"config.json says {patch}: they must agree")
    for switch in ("do_resize", "do_pad"):
        if not processor.flag(switch):
            raise processor.error(switch, processor.raw(switch), "without it most pictures are no whole patches")
    box = processor.size("size")
    if box.height % patch.height or box.width % patch.width:
        raise processor.error("size", str(box), f"its sides must be multiples of the patch, {patch}")
    return BoxCells(box, patch, processor.choice("resample", FILTERS), patch)


FAMILY = Family(
    name="Fuyu",
    model_types=("fuyu",),
    read=read,
    published=(
        Published(
            ("adept/fuyu-8b", "fuyu-8b"),
            {"model_type": "fuyu", "image_size": 300, "patch_size": 30},
            {"image_processor_type": "FuyuImageProcessor", "padding_mode": "constant", "padding_value": 1.0,
             "target_height": 1080, "target_width": 1920},
            SEEN,
        ),
    ),
    rule=Label("verified", f"FuyuProcessor and FuyuImageProcessor of {REFERENCE}"),
    settings=("size", "resample", "image_mean", "image_std"),
    examples=(
        Example("fuyu-8b", 1280, 720, 1032, 1057, "FuyuProcessor: 24 rows of 43, a newline each, and <s>", 25),
        Example("fuyu-8b", 4000, 3000, 1728, 1765, "FuyuProcessor: 36 rows of 48", 37),
        # One pixel too wide: 30 x 1920 / 1921 is cut to 29 pixels, still one row.
        Example("fuyu-8b", 1921, 30, 64, 66, "FuyuProcessor: one row of 64", 2),
        Example("fuyu-8b", 300, 300, 100, 111, "FuyuProcessor: nothing is enlarged", 11),
    ),
    reference=Reference(
        processor="FuyuProcessor",
        image="FuyuImageProcessor",
        sees="image_unpadded_heights",
        tokens={"image_token": "|SPEAKER|", "newline_token": "|NEWLINE|"},
        torchvision=True,
        settings=({"size": {"height": 300, "width": 300}}, {"size": {"height": 1500, "width": 600}}),
        thresholds=((1920, 1080), (1921, 30), (30, 1081)),
    ),
)  # fmt: skip
