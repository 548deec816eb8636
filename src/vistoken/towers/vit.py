"""The plain vision transformer as transformers' files describe it: ViT, DeiT, MAE, I-JEPA and MSN.

They differ in prefix tokens, each of which has a row of the position table, and in what is pooled.
Sources: transformers 5.23.0, `models/vit/modeling_vit.py`, and what `models/vit_mae`, `ijepa` and `vit_msn` change in
it; arXiv 2010.11929.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import ACTIVATIONS, heads_of, table_of
from vistoken.geometry import Patch
from vistoken.spec import EncoderSpec, LayerNorm, LearnedTable, PlainMlp, Pool, PrefixToken, TableResize
from vistoken.weight_names import VIT_BLOCKS, DropOnes, Ignore, Weight, affine

DEFAULTS = {
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
    "hidden_act": "gelu", "layer_norm_eps": 1e-12, "image_size": 224, "patch_size": 16, "num_channels": 3,
    "qkv_bias": True,
}  # fmt: skip


def tower(config: Config, prefix: tuple[PrefixToken, ...], pool: Pool, patch: Patch | None = None) -> EncoderSpec:
    """The encoder that a config describes, which its class's defaults complete; `patch` where `patch_size` is none."""
    dim, heads = heads_of(config)
    patch = patch or config.patch("patch_size")
    table, _ = table_of(config, patch)
    own_rows = sum(token.count for token in prefix)
    return EncoderSpec(
        patch=patch,
        dim=dim,
        depth=config.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=config.integer("num_channels", low=3, high=3),
        norm=LayerNorm(config.number("layer_norm_eps", 0, 1)),
        mlp=PlainMlp(config.integer("intermediate_size"), config.choice("hidden_act", ACTIVATIONS)),
        qkv_bias="all" if config.flag("qkv_bias") else "none",
        prefix=prefix,
        # ViTEmbeddings.interpolate_pos_encoding, and DeiT's: bicubic, no antialias, rows of the prefix kept.
        position=LearnedTable(table.rows, table.cols, own_rows, resize=TableResize("bicubic", antialias=False)),
        pool=pool,
    )


WEIGHTS = (
    Weight("embeddings.cls_token", "embed.prefix.cls", DropOnes()),
    Weight("embeddings.position_embeddings", "embed.position.table", DropOnes()),
    *affine("embeddings.patch_embeddings.projection", "embed.patch"),
    *VIT_BLOCKS,
)
UNUSED = (
    ("pooler.*", Ignore("the tanh pooler, untrained in most files")),
    ("classifier.*", Ignore("the classifier")),
    ("embeddings.mask_token", Ignore("used in masked pre-training alone")),
)

# hidden_size, num_hidden_layers, num_attention_heads, intermediate_size (Ti: arXiv 2012.12877; g, G: arXiv 2106.04560).
SIZES = {
    "Ti": (192, 12, 3, 768),
    "S": (384, 12, 6, 1536),
    "B": (768, 12, 12, 3072),
    "L": (1024, 24, 16, 4096),
    "H": (1280, 32, 16, 5120),
    "g": (1408, 40, 16, 6144),
    "G": (1664, 48, 16, 8192),
}


def shape_of(size: str, patch: int) -> dict[str, object]:
    """What `config.json` says of the network of one of `SIZES`, its image size left out."""
    dim, depth, heads, hidden = SIZES[size]
    return {
        "hidden_size": dim, "num_hidden_layers": depth, "num_attention_heads": heads, "intermediate_size": hidden,
        "patch_size": patch,
    }  # fmt: skip


def config_of(model_type: str, size: str, patch: int, pixels: int) -> dict[str, object]:
    """The same with the model's type, and the size that its position table is made for."""
    return {"model_type": model_type, "image_size": pixels, **shape_of(size, patch)}
