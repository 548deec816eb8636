"""GIT: a square cut out of the middle, whose patches and class token stand before the text within the model.

The processor writes nothing for the picture. Models for videos (VATEX, MSR-VTT) read six frames, each as a picture.
Sources: transformers 5.23.0, `models/git/processing_git.py` and `models/git/modeling_git.py`; arXiv 2205.14100.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vistoken.family import REFERENCE, SEEN, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Size
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, SETTINGS, standard

if TYPE_CHECKING:
    from vistoken.spec import EncoderSpec
    from vistoken.weight_names import WeightNames


def read(files: Files) -> Reading:
    """The patch from the vision config; the size from the preprocessor, which videos have of another class."""
    vision = files.config.child("vision_config").with_defaults({"patch_size": 16}, f"GitVisionConfig in {REFERENCE}")
    rule, pixels = standard(files.image, "CLIPImageProcessor", vision.patch("patch_size"), Size(height=224, width=224))
    return Reading(partial(_encoder, files), rule, pixels, prefix=1, notes=_note(files))


def _encoder(files: Files) -> EncoderSpec | None:
    from vistoken.towers.clip_kin import git  # counting does without it

    return git(files)


def _weights() -> WeightNames:
    from vistoken.towers.clip_kin import GIT_WEIGHTS

    return GIT_WEIGHTS


def _note(files: Files) -> tuple[str, ...]:
    if not files.config.has("num_image_with_embedding"):
        return ()
    frames = files.config.integer("num_image_with_embedding", high=1024)
    return (f"this model reads {frames} frames of a video: the count is of one of them",)


def _published(name: str, patch: int, side: int) -> Published:
    config = {"model_type": "git", "vision_config": {"patch_size": patch, "image_size": side}}
    preprocessor = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": side}, "resample": 3,
                    "do_center_crop": True, "crop_size": {"height": side, "width": side},
                    "image_mean": CLIP_MEAN, "image_std": CLIP_STD}  # fmt: skip
    return Published((f"microsoft/{name}", name), config, preprocessor, SEEN)


FAMILY = Family(
    name="GIT",
    model_types=("git",),
    read=read,
    published=(
        _published("git-base", 16, 224),
        _published("git-base-coco", 16, 224),
        _published("git-base-textvqa", 16, 480),
        _published("git-large", 14, 224),
        _published("git-large-coco", 14, 224),
        _published("git-large-textvqa", 14, 420),
    ),
    rule=Label("verified", f"CLIPImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    examples=(
        Example("git-base", 1280, 720, 196, 197, "CLIPImageProcessorPil: 224 / 16 = 14 a side, and a class token"),
        Example("git-large-textvqa", 100, 3000, 900, 901, "CLIPImageProcessorPil: 420 / 14 = 30 a side"),
        Example("git-base-textvqa", 640, 480, 900, 901, "CLIPImageProcessorPil: 480 / 16 = 30 a side"),
    ),
    weights=_weights,
    reference=Reference(
        processor="GitProcessor",
        image="CLIPImageProcessorPil",
        sees="pixel_values",
        text=False,
        settings=({"size": {"height": 240, "width": 300}}, {"size": {"shortest_edge": 200}, "do_center_crop": False}),
        thresholds=((224, 224), (223, 448)),
    ),
)  # fmt: skip
