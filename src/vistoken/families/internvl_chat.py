"""InternVL checkpoints as their vendor publishes them (`internvl_chat`): tiles by aspect ratio, and an overview.

The vendor's code chooses the grid by the rule that transformers took over; it lists grids of equally many tiles in
another order, which decides exact ties alone and was found to change none of those between neighbouring ratios.
Sources: `modeling_internvl_chat.py`, `configuration_internvl_chat.py` and the model cards' `dynamic_preprocess` of
OpenGVLab's repositories; arXiv 2404.16821, 2412.05271.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import RECALLED, Example, Family, Files, Published, Reading
from vistoken.geometry import Patch, Size
from vistoken.model_spec import Label, PixelSpec, VideoSpec
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from vistoken.processors.got_ocr2 import tile_range, tile_size
from vistoken.prompts.tiles import TilesInOneRun

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.views.rule import ViewRule
    from vistoken.weight_names import WeightNames

# Defaults of InternVLChatConfig and InternVisionConfig.
CONFIG = {
    "force_image_size": None, "downsample_ratio": 0.5, "dynamic_image_size": False, "use_thumbnail": False,
    "min_dynamic_patch": 1, "max_dynamic_patch": 6,
}  # fmt: skip
VISION = {"patch_size": 14, "image_size": 224}
TEMPLATE = "the vendor's examples add line breaks after pictures and after each frame of a video"


def read(files: Files) -> Reading:
    """All of it from config.json: the vendor's code has no image processor of its own."""
    config = files.config.with_defaults(CONFIG, "the vendor's InternVLChatConfig")
    vision = files.config.child("vision_config").with_defaults(VISION, "the vendor's InternVisionConfig")
    patch = vision.patch("patch_size")
    forced = config.raw("force_image_size") is not None
    size = tile_size(config, patch, "force_image_size") if forced else tile_size(vision, patch, "image_size")
    ratio = config.number("downsample_ratio", 1e-3, 1)
    tokens = int((size.height // patch.height) ** 2 * ratio**2)
    if not tokens:
        raise config.error("downsample_ratio", ratio, f"a tile of {size} must give at least one token")
    prompt = TilesInOneRun(tokens, "<IMG_CONTEXT>", "<img>", "</img>", TEMPLATE)
    pixels = PixelSpec(mean=IMAGENET_MEAN, std=IMAGENET_STD)
    video = partial(_video, size, patch, tokens)
    return Reading(partial(_encoder, files), _rule(config, size, patch), pixels, prompt, video, prefix=1)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.intern_vit import internvl_chat  # counting does without it

    return internvl_chat(files)


def _weights() -> WeightNames:
    from vistoken.towers.intern_vit import VENDORS_WEIGHTS

    return VENDORS_WEIGHTS


def _rule(config: Config, size: Size, patch: Patch) -> ViewRule:
    from vistoken.views.fixed import Stretch
    from vistoken.views.tiles import ClosestAspect

    if not config.flag("dynamic_image_size"):
        return Stretch(size, "bicubic", patch)
    least, most = tile_range(config, ("min_dynamic_patch", "max_dynamic_patch"))
    return ClosestAspect(size, least, most, config.flag("use_thumbnail"), "bicubic", patch)


def _video(size: Size, patch: Patch, tokens: int) -> VideoSpec:
    """Every frame is one tile; which frames there are is left to the caller."""
    from vistoken.prompts.tiles import NumberedFrames
    from vistoken.views.fixed import Stretch
    from vistoken.views.video import PerFrame

    prompt = NumberedFrames(tokens, "<IMG_CONTEXT>", "<img>", "</img>", TEMPLATE)
    return VideoSpec(rule=PerFrame(Stretch(size, "bicubic", patch)), prompt=prompt)


# The published vision_config of the series' two towers, in the vendor's words: InternViT-300M-448px, and
# InternViT-6B-448px of V1.5 and V2.5, which has three layers less than the first one.
SMALL = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
         "norm_type": "layer_norm", "qkv_bias": True, "qk_normalization": False}  # fmt: skip
LARGE = {"hidden_size": 3200, "num_hidden_layers": 45, "num_attention_heads": 25, "intermediate_size": 12_800,
         "norm_type": "rms_norm", "qkv_bias": False, "qk_normalization": True}  # fmt: skip


def _published(name: str, text: int, tower: Mapping[str, Any] = SMALL) -> Published:
    """`text` is the width of the LLM that the series' papers name (arXiv 2412.05271, 2504.10479, 2508.18265)."""
    config = {"model_type": "internvl_chat", "force_image_size": 448, "downsample_ratio": 0.5, "use_thumbnail": True,
              "dynamic_image_size": True, "min_dynamic_patch": 1, "max_dynamic_patch": 12, "select_layer": -1,
              "ps_version": "v2", "llm_config": {"hidden_size": text},
              "vision_config": {"patch_size": 14, "image_size": 448, **tower}}  # fmt: skip
    return Published((f"OpenGVLab/{name}",), config, {}, RECALLED)


FAMILY = Family(
    name="InternVL (vendor's checkpoints)",
    model_types=("internvl_chat",),
    read=read,
    published=(
        _published("InternVL2-1B", 896),
        _published("InternVL2-2B", 2048),
        _published("InternVL2-4B", 3072),
        _published("InternVL2-8B", 4096),
        _published("InternVL2-26B", 6144, LARGE),
        _published("InternVL2-40B", 7168, LARGE),
        _published("InternVL2-Llama3-76B", 8192, LARGE),
        _published("InternVL2_5-1B", 896),
        _published("InternVL2_5-2B", 2048),
        _published("InternVL2_5-4B", 2048),
        _published("InternVL2_5-8B", 4096),
        _published("InternVL2_5-26B", 6144, LARGE),
        _published("InternVL2_5-38B", 5120, LARGE),
        _published("InternVL2_5-78B", 8192, LARGE),
        _published("InternVL3-1B", 896),
        _published("InternVL3-2B", 1536),
        _published("InternVL3-8B", 3584),
        _published("InternVL3-9B", 4096),
        _published("InternVL3-14B", 5120),
        _published("InternVL3-38B", 5120, LARGE),
        _published("InternVL3-78B", 8192, LARGE),
        _published("InternVL3_5-1B", 1024),
        _published("InternVL3_5-2B", 2048),
        _published("InternVL3_5-4B", 2560),
        _published("InternVL3_5-8B", 4096),
        _published("InternVL3_5-14B", 5120),
        _published("InternVL3_5-38B", 5120, LARGE),
        _published("InternVL3_5-30B-A3B", 2048),
        _published("InternVL3_5-241B-A28B", 4096, LARGE),
    ),
    rule=Label("inferred", "the vendor's `dynamic_preprocess`, compared with transformers' rule on chosen sizes"),
    settings=("force_image_size", "dynamic_image_size", "min_dynamic_patch", "max_dynamic_patch", "use_thumbnail"),
    weights=_weights,
    examples=(
        Example("OpenGVLab/InternVL3-8B", 1280, 720, 9216, 2306, "dynamic_preprocess: 8 tiles and a thumbnail", 2),
        Example("OpenGVLab/InternVL3-8B", 640, 480, 13_312, 3330, "dynamic_preprocess: 12 tiles and a thumbnail", 2),
        Example("OpenGVLab/InternVL3-8B", 448, 448, 1024, 258, "dynamic_preprocess: one tile", 2),
        Example("OpenGVLab/InternVL3-8B", 640, 480, 7168, 1794, "dynamic_preprocess: 6 tiles and a thumbnail", 2,
                {"max_dynamic_patch": 6}),
    ),
)  # fmt: skip
