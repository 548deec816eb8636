"""SmolVLM2: pictures as Idefics3 reads them, and videos of one tile a frame with their times in the text.

Sources: transformers 5.23.0, `models/smolvlm/image_processing_pil_smolvlm.py`, `processing_smolvlm.py` and
`video_processing_smolvlm.py`; arXiv 2504.05299.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.model_spec import Label
from vistoken.preprocessing import HALF
from vistoken.processors.idefics3 import SETTINGS, VIDEO_SETTINGS, image_rule, video_rule
from vistoken.prompts.tags import NarratedFrames, TaggedTiles

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 32}
PROCESSOR = {"image_seq_len": 169}


def read(files: Files) -> Reading:
    """The patch from the vision config, the tiles from the preprocessor, the tokens a tile from the processor."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"SmolVLMVisionConfig in {REFERENCE}")
    patch = vision.patch("patch_size")
    rule, pixels = image_rule(files.image, patch)
    processor = files.processor.with_defaults(PROCESSOR, f"SmolVLMProcessor in {REFERENCE}")
    tokens = processor.integer("image_seq_len")
    video = partial(video_rule, files.video, patch, NarratedFrames(tokens))
    return Reading(partial(_encoder, files), rule, pixels, TaggedTiles(tokens), video)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.idefics3 import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.idefics3 import WEIGHTS

    return WEIGHTS


def _published(
    name: str,
    *aliases: str,
    width: int,
    tower: Mapping[str, int],
    tile: int,
    long: int,
    patch: int,
    scale: int,
    tokens: int,
) -> Published:
    config = {
        "model_type": "smolvlm",
        "scale_factor": scale,
        "text_config": {"hidden_size": width},
        "vision_config": {"image_size": tile, "patch_size": patch, **tower},
    }
    preprocessor = {
        "image_processor_type": "SmolVLMImageProcessor", "do_image_splitting": True, "do_pad": True, "resample": 1,
        "image_mean": HALF, "image_std": HALF, "size": {"longest_edge": long}, "max_image_size": {"longest_edge": tile},
        "video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": tile}},
    }  # fmt: skip
    # No video file of its own: the image processor's values serve videos too.
    return Published(
        (name, *aliases), config, preprocessor, SEEN, processor={"image_seq_len": tokens}, video=preprocessor
    )


SO400M = {"hidden_size": 1152, "num_hidden_layers": 27, "num_attention_heads": 16, "intermediate_size": 4304}
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
SMALL: Mapping[str, Any] = {"tower": BASE, "tile": 512, "long": 2048, "patch": 16, "scale": 4, "tokens": 64}

FAMILY = Family(
    name="SmolVLM2",
    model_types=("smolvlm",),
    read=read,
    published=(
        _published("HuggingFaceTB/SmolVLM2-2.2B-Instruct", "smolvlm2-2.2b", "smolvlm2", "smolvlm", "smolvlm-2.2b",
                   width=2048, tower=SO400M, tile=384, long=1536, patch=14, scale=3, tokens=81),
        _published("HuggingFaceTB/SmolVLM2-500M-Video-Instruct", "smolvlm2-500m", "smolvlm-500m", width=960, **SMALL),
        _published("HuggingFaceTB/SmolVLM2-256M-Video-Instruct", "smolvlm2-256m", "smolvlm-256m", width=576, **SMALL),
    ),
    rule=Label("verified", f"SmolVLMProcessor, SmolVLMImageProcessorPil and SmolVLMVideoProcessor of {REFERENCE}"),
    settings=SETTINGS + VIDEO_SETTINGS,
    weights=_weights,
    examples=(
        Example("smolvlm", 1280, 720, 9477, 1080, "SmolVLMProcessor: 3 x 4 tiles and the whole, 13 x (81 + 2) + 1", 27),
        Example("smolvlm-256m", 1280, 720, 13_312, 859, "SmolVLMProcessor: 3 x 4 tiles and the whole", 27),
        Example("smolvlm-256m", 4000, 1300, 9216, 595, "SmolVLMProcessor: 2 x 4 tiles and the whole", 19),
        Example("smolvlm-500m", 1280, 720, 64 * 1024, 64 * 67, "SmolVLMVideoProcessor: 512 x 512 a frame", 64 * 3,
                arguments={"duration": 600.0, "fps": 30.0}),
    ),
    reference=Reference(
        processor="SmolVLMProcessor",
        image="SmolVLMImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image>", "fake_image_token": "<fake_token_around_image>",
                "global_image_token": "<global-img>", "end_of_utterance_token": "<end_of_utterance>"},
        video="SmolVLMVideoProcessor",
        sees_video="frames of pixel_values",
        settings=(
            {"size": {"longest_edge": 1000}},
            {"do_image_splitting": False},
        ),
        thresholds=((384, 384), (1536, 384), (384, 1152), (1000, 750)),
    ),
)  # fmt: skip
