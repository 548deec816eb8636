"""Chameleon: a square of 512 pixels cut out of the middle, as 32 x 32 codes of a VQ-GAN.

`patches` are the codes: one for each 16 x 16 pixels, since each stage of the VQ-GAN but the last halves the sides.
Sources: transformers 5.23.0, `models/chameleon/processing_chameleon.py`, `image_processing_pil_chameleon.py` and
`modeling_chameleon.py` (`ChameleonVQVAEEncoder`); arXiv 2405.09818.
"""

from __future__ import annotations

from vistoken.family import REFERENCE, SCRIPT, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch, Size
from vistoken.model_spec import Label
from vistoken.preprocessing import SETTINGS, standard
from vistoken.prompts.fixed import FixedTokens
from vistoken.sequence import Marker

VQ = {"channel_multiplier": (1, 1, 2, 2, 4)}
PROCESSOR = {"image_seq_length": 1024}
MARKERS = {"image_token": "<image>", "boi_token": "<racm3:break>", "eoi_token": "<eoss>"}


def read(files: Files) -> Reading:
    """The codes of a side from the VQ-GAN's stages; the number of tokens from the processor."""
    vq = files.config.child("vq_config").with_defaults(VQ, f"ChameleonVQVAEConfig in {REFERENCE}")
    stages = vq.raw("channel_multiplier")
    if not isinstance(stages, list | tuple) or not 1 <= len(stages) <= 12:
        raise vq.error("channel_multiplier", stages, "it must be a list of 1 to 12 numbers, one for each stage")
    patch = Patch.square(2 ** (len(stages) - 1))
    rule, pixels = standard(files.image, "ChameleonImageProcessor", patch, Size(height=512, width=512))
    processor = files.processor.with_defaults(PROCESSOR, f"ChameleonProcessor in {REFERENCE}")
    tokens = processor.integer("image_seq_length")
    before, after = (Marker(MARKERS["boi_token"]),), (Marker(MARKERS["eoi_token"]),)
    return Reading(None, rule, pixels, FixedTokens(tokens, MARKERS["image_token"], before, after))


def _published(name: str, alias: str) -> Published:
    config = {"model_type": "chameleon", "vq_config": {"channel_multiplier": [1, 1, 2, 2, 4], "resolution": 512}}
    preprocessor = {"image_processor_type": "ChameleonImageProcessor", "size": {"shortest_edge": 512}, "resample": 1,
                    "do_center_crop": True, "crop_size": {"height": 512, "width": 512},
                    "rescale_factor": 0.0078}  # fmt: skip
    return Published((name, alias), config, preprocessor, SCRIPT, "chameleon", {"image_seq_length": 1024})


FAMILY = Family(
    name="Chameleon",
    model_types=("chameleon",),
    read=read,
    published=(
        _published("facebook/chameleon-7b", "chameleon-7b"),
        _published("facebook/chameleon-30b", "chameleon-30b"),
    ),
    rule=Label("verified", f"ChameleonProcessor and ChameleonImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        Example("chameleon-7b", 1280, 720, 1024, 1026, "ChameleonProcessor: 32 x 32, one token before and after", 2),
        Example("chameleon-30b", 100, 3000, 1024, 1026, "ChameleonProcessor: the middle of 512x15360", 2),
        Example("chameleon-7b", 512, 512, 256, 1026, "ChameleonProcessor: image_seq_length does not follow size", 2,
                {"size": {"height": 256, "width": 256}, "crop_size": 256}),
    ),
    reference=Reference(
        processor="ChameleonProcessor",
        image="ChameleonImageProcessorPil",
        sees="pixel_values",
        tokens=MARKERS,
        settings=({"size": {"height": 640, "width": 640}}, {"size": {"shortest_edge": 300}, "do_center_crop": False}),
        thresholds=((512, 512), (511, 1024)),
    ),
)  # fmt: skip
