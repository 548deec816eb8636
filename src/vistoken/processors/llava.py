"""LlavaProcessor and its kin: what the vision tower makes of a picture, and which of its tokens the prompt keeps.

Sources: transformers 5.23.0, `models/llava/processing_llava.py`, `models/llava/image_processing_pil_llava.py`; for
folders without a processor_config.json, what the model itself would need: `models/llava/configuration_llava.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import REFERENCE, Files
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.preprocessing import (
    CLIP_MEAN,
    CLIP_STD,
    FILTERS,
    PROCESSORS,
    pixel_values,
    processor_name,
    resize_rule,
    short_side,
    standard,
)

if TYPE_CHECKING:
    from vistoken.model_spec import PixelSpec, VideoSpec
    from vistoken.prompts.layout import VideoLayout
    from vistoken.views.rule import ViewRule

# Towers by the `model_type` of the vision config: class tokens, and what their own config class assumes.
TOWERS: Mapping[str, tuple[int, Mapping[str, Any]]] = {
    "clip_vision_model": (1, {"patch_size": 32, "image_size": 224}),
    "siglip_vision_model": (0, {"patch_size": 16, "image_size": 224}),
    # FastViT's four stages and two more divide each side by 64 (arXiv 2412.13303).
    "timm_wrapper": (0, {"patch_size": 64, "image_size": 1024}),
}
# The vision config that the model's config class assumes where there is none.
CLIP_336 = {"model_type": "clip_vision_model", "patch_size": 14, "image_size": 336}
# The same with the shape of CLIP L/14, and the files beside it: those of LLaVA 1.5 and ViP-LLaVA.
CLIP_VISION = CLIP_336 | {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
                          "num_attention_heads": 16}  # fmt: skip
CLIP_PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": 336}, "resample": 3,
    "do_center_crop": True, "crop_size": {"height": 336, "width": 336}, "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
}  # fmt: skip
CLIP_PROCESSOR = {
    "processor_class": "LlavaProcessor", "image_token": "<image>", "num_additional_image_tokens": 1, "patch_size": 14,
    "vision_feature_select_strategy": "default",
}  # fmt: skip
STRATEGIES = {"default": 1, "full": 0}
# What transformers' video processors of this kin assume, as their image processors do.
VIDEO = {**PROCESSORS["CLIPImageProcessor"], "default_to_square": False, "num_frames": None, "fps": None}
VIDEO_SETTINGS = ("num_frames", "sampling_fps")


@frozen
class Tower:
    """A vision tower: `prefix` class tokens a view, of which the processor counts `kept` in and takes `dropped` away.

    `image` is the size that the tower was trained for.
    """

    patch: Patch
    prefix: int
    kept: int
    dropped: int
    image: Size

    @property
    def change(self) -> int:
        """Image tokens of a view, less its patches."""
        return self.kept - self.dropped


def read_tower(
    files: Files,
    default: Mapping[str, Any] = CLIP_336,
    strategy: str = "default",
    processor: Mapping[str, Any] | None = None,
) -> Tower:
    """The tower from the vision config; what is kept of its tokens from the processor.

    `default` is the vision config, and `strategy` the selection, that the model's config class assumes; `processor`
    holds the defaults of a processor class that can do without a file.
    """
    given = files.config.child("vision_config")
    assumed = given.with_defaults(default, f"the model's config class in {REFERENCE}")
    prefix, own = assumed.choice("model_type", TOWERS)
    vision = given.with_defaults(own, f"the tower's config class in {REFERENCE}") if given.values else assumed
    patch, image = vision.patch("patch_size"), vision.size("image_size")
    texts = files.processor.with_defaults(
        {"num_additional_image_tokens": 0, "vision_feature_select_strategy": None, **(processor or {})},
        f"the model's processor in {REFERENCE}",
    )
    if "patch_size" not in {**texts.defaults, **texts.values}:
        # Folders from before processors wrote their text themselves: the tower says what the prompt must hold.
        model = files.config.with_defaults({"vision_feature_select_strategy": strategy}, f"its class in {REFERENCE}")
        return Tower(patch, prefix, prefix, model.choice("vision_feature_select_strategy", STRATEGIES), image)
    written = texts.patch("patch_size")
    if vision.has("patch_size") and written != patch:
        raise texts.error("patch_size", str(written), f"config.json says {patch}: the two must agree")
    kept = texts.integer("num_additional_image_tokens", low=0, high=1024)
    selection = texts.raw("vision_feature_select_strategy")  # null keeps all, as "full" does
    dropped = 0 if selection is None else texts.choice("vision_feature_select_strategy", STRATEGIES)
    return Tower(written, prefix, kept, dropped, image)


def image_rule(image: Config | None, tower: Tower) -> tuple[ViewRule | None, PixelSpec | None]:
    """The view rule and the pixel values of the image processor that the folder names."""
    if image is None:
        return None, None
    name = processor_name(image, "LlavaImageProcessor")
    if name == "LlavaImageProcessor":
        defaults = {**PROCESSORS[name], "do_pad": False, "default_to_square": False}
        processor = image.with_defaults(defaults, f"{name} in {REFERENCE}")
        if processor.flag("do_pad"):
            return _squared(processor, tower.patch), pixel_values(processor)
    return standard(image, name, tower.patch, tower.image)


def _squared(processor: Config, patch: Patch) -> ViewRule:
    from vistoken.processors.background import mean_colour
    from vistoken.views.pinpoints import SquareCanvas
    from vistoken.views.steps import BLACK

    if not processor.flag("do_resize"):
        raise processor.error("do_resize", False, "with do_pad, it must be true")
    size = square_or_size(processor)
    crop = processor.size("crop_size") if processor.flag("do_center_crop") else size
    fill = mean_colour(processor, without=BLACK)
    return SquareCanvas(size, crop, processor.choice("resample", FILTERS), patch, fill)


def square_or_size(processor: Config) -> Size:
    """What `size` makes of a square picture: a short side alone is both of its sides."""
    short = short_side(processor)
    return processor.size("size") if short is None else Size(height=short, width=short)


def video_rule(
    video: Config | None, tower: Tower, prompt: VideoLayout, defaults: Mapping[str, Any], source: str
) -> VideoSpec | None:
    """Every frame resized, and perhaps cut, by itself; `defaults` are those of the video processor `source`."""
    if video is None:
        return None
    from vistoken.model_spec import VideoSpec
    from vistoken.sampling.even import even
    from vistoken.views.video import PerFrame

    processor = video.with_defaults({**VIDEO, **defaults}, f"{source} in {REFERENCE}")
    frame = resize_rule(processor, tower.patch, tower.image)
    return VideoSpec(rule=PerFrame(frame), prompt=prompt, sampling=even(processor))
