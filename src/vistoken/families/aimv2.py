"""AIMv2: RMS norms, gated MLPs without biases, patches normed before positions are added, no prefix token.

The reference's learned table fits its own size alone; other sizes follow timm's rule, bicubic with antialias (timm
1.0.31, `layers/pos_embed.py`). The "native" model computes its positions instead, and takes any size. Only the model
tuned on captions ("lit") pools: a learned query, used without a projection of its own, attends to all tokens.
Files come in three spellings: the vendor's (`trunk.blocks`, q, k and v fused), the library's, and timm's.
Sources: transformers 5.23.0, `models/aimv2/modeling_aimv2.py` and `configuration_aimv2.py`; its script
`convert_aimv2_original_pytorch_to_hf.py` for the vendor's names; arXiv 2411.14402.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.family import (
    ACTIVATIONS,
    RECALLED,
    REFERENCE,
    Example,
    Family,
    Files,
    Published,
    Reading,
    Reference,
    Timm,
    heads_of,
    table_of,
)
from vistoken.geometry import Patch
from vistoken.model_spec import Label
from vistoken.preprocessing import CLIP_MEAN, CLIP_STD, SETTINGS, standard
from vistoken.spec import (
    EncoderSpec,
    GatedMlp,
    LearnedTable,
    MeanPool,
    NoPool,
    Pool,
    Position,
    QueryPool,
    RmsNorm,
    Sinusoidal,
    TableResize,
)
from vistoken.towers.timm import as_timm
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


def read(files: Files) -> Reading:
    """`model_type` "aimv2" holds a `vision_config` beside the text tower's; the vendor's own files are flat."""
    whole = files.config
    contrastive = whole.raw("model_type") == "aimv2"
    flat = not whole.has("vision_config")
    vision = (whole if flat else whole.child("vision_config")).with_defaults(
        DEFAULTS | (VENDOR if contrastive and flat else {}), f"Aimv2VisionConfig in {REFERENCE}"
    )
    whole = whole.with_defaults({"projection_dim": 512}, f"Aimv2Config in {REFERENCE}")
    projection = whole.integer("projection_dim", high=65_536) if contrastive and not flat else None
    for name in BIASES:
        if vision.flag(name):
            raise vision.error(name, True, "no published model has such biases, so they are not read")
    dim, heads = heads_of(vision)
    patch = vision.patch("patch_size")
    encoder = EncoderSpec(
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
    return Reading(encoder, *standard(files.image, "CLIPImageProcessor", patch, vision.size("image_size")))


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
    Weight("encoder.layers.{n}.ffn.gate_proj.weight", "blocks.{n}.mlp.gate_up.weight", Part(0, 2)),
    Weight("encoder.layers.{n}.ffn.up_proj.weight", "blocks.{n}.mlp.gate_up.weight", Part(1, 2)),
    Weight("encoder.layers.{n}.ffn.down_proj.weight", "blocks.{n}.mlp.down.weight"),
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

# hidden_size, num_hidden_layers, num_attention_heads, intermediate_size
SIZES = {
    "large": (1024, 24, 8, 2816),
    "huge": (1536, 24, 12, 4096),
    "1B": (2048, 24, 16, 5632),
    "3B": (3072, 24, 24, 8192),
}


def _aimv2(size: str, pixels: int, *names: str, **more: bool) -> Published:
    dim, depth, heads, hidden = SIZES[size]
    config = {"model_type": "aimv2_vision_model", "hidden_size": dim, "num_hidden_layers": depth,
              "num_attention_heads": heads, "intermediate_size": hidden, "image_size": pixels, "patch_size": 14,
              "use_head": False, **more}  # fmt: skip
    preprocessor = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": pixels},
                    "crop_size": {"height": pixels, "width": pixels}, "resample": 3, "image_mean": CLIP_MEAN,
                    "image_std": CLIP_STD}  # fmt: skip
    if more.get("is_native"):
        preprocessor |= {"do_resize": False, "do_center_crop": False}
    return Published(names, config, preprocessor, RECALLED)


def _lit(*names: str) -> Published:
    tower = _aimv2("large", 224, *names, use_head=True)
    config = {"model_type": "aimv2", "vision_config": tower.config, "projection_dim": 768}
    return Published(names, config, tower.preprocessor, tower.settings)


def _adapted(encoder: EncoderSpec, config: Config) -> EncoderSpec:
    """timm pools by the mean of normed patches (timm 1.0.31, `models/vision_transformer.py`, `fc_norm=False`)."""
    return as_timm(encoder, config, mean=MeanPool())


TIMM_NETWORKS = Timm(
    architectures={
        f"aimv2_{size.lower()}_patch14_{side}": _aimv2(size, side).config for size in SIZES for side in (224, 336, 448)
    },
    adapt=_adapted,
)


FAMILY = Family(
    name="AIMv2",
    model_types=("aimv2", "aimv2_vision_model"),
    read=read,
    published=(
        _aimv2("large", 224, "apple/aimv2-large-patch14-224", "aimv2-l14-224"),
        _aimv2("large", 336, "apple/aimv2-large-patch14-336", "aimv2-l14-336"),
        _aimv2("large", 448, "apple/aimv2-large-patch14-448", "aimv2-l14-448"),
        _aimv2("huge", 224, "apple/aimv2-huge-patch14-224", "aimv2-h14-224"),
        _aimv2("huge", 336, "apple/aimv2-huge-patch14-336", "aimv2-h14-336"),
        _aimv2("huge", 448, "apple/aimv2-huge-patch14-448", "aimv2-h14-448"),
        _aimv2("1B", 224, "apple/aimv2-1B-patch14-224", "aimv2-1b14-224"),
        _aimv2("1B", 336, "apple/aimv2-1B-patch14-336", "aimv2-1b14-336"),
        _aimv2("1B", 448, "apple/aimv2-1B-patch14-448", "aimv2-1b14-448"),
        _aimv2("3B", 224, "apple/aimv2-3B-patch14-224", "aimv2-3b14-224"),
        _aimv2("3B", 336, "apple/aimv2-3B-patch14-336", "aimv2-3b14-336"),
        _aimv2("3B", 448, "apple/aimv2-3B-patch14-448", "aimv2-3b14-448"),
        _aimv2("large", 224, "apple/aimv2-large-patch14-native", "aimv2-l14-native", is_native=True),
        _lit("apple/aimv2-large-patch14-224-lit", "aimv2-l14-224-lit"),
    ),
    rule=Label("verified", f"CLIPImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=WEIGHTS,
    timm=TIMM_NETWORKS,
    reference=Reference(
        processor="",
        image="CLIPImageProcessorPil",
        sees="pixel_values",
        # Settings of sizes mean nothing to the native model; CLIP's models compare this processor under them.
        settings=({"image_mean": [0.5, 0.5, 0.5]}, {"image_std": [0.5, 0.5, 0.5]}),
    ),
    examples=(
        Example("aimv2-l14-224", 1280, 720, 256, 256, "224 / 14 = 16 a side, no prefix token"),
        Example("aimv2-3b14-448", 100, 3000, 1024, 1024, "448 / 14 = 32 a side"),
        Example("aimv2-l14-native", 640, 480, 1530, 1530, "45 x 34 patches of 14, the remainder unread"),
    ),
)
