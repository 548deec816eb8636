"""PerceptionLM: the whole picture and the canvas of up to 36 tiles that it fills best, pooled 2 x 2.

Sources: transformers 5.23.0, `models/perception_lm/image_processing_perception_lm.py`,
`models/perception_lm/processing_perception_lm.py`; arXiv 2504.13180.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import REFERENCE, SIBLING, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch, Size
from vistoken.model_spec import Label, VideoSpec
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.square import MAX_TILE, MAX_TILES, square
from vistoken.prompts.canvas import PooledViews, Pooling
from vistoken.views.canvas import FullestCanvas
from vistoken.views.fixed import Stretch
from vistoken.views.rule import ViewRule

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames

CONFIG = {"vision_use_cls_token": True}
# Class attributes of PerceptionLMImageProcessor and PerceptionLMVideoProcessor.
PROCESSOR = {
    "vision_input_type": "thumb+tile", "tile_size": 448, "max_num_tiles": 36, "do_resize": True, "resample": 3,
    "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": HALF, "image_std": HALF,
}  # fmt: skip
VIDEO = {
    "size": {"height": 448, "width": 448}, "do_resize": True, "do_center_crop": False, "resample": 3,
    "num_frames": None, "fps": None,
}  # fmt: skip
# The class has no patch of its own, so this is the published one.
PROMPT = {"patch_size": 14, "pooling_ratio": 2}


def read(files: Files) -> Reading:
    """Tiles from the preprocessor; patch and pooling from the processor; the class token from the config."""
    config = files.config.with_defaults(CONFIG, f"PerceptionLMConfig in {REFERENCE}")
    processor = files.processor.with_defaults(PROMPT, "facebook/Perception-LM-1B, processor_config.json")
    patch, pooling = processor.patch("patch_size"), Pooling(processor.integer("pooling_ratio", high=64))
    prefix = int(config.flag("vision_use_cls_token"))
    video = partial(_video, files.video, patch, pooling)
    encoder = partial(_encoder, files)
    if files.image is None:
        return Reading(encoder, None, None, video=video, prefix=prefix)
    image = files.image.with_defaults(PROCESSOR, f"PerceptionLMImageProcessor in {REFERENCE}")
    prompt = PooledViews(pooling, "<|image|>")
    return Reading(encoder, _rule(image, patch), pixel_values(image), prompt, video, prefix)


def _encoder(files: Files) -> EncoderSpec:
    from vistoken.towers.perception_lm import perception_lm  # counting does without it

    return perception_lm(files)


def _weights() -> WeightNames:
    from vistoken.towers.perception_lm import WEIGHTS

    return WEIGHTS


def _rule(image: Config, patch: Patch) -> ViewRule:
    if not image.flag("do_resize"):
        raise image.error("do_resize", False, "pictures of any size are not read by this family")
    tile, filter = image.integer("tile_size", patch.height, MAX_TILE), image.choice("resample", FILTERS)
    # Every word but this one means one tile to the library.
    if image.raw("vision_input_type") == "thumb+tile":
        return FullestCanvas(tile, image.integer("max_num_tiles", high=MAX_TILES), filter, patch)
    return Stretch(Size(height=tile, width=tile), filter, patch)


def _video(video: Config | None, patch: Patch, pooling: Pooling) -> VideoSpec | None:
    if video is None:
        return None
    from vistoken.prompts.canvas import PooledFrames
    from vistoken.sampling.even import EveryFrame, even
    from vistoken.views.video import PerFrame

    values = video.with_defaults(VIDEO, f"PerceptionLMVideoProcessor in {REFERENCE}")
    for field, wanted in (("do_resize", True), ("do_center_crop", False)):
        if values.flag(field) is not wanted:
            raise values.error(field, not wanted, "frames of this family are stretched to one size")
    side = square(values, "size", patch)
    frame = Stretch(Size(height=side, width=side), values.choice("resample", FILTERS), patch)
    prompt = PooledFrames(pooling, "<|video|>")
    return VideoSpec(rule=PerFrame(frame), prompt=prompt, sampling=even(values) or EveryFrame())


def _published(name: str, alias: str, size: str, text: int) -> Published:
    """`size` of PE-lang and `text`, the width of Llama 3.2 or 3.1, are those of arXiv 2504.13180, section 3."""
    arguments = {
        "embed_dim": 1024 if size == "large" else 1536,
        "img_size": [448, 448],
        "ref_feat_shape": [32, 32],
        "global_pool": "",
    }
    config = {
        "model_type": "perception_lm", "vision_use_cls_token": size == "large", "projector_pooling_ratio": 2,
        "vision_config": {"architecture": f"vit_pe_lang_{size}_patch14_448", "model_args": arguments},
        "text_config": {"hidden_size": text},
    }  # fmt: skip
    preprocessor: dict[str, Any] = {
        "image_processor_type": "PerceptionLMImageProcessorFast", "vision_input_type": "thumb+tile", "tile_size": 448,
        "max_num_tiles": 36, "do_resize": True, "resample": 3, "image_mean": HALF, "image_std": HALF,
    }  # fmt: skip
    video: dict[str, Any] = {
        "video_processor_type": "PerceptionLMVideoProcessor", "size": {"height": 448, "width": 448}, "do_resize": True,
        "do_center_crop": False, "resample": 3, "image_mean": HALF, "image_std": HALF,
    }  # fmt: skip
    processor = {"patch_size": 14, "pooling_ratio": 2}
    notes = ("videos: every frame is looked at unless num_frames or sampling_fps is set",)
    return Published((name, alias), config, preprocessor, SIBLING, "perception-lm", processor, video, notes)


FAMILY = Family(
    name="PerceptionLM",
    model_types=("perception_lm",),
    read=read,
    published=(
        _published("facebook/Perception-LM-1B", "perception-lm-1b", "large", 2048),
        _published("facebook/Perception-LM-3B", "perception-lm-3b", "large", 3072),
        _published("facebook/Perception-LM-8B", "perception-lm-8b", "gigantic", 4096),
    ),
    rule=Label("verified", f"PerceptionLMProcessor and PerceptionLMImageProcessor of {REFERENCE}"),
    settings=("max_num_tiles", "tile_size", "vision_input_type", "resample", "image_mean", "image_std", "num_frames",
              "sampling_fps"),
    weights=_weights,
    reference=Reference(
        processor="PerceptionLMProcessor",
        image="PerceptionLMImageProcessor",
        sees="pixel_values",
        tokens={"image_token": "<|image|>", "video_token": "<|video|>"},
        video="PerceptionLMVideoProcessor",
        sees_video="frames",
        torchvision=True,
        settings=({"max_num_tiles": 9}, {"vision_input_type": "vanilla", "tile_size": 336}, {"sampling_fps": 1}),
        thresholds=((448, 448), (2688, 2688), (16128, 448), (448, 1000)),
    ),
    examples=(
        Example("perception-lm", 1280, 720, 33792, 8448, "PerceptionLMProcessor: 32 tiles and the whole, 256 each"),
        # Small pictures are enlarged to the full budget of 36 tiles.
        Example("perception-lm", 1, 1, 37888, 9472, "PerceptionLMProcessor: 36 tiles and the whole"),
        Example("perception-lm-8b", 4032, 3024, 13312, 3328, "PerceptionLMProcessor: 12 tiles and the whole"),
        Example("perception-lm", 1280, 720, 8192, 2048, "PerceptionLMProcessor: 8 frames of 256",
                arguments={"frames": 8}),
    ),
)  # fmt: skip
