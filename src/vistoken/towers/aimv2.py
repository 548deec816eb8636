"""AIMv2's tower: reader of its config, and its tensors by name, the library's, the vendor's and timm's.

Sources: transformers 5.23.0, `models/aimv2/modeling_aimv2.py` and `configuration_aimv2.py`; its script
`convert_aimv2_original_pytorch_to_hf.py` for the vendor's names; timm 1.0.31, `models/vision_transformer.py`;
arXiv 2411.14402.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import ACTIVATIONS, REFERENCE, heads_of, table_of
from vistoken.geometry import Patch
from vistoken.spec import (
    EncoderSpec,
    GatedMlp,
    LearnedTable,
    NoPool,
    Pool,
    Position,
    QueryPool,
    RmsNorm,
    Sinusoidal,
    TableResize,
)
from vistoken.weight_names import (
    CONTRASTIVE_PARTS,
    TIMM,
    TIMM_CLASSIFIER,
    TIMM_GATED,
    DropOnes,
    Part,
    Row,
    Weight,
    WeightNames,
    affine,
    gated_mlp,
)

DEFAULTS = {
    "hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 24, "num_attention_heads": 8,
    "hidden_act": "silu", "rms_norm_eps": 1e-5, "image_size": 224, "patch_size": 14, "num_channels": 3,
    "qkv_bias": False, "mlp_bias": False, "use_bias": False, "use_head": True, "is_native": False,
}  # fmt: skip
# What the vendor's own configuration leaves out: its towers alone have no head.
VENDOR = {"use_head": False}
# Its word for biases of the MLP is the last. No published model has any.
BIASES = ("qkv_bias", "mlp_bias", "use_bias")


def vision_of(whole: Config) -> tuple[Config, int | None]:
    """The vision config, completed, and the width of the projection that follows it, if one does.

    `model_type` "aimv2" holds a `vision_config` beside the text tower's; the vendor's own files are flat.
    """
    contrastive = whole.raw("model_type") == "aimv2"
    flat = not whole.has("vision_config")
    vision = (whole if flat else whole.child("vision_config")).with_defaults(
        DEFAULTS | (VENDOR if contrastive and flat else {}), f"Aimv2VisionConfig in {REFERENCE}"
    )
    whole = whole.with_defaults({"projection_dim": 512}, f"Aimv2Config in {REFERENCE}")
    return vision, whole.integer("projection_dim", high=65_536) if contrastive and not flat else None


def tower(vision: Config, projection: int | None) -> EncoderSpec:
    """The encoder that a completed vision config describes."""
    for name in BIASES:
        if vision.flag(name):
            raise vision.error(name, True, "no published model has such biases, so they are not read")
    dim, heads = heads_of(vision)
    patch = vision.patch("patch_size")
    return EncoderSpec(
        patch=patch,
        dim=dim,
        depth=vision.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=vision.integer("num_channels", low=3, high=3),
        norm=RmsNorm(vision.number("rms_norm_eps", 0, 1)),
        mlp=GatedMlp(vision.integer("intermediate_size"), vision.choice("hidden_act", ACTIVATIONS), bias=False),
        embed_norm=True,
        qkv_bias="none",
        out_bias=False,
        position=_position(vision, patch),
        pool=_pool(vision, heads, projection),
    )


def _position(vision: Config, patch: Patch) -> Position:
    if vision.flag("is_native"):
        return Sinusoidal(cols_first=True)
    table, _ = table_of(vision, patch)
    return LearnedTable(table.rows, table.cols, prefix_rows=0, resize=TableResize("bicubic", antialias=True))


def _pool(vision: Config, heads: int, projection: int | None) -> Pool:
    if vision.flag("use_head"):
        return QueryPool(heads, projection)
    if projection is not None:
        raise vision.error("use_head", False, "a model with a text tower projects what its head pools")
    return NoPool()


VENDOR_NAMES = (
    *affine("preprocessor.patchifier.proj", "embed.patch"),
    Weight("preprocessor.patchifier.norm.weight", "embed.norm.weight"),
    Weight("preprocessor.pos_embed", "embed.position.table", DropOnes()),
    Weight("trunk.blocks.{n}.norm_1.weight", "blocks.{n}.norm1.weight"),
    Weight("trunk.blocks.{n}.attn.qkv.weight", "blocks.{n}.attention.qkv.weight"),
    Weight("trunk.blocks.{n}.attn.proj.weight", "blocks.{n}.attention.out.weight"),
    Weight("trunk.blocks.{n}.norm_2.weight", "blocks.{n}.norm2.weight"),
    Weight("trunk.blocks.{n}.mlp.fc1.weight", "blocks.{n}.mlp.gate_up.weight", Part(0, 2)),
    Weight("trunk.blocks.{n}.mlp.fc3.weight", "blocks.{n}.mlp.gate_up.weight", Part(1, 2)),
    Weight("trunk.blocks.{n}.mlp.fc2.weight", "blocks.{n}.mlp.down.weight"),
    Weight("trunk.post_trunk_norm.weight", "norm.weight"),
    Weight("head.k.weight", "pool.kv.weight", Part(0, 2)),
    Weight("head.v.weight", "pool.kv.weight", Part(1, 2)),
    *affine("head.linear", "pool.out"),
)
NAMES = (
    *affine("embeddings.patch_embed", "embed.patch"),
    Weight("embeddings.rms_norm.weight", "embed.norm.weight"),
    Weight("embeddings.position_embedding.weight", "embed.position.table"),
    Weight("encoder.layers.{n}.rms_norm1.weight", "blocks.{n}.norm1.weight"),
    *(
        Weight(f"encoder.layers.{{n}}.attention.{name}_proj.weight", "blocks.{n}.attention.qkv.weight", Part(index, 3))
        for index, name in enumerate("qkv")
    ),
    Weight("encoder.layers.{n}.attention.out_proj.weight", "blocks.{n}.attention.out.weight"),
    Weight("encoder.layers.{n}.rms_norm2.weight", "blocks.{n}.norm2.weight"),
    *gated_mlp("encoder.layers.{n}.ffn", "blocks.{n}.mlp"),
    Weight("rms_norm.weight", "norm.weight"),
    Weight("head.cls_token", "pool.query", Row()),
    Weight("head.k_proj.weight", "pool.kv.weight", Part(0, 2)),
    Weight("head.v_proj.weight", "pool.kv.weight", Part(1, 2)),
    *affine("head.output_proj", "pool.out"),
    Weight("visual_projection.weight", "pool.projection.weight"),
)
WEIGHTS = WeightNames(
    roots=("", "vision_model.", "image_encoder."),
    weights=(
        *NAMES,
        *VENDOR_NAMES,
        Weight("image_projector.weight", "pool.projection.weight"),
        *TIMM,
        Weight("patch_embed.norm.weight", "embed.norm.weight"),
        *TIMM_GATED,
    ),
    ignored=(*CONTRASTIVE_PARTS, *TIMM_CLASSIFIER),
)
