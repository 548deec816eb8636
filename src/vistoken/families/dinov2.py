"""DINOv2 with and without registers: layer scale, gated MLP in the giant size, a table made for 518 pixels.

The table is resized bicubic; the register models with antialias, the others without. (The original code without
registers scales by (n + 0.1) / 37 instead, and differs from this format's reference at every size but 518.)
Registers stand between class token and patches, have no row in the table, and never count as patches.
Sources: transformers 5.23.0, `models/dinov2/modeling_dinov2.py`, `models/dinov2_with_registers/`; arXiv 2304.07193,
2309.16588.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.configs import Config
from vistoken.family import (
    ACTIVATIONS,
    RECALLED,
    REFERENCE,
    SEEN,
    SIBLING,
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
from vistoken.model_spec import Label
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD, SETTINGS, standard
from vistoken.spec import (
    ClassPool,
    ClassToken,
    EncoderSpec,
    GatedMlp,
    LayerNorm,
    LearnedTable,
    Mlp,
    PlainMlp,
    PrefixToken,
    Registers,
    TableResize,
)
from vistoken.towers.timm import as_timm
from vistoken.weight_names import (
    TIMM,
    TIMM_CLASSIFIER,
    DropOnes,
    Ignore,
    Row,
    Weight,
    WeightNames,
    affine,
    chunked,
    fused_qkv,
)

DEFAULTS = {
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "mlp_ratio": 4, "hidden_act": "gelu",
    "layer_norm_eps": 1e-6, "image_size": 224, "patch_size": 14, "num_channels": 3, "qkv_bias": True,
    "use_swiglu_ffn": False, "use_mask_token": True,
}  # fmt: skip
REGISTER_DEFAULTS = DEFAULTS | {"patch_size": 16, "num_register_tokens": 4}


def read(files: Files) -> Reading:
    config = files.config
    registered = config.raw("model_type") == "dinov2_with_registers"
    source = "Dinov2WithRegistersConfig" if registered else "Dinov2Config"
    config = config.with_defaults(REGISTER_DEFAULTS if registered else DEFAULTS, f"{source} in {REFERENCE}")
    dim, heads = heads_of(config)
    patch = config.patch("patch_size")
    table, image = table_of(config, patch)
    prefix: tuple[PrefixToken, ...] = (ClassToken(),)
    if registered:
        prefix += (Registers(config.integer("num_register_tokens", high=1024)),)
    encoder = EncoderSpec(
        patch=patch,
        dim=dim,
        depth=config.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=config.integer("num_channels", low=3, high=3),
        norm=LayerNorm(config.number("layer_norm_eps", 0, 1)),
        mlp=_mlp(config, dim),
        qkv_bias="all" if config.flag("qkv_bias") else "none",
        layer_scale=True,
        prefix=prefix,
        position=LearnedTable(
            table.rows, table.cols, prefix_rows=1, resize=TableResize("bicubic", antialias=registered)
        ),
        pool=ClassPool(),
        # The register models always store the unused mask token; the others by option.
        mask_token=registered or config.flag("use_mask_token"),
    )
    return Reading(encoder, *standard(files.image, "BitImageProcessor", patch, image))


def _mlp(config: Config, dim: int) -> Mlp:
    """The hidden size follows from mlp_ratio; a gated MLP keeps two thirds, rounded up to a multiple of 8."""
    hidden = int(dim * config.number("mlp_ratio", 0.01, 64))
    if config.flag("use_swiglu_ffn"):
        return GatedMlp((int(hidden * 2 / 3) + 7) // 8 * 8, "silu")
    return PlainMlp(hidden, config.choice("hidden_act", ACTIVATIONS))


# facebookresearch/dinov2, and where timm differs from it: `reg_token`, and the gated MLP's two matrices.
ORIGINAL = (
    *chunked(*TIMM),
    Weight("register_tokens", "embed.prefix.reg", DropOnes()),
    Weight("mask_token", "mask_token", Row()),
    *chunked(
        *affine("blocks.{n}.mlp.w12", "blocks.{n}.mlp.gate_up"),
        *affine("blocks.{n}.mlp.fc1", "blocks.{n}.mlp.gate_up"),
        *affine("blocks.{n}.mlp.w3", "blocks.{n}.mlp.down"),
    ),
)
WEIGHTS = WeightNames(
    roots=("", "dinov2.", "dinov2_with_registers."),
    weights=(
        Weight("embeddings.cls_token", "embed.prefix.cls", DropOnes()),
        Weight("embeddings.register_tokens", "embed.prefix.reg", DropOnes()),
        Weight("embeddings.mask_token", "mask_token", Row()),
        Weight("embeddings.position_embeddings", "embed.position.table", DropOnes()),
        *affine("embeddings.patch_embeddings.projection", "embed.patch"),
        *affine("encoder.layer.{n}.norm1", "blocks.{n}.norm1"),
        *fused_qkv(
            "encoder.layer.{n}.attention.attention.query",
            "encoder.layer.{n}.attention.attention.key",
            "encoder.layer.{n}.attention.attention.value",
            "blocks.{n}.attention.qkv",
        ),
        *affine("encoder.layer.{n}.attention.output.dense", "blocks.{n}.attention.out"),
        Weight("encoder.layer.{n}.layer_scale1.lambda1", "blocks.{n}.scale1"),
        *affine("encoder.layer.{n}.norm2", "blocks.{n}.norm2"),
        *affine("encoder.layer.{n}.mlp.fc1", "blocks.{n}.mlp.up"),
        *affine("encoder.layer.{n}.mlp.fc2", "blocks.{n}.mlp.down"),
        # weights_in holds [gate; up]: the first half of its rows goes through the activation.
        *affine("encoder.layer.{n}.mlp.weights_in", "blocks.{n}.mlp.gate_up"),
        *affine("encoder.layer.{n}.mlp.weights_out", "blocks.{n}.mlp.down"),
        Weight("encoder.layer.{n}.layer_scale2.lambda1", "blocks.{n}.scale2"),
        *affine("layernorm", "norm"),
        *ORIGINAL,
    ),
    ignored=(("classifier.*", Ignore("the classifier")), *TIMM_CLASSIFIER),
)

# BitImageProcessor: short side 256, the middle 224, although the table is made for 518.
PREPROCESSOR = {
    "image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 256}, "crop_size": 224, "resample": 3,
    "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD,
}  # fmt: skip
SIZES = {"S": (384, 12, 6), "B": (768, 12, 12), "L": (1024, 24, 16), "g": (1536, 40, 24)}


def _dinov2(size: str, label: Label, *names: str, registers: int = 0) -> Published:
    dim, depth, heads = SIZES[size]
    config = {"model_type": "dinov2_with_registers" if registers else "dinov2", "hidden_size": dim,
              "num_hidden_layers": depth, "num_attention_heads": heads, "image_size": 518, "patch_size": 14,
              "use_swiglu_ffn": size == "g"}  # fmt: skip
    return Published(names, config | ({"num_register_tokens": registers} if registers else {}), PREPROCESSOR, label)


def _timm(size: str, registers: int = 0) -> dict[str, object]:
    return {**_dinov2(size, RECALLED, registers=registers).config, "use_mask_token": False}


def _adapted(encoder: EncoderSpec, config: Config) -> EncoderSpec:
    """No mask token; the register networks have the class token's row of the table added to the token itself."""
    encoder = replace(as_timm(encoder, config), mask_token=False)
    assert isinstance(encoder.position, LearnedTable)
    if len(encoder.prefix) == 1:
        return encoder
    return replace(encoder, position=replace(encoder.position, prefix_rows=0))


TIMM_NETWORKS = Timm(  # timm 1.0.31, `models/vision_transformer.py`
    architectures={
        "vit_small_patch14_dinov2": _timm("S"),
        "vit_base_patch14_dinov2": _timm("B"),
        "vit_large_patch14_dinov2": _timm("L"),
        "vit_giant_patch14_dinov2": _timm("g"),
        "vit_small_patch14_reg4_dinov2": _timm("S", 4),
        "vit_base_patch14_reg4_dinov2": _timm("B", 4),
        "vit_large_patch14_reg4_dinov2": _timm("L", 4),
        "vit_giant_patch14_reg4_dinov2": _timm("g", 4),
    },
    adapt=_adapted,
)


FAMILY = Family(
    name="DINOv2",
    model_types=("dinov2", "dinov2_with_registers"),
    read=read,
    published=(
        _dinov2("S", SEEN, "facebook/dinov2-small", "dinov2-s14"),
        _dinov2("B", SEEN, "facebook/dinov2-base", "dinov2-b14"),
        _dinov2("L", SIBLING, "facebook/dinov2-large", "dinov2-l14"),
        _dinov2("g", SIBLING, "facebook/dinov2-giant", "dinov2-g14"),
        _dinov2("S", RECALLED, "facebook/dinov2-with-registers-small", "dinov2-s14-reg", registers=4),
        _dinov2("B", SEEN, "facebook/dinov2-with-registers-base", "dinov2-b14-reg", registers=4),
        _dinov2("L", RECALLED, "facebook/dinov2-with-registers-large", "dinov2-l14-reg", registers=4),
        _dinov2("g", RECALLED, "facebook/dinov2-with-registers-giant", "dinov2-g14-reg", registers=4),
    ),
    rule=Label("verified", f"BitImageProcessorPil of {REFERENCE}"),
    settings=SETTINGS,
    weights=WEIGHTS,
    timm=TIMM_NETWORKS,
    reference=Reference(
        processor="",
        image="BitImageProcessorPil",
        sees="pixel_values",
        settings=(
            {"size": {"shortest_edge": 518}, "crop_size": {"height": 518, "width": 518}},
            {"do_center_crop": False},
        ),
    ),
    examples=(
        Example("dinov2-b14", 1280, 720, 256, 257, "224 / 14 = 16 a side, and one class token"),
        Example("dinov2-g14-reg", 1280, 720, 256, 261, "the same with four registers"),
    ),
)
