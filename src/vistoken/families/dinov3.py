"""DINOv3 ViT: rotary positions over patch centres, four registers, no position table, gated MLPs in three sizes.

Angles follow the picture's own grid, so any size works as it is. Keys have no bias, which would not change a softmax;
the largest size has no bias on queries and values either. (In training mode the reference scales all coordinates at
random: it is compared in evaluation mode.)
The reference's processor resizes numbers from 0 to 1; here bytes are resized, which differs by rounding to a byte.
Sources: transformers 5.23.0, `models/dinov3_vit/modeling_dinov3_vit.py`, `configuration_dinov3_vit.py` and
`image_processing_dinov3_vit.py`; arXiv 2508.10104.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.configs import Config
from vistoken.family import (
    ACTIVATIONS,
    REFERENCE,
    SCRIPT,
    Example,
    Family,
    Files,
    Published,
    Reading,
    Reference,
    Timm,
    heads_of,
)
from vistoken.model_spec import Label
from vistoken.preprocessing import IMAGENET_MEAN, IMAGENET_STD, SETTINGS, standard
from vistoken.spec import (
    CentredRotary,
    ClassPool,
    ClassToken,
    EncoderSpec,
    GatedMlp,
    LayerNorm,
    MeanPool,
    Mlp,
    NoPosition,
    PlainMlp,
    PrefixToken,
    QkvBias,
    Registers,
)
from vistoken.towers.timm import as_timm
from vistoken.weight_names import (
    TIMM,
    TIMM_CLASSIFIER,
    TIMM_GATED,
    DropOnes,
    Ignore,
    NoKeys,
    Part,
    Row,
    Weight,
    WeightNames,
    affine,
)

DEFAULTS = {
    "hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 12, "num_attention_heads": 6,
    "hidden_act": "gelu", "layer_norm_eps": 1e-5, "rope_theta": 100.0, "image_size": 224, "patch_size": 16,
    "num_channels": 3, "query_bias": True, "key_bias": False, "value_bias": True, "proj_bias": True,
    "mlp_bias": True, "use_gated_mlp": False, "num_register_tokens": 0,
}  # fmt: skip


def read(files: Files) -> Reading:
    config = files.config.with_defaults(DEFAULTS, f"DINOv3ViTConfig in {REFERENCE}")
    dim, heads = heads_of(config)
    patch = config.patch("patch_size")
    prefix: tuple[PrefixToken, ...] = (ClassToken(),)
    if registers := config.integer("num_register_tokens", low=0, high=1024):
        prefix += (Registers(registers),)
    encoder = EncoderSpec(
        patch=patch,
        dim=dim,
        depth=config.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        channels=config.integer("num_channels", low=3, high=3),
        norm=LayerNorm(config.number("layer_norm_eps", 0, 1)),
        mlp=_mlp(config),
        qkv_bias=_qkv_bias(config),
        out_bias=config.flag("proj_bias"),
        layer_scale=True,
        prefix=prefix,
        position=NoPosition(),
        rotary=CentredRotary(config.number("rope_theta", 1.001, 1e9)),
        pool=ClassPool(),
        mask_token=True,  # always stored
    )
    return Reading(encoder, *standard(files.image, "DINOv3ViTImageProcessor", patch, config.size("image_size")))


def _mlp(config: Config) -> Mlp:
    kind = GatedMlp if config.flag("use_gated_mlp") else PlainMlp
    return kind(config.integer("intermediate_size"), config.choice("hidden_act", ACTIVATIONS), config.flag("mlp_bias"))


def _qkv_bias(config: Config) -> QkvBias:
    """Biases of queries and values, or none at all: no other combination was published."""
    if config.flag("key_bias"):
        raise config.error("key_bias", True, "published models have no bias on keys, which would change nothing")
    query, value = config.flag("query_bias"), config.flag("value_bias")
    if query is not value:
        raise config.error("value_bias", value, f"it must equal {config.path}query_bias, which is {query}")
    return "query and value" if query else "none"


# facebookresearch/dinov3, and where timm 1.0.31 differs from it (`models/eva.py`, `checkpoint_filter_fn`).
ORIGINAL = (
    *TIMM,
    *TIMM_GATED,
    Weight("storage_tokens", "embed.prefix.reg", DropOnes()),
    Weight("mask_token", "mask_token", Row()),
    Weight("blocks.{n}.attn.qkv.bias", "blocks.{n}.attention.qv_bias", NoKeys()),
    *affine("blocks.{n}.mlp.w3", "blocks.{n}.mlp.down"),
    Weight("blocks.{n}.gamma_1", "blocks.{n}.scale1"),
    Weight("blocks.{n}.gamma_2", "blocks.{n}.scale2"),
    Weight("blocks.{n}.attn.q_bias", "blocks.{n}.attention.qv_bias", Part(0, 2)),
    Weight("blocks.{n}.attn.v_bias", "blocks.{n}.attention.qv_bias", Part(1, 2)),
)
WEIGHTS = WeightNames(
    roots=("", "model."),  # the second in the library's own newer module tree
    weights=(
        Weight("embeddings.cls_token", "embed.prefix.cls", DropOnes()),
        Weight("embeddings.register_tokens", "embed.prefix.reg", DropOnes()),
        Weight("embeddings.mask_token", "mask_token", Row()),
        *affine("embeddings.patch_embeddings", "embed.patch"),
        *affine("layer.{n}.norm1", "blocks.{n}.norm1"),
        *(
            Weight(f"layer.{{n}}.attention.{name}_proj.weight", "blocks.{n}.attention.qkv.weight", Part(index, 3))
            for index, name in enumerate("qkv")
        ),
        Weight("layer.{n}.attention.q_proj.bias", "blocks.{n}.attention.qv_bias", Part(0, 2)),
        Weight("layer.{n}.attention.v_proj.bias", "blocks.{n}.attention.qv_bias", Part(1, 2)),
        *affine("layer.{n}.attention.o_proj", "blocks.{n}.attention.out"),
        Weight("layer.{n}.layer_scale1.lambda1", "blocks.{n}.scale1"),
        *affine("layer.{n}.norm2", "blocks.{n}.norm2"),
        # `up_proj` is the only way up of a plain MLP, and stands beside the gate in a gated one.
        *affine("layer.{n}.mlp.up_proj", "blocks.{n}.mlp.up"),
        *(
            Weight(f"layer.{{n}}.mlp.{name}_proj.{leaf}", f"blocks.{{n}}.mlp.gate_up.{leaf}", Part(index, 2))
            for index, name in enumerate(("gate", "up"))
            for leaf in ("weight", "bias")
        ),
        *affine("layer.{n}.mlp.down_proj", "blocks.{n}.mlp.down"),
        Weight("layer.{n}.layer_scale2.lambda1", "blocks.{n}.scale2"),
        *affine("norm", "norm"),
        *ORIGINAL,
    ),
    ignored=(
        ("blocks.{n}.attn.qkv.bias_mask", Ignore("keys have no bias here")),
        ("rope_embed.periods", Ignore("computed from rope_theta")),
        ("local_cls_norm.*", Ignore("used in training on small crops alone")),
        *TIMM_CLASSIFIER,
    ),
)

# hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, gated
SIZES = {
    "vits16": (384, 12, 6, 1536, False),
    "vits16plus": (384, 12, 6, 1536, True),
    "vitb16": (768, 12, 12, 3072, False),
    "vitl16": (1024, 24, 16, 4096, False),
    "vith16plus": (1280, 32, 20, 5120, True),
    "vit7b16": (4096, 40, 32, 8192, True),
}
# The models trained on satellite pictures are normalised with values of their own (facebookresearch/dinov3, README).
SATELLITE = {"image_mean": (0.430, 0.411, 0.296), "image_std": (0.213, 0.156, 0.143)}
README = Label("documented", "the README of facebookresearch/dinov3; sizes as those of the models trained on the web")


def _dinov3(size: str, alias: str, satellite: bool = False) -> Published:
    dim, depth, heads, hidden, gated = SIZES[size]
    bias = size != "vit7b16"
    config = {"model_type": "dinov3_vit", "hidden_size": dim, "num_hidden_layers": depth, "num_attention_heads": heads,
              "intermediate_size": hidden, "use_gated_mlp": gated, "hidden_act": "silu" if gated else "gelu",
              "query_bias": bias, "key_bias": False, "value_bias": bias, "num_register_tokens": 4, "patch_size": 16,
              "image_size": 224}  # fmt: skip
    preprocessor = {"image_processor_type": "DINOv3ViTImageProcessorFast", "size": {"height": 224, "width": 224},
                    "resample": 2, "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}  # fmt: skip
    name = f"facebook/dinov3-{size}-pretrain-{'sat493m' if satellite else 'lvd1689m'}"
    return Published((name, alias), config, preprocessor | (SATELLITE if satellite else {}),
                     README if satellite else SCRIPT)  # fmt: skip


def _timm(size: str, bias: bool) -> dict[str, object]:
    return {**_dinov3(size, "").config, "query_bias": bias, "value_bias": bias}


def _adapted(encoder: EncoderSpec, config: Config) -> EncoderSpec:
    """Patches are normed before their mean is taken (`use_fc_norm=False`), and the mask token is dropped."""
    return replace(as_timm(encoder, config, mean=MeanPool()), mask_token=False)


TIMM_NETWORKS = Timm(  # timm 1.0.31, `models/eva.py`; without "qkvb", biases that are all zero are left out
    architectures={
        "vit_small_patch16_dinov3": _timm("vits16", False),
        "vit_small_patch16_dinov3_qkvb": _timm("vits16", True),
        "vit_small_plus_patch16_dinov3": _timm("vits16plus", False),
        "vit_small_plus_patch16_dinov3_qkvb": _timm("vits16plus", True),
        "vit_base_patch16_dinov3": _timm("vitb16", False),
        "vit_base_patch16_dinov3_qkvb": _timm("vitb16", True),
        "vit_large_patch16_dinov3": _timm("vitl16", False),
        "vit_large_patch16_dinov3_qkvb": _timm("vitl16", True),
        "vit_huge_plus_patch16_dinov3": _timm("vith16plus", False),
        "vit_huge_plus_patch16_dinov3_qkvb": _timm("vith16plus", True),
        "vit_7b_patch16_dinov3": _timm("vit7b16", False),
    },
    adapt=_adapted,
)


FAMILY = Family(
    name="DINOv3",
    model_types=("dinov3_vit",),
    read=read,
    published=(
        _dinov3("vits16", "dinov3-s16"),
        _dinov3("vits16plus", "dinov3-s16plus"),
        _dinov3("vitb16", "dinov3-b16"),
        _dinov3("vitl16", "dinov3-l16"),
        _dinov3("vith16plus", "dinov3-h16plus"),
        _dinov3("vit7b16", "dinov3-7b16"),
        _dinov3("vitl16", "dinov3-l16-sat", satellite=True),
        _dinov3("vit7b16", "dinov3-7b16-sat", satellite=True),
    ),
    rule=Label("verified", f"DINOv3ViTImageProcessor of {REFERENCE}"),
    settings=SETTINGS,
    weights=WEIGHTS,
    timm=TIMM_NETWORKS,
    reference=Reference(
        processor="",
        image="DINOv3ViTImageProcessor",
        sees="pixel_values",
        torchvision=True,
        settings=({"size": {"height": 256, "width": 256}}, {"size": {"height": 97, "width": 225}}),
    ),
    examples=(
        Example("dinov3-b16", 1280, 720, 196, 201, "224 / 16 = 14 a side, one class token and four registers"),
        Example("dinov3-7b16-sat", 64, 3000, 196, 201, "the same whatever the size"),
        Example("dinov3-s16plus", 640, 480, 256, 261, "the README evaluates at 256: 16 a side",
                arguments={"size": {"height": 256, "width": 256}}),
    ),
)  # fmt: skip
