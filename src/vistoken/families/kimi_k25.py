"""Kimi-K2.5 and K2.6: shrunk to 16,384 patches and 512 a side, padded to whole tokens; videos in chunks of 4 frames.

The published preprocessor nests its values in `media_proc_cfg`, under the vendor's names; the library's class has
names of its own. Both are read, the vendor's first.
Sources: transformers 5.23.0, `models/kimi_k25/image_processing_kimi_k25.py`, `models/kimi_k25/processing_kimi_k25.py`,
`models/kimi_k25/video_processing_kimi_k25.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vistoken.configs import Config
from vistoken.family import REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.processors.completed import agree
from vistoken.prompts.plain import Merged, SpaceToDepth
from vistoken.views.shrink import PatchAndSideLimit

if TYPE_CHECKING:
    from vistoken.model_spec import VideoSpec
    from vistoken.spec import EncoderSpec
    from vistoken.views.rule import ViewRule
    from vistoken.weight_names import WeightNames

VISION = {"patch_size": 14, "merge_kernel_size": (2, 2)}
# Class attributes of Kimi_K25ImageProcessor.
IMAGE: dict[str, Any] = {
    "patch_size": 14, "merge_size": 2, "max_patches": 16_384, "size": {"max_height": 512, "max_width": 512},
    "do_resize": True, "resample": 3, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": HALF, "image_std": HALF,
}  # fmt: skip
# Kimi_K25VideoProcessor's.
VIDEO = IMAGE | {"max_patches": 4096, "temporal_patch_size": 4, "fps": 2, "num_frames": None}
# The vendor's names in `media_proc_cfg` and the library's.
VENDOR = {
    "patch_size": "patch_size", "merge_kernel_size": "merge_size", "image_mean": "image_mean",
    "image_std": "image_std", "temporal_merge_kernel_size": "temporal_patch_size", "sample_fps": "fps",
}  # fmt: skip
# What the vendor's file may switch on beyond the library's rule.
UNREAD = ("fixed_output_tokens", "in_patch_limit_video", "max_num_frames_each_video")
TEMPLATE = "the chat template adds media_begin, the word image, media_content and media_end: 3 tokens and the word"


def read(files: Files) -> Reading:
    """Patch and merge from the vision config, which the preprocessors must repeat."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"Kimi_K25VisionConfig in {REFERENCE}")
    patch, merge = vision.patch("patch_size"), vision.patch("merge_kernel_size")
    if patch.height != patch.width or merge.height != merge.width:
        raise vision.error("merge_kernel_size", vision.raw("merge_kernel_size"), "patch and merge must be squares")
    block = SpaceToDepth(merge.height)
    prompt, video = Merged(block, "<|media_pad|>", template=TEMPLATE), partial(_video, files.video, patch, block)
    encoder = partial(_encoder, files)
    if files.image is None:
        return Reading(encoder, None, None, prompt, video)
    named = translated(files.image, "in_patch_limit")
    processor = named.with_defaults(IMAGE, f"Kimi_K25ImageProcessor in {REFERENCE}")
    return Reading(encoder, _rule(processor, patch, block.side), pixel_values(processor), prompt, video)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.moonvit import k25  # counting does without it

    return k25(files.config, files.built_in)


def _weights() -> WeightNames:
    from vistoken.towers.moonvit import K25_WEIGHTS

    return K25_WEIGHTS


def translated(file: Config, limit: str) -> Config:
    """The vendor's values under the library's names, where the file has them; `limit` names the patches at most."""
    vendor = file.child("media_proc_cfg")
    if not vendor.values:
        return file
    for name in UNREAD:
        if vendor.has(name):
            raise vendor.error(name, vendor.raw(name), "a rule beyond Kimi-K2.5's, which this family does not read")
    values: dict[str, Any] = {ours: vendor.values[theirs] for theirs, ours in VENDOR.items() if theirs in vendor.values}
    if limit in vendor.values:
        values["max_patches"] = vendor.values[limit]
    if "patch_limit_on_one_side" in vendor.values:
        side = vendor.values["patch_limit_on_one_side"]
        values["size"] = {"max_height": side, "max_width": side}
    return Config(values, f"media_proc_cfg in {file.where}", overrides=file.overrides, origins=file.origins)


def _rule(processor: Config, patch: Patch, merge: int) -> ViewRule:
    agree(processor, patch_size=patch.height, merge_size=merge)
    limit, filter = processor.integer("max_patches", high=2**24), processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):
        from vistoken.views.fixed import Native  # rare, and start-up counts

        return Native(None, filter, patch)
    unit = Patch.square(patch.height * merge)
    return PatchAndSideLimit(limit, _side(processor), unit, filter, patch)


def _side(processor: Config) -> int:
    match processor.raw("size"):
        case {"max_height": int(height), "max_width": int(width)} if height == width and 0 < height <= 65_536:
            return height
        case value:
            raise processor.error("size", value, "it must hold max_height and max_width, equal, from 1 to 65,536")


def _video(video: Config | None, patch: Patch, merge: SpaceToDepth) -> VideoSpec | None:
    if video is None:
        return None
    from vistoken.model_spec import VideoSpec
    from vistoken.prompts.timed import FirstFrame, TimedGroups, clock_face
    from vistoken.sampling.even import EveryFrame, even
    from vistoken.sequence import Marker, Text
    from vistoken.views.video import PerFrame

    named = translated(video, "in_patch_limit_each_frame")
    processor = named.with_defaults(VIDEO, f"Kimi_K25VideoProcessor in {REFERENCE}")
    group = processor.integer("temporal_patch_size", high=64)
    before = (Text("{time}"), Marker("<|media_begin|>"), Text("video"), Marker("<|media_content|>"))
    clock, after = FirstFrame(group, clock_face), (Marker("<|media_end|>"),)
    return VideoSpec(
        rule=PerFrame(_rule(processor, patch, merge.side)),
        prompt=TimedGroups(merge, "<|kimi_k25_video_placeholder|>", clock, before, after),
        sampling=even(processor) or EveryFrame(),
        encoded=False,
    )


def _published(name: str, alias: str, label: Label) -> Published:
    config = {"model_type": "kimi_k25", "text_config": {"hidden_size": 7168},
              "vision_config": {"patch_size": 14, "merge_kernel_size": [2, 2], "hidden_size": 1152}}  # fmt: skip
    media = {
        "in_patch_limit": 16_384, "patch_size": 14, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
        "merge_kernel_size": 2, "fixed_output_tokens": None, "patch_limit_on_one_side": 512,
        "in_patch_limit_each_frame": 4096, "in_patch_limit_video": None, "sample_fps": 2.0,
        "max_num_frames_each_video": None, "temporal_merge_kernel_size": 4, "timestamp_mode": "hh:mm:ss.fff",
    }  # fmt: skip
    file = {"media_proc_cfg": media}
    return Published((name, alias), config, file, label, video=file)


FAMILY = Family(
    name="Kimi-K2.5",
    model_types=("kimi_k25",),
    read=read,
    published=(
        _published("moonshotai/Kimi-K2.5", "kimi-k2.5",
                   Label("documented", "the published config.json; the preprocessor as three ports quote it")),
        _published("moonshotai/Kimi-K2.6", "kimi-k2.6",
                   Label("inferred", "the values of Kimi-K2.5, which are also the defaults of the library's class")),
    ),
    weights=_weights,
    rule=Label("verified", f"Kimi_K25Processor and its image and video processors of {REFERENCE}"),
    settings=("max_patches", "size", "sampling_fps", "resample", "image_mean", "image_std"),
    examples=(
        Example("kimi-k2.5", 1280, 720, 4784, 1196, "Kimi_K25Processor: 52 x 92 patches"),
        # The padding comes after the limit of 16,384 patches.
        Example("kimi-k2.5", 3000, 3000, 16_900, 4225, "Kimi_K25Processor: 130 x 130 patches"),
        Example("kimi-k2.5", 8000, 100, 4096, 1024, "Kimi_K25Processor: 512 patches a side at most"),
        Example("kimi-k2.5", 13, 13, 4, 1, "Kimi_K25Processor: padded to one token"),
    ),
    reference=Reference(
        processor="Kimi_K25Processor",
        image="Kimi_K25ImageProcessor",
        sees="image_grid_thw",
        tokens={"image_token": "<|media_pad|>", "video_token": "<|kimi_k25_video_placeholder|>"},
        video="Kimi_K25VideoProcessor",
        sees_video="video_grid_thw in chunks",
        torchvision=True,
        settings=({"max_patches": 1000}, {"max_patches": 300, "size": {"max_height": 24, "max_width": 24}}),
        thresholds=((1792, 1792), (7168, 30), (14, 7169)),
    ),
)  # fmt: skip
