"""From the configuration of a language model, a VLM's `text_config` among them, to an `LlmSpec`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vistoken.configs import Config, read_json
from vistoken.errors import ConfigError, did_you_mean, shown
from vistoken.family import REFERENCE
from vistoken.files import model_file
from vistoken.frozen import frozen
from vistoken.planning.llm import DenseMlp, Experts, GroupedAttention, LatentAttention, Layer, LlmSpec

# Far above any model: published ones end at 128 layers, 128 heads, width 18,432, 1,024 experts and 10 million tokens.
MAX_LAYERS, MAX_HEADS, MAX_WIDTH, MAX_HIDDEN, MAX_EXPERTS = 1024, 1024, 65_536, 1_000_000, 65_536
MAX_VOCAB, MAX_CONTEXT = 100_000_000, 1_000_000_000

# Where VLMs keep the values of their LLM: transformers; InternVL's, and DeepSeek's and Janus's own files.
PARTS = ("text_config", "llm_config", "language_config")
# The LLM that a VLM's config class assumes where the file names none; values may then stand at the top (Qwen2-VL).
ASSUMED = {
    "aya_vision": "cohere2", "gemma3": "gemma3_text", "idefics2": "mistral", "idefics3": "llama", "internvl": "qwen2",
    "llava": "llama", "llava_next": "llama", "llava_next_video": "llama", "llava_onevision": "qwen2",
    "mistral3": "mistral", "paligemma": "gemma", "qwen2_vl": "qwen2_vl_text", "qwen2_5_vl": "qwen2_5_vl_text",
    "qwen3_vl": "qwen3_vl_text", "qwen3_vl_moe": "qwen3_vl_moe_text", "shieldgemma2": "gemma3_text",
    "smolvlm": "llama", "video_llava": "llama", "vipllava": "llama",
}  # fmt: skip
# VLMs whose image tokens see one another. Source: transformers 5.23.0, masks of `modeling_gemma3.py` (which
# ShieldGemma 2 uses) and `modeling_paligemma.py`.
JOINT = frozenset({"gemma3", "paligemma", "shieldgemma2"})


Attention = GroupedAttention | LatentAttention
Windows = Callable[[Config, int], Sequence[int | None]]
Mlps = Callable[[Config, int], Sequence[DenseMlp | Experts]]


@frozen
class Kind:
    """How configs of one `model_type` are read: `library` is the config class in transformers, with its `defaults`."""

    library: str
    defaults: Mapping[str, Any]
    windows: Windows
    mlps: Mlps
    attention: Callable[[Config, int, int | None], Attention]


def read_llm(folder: str) -> LlmSpec:
    """The LLM that `config.json` of a folder describes, that of a VLM or of the LLM itself.

    Raises `ConfigError` that names file and field, also for kinds of layers that are not read.
    """
    path = os.path.join(folder, "config.json")
    if not os.path.lexists(path):
        raise ConfigError(f"{folder} has no config.json, so it is no model folder")
    return llm_from(Config(read_json(model_file(folder, "config.json")), path), folder, f"read from {path}")


def llm_from(config: Config, name: str, source: str) -> LlmSpec:
    """The LLM of a whole `config.json`, whose own values stand in `text_config` or its kin, or at the top."""
    part = next((config.child(key) for key in PARTS if config.has(key)), config)
    root, word = _word(config), _word(part)
    if word not in KINDS and (part is config or not word):
        word = ASSUMED.get(root, word)
    if word not in KINDS:
        raise ConfigError(
            f"{config.where}: {part.path}model_type is {shown(part.values.get('model_type'))}, an LLM that is not read."
            f"{did_you_mean(word, KINDS)} Known are {', '.join(KINDS)}; or name an LLM of the same shape"
        )
    return _read(part, KINDS[word], name, source, joint=root in JOINT)


def _word(config: Config) -> str:
    """Its `model_type`, or nothing where it names none."""
    word = config.values.get("model_type")
    if word is not None and not isinstance(word, str):
        raise config.error("model_type", word, "it must be a word")
    return word or ""


def _read(config: Config, kind: Kind, name: str, source: str, joint: bool) -> LlmSpec:
    config = config.with_defaults(kind.defaults, f"{kind.library} in {REFERENCE}")
    layers, width = config.integer("num_hidden_layers", high=MAX_LAYERS), config.integer("hidden_size", high=MAX_WIDTH)
    pairs = zip(kind.windows(config, layers), kind.mlps(config, layers), strict=True)
    return LlmSpec(
        name=name,
        layers=tuple(Layer(kind.attention(config, width, window), mlp) for window, mlp in pairs),
        width=width,
        vocab=config.integer("vocab_size", high=MAX_VOCAB),
        context=config.integer("max_position_embeddings", high=MAX_CONTEXT),
        source=source,
        tied=config.flag("tie_word_embeddings"),
        joint=joint,
    )


# ---------------------------------------------------------------- attention


def _grouped(config: Config, width: int, window: int | None) -> GroupedAttention:
    heads = config.integer("num_attention_heads", high=MAX_HEADS)
    kv_heads = heads if _null(config, "num_key_value_heads") else config.integer("num_key_value_heads", high=heads)
    if heads % kv_heads:
        raise config.error("num_key_value_heads", kv_heads, f"it must divide num_attention_heads, which is {heads}")
    if not _null(config, "head_dim"):
        return GroupedAttention(heads, kv_heads, config.integer("head_dim", high=MAX_WIDTH), window)
    if width % heads:
        raise config.error("num_attention_heads", heads, f"it must divide hidden_size, which is {width}")
    return GroupedAttention(heads, kv_heads, width // heads, window)


def _latent(config: Config, width: int, window: int | None) -> LatentAttention:
    if config.has("use_mla") and not config.flag("use_mla"):  # DeepSeek-VL2-Tiny's own file
        raise config.error("use_mla", False, "latent attention alone is read for this kind")
    return LatentAttention(
        heads=config.integer("num_attention_heads", high=MAX_HEADS),
        kv_rank=config.integer("kv_lora_rank", high=MAX_WIDTH),
        rope_dim=config.integer("qk_rope_head_dim", high=MAX_WIDTH),
        nope_dim=config.integer("qk_nope_head_dim", high=MAX_WIDTH),
        value_dim=config.integer("v_head_dim", high=MAX_WIDTH),
        q_rank=None if _null(config, "q_lora_rank") else config.integer("q_lora_rank", high=MAX_WIDTH),
    )


def _null(config: Config, name: str) -> bool:
    """Whether the value is null: what the file says, or, where it says nothing, the class."""
    return config.values.get(name, config.defaults.get(name)) is None


# ---------------------------------------------------------------- windows, one entry a layer


def _full(config: Config, layers: int) -> list[int | None]:
    return [None] * layers


def _every(config: Config, layers: int) -> list[int | None]:
    """One window for all layers; null is none (Mistral, Mixtral, Phi-3)."""
    return [None if _null(config, "sliding_window") else _window(config)] * layers


def _pattern(config: Config, layers: int) -> list[int | None]:
    """`layer_types`, or else every n-th layer sees everything (Gemma 2 and 3, Cohere 2, gpt-oss)."""
    if config.has("layer_types"):
        return _typed(config, layers)
    # transformers 5 saves the number with an underscore before it.
    name = "_sliding_window_pattern" if config.has("_sliding_window_pattern") else "sliding_window_pattern"
    every, window = config.integer(name, high=MAX_LAYERS), _window(config)
    return [window if number % every else None for number in range(1, layers + 1)]


def _if_used(rule: Windows) -> Windows:
    """`rule` where windows are switched on at all, which published Qwen models do not do."""

    def windows(config: Config, layers: int) -> Sequence[int | None]:
        if not config.flag("use_sliding_window") or _null(config, "sliding_window"):
            return _full(config, layers)
        return rule(config, layers)

    return windows


def _late(config: Config, layers: int) -> list[int | None]:
    """A window from layer `max_window_layers` on (Qwen2, Qwen3)."""
    if config.has("layer_types"):
        return _typed(config, layers)
    first, window = config.integer("max_window_layers", low=0, high=MAX_LAYERS), _window(config)
    return [window if number >= first else None for number in range(layers)]


def _early(config: Config, layers: int) -> list[int | None]:
    """A window in every second layer before `max_window_layers` (Qwen2-MoE)."""
    if config.has("layer_types"):
        return _typed(config, layers)
    first, window = config.integer("max_window_layers", low=0, high=MAX_LAYERS), _window(config)
    return [window if number < first and number % 2 == 0 else None for number in range(layers)]


def _typed(config: Config, layers: int) -> list[int | None]:
    types, window = config.raw("layer_types"), _window(config)
    if not isinstance(types, list) or len(types) != layers:
        raise config.error("layer_types", types, f"it must be a list of {layers} words, one a layer")
    known = {"full_attention": None, "sliding_attention": window}
    for word in types:
        if not isinstance(word, str) or word not in known:
            raise config.error("layer_types", word, f"layers that are read are {' and '.join(known)}")
    return [known[word] for word in types]


def _window(config: Config) -> int:
    return config.integer("sliding_window", high=MAX_CONTEXT)


# ---------------------------------------------------------------- MLPs, one entry a layer


def _gated(config: Config, layers: int) -> list[DenseMlp | Experts]:
    return [DenseMlp(config.integer("intermediate_size", high=MAX_HIDDEN))] * layers


def _plain(config: Config, layers: int) -> list[DenseMlp | Experts]:
    return [DenseMlp(config.integer("intermediate_size", high=MAX_HIDDEN), gated=False)] * layers


def _experts(total: str, hidden: str) -> Callable[[Config, int], list[DenseMlp | Experts]]:
    """Experts in every layer (Mixtral, gpt-oss)."""
    return lambda config, layers: [_choose(config, total, hidden)] * layers


def _qwen_experts(config: Config, layers: int) -> list[DenseMlp | Experts]:
    """Experts in every `decoder_sparse_step`-th layer, `mlp_only_layers` excepted (Qwen2-MoE, Qwen3-MoE)."""
    step = config.integer("decoder_sparse_step", high=MAX_LAYERS)
    plain: Any = () if _null(config, "mlp_only_layers") else config.raw("mlp_only_layers")
    if not isinstance(plain, list | tuple) or not all(type(number) is int for number in plain):
        raise config.error("mlp_only_layers", plain, "it must be a list of layers' numbers")
    shared = "shared_expert_intermediate_size"
    width = config.integer(shared, low=0, high=MAX_HIDDEN) if shared in config.defaults else 0
    sparse, (dense,) = _choose(config, "num_experts", "moe_intermediate_size", width, bool(width)), _gated(config, 1)
    return [dense if number in plain or (number + 1) % step else sparse for number in range(layers)]


def _deepseek_experts(config: Config, layers: int) -> list[DenseMlp | Experts]:
    """Experts after the first `first_k_dense_replace` layers, some of them shared by all tokens (DeepSeek V2, V3)."""
    first = config.integer("first_k_dense_replace", low=0, high=MAX_LAYERS)
    hidden = config.integer("moe_intermediate_size", high=MAX_HIDDEN)
    shared = hidden * config.integer("n_shared_experts", low=0, high=MAX_EXPERTS)
    sparse, (dense,) = _choose(config, "n_routed_experts", "moe_intermediate_size", shared), _gated(config, 1)
    return [dense if number < first else sparse for number in range(layers)]


def _choose(config: Config, total: str, hidden: str, shared: int = 0, shared_gate: bool = False) -> Experts:
    experts = config.integer(total, high=MAX_EXPERTS)
    chosen = config.integer("num_experts_per_tok", high=experts)
    return Experts(config.integer(hidden, high=MAX_HIDDEN), chosen, experts, shared, shared_gate)


# ---------------------------------------------------------------- kinds


_FIELDS = (
    "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_size", "intermediate_size",
    "vocab_size", "max_position_embeddings",
)  # fmt: skip


def _kind(
    library: str,
    *values: int | None,
    tied: bool = False,
    windows: Windows = _full,
    mlps: Mlps = _gated,
    attention: Callable[[Config, int, int | None], Attention] = _grouped,
    **more: Any,
) -> Kind:
    defaults = {**dict(zip(_FIELDS, values, strict=True)), "tie_word_embeddings": tied, **more}
    return Kind(library, defaults, windows, mlps, attention)


_QWEN: dict[str, Any] = {"use_sliding_window": False, "sliding_window": 4096, "max_window_layers": 28}
_QWEN_MOE: dict[str, Any] = {
    "decoder_sparse_step": 1, "mlp_only_layers": None, "num_experts_per_tok": 8, "num_experts": 128,
}  # fmt: skip
_MLA: dict[str, Any] = {
    "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
}  # fmt: skip

# The defaults of the config classes: layers, heads, kv heads (None: as many), head dim (None: width / heads), width,
# MLP, vocabulary, context. Class defaults are not checkpoints: they fill in what a published file leaves out.
# Source: transformers 5.23.0, `models/*/configuration_*.py`; a test compares them with the classes.
# fmt: off
KINDS: Mapping[str, Kind] = {
    "llama": _kind("LlamaConfig", 32, 32, None, None, 4096, 11_008, 32_000, 2048),
    "mistral": _kind("MistralConfig", 32, 32, 8, None, 4096, 14_336, 32_000, 131_072, windows=_every,
                     sliding_window=4096),
    "ministral3": _kind("Ministral3Config", 34, 32, 8, 128, 4096, 14_336, 131_072, 262_144, windows=_every,
                        sliding_window=None),
    "qwen2": _kind("Qwen2Config", 32, 32, 32, None, 4096, 22_016, 151_936, 32_768, windows=_if_used(_late), **_QWEN),
    "qwen2_vl_text": _kind("Qwen2VLTextConfig", 80, 64, 8, None, 8192, 29_568, 152_064, 32_768,
                           windows=_if_used(_late), **{**_QWEN, "max_window_layers": 80}),
    "qwen2_5_vl_text": _kind("Qwen2_5_VLTextConfig", 80, 64, 8, None, 8192, 29_568, 152_064, 32_768,
                             windows=_if_used(_late), **{**_QWEN, "max_window_layers": 80}),
    "qwen3": _kind("Qwen3Config", 32, 32, 32, 128, 4096, 22_016, 151_936, 32_768, windows=_if_used(_late), **_QWEN),
    "qwen3_vl_text": _kind("Qwen3VLTextConfig", 32, 32, 32, 128, 4096, 22_016, 151_936, 128_000),
    "gemma": _kind("GemmaConfig", 28, 16, 16, 256, 3072, 24_576, 256_000, 8192, tied=True),
    "gemma2": _kind("Gemma2Config", 26, 8, 4, 256, 2304, 9216, 256_000, 8192, tied=True, windows=_pattern,
                    sliding_window=4096, sliding_window_pattern=2),
    "gemma3_text": _kind("Gemma3TextConfig", 26, 8, 4, 256, 2304, 9216, 262_208, 131_072, tied=True, windows=_pattern,
                         sliding_window=4096, sliding_window_pattern=6),
    "cohere": _kind("CohereConfig", 40, 64, None, None, 8192, 22_528, 256_000, 8192, tied=True),
    "cohere2": _kind("Cohere2Config", 40, 64, None, None, 8192, 22_528, 256_000, 8192, tied=True, windows=_pattern,
                     sliding_window=4096, sliding_window_pattern=4),
    "granite": _kind("GraniteConfig", 32, 32, None, None, 4096, 11_008, 32_000, 2048),
    "phi": _kind("PhiConfig", 24, 32, None, None, 2048, 8192, 51_200, 2048, mlps=_plain),
    "phi3": _kind("Phi3Config", 32, 32, None, None, 3072, 8192, 32_064, 4096, windows=_every, sliding_window=None),
    "mixtral": _kind("MixtralConfig", 32, 32, 8, None, 4096, 14_336, 32_000, 131_072, windows=_every,
                     mlps=_experts("num_local_experts", "intermediate_size"), sliding_window=None,
                     num_local_experts=8, num_experts_per_tok=2),
    "qwen2_moe": _kind("Qwen2MoeConfig", 24, 16, 16, None, 2048, 5632, 151_936, 32_768, windows=_if_used(_early),
                       mlps=_qwen_experts, **_QWEN, **{**_QWEN_MOE, "num_experts": 60, "num_experts_per_tok": 4},
                       moe_intermediate_size=1408, shared_expert_intermediate_size=5632),
    "qwen3_moe": _kind("Qwen3MoeConfig", 24, 32, 4, None, 2048, 6144, 151_936, 32_768, windows=_if_used(_every),
                       mlps=_qwen_experts, use_sliding_window=False, sliding_window=4096, **_QWEN_MOE,
                       moe_intermediate_size=768),
    "qwen3_vl_moe_text": _kind("Qwen3VLMoeTextConfig", 24, 16, 16, None, 2048, 5632, 151_936, 128_000, tied=True,
                               mlps=_qwen_experts, **{**_QWEN_MOE, "num_experts": 60, "num_experts_per_tok": 4},
                               moe_intermediate_size=1408),
    "gpt_oss": _kind("GptOssConfig", 36, 64, 8, 64, 2880, 2880, 201_088, 131_072, windows=_pattern,
                     mlps=_experts("num_local_experts", "intermediate_size"), sliding_window=128,
                     sliding_window_pattern=2, num_local_experts=128, num_experts_per_tok=4),
    "deepseek_v2": _kind("DeepseekV2Config", 32, 32, None, None, 4096, 11_008, 102_400, 2048, mlps=_deepseek_experts,
                         attention=_latent, **_MLA, first_k_dense_replace=0, n_shared_experts=2, n_routed_experts=64,
                         num_experts_per_tok=None, moe_intermediate_size=1407),
    "deepseek_v3": _kind("DeepseekV3Config", 61, 128, 128, None, 7168, 18_432, 129_280, 4096, mlps=_deepseek_experts,
                         attention=_latent, **_MLA, first_k_dense_replace=3, n_shared_experts=1, n_routed_experts=256,
                         num_experts_per_tok=8, moe_intermediate_size=2048),
}
# fmt: on
