"""VideoLLaMA3: pictures in tokens of 14 x 14 pixels, videos in 28 x 28 with their budget shared among the frames.

Sources: transformers 5.23.0, `models/video_llama_3/image_processing_pil_video_llama_3.py`,
`processing_video_llama_3.py` and `video_processing_video_llama_3.py`; arXiv 2501.13106.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label, VideoSpec
from vistoken.preprocessing import FILTERS, HALF
from vistoken.processors.edges import pixels, whole_tokens
from vistoken.processors.pixel_budget import HALVES, PROCESSOR, SETTINGS, image_rule, patch_of
from vistoken.prompts.plain import Merged, SpaceToDepth

if TYPE_CHECKING:
    from vistoken.prompts.layout import VideoLayout
    from vistoken.spec import EncoderSpec
    from vistoken.video import Sampling
    from vistoken.views.video import FrameRule
    from vistoken.weight_names import WeightNames

IMAGE = {**PROCESSOR, **HALVES, "merge_size": 1, "temporal_patch_size": 1}
VIDEO = {**IMAGE, "merge_size": 2, "min_frames": 4, "max_frames": 180, "num_frames": None, "fps": None,
         "use_token_compression": True}  # fmt: skip


def read(files: Files) -> Reading:
    """Patch and merge from the preprocessors: config.json says nothing of merging."""
    if files.image is None:
        return Reading(None, None, None, Merged(SpaceToDepth(1), "<|image_pad|>"), partial(_video, files.video, 1))
    processor = files.image.with_defaults(IMAGE, f"VideoLlama3ImageProcessor in {REFERENCE}")
    patch, merge = patch_of(processor, processor.integer("temporal_patch_size", high=64))
    rule = image_rule(processor, patch, merge, pixels(processor, (3136, 1_003_520)))
    video = partial(_video, files.video, merge)
    return Reading(partial(_encoder, files), *rule, Merged(SpaceToDepth(merge), "<|image_pad|>"), video)


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.video_llama3 import tower  # counting does without it

    return tower(files)


def _weights() -> WeightNames:
    from vistoken.towers.video_llama3 import WEIGHTS

    return WEIGHTS


def _video(video: Config | None, side: int) -> VideoSpec | None:
    """`side` is that of the blocks which become one token in pictures."""
    if video is None:
        return None
    processor = video.with_defaults(VIDEO, f"VideoLlama3VideoProcessor in {REFERENCE}")
    group = processor.integer("temporal_patch_size", high=64)
    patch, merge = patch_of(processor, group)
    if group != 1:
        raise processor.error("temporal_patch_size", group, "the prompt is written for one frame at a time")
    prompt = _prompt(SpaceToDepth(merge), processor.flag("use_token_compression"))
    # Blocks of merge x merge become one by bilinear resizing, which for 2 is their mean; then the projector.
    rule = _frames(processor, patch, merge)
    return VideoSpec(rule=rule, prompt=prompt, sampling=_sampling(processor), pooled=max(merge // side, 1))


def _frames(processor: Config, patch: Patch, merge: int) -> FrameRule:
    from vistoken.views.budget import PixelBudget
    from vistoken.views.frames import SharedBudget
    from vistoken.views.video import PerFrame

    filter = processor.choice("resample", FILTERS)
    if not processor.flag("do_resize"):
        return PerFrame(whole_tokens(patch, merge, filter))
    low, high = pixels(processor, (100_352, 602_112))
    return SharedBudget(PixelBudget(patch.height * merge, low, high, filter, patch))


def _prompt(merge: SpaceToDepth, at_most: bool) -> VideoLayout:
    """`at_most` tells that blocks which hardly change between frames are left out, which only pixels show."""
    from vistoken.prompts.timed import Decimals, FirstFrameOfTensor, TimedGroups
    from vistoken.sequence import Text

    before, first = (Text(",Time {time}s:"),), (Text("Time {time}s:"),)
    remark = "; an upper bound: blocks that hardly change between frames are left out" if at_most else ""
    return TimedGroups(
        merge, "<|video_pad|>", FirstFrameOfTensor(1, Decimals(1), 1), before, first=first, remark=remark
    )


def _sampling(processor: Config) -> Sampling:
    """Where the file sets no rate, 1, as in the vendor's processor_config.json; the class itself needs one then."""
    from vistoken.sampling.qwen import WholeGroups
    from vistoken.sampling.reading import optional_integer, sampling_rate

    frames, fps = optional_integer(processor, "num_frames"), sampling_rate(processor)
    least, most = processor.integer("min_frames", high=10**6), processor.integer("max_frames", high=10**6)
    if frames is not None and fps is not None:
        raise processor.error("num_frames", frames, "the processor takes either num_frames or a rate, not both")
    return WholeGroups(fps or 1.0, frames, least, most, 1)


def _published(name: str, alias: str, width: int) -> Published:
    config = {"model_type": "video_llama_3", "text_config": {"hidden_size": width},
              "vision_config": {"patch_size": 14, "hidden_size": 1152, "num_hidden_layers": 27,
                                "intermediate_size": 4304, "num_attention_heads": 16}}  # fmt: skip
    common = {"do_resize": True, "resample": 3, "do_rescale": True, "rescale_factor": 0.00392156862745098,
              "do_normalize": True, "image_mean": HALF, "image_std": HALF, "patch_size": 14,
              "temporal_patch_size": 1}  # fmt: skip
    preprocessor = {**common, "merge_size": 1, "min_pixels": 3136, "max_pixels": 3_211_264,
                    "size": {"shortest_edge": 3136, "longest_edge": 3_211_264},
                    "image_processor_type": "VideoLlama3ImageProcessor"}  # fmt: skip
    video = {**common, "merge_size": 2, "min_pixels": 12_544, "max_pixels": 12_845_056, "min_frames": 4,
             "max_frames": 180, "size": {"shortest_edge": 12_544, "longest_edge": 12_845_056}, "fps": None,
             "num_frames": None, "use_token_compression": True,
             "video_processor_type": "VideoLlama3VideoProcessor"}  # fmt: skip
    return Published((name, alias), config, preprocessor, SEEN, "videollama3", video=video)


FAMILY = Family(
    name="VideoLLaMA3",
    model_types=("video_llama_3",),
    read=read,
    published=(
        _published("lkhl/VideoLLaMA3-2B-Image-HF", "videollama3-2b", 1536),
        _published("lkhl/VideoLLaMA3-7B-Image-HF", "videollama3-7b", 3584),
    ),
    rule=Label("verified", f"VideoLlama3Processor, its image and its video processor of {REFERENCE}"),
    settings=(*SETTINGS, "min_frames", "max_frames", "num_frames", "sampling_fps", "use_token_compression"),
    weights=_weights,
    reference=Reference(
        processor="VideoLlama3Processor",
        image="VideoLlama3ImageProcessorPil",
        sees="image_grid_thw",
        tokens={"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"},
        video="VideoLlama3VideoProcessor",
        sees_video="video_grid_thw",
        sampling={"fps": 1},
        settings=({"max_pixels": 501_760}, {"min_pixels": 100_352, "max_pixels": 150_528, "max_frames": 7}),
        thresholds=((56, 56), (1792, 1792), (14, 14)),
        harmless={"use_token_compression": False},
    ),
    examples=(
        # A picture's token is one patch: nothing is merged.
        Example("videollama3-2b", 1280, 720, 4641, 4641, "VideoLlama3ImageProcessorPil: grid 1 x 51 x 91"),
        Example("videollama3-7b", 4000, 3000, 16_170, 16_170, "VideoLlama3ImageProcessorPil: resized to 2058x1540"),
        # 16 frames share 12,845,056 pixels, and their patches are merged 2 x 2.
        Example("videollama3-2b", 1280, 720, 64_512, 16_128, "VideoLlama3VideoProcessor: 16 of 1176x672", 0,
                {"frames": 16}),
        Example("videollama3-2b", 1280, 720, 60_480, 15_120, "VideoLlama3VideoProcessor: 180 of 336x196", 0,
                {"duration": 300, "fps": 30}),
    ),
)  # fmt: skip
