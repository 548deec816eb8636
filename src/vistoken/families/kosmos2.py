"""Kosmos-2: a square of 224 pixels, of which 64 queries take what the language model reads.

The processor writes the start token, 64 places and the end token, with spaces between them that its tokenizer drops;
the places are numbered words of the vocabulary, which visual embeddings replace.
Sources: transformers 5.23.0, `models/kosmos2/processing_kosmos2.py` and `models/clip/image_processing_pil_clip.py`
(`use_square_size`); arXiv 2306.14824.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Size
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, SETTINGS, standard
from vistoken.prompts.fixed import FixedTokens
from vistoken.sequence import Marker

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

# Kosmos2Processor.num_image_tokens: an argument of its call, which no file holds.
TOKENS = 64


def read(files: Files) -> Reading:
    """The patch from the vision config. The processor writes 64 places whatever `latent_query_num` says."""
    vision = files.config.child("vision_config").with_defaults(
        {"patch_size": 14}, f"Kosmos2VisionConfig in {REFERENCE}"
    )
    rule, pixels = standard(files.image, "CLIPImageProcessor", vision.patch("patch_size"), Size(height=224, width=224))
    prompt = FixedTokens(TOKENS, "<image>", (Marker("<image>"),), (Marker("</image>"),))
    return Reading(partial(_encoder, files), rule, pixels, prompt, prefix=1)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.clip_kin import kosmos2  # counting does without it

    return kosmos2(files)


def _weights() -> WeightNames:
    from vistoken.towers.clip_kin import KOSMOS2_WEIGHTS

    return KOSMOS2_WEIGHTS


FAMILY = Family(
    name="Kosmos-2",
    model_types=("kosmos-2",),
    read=read,
    published=(
        Published(
            ("microsoft/kosmos-2-patch14-224", "kosmos-2"),
            {"model_type": "kosmos-2", "latent_query_num": 64,
             "vision_config": {"patch_size": 14, "image_size": 224, "hidden_size": 1024, "num_hidden_layers": 24}},
            {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 224}, "use_square_size": True,
             "do_center_crop": True, "crop_size": {"height": 224, "width": 224}, "resample": 3,
             "image_mean": CLIP_MEAN, "image_std": CLIP_STD},
            SEEN,
        ),
    ),
    rule=Label("verified", f"CLIPImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        Example("kosmos-2", 1280, 720, 256, 66, "Kosmos2Processor: num_image_tokens 64, start and end", 2),
        # use_square_size: stretched, not cut, though the file says shortest_edge and a crop.
        Example("kosmos-2", 100, 3000, 256, 66, "Kosmos2Processor and CLIPImageProcessor.__init__", 2),
        Example("kosmos-2", 640, 480, 576, 66, "Kosmos2Processor: the places stay as they are", 2,
                {"size": {"height": 336, "width": 336}, "crop_size": 336}),
    ),
    weights=_weights,
    reference=Reference(
        processor="Kosmos2Processor",
        image="CLIPImageProcessorPil",
        sees="pixel_values",
        text=False,
        settings=({"size": {"shortest_edge": 300}}, {"size": {"height": 300, "width": 200}, "do_center_crop": False}),
        thresholds=((224, 224), (223, 448)),
    ),
)  # fmt: skip
