"""The tower of BLIP-2 and InstructBLIP: EVA's ViT-g, all of its tokens normed. The queries behind it are not encoded.

Sources: transformers 5.23.0, `models/blip_2/modeling_blip_2.py` (`Blip2VisionModel`) and `configuration_blip_2.py`, and
the same of `instructblip` and `instructblipvideo`; arXiv 2301.12597, 2211.07636.
"""

from __future__ import annotations

from vistoken.family import ACTIVATIONS, REFERENCE, Files, heads_of, table_of
from vistoken.spec import ClassToken, EncoderSpec, LayerNorm, LearnedTable, PlainMlp, TableResize
from vistoken.towers.clip_kin import BLIP_TOWER
from vistoken.weight_names import Ignore, WeightNames

# Class attributes of Blip2VisionConfig and InstructBlipVisionConfig alike.
DEFAULTS = {
    "hidden_size": 1408, "intermediate_size": 6144, "num_hidden_layers": 39, "num_attention_heads": 16,
    "image_size": 224, "patch_size": 14, "hidden_act": "gelu", "layer_norm_eps": 1e-6, "qkv_bias": True,
}  # fmt: skip


def tower(files: Files) -> EncoderSpec:
    """The encoder. It has no pooled vector: the reference norms the class token a second time, and nobody reads it."""
    vision = files.config.child("vision_config").with_defaults(DEFAULTS, f"Blip2VisionConfig in {REFERENCE}")
    dim, heads = heads_of(vision)
    patch = vision.patch("patch_size")
    table, _ = table_of(vision, patch)
    return EncoderSpec(
        patch=patch,
        dim=dim,
        depth=vision.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        norm=LayerNorm(vision.number("layer_norm_eps", 0, 1)),
        mlp=PlainMlp(vision.integer("intermediate_size"), vision.choice("hidden_act", ACTIVATIONS)),
        # The file's bias holds zeros for the keys: q, k and v are one matrix with one bias.
        qkv_bias="all" if vision.flag("qkv_bias") else "none",
        prefix=(ClassToken(),),
        # Blip2VisionEmbeddings.interpolate_pos_encoding: bicubic, no antialias, the class token's row kept.
        position=LearnedTable(table.rows, table.cols, prefix_rows=1, resize=TableResize("bicubic", antialias=False)),
    )


WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=BLIP_TOWER,
    ignored=tuple(
        (pattern, Ignore(why))
        for pattern, why in (
            ("query_tokens", "the queries, which read the tower's patches"),
            ("qformer.*", "the queries, which read the tower's patches"),
            ("language_projection.*", "the queries, which read the tower's patches"),
            ("language_model.*", "the LLM"),
        )
    ),
)
