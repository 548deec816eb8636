"""Towers with CLIP's shape in front of models that read more than its patches: Kosmos-2, GIT and BLIP.

Kosmos-2's 64 queries and BLIP's cross-attention stand behind the tower; GIT's text model reads the class token, too.
What is encoded is the tower, up to its last norm.
Sources: transformers 5.23.0, `models/kosmos2/modeling_kosmos2.py`, `models/git/modeling_git.py`,
`models/blip/modeling_blip.py` and their configurations; arXiv 2306.14824, 2205.14100, 2201.12086.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.family import REFERENCE, Files
from vistoken.spec import EncoderSpec, NoPool
from vistoken.towers import clip
from vistoken.weight_names import CLIP_BLOCKS, DropOnes, Ignore, Weight, WeightNames, affine, under

# Class attributes of Kosmos2VisionConfig, GitVisionConfig and BlipVisionConfig.
KOSMOS2 = clip.DEFAULTS | {
    "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
    "patch_size": 14,
}  # fmt: skip
GIT = clip.DEFAULTS | {"patch_size": 16}
BLIP = clip.DEFAULTS | {"patch_size": 16, "image_size": 384, "hidden_act": "gelu"}


def kosmos2(files: Files) -> EncoderSpec | None:
    """CLIP, patches un-normed. None where a built-in name has the values for counting alone; so below."""
    vision = files.config.child("vision_config")
    if files.built_in and not vision.has("hidden_size"):
        return None
    return clip.tower(vision.with_defaults(KOSMOS2, f"Kosmos2VisionConfig in {REFERENCE}"))


def git(files: Files) -> EncoderSpec | None:
    """CLIP, all tokens normed, and none of them pooled. None, too, where a file tells the dim without the heads."""
    vision = files.config.child("vision_config")
    if not vision.has("num_attention_heads") and (files.built_in or vision.has("hidden_size")):
        return None
    spec = clip.tower(vision.with_defaults(GIT, f"GitVisionConfig in {REFERENCE}"))
    return replace(spec, final_norm="all", pool=NoPool())


def blip(files: Files) -> EncoderSpec | None:
    """A ViT: biased patches, no norm before the blocks, all tokens normed; retrieval takes the class token."""
    vision = files.config.child("vision_config")
    if files.built_in and not vision.has("intermediate_size"):
        return None
    spec = clip.tower(vision.with_defaults(BLIP, f"BlipVisionConfig in {REFERENCE}"))
    return replace(spec, patch_bias=True, pre_norm=False, final_norm="all")


KOSMOS2_WEIGHTS = WeightNames(
    roots=("", "vision_model.model.", "vision_model."),
    weights=clip.WEIGHTS,
    ignored=(
        ("text_model.*", Ignore("the LLM")),
        ("image_to_text_projection.*", Ignore("the queries in front of the LLM")),
    ),
)
GIT_WEIGHTS = WeightNames(
    roots=("", "git."),
    weights=under("image_encoder.vision_model.", *clip.WEIGHTS),
    ignored=tuple(
        (pattern, Ignore("the text model"))
        for pattern in ("embeddings.*", "encoder.*", "visual_projection.*", "img_temporal_embedding.*", "output.*")
    ),
)
# BLIP-2 names its tower alike.
BLIP_TOWER = under(
    "vision_model.",
    Weight("embeddings.class_embedding", "embed.prefix.cls", DropOnes()),
    Weight("embeddings.position_embedding", "embed.position.table", DropOnes()),
    *affine("embeddings.patch_embedding", "embed.patch"),
    *(weight for weight in CLIP_BLOCKS if "self_attn" not in weight.file),
    *affine("encoder.layers.{n}.self_attn.qkv", "blocks.{n}.attention.qkv"),
    *affine("encoder.layers.{n}.self_attn.projection", "blocks.{n}.attention.out"),
)
BLIP_WEIGHTS = WeightNames(
    weights=BLIP_TOWER,
    ignored=tuple(
        (pattern, Ignore("what reads the picture"))
        for pattern in ("text_*", "itm_head.*", "vision_proj.*", "visual_projection.*", "logit_scale")
    ),
)
