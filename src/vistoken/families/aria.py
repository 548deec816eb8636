"""Aria: one view of 980 x 980 pixels and 256 tokens; pieces of such a size where splitting is asked for.

Sources: transformers 5.23.0, `models/aria/processing_aria.py`, `models/aria/image_processing_pil_aria.py`;
arXiv 2410.05993.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.llava_next import read_canvases
from vistoken.prompts.towers import TokensPerView
from vistoken.views.longside import LongSidePad, SplitLongSidePad

# Rows and columns of half-size pieces that AriaImageProcessor lists.
_SPLITS = ((1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (1, 7), (1, 8), (2, 4), (2, 3), (2, 2), (2, 1), (3, 1), (3, 2),
           (4, 1), (4, 2), (5, 1), (6, 1), (7, 1), (8, 1))  # fmt: skip
SPLITS = [[490 * rows, 490 * cols] for rows, cols in _SPLITS]
# Class attributes of AriaImageProcessor.
IMAGE = {
    "min_image_size": 336, "split_resolutions": SPLITS, "resample": 3, "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": HALF, "image_std": HALF,
}  # fmt: skip
PREPROCESSOR = {"image_processor_type": "AriaImageProcessor", "max_image_size": 980, "min_image_size": 336,
                "split_image": False, "split_resolutions": SPLITS, "resample": 3, "do_normalize": True,
                "image_mean": HALF, "image_std": HALF}  # fmt: skip
# The remote code's short file, of the models besides the main one.
SHORT = {"image_processor_type": "AriaVisionProcessor", "max_image_size": 980, "min_image_size": 336,
         "image_mean": HALF, "image_std": HALF}  # fmt: skip
PROCESSOR = {"processor_class": "AriaProcessor", "size_conversion": {"490": 128, "980": 256}}
SIDES = (490, 980)


def read(files: Files) -> Reading:
    """The tower's patch from config.json; AriaProcessor, not the image processor's file, decides on size and pieces.

    It passes 980 and no splitting with every call; only the caller's settings win over that.
    """
    # Idefics3VisionConfig is what AriaConfig assumes; published configs name it or their own tower.
    vision = files.config.child("vision_config").with_defaults({"patch_size": 32}, f"its class in {REFERENCE}")
    patch = vision.patch("patch_size")
    texts = files.processor.with_defaults(PROCESSOR, f"AriaProcessor in {REFERENCE}").raw("size_conversion")
    if files.image is None:
        return Reading(None, None, None)
    image = files.image.with_defaults(IMAGE, f"AriaImageProcessor in {REFERENCE}")
    rule = _rule(image, patch)
    side = rule.own_size.width if isinstance(rule, LongSidePad) else rule.piece.side
    return Reading(None, rule, pixel_values(image), TokensPerView(_tokens(files.processor, texts, side), "<|img|>"))


def _rule(image: Config, patch: Patch) -> LongSidePad | SplitLongSidePad:
    side = image.integer("max_image_size") if "max_image_size" in image.overrides else 980
    if side not in SIDES:
        raise image.error("max_image_size", side, "it must be 490 or 980")
    least = image.integer("min_image_size")
    if least > side:
        raise image.error("min_image_size", least, f"it must not be more than max_image_size, which is {side}")
    one = LongSidePad(side, least, image.choice("resample", FILTERS), patch)
    if "split_image" not in image.overrides or not image.flag("split_image"):
        return one
    return SplitLongSidePad(read_canvases(image, "split_resolutions", side), one)


def _tokens(processor: Config, conversion: object, side: int) -> int:
    """Tokens of a view of `side` pixels, from a mapping of sides, which JSON writes as strings."""
    if isinstance(conversion, dict):
        tokens = conversion.get(str(side), conversion.get(side))
        if type(tokens) is int and 0 < tokens <= 2**20:
            return tokens
    raise processor.error("size_conversion", conversion, f"it must give a number of tokens for {side}")


def _published(name: str, alias: str, preprocessor: dict[str, object] = SHORT) -> Published:
    config = {"model_type": "aria", "vision_config": {"image_size": 980, "patch_size": 14}}
    processor = PROCESSOR if preprocessor is PREPROCESSOR else {}
    return Published((name, alias), config, preprocessor, SEEN, processor=processor)


FAMILY = Family(
    name="Aria",
    model_types=("aria",),
    read=read,
    published=(
        _published("rhymes-ai/Aria", "aria", PREPROCESSOR),
        _published("rhymes-ai/Aria-Chat", "aria-chat"),
        _published("rhymes-ai/Aria-Base-8K", "aria-base-8k"),
        _published("rhymes-ai/Aria-Base-64K", "aria-base-64k"),
        _published("rhymes-ai/Aria-sequential_mlp", "aria-sequential-mlp"),
    ),
    rule=Label("verified", f"AriaProcessor and AriaImageProcessorPil of {REFERENCE}"),
    settings=("max_image_size", "min_image_size", "split_image", "split_resolutions", "resample", "image_mean",
              "image_std"),
    reference=Reference(
        processor="AriaProcessor",
        image="AriaImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<|img|>"},
        settings=(
            {"split_image": True},
            {"split_image": True, "max_image_size": 490},
            {"max_image_size": 490, "min_image_size": 490},
        ),
        thresholds=((980, 336), (336, 980), (490, 980), (1470, 490)),
    ),
    examples=(
        Example("aria", 1280, 720, 4900, 256, "AriaProcessor: one view of 980 x 980"),
        Example("aria-chat", 700, 700, 1225, 128, "AriaProcessor: one view of 490 x 490",
                arguments={"max_image_size": 490}),
        # Canvases are multiples of 490, but pieces are of 980: 1960x980 makes two, not eight.
        Example("aria", 2000, 800, 9800, 512, "AriaProcessor: two pieces of 980 x 980",
                arguments={"split_image": True}),
        Example("aria", 2000, 800, 9800, 1024, "AriaProcessor: eight pieces of 490 x 490",
                arguments={"split_image": True, "max_image_size": 490}),
    ),
)  # fmt: skip
