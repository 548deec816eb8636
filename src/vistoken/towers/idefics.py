"""The tower of Idefics: CLIP, its patches un-normed. The resampler and the cross-attention behind it are not encoded.

Sources: transformers 5.23.0, `models/idefics/vision.py` and `configuration_idefics.py`; arXiv 2306.16527.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.family import REFERENCE, Files, table_of
from vistoken.spec import EncoderSpec, LearnedTable, TableResize
from vistoken.towers import clip
from vistoken.weight_names import Ignore, WeightNames, affine, under

# Class attributes of IdeficsVisionConfig, which calls the width `embed_dim`.
DEFAULTS = clip.DEFAULTS | {
    "embed_dim": 768, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 16,
    "hidden_act": "gelu", "patch_size": 14,
}  # fmt: skip


def tower(files: Files) -> EncoderSpec | None:
    """The encoder; None where only values for counting are built in."""
    given = files.config.child("vision_config")
    if files.built_in and not given.has("embed_dim"):
        return None
    vision = given.with_defaults(DEFAULTS, f"IdeficsVisionConfig in {REFERENCE}")
    # Both names reach the same attribute, and a file that has the library's own name sets it last.
    width = "hidden_size" if given.has("hidden_size") else "embed_dim"
    spec = clip.tower(vision.replaced(hidden_size=vision.integer(width, high=65_536)))
    table, _ = table_of(vision, spec.patch)
    # IdeficsVisionEmbeddings.interpolate_pos_encoding: bicubic by a factor, as in DINO's first code.
    position = LearnedTable(table.rows, table.cols, 1, TableResize("bicubic", antialias=False, offset=0.1))
    return replace(spec, position=position)


WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(*under("vision_model.", *clip.WEIGHTS), *affine("vision_model.post_layernorm", "norm")),
    ignored=tuple(
        (pattern, Ignore(why))
        for pattern, why in (
            ("vision_model.embeddings.position_ids", "a counter that older files store"),
            ("perceiver_resampler.*", "the resampler between tower and LLM"),
            ("gated_cross_attn_layers.*", "the cross-attention of the LLM"),
            ("embed_tokens.*", "the LLM"),
            ("layers.*", "the LLM"),
            ("norm.*", "the LLM"),
            ("lm_head.*", "the LLM"),
        )
    ),
)
