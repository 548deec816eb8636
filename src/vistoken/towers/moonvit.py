"""MoonViT, the tower of Kimi-VL and Kimi-K2.5: a learned table and rotary angles, a norm, and two matrices.

Columns and rows take turns in the files' rotary pairs. K2.5 adds the time of a frame to its patches, nothing to a
picture's; the frames of a clip see one another there and are averaged, which is not built: videos are counted.
Sources: transformers 5.23.0, `models/kimi_k25/modeling_kimi_k25.py`, `configuration_kimi_k25.py` and
`conversion_mapping.py` for the published names; for Kimi-VL the vendor's `modeling_kimi_vl.py` on the hub, as several
ports carry it; arXiv 2504.07491.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.connector import Activate, Connector, Linear, MergeBlocks, Normalise
from vistoken.family import ACTIVATIONS, MAX_TABLE, REFERENCE, heads_of
from vistoken.spec import EncoderSpec, LayerNorm, LearnedTable, PlainMlp, TableResize
from vistoken.towers.axial import axial
from vistoken.towers.llm import text_width
from vistoken.weight_names import LLM_PARTS, CellRows, PairedQk, Weight, WeightNames, affine, under

# Class attributes of Kimi_K25VisionConfig and of Kimi_K25Config.
DEFAULTS = {
    "patch_size": 14, "num_attention_heads": 16, "num_hidden_layers": 27, "hidden_size": 1152,
    "intermediate_size": 4304, "hidden_act": "gelu_pytorch_tanh", "merge_kernel_size": (2, 2),
}  # fmt: skip
K25_TABLE, VL_TABLE = ("pos_emb_height", "pos_emb_width"), ("init_pos_emb_height", "init_pos_emb_width")
TABLE = {"pos_emb_height": 64, "pos_emb_width": 64, "init_pos_emb_height": 64, "init_pos_emb_width": 64}
RESIZE = TableResize("bicubic", antialias=False)
# Fixed in the code of both.
NORM = LayerNorm(1e-5)


def k25(config: Config, built_in: bool) -> EncoderSpec | None:
    """The encoder of Kimi-K2.5; None where a built-in name has the values for counting alone."""
    vision, whole = config.child("vision_config"), f"Kimi_K25Config in {REFERENCE}"
    if built_in and not vision.has("hidden_size"):
        return None
    vision = vision.with_defaults(DEFAULTS | TABLE, f"Kimi_K25VisionConfig in {REFERENCE}")
    settings = config.with_defaults({"projection_hidden_size": 1152, "projection_layer_norm_eps": 1e-5}, whole)
    width = settings.raw("projection_hidden_size")
    if width is not None and width != vision.integer("hidden_size"):
        raise settings.error("projection_hidden_size", width, "it must be the tower's hidden_size, which it norms")
    norm = LayerNorm(settings.number("projection_layer_norm_eps", 0, 1))
    return _tower(config, vision, K25_TABLE, norm)


def vl(config: Config, built_in: bool) -> EncoderSpec | None:
    """The encoder of Kimi-VL, as `k25`."""
    vision = config.child("vision_config")
    if built_in and not vision.has("hidden_size"):
        return None
    return _tower(config, vision.with_defaults(DEFAULTS | TABLE, "the vendor's hub code"), VL_TABLE, NORM)


def _tower(config: Config, vision: Config, table: tuple[str, str], norm: LayerNorm) -> EncoderSpec:
    dim, heads = heads_of(vision)
    rows, cols = (vision.integer(name, high=1024) for name in table)
    if rows * cols > MAX_TABLE:
        raise vision.error(table[0], rows, f"a table of more than {MAX_TABLE:,} cells is not read")
    side = vision.patch("merge_kernel_size").height
    stages = (
        Normalise(norm),
        MergeBlocks(side),
        Linear(side * side * dim),
        Activate("gelu"),
        Linear(text_width(config, "deepseek_v3")),
    )
    return EncoderSpec(
        patch=vision.patch("patch_size"),
        dim=dim,
        depth=vision.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        norm=NORM,
        mlp=PlainMlp(vision.integer("intermediate_size"), vision.choice("hidden_act", ACTIVATIONS)),
        position=LearnedTable(rows, cols, 0, RESIZE),
        rotary=axial(vision),
        connector=Connector(stages=stages),
    )


BLOCK = "encoder.blocks.{n}"


def _weights(*projector: Weight) -> WeightNames:
    return WeightNames(
        roots=("", "model."),
        weights=(
            *under(
                "vision_tower.",
                *affine("patch_embed.proj", "embed.patch"),
                *affine("encoder.patch_embed.proj", "embed.patch"),  # as transformers 5.23 writes it back
                Weight("patch_embed.pos_emb.weight", "embed.position.table", CellRows()),
                *affine(f"{BLOCK}.norm0", "blocks.{n}.norm1"),
                *(
                    Weight(f"{BLOCK}.wqkv.{leaf}", f"blocks.{{n}}.attention.qkv.{leaf}", PairedQk("alternating"))
                    for leaf in ("weight", "bias")
                ),
                *affine(f"{BLOCK}.wo", "blocks.{n}.attention.out"),
                *affine(f"{BLOCK}.norm1", "blocks.{n}.norm2"),
                *affine(f"{BLOCK}.mlp.fc0", "blocks.{n}.mlp.up"),
                *affine(f"{BLOCK}.mlp.fc1", "blocks.{n}.mlp.down"),
                *affine("encoder.final_layernorm", "norm"),
            ),
            *projector,
        ),
        ignored=LLM_PARTS,
    )


K25_WEIGHTS = _weights(
    *affine("mm_projector.pre_norm", "connector.stages.0"),
    *affine("mm_projector.proj.0", "connector.stages.2"),
    *affine("mm_projector.proj.2", "connector.stages.4"),
)
VL_WEIGHTS = _weights(
    *affine("multi_modal_projector.pre_norm", "connector.stages.0"),
    *affine("multi_modal_projector.linear_1", "connector.stages.2"),
    *affine("multi_modal_projector.linear_2", "connector.stages.4"),
)
