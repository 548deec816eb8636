"""PaliGemma and PaliGemma 2: one fixed size, and a token for each patch.

Sources: transformers 5.23.0, `models/paligemma/processing_paligemma.py` and `convert_paligemma_weights_to_hf.py`;
arXiv 2407.07726, 2412.03555.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import (
    REFERENCE,
    SCRIPT,
    Example,
    Family,
    Files,
    Published,
    Reading,
    Reference,
    table_of,
)
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF, SETTINGS, standard
from vistoken.prompts.fixed import FixedTokens

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

# Of PaliGemmaConfig where a file has no vision config at all, and of SiglipVisionConfig, which completes one.
VISION, SIGLIP = {"patch_size": 14, "image_size": 224}, {"patch_size": 16, "image_size": 224}
TEMPLATE = "the processor writes <bos> after the last picture and a newline after the prompt"


def read(files: Files) -> Reading:
    """The tokens from the preprocessor, as the processor takes them; a file without them has one for each patch."""
    encoder = partial(_encoder, files)
    given = files.config.child("vision_config")
    vision = given.with_defaults(SIGLIP if given.values else VISION, f"PaliGemmaConfig in {REFERENCE}")
    patch = vision.patch("patch_size")
    table, size = table_of(vision, patch)
    rule, pixels = standard(files.image, "SiglipImageProcessor", patch, size)
    tokens = table.patches
    if files.image is not None and files.image.has("image_seq_length"):
        tokens = files.image.integer("image_seq_length")
    return Reading(encoder, rule, pixels, FixedTokens(tokens, "<image>", template=TEMPLATE))


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.paligemma import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.paligemma import WEIGHTS

    return WEIGHTS


# SigLIP SO400M/14 without its head. What it is projected to is the LLM's width: Gemma's, or that of a Gemma 2.
SO400M = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16,
          "patch_size": 14, "vision_use_head": False}  # fmt: skip
PROJECTION = {"paligemma-3b": 2048, "paligemma2-3b": 2304, "paligemma2-10b": 3584, "paligemma2-28b": 4608}


def _series(side: int, series: str, *names: str) -> tuple[Published, ...]:
    return tuple(_published(side, series, name) for name in names)


def _published(side: int, series: str, name: str) -> Published:
    alias = name.removeprefix("google/")
    width = PROJECTION["-".join(alias.split("-")[:2])]
    config = {"model_type": "paligemma", "projection_dim": width, "vision_config": SO400M | {"image_size": side}}
    preprocessor = {
        "image_processor_type": "SiglipImageProcessor", "size": {"height": side, "width": side}, "resample": 3,
        "image_mean": HALF, "image_std": HALF, "image_seq_length": (side // 14) ** 2,
    }  # fmt: skip
    return Published((name, alias), config, preprocessor, SCRIPT, series)


FAMILY = Family(
    name="PaliGemma",
    model_types=("paligemma",),
    read=read,
    published=(
        *_series(
            224, "paligemma-224",
            "google/paligemma-3b-pt-224",
            "google/paligemma-3b-mix-224",
            "google/paligemma2-3b-pt-224",
            "google/paligemma2-3b-mix-224",
            "google/paligemma2-10b-pt-224",
            "google/paligemma2-10b-mix-224",
            "google/paligemma2-28b-pt-224",
            "google/paligemma2-28b-mix-224",
        ),
        *_series(
            448, "paligemma-448",
            "google/paligemma-3b-pt-448",
            "google/paligemma-3b-mix-448",
            "google/paligemma2-3b-pt-448",
            "google/paligemma2-3b-mix-448",
            "google/paligemma2-3b-ft-docci-448",
            "google/paligemma2-10b-pt-448",
            "google/paligemma2-10b-mix-448",
            "google/paligemma2-10b-ft-docci-448",
            "google/paligemma2-28b-pt-448",
            "google/paligemma2-28b-mix-448",
        ),
        *_series(
            896, "paligemma-896",
            "google/paligemma-3b-pt-896",
            "google/paligemma2-3b-pt-896",
            "google/paligemma2-10b-pt-896",
            "google/paligemma2-28b-pt-896",
        ),
    ),
    rule=Label("verified", f"PaliGemmaProcessor and SiglipImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=_weights,
    examples=(
        Example("paligemma-224", 1280, 720, 256, 256, "PaliGemmaProcessor: image_seq_length of the file"),
        Example("paligemma-448", 1, 1, 1024, 1024, "PaliGemmaProcessor: image_seq_length of the file"),
        Example("paligemma-896", 3000, 30, 4096, 4096, "PaliGemmaProcessor: image_seq_length of the file"),
    ),
    reference=Reference(
        processor="PaliGemmaProcessor",
        image="SiglipImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image>", "bos_token": "<bos>", "eos_token": "<eos>"},
        settings=({"size": {"height": 336, "width": 336}}, {"size": {"height": 224, "width": 448}, "resample": 2}),
        thresholds=((224, 224), (448, 448), (896, 896)),
    ),
)  # fmt: skip
