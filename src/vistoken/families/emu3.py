"""Emu3: any size, rounded to multiples of 8 pixels under a pixel budget; each 8 x 8 pixels are one code of a VQ-GAN.

`patches` are the codes. The prompt holds the grid's size as text, one token for each code, and one for the end of each
row on an image token, too. The processor divides by 8 whatever the VQ-GAN's stages.
Sources: transformers 5.23.0, `models/emu3/processing_emu3.py` and `models/emu3/image_processing_emu3.py`
(`smart_resize`); arXiv 2409.18869.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label, PixelSpec
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, HALF, pixel_values
from vistoken.prompts.sized import SizedRows
from vistoken.views.budget import PixelBudget

if TYPE_CHECKING:
    from vistoken.views.rule import ViewRule

# Emu3Processor.downsample_ratio, which no file can change.
CODE = Patch.square(8)
# Defaults of Emu3ImageProcessor. Budgets in `size` are ignored by the class, which writes them there itself.
PROCESSOR = {
    "do_resize": True, "resample": 3, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "min_pixels": 512 * 512, "max_pixels": 1024 * 1024,
    "spatial_factor": 8,
}  # fmt: skip
MARKERS = {
    "image_token": "<image>", "boi_token": "<|image start|>", "eoi_token": "<|image end|>",
    "image_wrapper_token": "<|image token|>", "eof_token": "<|extra_201|>", "bos_token": "<|extra_203|>",
}  # fmt: skip


def read(files: Files) -> Reading:
    """The budgets from the preprocessor."""
    prompt = SizedRows(
        image_token=MARKERS["image_token"],
        start=MARKERS["boi_token"],
        wrapper=MARKERS["image_wrapper_token"],
        last=MARKERS["eof_token"],
        end=MARKERS["eoi_token"],
    )
    return Reading(None, *_rule(files.image), prompt)


def _rule(image: Config | None) -> tuple[ViewRule | None, PixelSpec | None]:
    if image is None:
        return None, None
    processor = image.with_defaults(PROCESSOR, f"Emu3ImageProcessor in {REFERENCE}")
    filter = processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):
        from vistoken.views.fixed import Native  # rare, and start-up counts

        return Native(None, filter, CODE), pixel_values(processor)
    low, high = processor.integer("min_pixels", high=10**12), processor.integer("max_pixels", high=10**12)
    if low > high:
        raise processor.error("min_pixels", low, f"it must not be more than max_pixels, which is {high:,}")
    multiple = processor.integer("spatial_factor", high=4096)
    return PixelBudget(multiple, low, high, filter, CODE), pixel_values(processor)


def _published(name: str, alias: str) -> Published:
    config = {"model_type": "emu3", "vq_config": {"model_type": "emu3_vqgan", "channel_multiplier": [1, 2, 2, 4]}}
    preprocessor = {"image_processor_type": "Emu3ImageProcessor", "min_pixels": 262_144, "max_pixels": 1_048_576,
                    "spatial_factor": 8, "resample": 3, "image_mean": HALF, "image_std": HALF}  # fmt: skip
    return Published((f"BAAI/{name}", f"Emu3-community/{name}", alias), config, preprocessor, SEEN, "emu3")


FAMILY = Family(
    name="Emu3",
    model_types=("emu3",),
    read=read,
    published=(
        _published("Emu3-Chat-hf", "emu3-chat"),
        _published("Emu3-Gen-hf", "emu3-gen"),
    ),
    rule=Label("verified", f"Emu3Processor and Emu3ImageProcessor of {REFERENCE}"),
    settings=("min_pixels", "max_pixels", "spatial_factor", "resample", "image_mean", "image_std"),
    examples=(
        Example("emu3-chat", 1280, 720, 14_400, 14_494, "Emu3Processor: 90 rows of 160 + 1, and 4 tokens", 4),
        Example("emu3-chat", 100, 100, 4096, 4164, "Emu3Processor: enlarged to 64 rows of 64 + 1", 4),
        # A side under half a multiple becomes 0, so that the minimum decides.
        Example("emu3-gen", 1200, 6, 4530, 4539, "Emu3Processor: 5 rows of 906 + 1", 4),
        Example("emu3-chat", 1280, 720, 4641, 4696, "Emu3ImageProcessor with max_pixels 300,000: 51 rows of 91 + 1", 4,
                {"max_pixels": 300_000}),
    ),
    reference=Reference(
        processor="Emu3Processor",
        image="Emu3ImageProcessor",
        sees="image_sizes",
        tokens=MARKERS,
        built=("min_pixels", "max_pixels", "spatial_factor"),
        settings=({"max_pixels": 400_000}, {"min_pixels": 3136, "max_pixels": 600_000, "spatial_factor": 32}),
        thresholds=((512, 512), (1024, 1024), (200, 1), (12, 20)),
    ),
)  # fmt: skip
