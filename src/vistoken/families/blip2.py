"""BLIP-2 and InstructBLIP: a square of 224 pixels, of which 32 queries take what the language model reads.

The processor writes the image tokens before everything else, even before the token that begins the text. InstructBLIP
for videos writes four times as many, whatever the number of frames: its model makes 32 for each frame, so that only
four frames fit; a picture alone is a video of one frame.
Sources: transformers 5.23.0, `models/blip_2/processing_blip_2.py`, `models/instructblip/processing_instructblip.py`,
`models/instructblipvideo/processing_instructblipvideo.py`; arXiv 2301.12597 and 2305.06500.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch, Size
from vistoken.model_spec import Label, VideoSpec
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, SETTINGS, standard
from vistoken.prompts.fixed import FixedTokens

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.views.rule import ViewRule
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 14}
QUERIES = {"num_query_tokens": 32}
OWN = Size(height=224, width=224)
# Frames for which InstructBlipVideoProcessor writes tokens.
FRAMES = 4


def read(files: Files) -> Reading:
    """The patch from the vision config; the queries from the processor's file, or from the config without one."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"Blip2VisionConfig in {REFERENCE}")
    queries = files.processor if files.processor.has("num_query_tokens") else files.config
    tokens = queries.with_defaults(QUERIES, f"Blip2Config in {REFERENCE}").integer("num_query_tokens")
    patch = vision.patch("patch_size")
    if files.config.raw("model_type") == "instructblipvideo":
        return _videos(files, patch, tokens * FRAMES)
    rule, pixels = standard(files.image, "BlipImageProcessor", patch, OWN)
    return Reading(partial(_encoder, files), rule, pixels, FixedTokens(tokens, "<image>"), prefix=1)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.blip2 import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.blip2 import WEIGHTS

    return WEIGHTS


def _videos(files: Files, patch: Patch, tokens: int) -> Reading:
    """Frames of InstructBlipVideoVideoProcessor, which is BlipImageProcessor for each frame; it chooses none itself."""
    rule, pixels = standard(_as_pictures(files.video or files.image), "BlipImageProcessor", patch, OWN)
    video = partial(_video, rule, tokens) if rule else None
    encoder = partial(_encoder, files)
    return Reading(encoder, rule, pixels, FixedTokens(tokens, "<video>"), video, prefix=1)


def _video(frame: ViewRule, tokens: int) -> VideoSpec:
    from vistoken.prompts.runs import FixedVideo
    from vistoken.views.video import PerFrame

    return VideoSpec(rule=PerFrame(frame), prompt=FixedVideo(tokens, "<video>"))


def _as_pictures(video: Config | None) -> Config | None:
    """A video processor's file without the class's name, which `standard` would not know."""
    if video is None:
        return None
    values = {name: value for name, value in video.values.items() if not name.endswith("processor_type")}
    return Config(values, video.where, overrides=video.overrides, origins=video.origins)


def _published(name: str, alias: str, model_type: str, series: str) -> Published:
    # EVA's ViT-g without its last block: what the config classes assume, and the published files leave out.
    vision = {"hidden_size": 1408, "intermediate_size": 6144, "num_hidden_layers": 39, "num_attention_heads": 16,
              "patch_size": 14, "image_size": 224}  # fmt: skip
    config = {"model_type": model_type, "num_query_tokens": 32, "vision_config": vision}
    preprocessor = {"image_processor_type": "BlipImageProcessor", "size": {"height": 224, "width": 224}, "resample": 3,
                    "image_mean": CLIP_MEAN, "image_std": CLIP_STD}  # fmt: skip
    return Published((f"Salesforce/{name}", alias), config, preprocessor, SEEN, series, {"num_query_tokens": 32})


FAMILY = Family(
    name="BLIP-2",
    model_types=("blip-2", "instructblip", "instructblipvideo"),
    read=read,
    published=(
        _published("blip2-opt-2.7b", "blip-2-opt-2.7b", "blip-2", "blip-2"),
        _published("blip2-opt-6.7b", "blip-2-opt-6.7b", "blip-2", "blip-2"),
        _published("blip2-flan-t5-xl", "blip-2-flan-t5-xl", "blip-2", "blip-2"),
        _published("blip2-flan-t5-xxl", "blip-2-flan-t5-xxl", "blip-2", "blip-2"),
        _published("instructblip-vicuna-7b", "instructblip-7b", "instructblip", "instructblip"),
        _published("instructblip-vicuna-13b", "instructblip-13b", "instructblip", "instructblip"),
        _published("instructblip-flan-t5-xl", "instructblip-t5-xl", "instructblip", "instructblip"),
        _published("instructblip-flan-t5-xxl", "instructblip-t5-xxl", "instructblip", "instructblip"),
    ),
    rule=Label("verified", f"BlipImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=_weights,
    examples=(
        Example("blip-2-opt-2.7b", 1280, 720, 256, 32, "Blip2Processor: num_query_tokens; 224 / 14 = 16 a side"),
        Example("instructblip-7b", 1, 3000, 256, 32, "InstructBlipProcessor: num_query_tokens whatever the size"),
        Example("blip-2-flan-t5-xl", 640, 480, 676, 32, "Blip2Processor: the queries stay as they are",
                arguments={"size": 364}),
    ),
    reference=Reference(
        processor="",
        image="BlipImageProcessorPil",
        sees="pixel_values",
        text=False,
        settings=({"size": {"height": 364, "width": 280}}, {"size": {"height": 250, "width": 256}}),
        thresholds=((224, 224),),
    ),
)  # fmt: skip
