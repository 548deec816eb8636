"""CLIP's image tower: a class token, a norm before the blocks, patches handed out un-normed.

`last_hidden_state` is un-normed; `post_layernorm` touches the class token alone. OpenAI trained with quick GELU,
LAION with exact GELU: `hidden_act` says which, and the wrong one is silently wrong by up to 0.02 an activation.
Sources: transformers 5.23.0, `models/clip/modeling_clip.py` and `configuration_clip.py`; arXiv 2103.00020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.configs import Config
from vistoken.family import ACTIVATIONS, REFERENCE, Files, Reading, heads_of, table_of
from vistoken.preprocessing import standard
from vistoken.spec import (
    ClassPool,
    ClassToken,
    EncoderSpec,
    LayerNorm,
    LearnedTable,
    PlainMlp,
    Pool,
    ProjectedClass,
    TableResize,
)
from vistoken.weight_names import CLIP_BLOCKS, CONTRASTIVE_PARTS, Row, Weight, WeightNames, affine

if TYPE_CHECKING:
    from vistoken.connector import Connector

SOURCE = f"CLIPVisionConfig in {REFERENCE}"
DEFAULTS = {
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
    "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "image_size": 224, "patch_size": 32, "num_channels": 3,
    "projection_dim": 512,
}  # fmt: skip
OWN_POOL = ClassPool()


def tower(vision: Config, connector: Connector | None = None, pool: Pool = OWN_POOL) -> EncoderSpec:
    """The encoder that a vision config describes, which `DEFAULTS` complete."""
    dim, heads = heads_of(vision)
    patch = vision.patch("patch_size")
    table, _ = table_of(vision, patch)
    return EncoderSpec(
        patch=patch,
        patch_bias=False,
        dim=dim,
        depth=vision.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=vision.integer("num_channels", low=3, high=3),
        norm=LayerNorm(vision.number("layer_norm_eps", 0, 1)),
        pre_norm=True,
        mlp=PlainMlp(vision.integer("intermediate_size"), vision.choice("hidden_act", ACTIVATIONS)),
        prefix=(ClassToken(),),
        # CLIPVisionEmbeddings.interpolate_pos_encoding: bicubic, no antialias, the class token's row kept.
        position=LearnedTable(table.rows, table.cols, prefix_rows=1, resize=TableResize("bicubic", antialias=False)),
        final_norm="pooled",
        pool=pool,
        connector=connector,
    )


def contrastive(files: Files, stem: str, processor: str = "CLIPImageProcessor", projection_dim: int = 512) -> Reading:
    """CLIP, and the models that only train or name it otherwise: `stem` is how their classes' names begin.

    A whole model holds a `vision_config` beside its text tower's; a config without one is the tower alone.
    `projection_dim` is the default of the whole model's class.
    """
    config = files.config
    whole = config.has("vision_config")
    vision = (config.child("vision_config") if whole else config).with_defaults(
        DEFAULTS, f"{stem}VisionConfig in {REFERENCE}"
    )
    if whole:
        named = config.with_defaults({"projection_dim": projection_dim}, f"{stem}Config in {REFERENCE}")
        pool: Pool = ProjectedClass(named.integer("projection_dim"))
    else:
        pool = _pool_of_tower(vision, stem)
    encoder = tower(vision, pool=pool)
    return Reading(encoder, *standard(files.image, processor, encoder.patch, vision.size("image_size")))


def _pool_of_tower(vision: Config, stem: str) -> Pool:
    """A tower saved alone has a projection only if its class has."""
    if vision.has("architectures") and vision.raw("architectures") == [f"{stem}VisionModel"]:
        return ClassPool()
    return ProjectedClass(vision.integer("projection_dim"))


WEIGHTS = (
    Weight("embeddings.class_embedding", "embed.prefix.cls", Row()),
    Weight("embeddings.patch_embedding.weight", "embed.patch.weight"),
    Weight("embeddings.position_embedding.weight", "embed.position.table"),
    *affine("pre_layrnorm", "pre_norm"),  # the published spelling
    *CLIP_BLOCKS,
)
CONTRASTIVE = WeightNames(
    roots=("", "vision_model."),
    weights=(*WEIGHTS, Weight("visual_projection.weight", "pool.projection.weight")),
    ignored=CONTRASTIVE_PARTS,
)
