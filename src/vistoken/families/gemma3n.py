"""Gemma 3n: 256 tokens for every picture, from a convolutional tower (MobileNet-V5) without patches.

The tower ends in 16 x 16 cells whatever its input; these are counted as its patches.
Sources: transformers 5.23.0, `models/gemma3n/processing_gemma3n.py`, `convert_gemma3n_weights.py` and
`modeling_gemma3n.py` (`get_image_features`).
"""

from __future__ import annotations

import math

from vistoken.configs import Config
from vistoken.family import REFERENCE, SCRIPT, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch, Size
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF, SETTINGS, standard
from vistoken.prompts.fixed import FixedTokens
from vistoken.sequence import Marker, Text

CONFIG = {"vision_soft_tokens_per_image": 256}
PROCESSOR = {"image_seq_length": 256}


def read(files: Files) -> Reading:
    """The size from the preprocessor, the cells of the tower from the config, the tokens from the processor."""
    config = files.config.with_defaults(CONFIG, f"Gemma3nConfig in {REFERENCE}")
    size, patch = _cells(config, files.image)
    rule, pixels = standard(files.image, "SiglipImageProcessor", patch, size)
    processor = files.processor.with_defaults(PROCESSOR, f"Gemma3nProcessor in {REFERENCE}")
    prompt = FixedTokens(
        processor.integer("image_seq_length"), "<image_soft_token>",
        (Text("\n\n"), Marker("<start_of_image>")), (Marker("<end_of_image>"), Text("\n\n")),
    )  # fmt: skip
    return Reading(None, rule, pixels, prompt)


def _cells(config: Config, image: Config | None) -> tuple[Size, Patch]:
    """The size of every picture, and the part of it that one cell of the tower's output stands for."""
    cells = config.integer("vision_soft_tokens_per_image", high=65_536)
    side = math.isqrt(cells)
    if side * side != cells:
        raise config.error("vision_soft_tokens_per_image", cells, "the tower ends in a square of cells")
    size = Size(height=768, width=768)
    if image is not None:
        size = image.with_defaults({"size": 224}, f"SiglipImageProcessor in {REFERENCE}").size("size")
    return size, Patch(max(1, size.height // side), max(1, size.width // side))


def _published(name: str, alias: str) -> Published:
    config = {"model_type": "gemma3n", "vision_soft_tokens_per_image": 256}
    preprocessor = {
        "image_processor_type": "SiglipImageProcessorFast", "size": {"height": 768, "width": 768}, "resample": 2,
        "do_normalize": False, "image_mean": HALF, "image_std": HALF,
    }  # fmt: skip
    return Published((name, alias), config, preprocessor, SCRIPT, "gemma-3n", processor={"image_seq_length": 256})


FAMILY = Family(
    name="Gemma 3n",
    model_types=("gemma3n",),
    read=read,
    published=(
        _published("google/gemma-3n-E2B-it", "gemma-3n-e2b"),
        _published("google/gemma-3n-E4B-it", "gemma-3n-e4b"),
    ),
    rule=Label("verified", f"Gemma3nProcessor and SiglipImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        # Nobody counts patches of a convolutional tower: the cells are ours.
        Example("gemma-3n-e2b", 1280, 720, None, 258, "Gemma3nProcessor: 256 tokens and two markers", 2),
        Example("gemma-3n-e4b", 1, 1, None, 258, "Gemma3nProcessor: the same whatever the picture", 2),
        Example("gemma-3n-e4b", 1280, 720, None, 258, "Gemma3nProcessor: the tokens do not follow the size", 2,
                arguments={"size": 512}),
    ),
    reference=Reference(
        processor="Gemma3nProcessor",
        image="SiglipImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>",
                "audio_token": "<audio_soft_token>", "boa_token": "<start_of_audio>", "eoa_token": "<end_of_audio>"},
        settings=({"size": {"height": 512, "width": 512}}, {"size": {"height": 256, "width": 768}, "resample": 3}),
        thresholds=((768, 768),),
    ),
)  # fmt: skip
