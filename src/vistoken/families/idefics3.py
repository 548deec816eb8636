"""Idefics3 and the first SmolVLM: the long side to a fixed length, up to whole tiles, with tags in the text.

Sources: transformers 5.23.0, `models/idefics3/image_processing_pil_idefics3.py` and `processing_idefics3.py`;
arXiv 2408.12637, 2504.05299.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from vistoken.family import RECALLED, REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF
from vistoken.processors.idefics3 import SETTINGS, image_rule
from vistoken.prompts.tags import TaggedTiles

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 32}
PROCESSOR = {"image_seq_len": 169}


def read(files: Files) -> Reading:
    """The patch from the vision config, the tiles from the preprocessor, the tokens a tile from the processor."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"Idefics3VisionConfig in {REFERENCE}")
    rule, pixels = image_rule(files.image, vision.patch("patch_size"))
    processor = files.processor.with_defaults(PROCESSOR, f"Idefics3Processor in {REFERENCE}")
    return Reading(partial(_encoder, files), rule, pixels, TaggedTiles(processor.integer("image_seq_len")))


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.idefics3 import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.idefics3 import WEIGHTS

    return WEIGHTS


def _published(
    name: str,
    *aliases: str,
    label: Label,
    width: int,
    tower: Mapping[str, int],
    tile: int,
    long: int,
    patch: int,
    scale: int,
    tokens: int | None,
) -> Published:
    config = {
        "model_type": "idefics3",
        "scale_factor": scale,
        "text_config": {"hidden_size": width},
        "vision_config": {"image_size": tile, "patch_size": patch, **tower},
    }
    preprocessor: dict[str, Any] = {
        "image_processor_type": "Idefics3ImageProcessor", "do_image_splitting": True, "do_pad": True, "resample": 1,
        "image_mean": HALF, "image_std": HALF, "size": {"longest_edge": long},
    }  # fmt: skip
    processor: Mapping[str, Any] = {}
    if tokens is not None:  # else the files leave both to the classes' defaults
        preprocessor["max_image_size"], processor = {"longest_edge": tile}, {"image_seq_len": tokens}
    return Published((name, *aliases), config, preprocessor, label, processor=processor)


SO400M = {"hidden_size": 1152, "num_hidden_layers": 27, "num_attention_heads": 16, "intermediate_size": 4304}
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
LARGE: Mapping[str, Any] = {"tower": SO400M, "tile": 384, "long": 1536, "patch": 14, "scale": 3, "tokens": 81}
SMALL: Mapping[str, Any] = {"tower": BASE, "tile": 512, "long": 2048, "patch": 16, "scale": 4, "tokens": 64}

FAMILY = Family(
    name="Idefics3",
    model_types=("idefics3",),
    read=read,
    published=(
        _published("HuggingFaceM4/Idefics3-8B-Llama3", "idefics3", "idefics3-8b", label=SEEN, width=4096, tower=SO400M,
                   tile=364, long=1456, patch=14, scale=2, tokens=None),
        _published("HuggingFaceTB/SmolVLM-Instruct", "smolvlm1-2.2b", label=SEEN, width=2048, **LARGE),
        _published("HuggingFaceTB/SmolVLM-500M-Instruct", "smolvlm1-500m", label=SEEN, width=960, **SMALL),
        _published("HuggingFaceTB/SmolVLM-256M-Instruct", "smolvlm1-256m", label=SEEN, width=576, **SMALL),
        _published("ibm-granite/granite-docling-258M", "granite-docling-258m", label=RECALLED, width=576, **SMALL),
    ),
    rule=Label("verified", f"Idefics3Processor and Idefics3ImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=_weights,
    examples=(
        Example("idefics3", 1280, 720, 8788, 2224, "Idefics3Processor: 3 x 4 tiles and the whole, 13 x 171 + 1", 27),
        # Small pictures are enlarged as far as large ones.
        Example("idefics3", 1, 1, 11_492, 2908, "Idefics3Processor: 4 x 4 tiles and the whole", 35),
        Example("idefics3", 100, 3000, 3380, 856, "Idefics3Processor: 4 x 1 tiles and the whole", 11),
        # get_number_of_image_patches of the same class says 3 x 2 tiles here: it leaves out the proportion.
        Example("idefics3", 946, 1416, 6760, 1711, "Idefics3Processor: 3 x 3 tiles and the whole", 21,
                arguments={"size": {"longest_edge": 1000}}),
        Example("idefics3", 1280, 720, 676, 172, "Idefics3Processor: one tile", 3,
                arguments={"do_image_splitting": False}),
        Example("smolvlm1-2.2b", 1280, 720, 9477, 1080, "Idefics3Processor: 3 x 4 tiles and the whole", 27),
        Example("smolvlm1-256m", 4000, 1300, 9216, 595, "Idefics3Processor: 2 x 4 tiles and the whole", 19),
    ),
    reference=Reference(
        processor="Idefics3Processor",
        image="Idefics3ImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image>", "fake_image_token": "<fake_token_around_image>",
                "global_image_token": "<global-img>", "end_of_utterance_token": "<end_of_utterance>"},
        settings=(
            {"size": {"longest_edge": 1000}},
            {"do_image_splitting": False},
            {"do_resize": False},
            {"size": {"height": 600, "width": 900}},
        ),
        thresholds=((364, 364), (1456, 364), (364, 1092), (1000, 750), (4096, 1024)),
    ),
)  # fmt: skip
