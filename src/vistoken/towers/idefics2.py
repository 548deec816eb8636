"""Idefics2: SigLIP without its head, positions by bucket, a gated MLP, and 64 latents that stand for a view.

Sources: transformers 5.23.0, `models/idefics2/modeling_idefics2.py` (`Idefics2VisionTransformer`, `Idefics2Connector`)
and `configuration_idefics2.py`; arXiv 2405.02246.
"""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.connector import Connector, MlpStage, Resample
from vistoken.family import ACTIVATIONS, REFERENCE, Files
from vistoken.spec import EncoderSpec, GatedMlp, RmsNorm
from vistoken.towers import idefics3
from vistoken.towers.llm import text_width
from vistoken.weight_names import LLM_PARTS, Ignore, Part, Weight, WeightNames, gated_mlp, under

# Class attributes of Idefics2VisionConfig and of Idefics2PerceiverConfig.
DEFAULTS = idefics3.DEFAULTS | {"hidden_size": 768, "num_attention_heads": 12}
PERCEIVER = {
    "hidden_act": "silu", "hidden_size": 4096, "rms_norm_eps": 1e-6, "resampler_n_latents": 64, "resampler_depth": 3,
    "resampler_n_heads": 16, "resampler_head_dim": 96, "num_key_value_heads": 4,
}  # fmt: skip
# Of MistralConfig; where there is no text config at all, Idefics2Config assumes another epsilon.
TEXT, ABSENT = {"intermediate_size": 14_336, "hidden_act": "silu", "rms_norm_eps": 1e-6}, {"rms_norm_eps": 1e-5}


def tower(files: Files) -> EncoderSpec | None:
    """The encoder and its connector; None where only values for counting are built in."""
    given = files.config.child("vision_config")
    if files.built_in and not given.has("hidden_size"):
        return None
    vision = given.with_defaults(DEFAULTS, f"Idefics2VisionConfig in {REFERENCE}")
    return idefics3.encoder(vision, _connector(files.config))


def _connector(config: Config) -> Connector:
    given = config.child("text_config")
    text = given.with_defaults(TEXT if given.values else TEXT | ABSENT, f"MistralConfig in {REFERENCE}")
    width = text_width(config, "mistral")
    mlp = GatedMlp(text.integer("intermediate_size"), text.choice("hidden_act", ACTIVATIONS), bias=False)
    return Connector(stages=(MlpStage(mlp, width), _resample(config, text, width)))


def _resample(config: Config, text: Config, width: int) -> Resample:
    """A perceiver config of another width than the LLM's gives way to it, and its epsilon too."""
    perceiver = config.child("perceiver_config").with_defaults(PERCEIVER, f"Idefics2PerceiverConfig in {REFERENCE}")
    heads, key_heads = (perceiver.integer(name, high=1024) for name in ("resampler_n_heads", "num_key_value_heads"))
    if heads % key_heads:
        raise perceiver.error("num_key_value_heads", key_heads, f"it must divide the {heads} heads of the queries")
    eps = perceiver if perceiver.raw("hidden_size") == width else text
    return Resample(
        latents=perceiver.integer("resampler_n_latents", high=2**16),
        depth=perceiver.integer("resampler_depth", high=1024),
        heads=heads,
        key_heads=key_heads,
        head_dim=perceiver.integer("resampler_head_dim", high=65_536),
        norm=RmsNorm(eps.number("rms_norm_eps", 0, 1)),
        mlp=GatedMlp(4 * width, perceiver.choice("hidden_act", ACTIVATIONS), bias=False),
    )


_FILE, _OURS = "connector.perceiver_resampler.layers.{n}", "connector.stages.1.blocks.{n}"
WEIGHTS = WeightNames(
    roots=("", "model."),
    weights=(
        *under("vision_model.", *idefics3.TOWER),
        *gated_mlp("connector.modality_projection", "connector.stages.0"),
        Weight("connector.perceiver_resampler.latents", "connector.stages.1.latents"),
        Weight("connector.perceiver_resampler.norm.weight", "connector.stages.1.norm.weight"),
        Weight(f"{_FILE}.input_latents_norm.weight", f"{_OURS}.latent_norm.weight"),
        Weight(f"{_FILE}.input_context_norm.weight", f"{_OURS}.token_norm.weight"),
        Weight(f"{_FILE}.post_attention_layernorm.weight", f"{_OURS}.norm.weight"),
        Weight(f"{_FILE}.self_attn.q_proj.weight", f"{_OURS}.q.weight"),
        Weight(f"{_FILE}.self_attn.k_proj.weight", f"{_OURS}.kv.weight", Part(0, 2)),
        Weight(f"{_FILE}.self_attn.v_proj.weight", f"{_OURS}.kv.weight", Part(1, 2)),
        Weight(f"{_FILE}.self_attn.o_proj.weight", f"{_OURS}.out.weight"),
        *gated_mlp(f"{_FILE}.mlp", f"{_OURS}.mlp"),
    ),
    ignored=(*LLM_PARTS, ("text_model.*", Ignore("the LLM"))),
)
