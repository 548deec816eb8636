"""Published tensor names against ours: words only, which `vistoken.encoding.steps` carries out.

A family pairs patterns of names with a step from a small closed vocabulary. Layouts that several families share stand
here once: Hugging Face's ViT blocks, CLIP blocks, and SigLIP's pooling head.
Source: the names that transformers 5.23.0 writes with `save_pretrained`, which are the published ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from vistoken.frozen import frozen


@frozen
class AsIs:
    """The file's tensor is ours."""


@frozen
class DropOnes:
    """Leading axes of length 1 fall away: (1, 197, dim) becomes (197, dim)."""


@frozen
class Row:
    """The file's vector, with or without leading axes of length 1, is our matrix of one row."""


# How the file's heads pair dimensions for rotary positions. Ours is "half": dimension i with i + head_dim / 2, the
# row's pairs before the column's. In "axes" the head is halved first, the column's half before the row's, and each
# half pairs within itself (Gemma 4). In the others neighbours pair, 2i with 2i + 1: the row's pairs before the
# column's ("rows first", EVA-02), behind them ("cols first", Llama 4, Perception Encoder), or by turns, the column
# beginning ("alternating", MoonViT).
Pairs = Literal["half", "axes", "rows first", "cols first", "alternating"]


@frozen
class Part:
    """The file's tensor is part `index` of `of` equal parts of our rows: separate q, k and v are fused.

    It may be `span` of these parts at once (k and v together: timm's attention pool).
    """

    index: int
    of: int
    pairs: Pairs = "half"
    span: int = 1


@frozen
class Paired:
    """As the file's, its rotary dimensions brought into our order."""

    pairs: Pairs


@frozen
class PairedQk:
    """The file's tensor is q, k and v, one above the other; the rotary dimensions of q and k are brought into order."""

    pairs: Pairs


@frozen
class NoKeys:
    """The file's bias is that of q, k and v; ours has none of k, which the file masks (DINOv3)."""


@frozen
class Transposed:
    """The file multiplies from the other side: (in, out) instead of (out, in)."""


@frozen
class Table:
    """The rows of the file's table of embeddings, but for the last `unused`, are our columns."""

    unused: int


@frozen
class SwappedHalves:
    """The second half of the file's rows stands first in ours: the gate behind what it gates."""


@frozen
class PlusOne:
    """The file stores what is added to a weight of 1 (Gemma's norms)."""


@frozen
class Item:
    """Entry `index` of the file's first axis, of which it has `of`."""

    index: int
    of: int


@frozen
class Cell:
    """The file's number is one cell of our matrix."""

    row: int
    col: int


@frozen
class ChannelsLast:
    """The file's linear weight counts a patch as (row, column, channel); ours as (channel, row, column)."""


@frozen
class CellRows:
    """The file's table is a grid, (1, rows, columns, dim); ours has one row a cell."""


@frozen
class Flattened:
    """A matrix in one of the two, where the other has its columns as several axes; the order of numbers is one."""


@frozen
class LastRowFirst:
    """The file's last row, of the class token, is our first; the others follow in order (Llama 4)."""


@frozen
class Ignore:
    """The tensor is left out on purpose."""

    why: str


LOSS = Ignore("the contrastive loss")

WeightStep = (
    AsIs | DropOnes | Row | Part | Paired | PairedQk | NoKeys | Transposed | SwappedHalves | Table | PlusOne | Item
    | Cell | CellRows | ChannelsLast | Flattened | LastRowFirst
)  # fmt: skip


@frozen
class Weight:
    """`file` is the tensor's published name, `ours` the parameter of the encoder; `{n}` stands for a block's number."""

    file: str
    ours: str
    step: WeightStep = AsIs()


@frozen
class WeightNames:
    """All published names of a family. A tensor that nothing here names is an error.

    `roots` are prefixes that a file may put before every name of the encoder ("vit." in classification checkpoints).
    `ignored` pairs a pattern, where `*` at the end stands for anything, with the reason: of tensors that fill no
    parameter of the encoder, even where the family names them (a head is CLIP's projection, or a classifier). `tower`
    is a root that all tensors of the encoder have where any has it; what stands outside then is another's, though it
    may be named alike (the text tower of CLIP's first form).
    """

    weights: tuple[Weight, ...]
    roots: tuple[str, ...] = ("",)
    ignored: tuple[tuple[str, Ignore], ...] = ()
    tower: str = ""


@frozen
class Seeded:
    """There is no file: the parameters are drawn from `seed`."""

    seed: int


def under(prefix: str, *weights: Weight) -> tuple[Weight, ...]:
    """The same weights where the file puts `prefix` before their names."""
    return tuple(replace(weight, file=prefix + weight.file) for weight in weights)


def in_open_clip(names: WeightNames) -> WeightNames:
    """The same names where open_clip has a tower of timm as its trunk (`timm_model.py`, `TimmModel`)."""
    return replace(
        names,
        roots=(*names.roots, "visual.trunk."),
        ignored=(*names.ignored, *OPEN_CLIP_PARTS, ("logit_scale", LOSS), ("logit_bias", LOSS)),
    )


def chunked(*weights: Weight) -> tuple[Weight, ...]:
    """The same weights, and again where blocks stand in chunks: blocks.0.3, then blocks.1.4."""
    return weights + tuple(
        replace(weight, file=weight.file.replace("blocks.{n}", "blocks.{chunk}.{n}"))
        for weight in weights
        if "{n}" in weight.file
    )


def affine(file: str, ours: str) -> tuple[Weight, Weight]:
    """The weight and the bias of one layer."""
    return Weight(f"{file}.weight", f"{ours}.weight"), Weight(f"{file}.bias", f"{ours}.bias")


def gated_mlp(file: str, ours: str, *leaves: str) -> tuple[Weight, ...]:
    """The three matrices of a gated MLP under their usual names; gate and up become one of ours."""
    return tuple(
        weight
        for leaf in leaves or ("weight",)
        for weight in (
            Weight(f"{file}.gate_proj.{leaf}", f"{ours}.gate_up.{leaf}", Part(0, 2)),
            Weight(f"{file}.up_proj.{leaf}", f"{ours}.gate_up.{leaf}", Part(1, 2)),
            Weight(f"{file}.down_proj.{leaf}", f"{ours}.down.{leaf}"),
        )
    )


def fused_qkv(query: str, key: str, value: str, ours: str) -> tuple[Weight, ...]:
    """Three layers of the file that become one of ours."""
    return tuple(
        Weight(f"{name}.{leaf}", f"{ours}.{leaf}", Part(index, 3))
        for index, name in enumerate((query, key, value))
        for leaf in ("weight", "bias")
    )


VIT_BLOCKS = (
    *affine("encoder.layer.{n}.layernorm_before", "blocks.{n}.norm1"),
    *fused_qkv(
        "encoder.layer.{n}.attention.attention.query",
        "encoder.layer.{n}.attention.attention.key",
        "encoder.layer.{n}.attention.attention.value",
        "blocks.{n}.attention.qkv",
    ),
    *affine("encoder.layer.{n}.attention.output.dense", "blocks.{n}.attention.out"),
    *affine("encoder.layer.{n}.layernorm_after", "blocks.{n}.norm2"),
    *affine("encoder.layer.{n}.intermediate.dense", "blocks.{n}.mlp.up"),
    *affine("encoder.layer.{n}.output.dense", "blocks.{n}.mlp.down"),
    *affine("layernorm", "norm"),
)
CLIP_BLOCKS = (
    *affine("encoder.layers.{n}.layer_norm1", "blocks.{n}.norm1"),
    *fused_qkv(
        "encoder.layers.{n}.self_attn.q_proj",
        "encoder.layers.{n}.self_attn.k_proj",
        "encoder.layers.{n}.self_attn.v_proj",
        "blocks.{n}.attention.qkv",
    ),
    *affine("encoder.layers.{n}.self_attn.out_proj", "blocks.{n}.attention.out"),
    *affine("encoder.layers.{n}.layer_norm2", "blocks.{n}.norm2"),
    *affine("encoder.layers.{n}.mlp.fc1", "blocks.{n}.mlp.up"),
    *affine("encoder.layers.{n}.mlp.fc2", "blocks.{n}.mlp.down"),
    *affine("post_layernorm", "norm"),
)
# OpenAI's CLIP, `model.py`, and open_clip's; the projection is (dim, out) there.
OPENAI_TOWER = under(
    "visual.",
    Weight("class_embedding", "embed.prefix.cls", Row()),
    Weight("conv1.weight", "embed.patch.weight"),
    Weight("positional_embedding", "embed.position.table"),
    *affine("ln_pre", "pre_norm"),
    *affine("transformer.resblocks.{n}.ln_1", "blocks.{n}.norm1"),
    Weight("transformer.resblocks.{n}.attn.in_proj_weight", "blocks.{n}.attention.qkv.weight"),
    Weight("transformer.resblocks.{n}.attn.in_proj_bias", "blocks.{n}.attention.qkv.bias"),
    *affine("transformer.resblocks.{n}.attn.out_proj", "blocks.{n}.attention.out"),
    *affine("transformer.resblocks.{n}.ln_2", "blocks.{n}.norm2"),
    *affine("transformer.resblocks.{n}.mlp.c_fc", "blocks.{n}.mlp.up"),
    *affine("transformer.resblocks.{n}.mlp.c_proj", "blocks.{n}.mlp.down"),
    *affine("ln_post", "norm"),
    Weight("proj", "pool.projection.weight", Transposed()),
)
# timm 1.0.31, `models/vision_transformer.py`; DINOv2's and DeiT's own repositories name blocks alike.
TIMM_BLOCKS = (
    *affine("blocks.{n}.norm1", "blocks.{n}.norm1"),
    *affine("blocks.{n}.attn.qkv", "blocks.{n}.attention.qkv"),
    *affine("blocks.{n}.attn.proj", "blocks.{n}.attention.out"),
    Weight("blocks.{n}.ls1.gamma", "blocks.{n}.scale1"),
    *affine("blocks.{n}.norm2", "blocks.{n}.norm2"),
    *affine("blocks.{n}.mlp.fc1", "blocks.{n}.mlp.up"),
    *affine("blocks.{n}.mlp.fc2", "blocks.{n}.mlp.down"),
    Weight("blocks.{n}.ls2.gamma", "blocks.{n}.scale2"),
)
TIMM = (
    Weight("cls_token", "embed.prefix.cls", DropOnes()),
    Weight("reg_token", "embed.prefix.reg", DropOnes()),
    Weight("pos_embed", "embed.position.table", DropOnes()),
    *affine("patch_embed.proj", "embed.patch"),
    *affine("norm_pre", "pre_norm"),
    *TIMM_BLOCKS,
    *affine("norm", "norm"),
    *affine("fc_norm", "pool.norm"),
)
# `AttentionPoolLatent`: q for itself, k and v together.
TIMM_POOL = (
    Weight("attn_pool.latent", "pool.probe", Row()),
    *(
        Weight(f"attn_pool.{name}.{leaf}", f"pool.qkv.{leaf}", part)
        for name, part in (("q", Part(0, 3)), ("kv", Part(1, 3, span=2)))
        for leaf in ("weight", "bias")
    ),
    *affine("attn_pool.proj", "pool.out"),
    *affine("attn_pool.norm", "pool.norm"),
    *affine("attn_pool.mlp.fc1", "pool.mlp.up"),
    *affine("attn_pool.mlp.fc2", "pool.mlp.down"),
)
# timm's `SwiGLU`; DINOv3's own code calls the same three w1, w2 and w3.
TIMM_GATED = tuple(
    Weight(f"blocks.{{n}}.mlp.{name}.{leaf}", f"blocks.{{n}}.mlp.gate_up.{leaf}", Part(index, 2))
    for names in (("fc1_g", "fc1_x"), ("w1", "w2"))
    for index, name in enumerate(names)
    for leaf in ("weight", "bias")
)
# Layer scale in the repositories of DeiT-3 and DINOv3, and in timm's `models/eva.py`.
GAMMAS = (Weight("blocks.{n}.gamma_1", "blocks.{n}.scale1"), Weight("blocks.{n}.gamma_2", "blocks.{n}.scale2"))
TIMM_CLASSIFIER = (("head.weight", Ignore("the classifier")), ("head.bias", Ignore("the classifier")))
# torch's MultiheadAttention stores q, k and v already fused.
SIGLIP_HEAD = (
    Weight("head.probe", "pool.probe", Row()),
    Weight("head.attention.in_proj_weight", "pool.qkv.weight"),
    Weight("head.attention.in_proj_bias", "pool.qkv.bias"),
    *affine("head.attention.out_proj", "pool.out"),
    *affine("head.layernorm", "pool.norm"),
    *affine("head.mlp.fc1", "pool.mlp.up"),
    *affine("head.mlp.fc2", "pool.mlp.down"),
)
CONTRASTIVE_PARTS = (
    ("text_model.*", Ignore("the text tower")),
    ("text_projection.weight", Ignore("the text tower")),
    ("logit_scale", LOSS),
    ("logit_bias", LOSS),
    ("embeddings.position_ids", Ignore("a counter that older files store")),
)
# Beside the tower in the files of OpenAI and open_clip (`model.py`, `CLIP` and `CustomTextCLIP`). The last three are
# numbers of OpenAI's TorchScript archives.
OPEN_CLIP_PARTS = tuple(
    (pattern, Ignore("the text tower"))
    for pattern in ("transformer.*", "token_embedding.weight", "positional_embedding", "ln_final.*", "text_projection",
                    "text.*", "context_length", "vocab_size", "input_resolution")
)  # fmt: skip
# What lies beside the tower in the files of a vision-language model, in the spellings of all generations.
LLM_PARTS = tuple(
    (pattern, Ignore("the LLM"))
    for pattern in ("model.language_model.*", "language_model.*", "model.layers.*", "model.embed_tokens.*",
                    "model.norm.*", "lm_head.*")
)  # fmt: skip
