"""The towers of Janus and DeepSeek-VL: SigLIP's trunk without a pooling head, and an aligner of a few matrices.

Sources: transformers 5.23.0, `models/janus/modeling_janus.py`, `models/deepseek_vl/modeling_deepseek_vl.py` and their
configurations; arXiv 2410.13848, 2403.05525.
"""

from __future__ import annotations

from dataclasses import replace

from vistoken.configs import Config
from vistoken.connector import Activate, Connector, Linear, Stage
from vistoken.family import ACTIVATIONS, REFERENCE, Files
from vistoken.spec import EncoderSpec
from vistoken.towers import siglip
from vistoken.towers.llm import text_width
from vistoken.weight_names import LLM_PARTS, Ignore, Weight, WeightNames, affine, under

# Class attributes of JanusVisionConfig.
JANUS = {
    "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "num_channels": 3, "image_size": 384,
    "patch_size": 16, "hidden_act": "gelu", "layer_norm_eps": 1e-6, "mlp_ratio": 4.0, "attention_bias": True,
    "projection_dim": 2048, "use_qk_norm": False, "depth": 2,
}  # fmt: skip
# The longest aligner whose names are told below; published ones have 2 matrices.
MOST = 4


def janus(files: Files) -> EncoderSpec | None:
    """Janus; None where a built-in name has the values for counting alone."""
    given = files.config.child("vision_config")
    if files.built_in and not given.has("hidden_size"):
        return None
    vision = given.with_defaults(JANUS, f"JanusVisionConfig in {REFERENCE}")
    if vision.flag("use_qk_norm"):
        raise vision.error("use_qk_norm", True, "no published tower norms queries and keys")
    hidden = int(vision.integer("hidden_size") * vision.number("mlp_ratio", 0.01, 100))
    spec = siglip.trunk(vision, siglip.table(vision), hidden, _aligner(vision))
    return spec if vision.flag("attention_bias") else replace(spec, qkv_bias="none")


def _aligner(vision: Config) -> Connector:
    """`depth` matrices with activations between them."""
    width = vision.integer("projection_dim", high=65_536)
    activation = Activate(vision.choice("hidden_act", ACTIVATIONS))
    stages: tuple[Stage, ...] = (Linear(width),)
    for _ in range(1, vision.integer("depth", high=MOST)):
        stages = (*stages, activation, Linear(width))
    return Connector(stages=stages)


def deepseek_vl(files: Files) -> EncoderSpec | None:
    """DeepSeek-VL with one tower; None where a built-in name has the values for counting alone."""
    vision = siglip.behind(files, {}, f"DeepseekVLConfig in {REFERENCE}")
    if vision is None:
        return None
    width = text_width(files.config, "llama")
    return siglip.tower(vision, Connector(stages=(Linear(width), Activate("gelu"), Linear(width))))


def _split_out(weights: tuple[Weight, ...]) -> tuple[Weight, ...]:
    """The same where the output matrix of attention has Janus's name."""
    return tuple(replace(w, file=w.file.replace("self_attn.out_proj", "self_attn.projection_layer")) for w in weights)


WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("vision_model.", *_split_out(siglip.TRUNK_WEIGHTS)),
        *affine("aligner.fc1", "connector.stages.0"),
        *(
            weight
            for number in range(MOST - 1)
            for weight in affine(f"aligner.hidden_layers.{number}", f"connector.stages.{2 * number + 2}")
        ),
    ),
    ignored=(
        *LLM_PARTS,
        ("vqmodel.*", Ignore("what draws pictures")),
        ("generation_*", Ignore("what draws pictures")),
    ),
)
DEEPSEEK_WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("vision_model.", *siglip.WEIGHTS),
        *affine("aligner.linear1", "connector.stages.0"),
        *affine("aligner.linear2", "connector.stages.2"),
    ),
    ignored=LLM_PARTS,
)
