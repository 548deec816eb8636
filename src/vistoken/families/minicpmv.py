"""MiniCPM-V 2.6, 4 and 4.5, MiniCPM-o 2.6: an overview and slices, each resampled to 64 tokens whatever its size.

Their processors are code on the hub, not in transformers; the rule is that of `models/minicpmv4_6`, with sides in
multiples of the patch alone, another order of ties, and fixed queries. Source: the hub code
(`image_processing_minicpmv.py`, `processing_minicpmv.py`) as described in arXiv 2408.01800; no run was compared.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import RECALLED, Example, Family, Files, Published, Reading
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import pixel_values
from vistoken.prompts.slices import Slices
from vistoken.views.slices import FirstLogAspectSlices

VENDOR = "the model's own code on the hub"
PROCESSOR = {
    "max_slice_nums": 9, "scale_resolution": 448, "patch_size": 14, "use_image_id": True, "image_feature_size": 64,
    "slice_mode": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "norm_mean": [0.5, 0.5, 0.5], "norm_std": [0.5, 0.5, 0.5],
}  # fmt: skip


def read(files: Files) -> Reading:
    """Everything stands in the preprocessor; it resizes with Pillow's bicubic filter."""
    if files.image is None:
        return Reading(None, None, None)
    processor = files.image.with_defaults(PROCESSOR, VENDOR)
    patch = Patch.square(processor.integer("patch_size", high=4096))
    rule = FirstLogAspectSlices(
        side=processor.integer("scale_resolution", high=65_536),
        most=processor.integer("max_slice_nums", high=1024),
        unit=patch.height,
        filter="bicubic",
        patch=patch,
        slicing=processor.flag("slice_mode"),
    )
    queries = processor.integer("image_feature_size", high=65_536)
    prompt = Slices("<unk>", None, queries, numbered=processor.flag("use_image_id"))
    return Reading(None, rule, pixel_values(_renamed(processor)), prompt)


def _renamed(processor: Config) -> Config:
    """The values of `norm_mean` and `norm_std` under the names that other processors give them."""
    values = {"image_mean": processor.raw("norm_mean"), "image_std": processor.raw("norm_std")}
    return processor.with_defaults({**processor.defaults, **values}, VENDOR)


SEEN_IN_PART = Label("inferred", "the preprocessor's values as an issue thread prints them, in part")


def _published(
    name: str, *aliases: str, model_type: str = "minicpmv", most: int = 9, label: Label = RECALLED
) -> Published:
    preprocessor = {"image_processor_type": "MiniCPMVImageProcessor", "max_slice_nums": most, "scale_resolution": 448,
                    "patch_size": 14, "use_image_id": True, "image_feature_size": 64, "slice_mode": True}  # fmt: skip
    return Published((name, *aliases), {"model_type": model_type}, preprocessor, label)


FAMILY = Family(
    name="MiniCPM-V",
    model_types=("minicpmv", "minicpmo"),
    read=read,
    published=(
        _published("openbmb/MiniCPM-V-2_6", "minicpm-v-2.6", label=SEEN_IN_PART),
        _published("openbmb/MiniCPM-V-4", "minicpm-v-4", label=SEEN_IN_PART),
        _published("openbmb/MiniCPM-V-4_5", "minicpm-v-4.5"),
        _published("openbmb/MiniCPM-o-2_6", "minicpm-o-2.6", model_type="minicpmo"),
        _published("openbmb/MiniCPM-o-4_5", "minicpm-o-4.5", model_type="minicpmo", most=1, label=SEEN_IN_PART),
    ),
    rule=Label("inferred", "the hub code as described; its sibling MiniCPM-V 4.6 is compared with transformers"),
    settings=("max_slice_nums", "scale_resolution", "slice_mode", "use_image_id", "norm_mean", "norm_std"),
    examples=(
        # 640 x 480 / 448^2 = 1.53: 2 or 3 slices; log(4 / 3) = 0.29 is closest to log(2 / 1) = 0.69: 1 row x 2 columns.
        # Overview: int(448 / sqrt(4 / 3)) = 387 high, 516 wide, so 28 x 37 patches. Slices of 320 x 480: 548 high and
        # 365 wide, so 39 x 26 patches. 1036 + 2 x 1014 patches; 3 x 64 tokens, 2 + 2 + 2 x 2 markers.
        Example("minicpm-v-2.6", 640, 480, 3064, 200, "by hand, see the comment", markers=8),
        Example("minicpm-v-2.6", 448, 448, 1024, 68, "one view of 448 x 448: 64 tokens, 4 markers", markers=4),
    ),
)  # fmt: skip
