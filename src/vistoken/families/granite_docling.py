"""Granite for Docling: pages in tiles of 512 pixels by aspect ratio, named by row and column in the text.

Sources: transformers 5.23.0, `models/granite_docling/image_processing_pil_granite_docling.py` and
`processing_granite_docling.py`. The older granite-docling-258M is an Idefics3.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import REFERENCE, Example, Family, Files, Published, Reading, Reference
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, FILTERS, pixel_values
from vistoken.processors.completed import completed
from vistoken.prompts.tags import TaggedPages
from vistoken.views.pages import Dense, PageTiles

VISION = {"patch_size": 16}
PROCESSOR = {"image_seq_len": 64}
# Class attributes of GraniteDoclingImageProcessor.
IMAGE_PROCESSOR = {
    "size": {"height": 512, "width": 512}, "crop_to_patches": True, "min_patches": 1, "max_patches": 32,
    "fine_route": False, "dense_max_patches": 0, "dense_max_scale": 0.0, "dense_min_aspect": 0.0,
    "dense_max_aspect": 0.0, "resample": 3, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
}  # fmt: skip


def read(files: Files) -> Reading:
    """The tiles from the preprocessor, the tokens a tile from the processor: four times as many on the fine route."""
    vision = files.config.child("vision_config").with_defaults(VISION, f"GraniteDoclingVisionConfig in {REFERENCE}")
    processor = files.processor.with_defaults(PROCESSOR, f"GraniteDoclingProcessor in {REFERENCE}")
    tokens = processor.integer("image_seq_len")
    if files.image is None:
        return Reading(None, None, None, TaggedPages(tokens))
    image = completed(files.image, IMAGE_PROCESSOR, f"GraniteDoclingImageProcessor in {REFERENCE}")
    rule = _rule(image, vision.patch("patch_size"))
    return Reading(None, rule, pixel_values(image), TaggedPages(tokens * 4 if image.flag("fine_route") else tokens))


def _rule(image: Config, patch: Patch) -> PageTiles:
    least, most = image.integer("min_patches", high=256), image.integer("max_patches", high=256)
    dense = _dense(image) if image.integer("dense_max_patches", low=0, high=256) else None
    if not image.flag("crop_to_patches"):
        least, most, dense = 1, 1, None
    if least > (fewest := min(most, dense.most) if dense else most):
        raise image.error("min_patches", least, f"it must not be more than the most tiles, which is {fewest}")
    return PageTiles(image.size("size"), least, most, dense, image.choice("resample", FILTERS), patch)


def _dense(image: Config) -> Dense:
    return Dense(
        image.integer("dense_max_patches", high=256),
        image.number("dense_max_scale", 0, 1e9),
        image.number("dense_min_aspect", 0, 1e9),
        image.number("dense_max_aspect", 0, 1e9),
    )


FAMILY = Family(
    name="Granite for Docling",
    model_types=("granite_docling",),
    read=read,
    published=(
        Published(
            ("ibm-granite/granite-for-docling-500m", "granite-for-docling-500m"),
            {"model_type": "granite_docling", "vision_config": {"image_size": 512, "patch_size": 16}},
            {"image_processor_type": "GraniteDoclingImageProcessor", "size": {"height": 512, "width": 512},
             "crop_to_patches": True, "min_patches": 1, "max_patches": 32, "resample": 3,
             "image_mean": CLIP_MEAN, "image_std": CLIP_STD},
            Label("inferred", f"the classes' defaults in {REFERENCE}, written for this checkpoint"),
            processor={"image_seq_len": 64},
        ),
    ),
    rule=Label("verified", f"GraniteDoclingProcessor and GraniteDoclingImageProcessorPil of {REFERENCE}"),
    settings=("size", "crop_to_patches", "min_patches", "max_patches", "fine_route", "dense_max_patches",
              "dense_max_scale", "dense_min_aspect", "dense_max_aspect", "resample", "image_mean", "image_std"),
    examples=(
        Example("granite-for-docling-500m", 1280, 720, 29_696, 1915, "GraniteDoclingProcessor: 4 x 7 tiles and 1", 59),
        # A page of one tile is named row 1, column 1, and has no end.
        Example("granite-for-docling-500m", 512, 512, 1024, 66, "GraniteDoclingProcessor: one tile", 2),
        Example("granite-for-docling-500m", 2550, 3300, 13_312, 859, "GraniteDoclingProcessor: 4 x 3 tiles and 1", 27),
        Example("granite-for-docling-500m", 1280, 720, 29_696, 7483, "GraniteDoclingProcessor: 256 tokens a tile", 59,
                arguments={"fine_route": True}),
    ),
    reference=Reference(
        processor="GraniteDoclingProcessor",
        image="GraniteDoclingImageProcessorPil",
        sees="pixel_values",
        tokens={"image_token": "<image>", "fake_image_token": "<fake_token_around_image>"},
        settings=(
            {"max_patches": 8, "dense_max_patches": 24, "dense_max_scale": 0.9, "dense_min_aspect": 1.2,
             "dense_max_aspect": 6.0},
            {"min_patches": 2, "max_patches": 40, "fine_route": True},
            {"crop_to_patches": False},
        ),
        thresholds=((512, 512), (1200, 1000), (3000, 500), (1024, 512), (2276, 900)),
    ),
)  # fmt: skip
