"""Nemotron Omni: any size, between a least and a most number of patches of 16 pixels, 2 x 2 of which make a token.

Sources: transformers 5.23.0, `models/nemotron_h_omni/processing_nemotron_h_omni.py`,
`models/nemotron_h_omni/image_processing_nemotron_h_omni.py`,
`models/nemotron_h_omni/video_processing_nemotron_h_omni.py` and `models/radio/configuration_radio.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Crowd, Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, pixel_values
from vistoken.processors.got_ocr2 import check_class
from vistoken.prompts.plain import Merged, SpaceToDepth
from vistoken.views.patch_budget import PatchBudget

if TYPE_CHECKING:
    from vistoken.model_spec import VideoSpec
    from vistoken.prompts.timed import TimedGroups

CONFIG = {"video_pruning_rate": 0.0, "video_temporal_patch_size": 2}
RADIO = {"num_cls_tokens": 3, "num_registers": 7}
# Class attributes of NemotronH_Omni_Reasoning_V3ImageProcessor.
IMAGE = {
    "patch_size": 16, "downsample_ratio": 0.5, "min_num_patches": 1024, "max_num_patches": 13_312,
    "max_model_len": 16_384, "resample": 3, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
}  # fmt: skip
# Class attributes of NemotronH_Omni_Reasoning_V3VideoProcessor.
VIDEO = {
    "patch_size": 16, "downsample_ratio": 0.5, "video_target_num_patches": 1024, "video_maintain_aspect_ratio": True,
}  # fmt: skip
# Above this, a list of what holds for each number of pictures serves nobody.
MOST_CROWDS = 1024
TOKENS = ("<image>", "<img>", "</img>")


def read(files: Files) -> Reading:
    """Budgets from the preprocessors; prefix tokens from the tower's config."""
    vision = files.config.child("vision_config").with_defaults(RADIO, f"RadioConfig in {REFERENCE}")
    prefix = sum(vision.integer(name, low=0, high=1024) for name in RADIO)
    video = partial(_video, files)
    if files.image is None:
        return Reading(None, None, None, video=video, prefix=prefix)
    check_class(files.image, "NemotronH_Omni_Reasoning_V3ImageProcessor")
    # Released checkpoints call mean and deviation by other names, which the library's class takes as well.
    own = {"image_mean": CLIP_MEAN, "image_std": CLIP_STD}
    older = {f"image_{word}": files.image.values.get(f"norm_{word}") for word in ("mean", "std")}
    defaults = IMAGE | own | {name: value for name, value in older.items() if value is not None}
    config = files.image.with_defaults(defaults, f"NemotronH_Omni_Reasoning_V3ImageProcessor in {REFERENCE}")
    merge = _merge(config)
    prompt = Merged(merge, *TOKENS)
    rule, *more = _rules(config, merge.side)
    crowds = tuple(Crowd(above, fewer, prompt) for above, fewer in more)
    return Reading(None, rule[1], pixel_values(config), prompt, video, prefix, crowds=crowds)


def _merge(config: Config) -> SpaceToDepth:
    return SpaceToDepth(round(1 / config.number("downsample_ratio", 1 / 64, 1)))


def _rules(config: Config, merge: int) -> list[tuple[int, PatchBudget]]:
    """The rule for one picture (above 0), and those that hold above so many.

    The budget is the room in the language model's context, but the least of all pictures together where that is more,
    and in any case between the least and the most of one picture.
    """
    patch, filter = config.patch("patch_size"), config.choice("resample", FILTERS)
    least = config.integer("min_num_patches", high=10**6)
    most = config.integer("max_num_patches", high=10**6)
    room = (config.integer("max_model_len", low=5, high=10**8) - 4) * merge**2
    last = -(-most // least) if room < most else 1  # from so many pictures on, the most decides
    if last > MOST_CROWDS:
        raise config.error("min_num_patches", least, f"the most, {most:,}, must be under {MOST_CROWDS:,} times of it")
    rules: list[tuple[int, PatchBudget]] = []
    for images in range(1, last + 1):
        budget = max(min(max(room, least * images), most), least)
        if not rules or rules[-1][1].most != budget:
            rules.append((images - 1, PatchBudget(merge, least, budget, filter, patch)))
    return rules


def _video(files: Files) -> VideoSpec | None:
    """Frames near a target number of patches each; so many frames as the tower reads at once make a group."""
    if files.video is None:
        return None
    from vistoken.model_spec import VideoSpec
    from vistoken.views.patch_budget import PatchTarget
    from vistoken.views.video import PerFrame

    model = files.config.with_defaults(CONFIG, f"NemotronH_Omni_Reasoning_V3_Config in {REFERENCE}")
    config = files.video.with_defaults(VIDEO, f"NemotronH_Omni_Reasoning_V3VideoProcessor in {REFERENCE}")
    processor = files.processor.with_defaults(
        {"video_temporal_patch_dim": 2}, f"NemotronH_Omni_Reasoning_V3Processor in {REFERENCE}"
    )
    group = model.integer("video_temporal_patch_size", high=64)
    if (named := processor.integer("video_temporal_patch_dim", high=64)) != group:
        raise processor.error(
            "video_temporal_patch_dim", named, f"config.json says video_temporal_patch_size {group}: the two must agree"
        )
    merge, side = _merge(config), config.patch("patch_size").height
    target, aspect = config.integer("video_target_num_patches"), config.flag("video_maintain_aspect_ratio")
    frame = PatchTarget(merge.side, target, aspect, "bicubic", Patch.square(side, group))
    prompt = _groups(merge, group, model.number("video_pruning_rate", 0, 1))
    return VideoSpec(rule=PerFrame(frame, group), prompt=prompt)


def _groups(merge: SpaceToDepth, group: int, pruned: float) -> TimedGroups:
    """A line for each group; `pruned` is the share of tokens that the model drops afterwards, by their content."""
    from vistoken.prompts.timed import NamedFrames, TimedGroups
    from vistoken.sequence import Marker, Text

    image, start, end = TOKENS
    before, first = ((Text(f"{line}{{time}}: "), Marker(start)) for line in ("\n", ""))
    remark = f", of which the model keeps about {1 - pruned:.0%}" if pruned else ""
    return TimedGroups(merge, image, NamedFrames(group), before, (Marker(end),), first, remark=remark)


FAMILY = Family(
    name="Nemotron Omni",
    model_types=("nemotron_h_omni",),
    read=read,
    published=(
        Published(
            ("nvidia/Nemotron-3-Nano-Omni-30B-A3B-Reasoning-BF16", "nemotron-3-nano-omni"),
            {"model_type": "nemotron_h_omni", "vision_config": {"model_type": "radio"}},
            {"image_processor_type": "NemotronH_Omni_Reasoning_V3ImageProcessor", "patch_size": 16,
             "downsample_ratio": 0.5, "min_num_patches": 1024, "max_num_patches": 13_312, "max_model_len": 16_384},
            Label("assumed", f"the classes' defaults in {REFERENCE}; no copy of the published files was seen"),
            video={"patch_size": 16, "downsample_ratio": 0.5, "video_target_num_patches": 1024,
                   "norm_mean": CLIP_MEAN, "norm_std": CLIP_STD},
        ),
    ),
    rule=Label("verified", f"NemotronH_Omni_Reasoning_V3Processor and its image processor of {REFERENCE}"),
    settings=(
        "min_num_patches", "max_num_patches", "max_model_len", "video_target_num_patches",
        "video_maintain_aspect_ratio", "resample", "image_mean", "image_std",
    ),
    reference=Reference(
        processor="NemotronH_Omni_Reasoning_V3Processor",
        image="NemotronH_Omni_Reasoning_V3ImageProcessor",
        sees="image_grid_hw",
        tokens={"image_token": "<image>", "image_start_token": "<img>", "image_end_token": "</img>"},
        torchvision=True,
        settings=(
            {"max_num_patches": 2048},
            {"min_num_patches": 256, "max_num_patches": 1000},
            {"max_model_len": 256, "min_num_patches": 100},
            {"min_num_patches": 1024, "max_num_patches": 1024},
        ),
        thresholds=((512, 512), (1846, 1846), (1856, 1840), (16, 16), (48, 32)),
    ),
    examples=(
        Example("nemotron-3-nano-omni", 1280, 720, 3680, 922, "NemotronH_Omni_Reasoning_V3Processor: 736 x 1280", 2),
        # 720 / 16 = 45 rows, an odd number, which grow to 46; 480 / 16 = 30 stay.
        Example("nemotron-3-nano-omni", 640, 480, 1200, 302, "NemotronH_Omni_Reasoning_V3Processor: 480 x 640", 2),
        Example("nemotron-3-nano-omni", 1, 1, 1024, 258, "NemotronH_Omni_Reasoning_V3Processor: 512 x 512", 2),
        Example("nemotron-3-nano-omni", 2480, 3508, 13_056, 3266, "NemotronH_Omni_Reasoning_V3Processor: 2176 x 1536",
                2),
        Example("nemotron-3-nano-omni", 1920, 1080, 2040, 512, "NemotronH_Omni_Reasoning_V3Processor: 544 x 960", 2,
                {"max_num_patches": 2048}),
    ),
)  # fmt: skip
