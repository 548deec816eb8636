"""Gemma 4's tower: sandwich norms, normed heads, rotary pairs by axis, two tables of positions, no last norm.

Its connector averages blocks of patches, scales by the root of dim, may standardise, norms and projects. Numbers of
pixels go in from -1 to 1.
Sources: transformers 5.23.0, `models/gemma4/modeling_gemma4.py` (`Gemma4VisionModel`, `Gemma4MultimodalEmbedder`) and
`configuration_gemma4.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from vistoken.configs import Config
from vistoken.connector import AveragePool, Connector, Linear, Normalise, Scale, Stage, Standardise
from vistoken.family import ACTIVATIONS, MAX_TABLE, REFERENCE, Files, heads_of
from vistoken.spec import EncoderSpec, Factorised, GatedMlp, HeadNorm, RmsNorm, Rotary
from vistoken.towers.llm import text_width
from vistoken.weight_names import LLM_PARTS, Cell, ChannelsLast, Ignore, Item, Paired, Part, Weight, WeightNames

# Class attributes of Gemma4VisionConfig.
DEFAULTS = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 16, "num_attention_heads": 12,
    "num_key_value_heads": 12, "head_dim": 64, "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6,
    "attention_bias": False, "rope_parameters": None, "pooling_kernel_size": 3, "patch_size": 16,
    "position_embedding_size": 10_240, "use_clipped_linears": False, "standardize": False,
}  # fmt: skip
THETA = 100.0  # its `default_theta`


def tower(files: Files) -> EncoderSpec:
    """The encoder and its connector."""
    vision = files.config.child("vision_config").with_defaults(DEFAULTS, f"Gemma4VisionConfig in {REFERENCE}")
    dim, heads = heads_of(vision)
    _check_heads(vision, dim // heads, heads)
    norm = RmsNorm(vision.number("rms_norm_eps", 0, 1))
    table = vision.integer("position_embedding_size", high=MAX_TABLE)
    return EncoderSpec(
        patch=vision.patch("patch_size"),
        dim=dim,
        depth=vision.integer("num_hidden_layers", low=0, high=1024),
        heads=heads,
        norm=norm,
        mlp=GatedMlp(vision.integer("intermediate_size"), vision.choice("hidden_activation", ACTIVATIONS), bias=False),
        position=Factorised(table, table),
        rotary=Rotary(_theta(vision)),
        patch_bias=False,
        qkv_bias="none",
        out_bias=False,
        qkv_norm=HeadNorm(norm),
        clamps=vision.flag("use_clipped_linears"),
        block_norms="both",
        final_norm="none",
        connector=Connector(stages=tuple(_stages(vision, dim, norm, text_width(files.config, "gemma4_text")))),
    )


def _check_heads(vision: Config, head_dim: int, heads: int) -> None:
    """What the engine has no switch for, since no published tower needs it."""
    for name, wanted in (("head_dim", head_dim), ("num_key_value_heads", heads), ("attention_bias", False)):
        if (value := vision.raw(name)) not in (wanted, None):
            raise vision.error(name, value, f"only {wanted} is encoded: heads are equal parts of hidden_size, unbiased")


def _theta(vision: Config) -> float:
    """The base of the rotary ladder; the files' `rope_type` "default" is the reference's "axial"."""
    rope = vision.raw("rope_parameters")
    if rope is None:
        return THETA
    parameters = vision.child("rope_parameters").with_defaults(
        {"rope_type": "axial", "rope_theta": THETA}, f"Gemma4VisionConfig in {REFERENCE}"
    )
    parameters.choice("rope_type", {"axial": "axial", "default": "axial"})
    return parameters.number("rope_theta", 1.0001, 1e9)


def _stages(vision: Config, dim: int, norm: RmsNorm, width: int) -> Iterator[Stage]:
    yield AveragePool(vision.integer("pooling_kernel_size", high=64))
    yield Scale(dim**0.5)
    if vision.flag("standardize"):
        yield Standardise()
    yield Normalise(norm, weight=False)
    yield Linear(width, bias=False)


def _linears() -> Iterator[Weight]:
    """Every matrix of a block, with the four bounds that clipped ones have."""
    ends = ("input_min", "input_max", "output_min", "output_max")
    for file, ours, row, step in (
        ("self_attn.q_proj", "attention.qkv", 0, Part(0, 3, "axes")),
        ("self_attn.k_proj", "attention.qkv", 1, Part(1, 3, "axes")),
        ("self_attn.v_proj", "attention.qkv", 2, Part(2, 3)),
        ("self_attn.o_proj", "attention.out", 0, Part(0, 1)),
        ("mlp.gate_proj", "mlp.gate_up", 0, Part(0, 2)),
        ("mlp.up_proj", "mlp.gate_up", 1, Part(1, 2)),
        ("mlp.down_proj", "mlp.down", 0, Part(0, 1)),
    ):
        file, ours = f"vision_tower.encoder.layers.{{n}}.{file}", f"blocks.{{n}}.{ours}"
        yield Weight(f"{file}.linear.weight", f"{ours}.weight", step)
        for column, end in enumerate(ends):
            yield Weight(f"{file}.{end}", f"{ours}.bounds", Cell(row, column))


def _norms() -> Iterator[Weight]:
    for file, ours in (
        ("input_layernorm", "norm1"), ("post_attention_layernorm", "after1"),
        ("pre_feedforward_layernorm", "norm2"), ("post_feedforward_layernorm", "after2"),
    ):  # fmt: skip
        yield Weight(f"vision_tower.encoder.layers.{{n}}.{file}.weight", f"blocks.{{n}}.{ours}.weight")
    for name in ("q_norm", "k_norm"):
        file = f"vision_tower.encoder.layers.{{n}}.self_attn.{name}.weight"
        yield Weight(file, f"blocks.{{n}}.attention.{name}.weight", Paired("axes"))


TABLE, PROJECTION = "vision_tower.patch_embedder.position_embedding_table", "embed_vision.embedding_projection.weight"
WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        Weight("vision_tower.patch_embedder.input_proj.weight", "embed.patch.weight", ChannelsLast()),
        Weight(TABLE, "embed.position.cols", Item(0, 2)),  # x comes first
        Weight(TABLE, "embed.position.rows", Item(1, 2)),
        *_linears(),
        *_norms(),
        Weight("vision_tower.std_bias", "connector.stages.2.shift"),
        Weight("vision_tower.std_scale", "connector.stages.2.scale"),
        # Behind a norm without a weight, which is one further where there is `Standardise`.
        Weight(PROJECTION, "connector.stages.3.weight"),
        Weight(PROJECTION, "connector.stages.4.weight"),
    ),
    ignored=(
        *LLM_PARTS,
        ("audio_tower.*", Ignore("the audio tower")),
        ("embed_audio.*", Ignore("the audio tower")),
    ),
)
