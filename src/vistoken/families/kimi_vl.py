"""Kimi-VL: shrunk to about 4096 patches, then padded to whole tokens of 28 pixels.

The vendor's code lies with the model on the hub; transformers has no such class. Patches are counted with floor and
before the padding, so that a result can hold more than the limit: 1280 x 720 becomes 4300 patches.
Sources: Kimi-VL's own `image_processing_kimi_vl.py` and `processing_kimi_vl.py` (moonshotai on the hub), as several
ports carry them; arXiv 2504.07491.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import RECALLED, Example, Family, Files, Published, Reading
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF, pixel_values
from vistoken.prompts.plain import Merged, SpaceToDepth
from vistoken.views.shrink import PatchLimit

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

SOURCE = "the vendor's hub code"
VISION = {"patch_size": 14, "merge_kernel_size": (2, 2)}
# Defaults of the vendor's KimiVLImageProcessor, but for `in_token_limit`, which every checkpoint says itself, and the
# steps to pixels, which its code does always.
PROCESSOR = {
    "patch_size": 14, "merge_kernel_size": (2, 2), "pad_input": False, "image_mean": HALF, "image_std": HALF,
    "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
}  # fmt: skip
# Patches a side at which the vendor's code refuses, since its position table ends there: "Exceed pos emb".
SIDE = 512
TEMPLATE = "the chat template adds media_start, the word image, media_content and media_end: 3 tokens and the word"
EVIDENCE = "the vendor's hub code, worked by hand: "


def read(files: Files) -> Reading:
    """Patch and merge from the vision config, which the preprocessor must repeat."""
    vision = files.config.child("vision_config").with_defaults(VISION, SOURCE)
    patch, merge = vision.patch("patch_size"), vision.patch("merge_kernel_size")
    if merge.height != merge.width:
        raise vision.error("merge_kernel_size", vision.raw("merge_kernel_size"), "it must be a square")
    prompt = Merged(SpaceToDepth(merge.height), "<|media_pad|>", template=TEMPLATE)
    encoder = partial(_encoder, files)
    if files.image is None:
        return Reading(encoder, None, None, prompt)
    processor = files.image.with_defaults(PROCESSOR, SOURCE)
    return Reading(encoder, _rule(processor, patch, merge), pixel_values(processor), prompt)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.moonvit import vl  # counting does without it

    return vl(files.config, files.built_in)


def _weights() -> WeightNames:
    from vistoken.towers.moonvit import VL_WEIGHTS

    return VL_WEIGHTS


def _rule(processor: Config, patch: Patch, merge: Patch) -> PatchLimit:
    for name, ours in (("patch_size", patch), ("merge_kernel_size", merge)):
        if processor.patch(name) != ours:
            raise processor.error(name, processor.raw(name), f"config.json says {ours}: the two must agree")
    if not processor.flag("pad_input"):
        raise processor.error("pad_input", processor.raw("pad_input"), "cropping instead of padding is not read")
    unit = Patch(patch.height * merge.height, patch.width * merge.width)
    return PatchLimit(processor.integer("in_token_limit", high=2**24), SIDE, unit, "bicubic", patch)


def _published(name: str, alias: str, limit: int, label: Label) -> Published:
    config = {"model_type": "kimi_vl", "text_config": {"hidden_size": 2048},
              "vision_config": {"patch_size": 14, "merge_kernel_size": [2, 2], "hidden_size": 1152}}  # fmt: skip
    preprocessor = {
        "image_processor_type": "KimiVLImageProcessor", "in_token_limit": limit, "merge_kernel_size": [2, 2],
        "num_pooled_tokens": 1024, "pad_input": True, "patch_size": 14, "image_mean": HALF, "image_std": HALF,
    }  # fmt: skip
    return Published((name, alias), config, preprocessor, label, series="kimi-vl")


FAMILY = Family(
    name="Kimi-VL",
    model_types=("kimi_vl",),
    read=read,
    published=(
        _published("moonshotai/Kimi-VL-A3B-Instruct", "kimi-vl-a3b", 4096,
                   Label("documented", "the values as several ports quote them; mean and deviation as remembered")),
        _published("moonshotai/Kimi-VL-A3B-Thinking", "kimi-vl-a3b-thinking", 4096, RECALLED),
        _published("moonshotai/Kimi-VL-A3B-Thinking-2506", "kimi-vl-a3b-thinking-2506", 16_384, RECALLED),
    ),
    weights=_weights,
    rule=Label("documented", "the vendor's hub code, as several ports carry it; not run"),
    settings=("in_token_limit", "image_mean", "image_std"),
    examples=(
        # 91 x 51 = 4641 whole patches: scale sqrt(4096 / 4641), 1202 x 676, padded to 1204 x 700: 86 x 50 patches.
        Example("kimi-vl-a3b", 1280, 720, 4300, 1075, EVIDENCE + "more than the limit of 4096"),
        # 45 x 34 = 1530 whole patches, nothing to shrink; padded to 644 x 504.
        Example("kimi-vl-a3b", 640, 480, 1656, 414, EVIDENCE + "46 x 36 patches"),
        # Floors leave no whole patch, so that nothing is shrunk however small; padded to one token.
        Example("kimi-vl-a3b", 13, 14, 4, 1, EVIDENCE + "padded to 28 x 28"),
        # 510 patches a side; from 7141 pixels on the padding makes it 512, which is refused.
        Example("kimi-vl-a3b", 7140, 28, 1020, 255, EVIDENCE + "510 patches a side are within 512"),
    ),
)  # fmt: skip
