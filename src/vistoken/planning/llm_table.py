"""Language models by name, and which built-in models stand in front of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field, replace
from functools import cache
from typing import Any, Literal

from vistoken import registry
from vistoken.configs import Config
from vistoken.errors import UsageError, did_you_mean, shown
from vistoken.family import REFERENCE
from vistoken.frozen import frozen
from vistoken.planning.llm import LlmSpec
from vistoken.planning.llm_config import llm_from, read_llm


@frozen
class Behind:
    """A built-in model over a row: its context, where that differs, and whether image tokens see one another."""

    context: int | None = None
    joint: bool = False


@frozen
class Named:
    """One row: the values of `config.json`, where they are from, and how sure that is.

    Confidence A: every value seen in copies of the published file, or a default of the library; B: the shape seen so,
    vocabulary or context from a derivative or from memory.
    """

    values: Mapping[str, Any]
    source: str
    confidence: Literal["A", "B"]
    models: Mapping[str, Behind] = field(default_factory=dict)


def _values(kind: str, layers: int, heads: tuple[int, int], dims: tuple[int, int, int], vocab: int, context: int,
            **more: Any) -> dict[str, Any]:  # fmt: skip
    """`heads` are those of queries and of keys; `dims` a head's, the width and the MLP's."""
    return {
        "model_type": kind, "num_hidden_layers": layers, "num_attention_heads": heads[0],
        "num_key_value_heads": heads[1], "head_dim": dims[0], "hidden_size": dims[1], "intermediate_size": dims[2],
        "vocab_size": vocab, "max_position_embeddings": context, **more,
    }  # fmt: skip


_LATENT = {
    "kv_lora_rank": 512, "q_lora_rank": None, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
    "n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6, "moe_intermediate_size": 1408,
    "first_k_dense_replace": 1,
}  # fmt: skip
_JOINT = Behind(joint=True)
# The sizes of PaliGemma 1 and 2 by the LLM beneath them.
_PALIGEMMA = {f"google/paligemma-3b-{name}": _JOINT for name in ("pt-224", "mix-224", "pt-448", "mix-448", "pt-896")}
_PALIGEMMA2 = {
    f"google/paligemma2-10b-{name}": _JOINT
    for name in ("pt-224", "mix-224", "pt-448", "mix-448", "ft-docci-448", "pt-896")
}

# fmt: off
NAMED: Mapping[str, Named] = {
    "qwen2.5-3b": Named(
        _values("qwen2", 36, (16, 2), (128, 2048, 11_008), 151_936, 32_768, tie_word_embeddings=True),
        "config.json of Qwen/Qwen2.5-3B-Instruct", "A", {"Qwen/Qwen2.5-VL-3B-Instruct": Behind(128_000)}),
    "qwen2.5-7b": Named(
        _values("qwen2", 28, (28, 4), (128, 3584, 18_944), 152_064, 32_768),
        "config.json of Qwen/Qwen2.5-7B-Instruct", "A", {
            "Qwen/Qwen2.5-VL-7B-Instruct": Behind(128_000), "Qwen/Qwen2-VL-7B-Instruct": Behind(),
            "OpenGVLab/InternVL3-8B-hf": Behind(), "llava-hf/llava-onevision-qwen2-7b-ov-hf": Behind()}),
    "qwen2.5-32b": Named(
        _values("qwen2", 64, (40, 8), (128, 5120, 27_648), 152_064, 32_768),
        "config.json of Qwen/Qwen2.5-32B-Instruct", "A", {"Qwen/Qwen2.5-VL-32B-Instruct": Behind(128_000)}),
    "qwen2.5-72b": Named(
        _values("qwen2", 80, (64, 8), (128, 8192, 29_568), 152_064, 32_768),
        f"defaults of Qwen2_5_VLTextConfig in {REFERENCE}", "A",
        {"Qwen/Qwen2.5-VL-72B-Instruct": Behind(128_000), "Qwen/Qwen2-VL-72B-Instruct": Behind()}),
    "qwen3-4b": Named(
        _values("qwen3", 36, (32, 8), (128, 2560, 9728), 151_936, 40_960, tie_word_embeddings=True),
        "config.json of Qwen/Qwen3-4B", "A", {"Qwen/Qwen3-VL-4B-Instruct": Behind(262_144)}),
    "qwen3-8b": Named(
        _values("qwen3", 36, (32, 8), (128, 4096, 12_288), 151_936, 40_960),
        "config.json of Qwen/Qwen3-8B", "A", {"Qwen/Qwen3-VL-8B-Instruct": Behind(262_144)}),
    "llama-3-8b": Named(
        _values("llama", 32, (32, 8), (128, 4096, 14_336), 128_256, 8192),
        "config.json of meta-llama/Meta-Llama-3-8B", "A", {"llava-hf/llama3-llava-next-8b-hf": Behind()}),
    "llama-3.1-8b": Named(
        _values("llama", 32, (32, 8), (128, 4096, 14_336), 128_256, 131_072),
        "config.json of meta-llama/Llama-3.1-8B: the shape of Llama 3, a longer context", "B"),
    "vicuna-7b": Named(
        _values("llama", 32, (32, 32), (128, 4096, 11_008), 32_000, 4096),
        f"defaults of LlamaConfig in {REFERENCE}; context of lmsys/vicuna-7b-v1.5", "A", {
            "llava-hf/llava-1.5-7b-hf": Behind(), "llava-hf/llava-v1.6-vicuna-7b-hf": Behind(),
            "LanguageBind/Video-LLaVA-7B-hf": Behind(), "llava-hf/vip-llava-7b-hf": Behind()}),
    "mistral-7b-v0.2": Named(
        _values("mistral", 32, (32, 8), (128, 4096, 14_336), 32_000, 32_768, sliding_window=None),
        "config.json of mistralai/Mistral-7B-Instruct-v0.2", "A", {"llava-hf/llava-v1.6-mistral-7b-hf": Behind()}),
    "mistral-small-24b": Named(
        _values("mistral", 40, (32, 8), (128, 5120, 32_768), 131_072, 32_768, sliding_window=None),
        "config.json of mistralai/Mistral-Small-24B-Instruct-2501, from derivatives", "B",
        {"mistralai/Mistral-Small-3.1-24B-Instruct-2503": Behind(131_072),
         "mistralai/Mistral-Small-3.2-24B-Instruct-2506": Behind(131_072)}),
    "gemma-2b": Named(
        _values("gemma", 18, (8, 1), (256, 2048, 16_384), 256_000, 8192),
        "config.json of google/gemma-2b", "A", _PALIGEMMA),
    "gemma-2-9b": Named(
        _values("gemma2", 42, (16, 8), (256, 3584, 14_336), 256_000, 8192, sliding_window=4096),
        "config.json of google/gemma-2-9b; every second layer slides", "A", _PALIGEMMA2),
    "gemma-3-12b": Named(
        _values("gemma3_text", 48, (16, 8), (256, 3840, 15_360), 262_208, 131_072, sliding_window=1024),
        "text_config of google/gemma-3-12b-it; five of six layers slide", "A", {"google/gemma-3-12b-it": _JOINT}),
    "deepseek-v2-lite": Named(
        {**_values("deepseek_v2", 27, (16, 16), (64, 2048, 10_944), 102_400, 163_840), **_LATENT},
        "config.json of deepseek-ai/DeepSeek-V2-Lite", "A"),
}
# fmt: on


@cache
def named_llm(name: str) -> LlmSpec:
    """The language model of the table that is called `name`; letter case does not matter.

    >>> named_llm("Qwen2.5-7B").kv_bytes(1)
    57344

    Raises `UsageError` with close names for one that is not there.
    """
    row = NAMED.get(name.lower()) if isinstance(name, str) else None
    if row is None:
        known = f"known are {', '.join(NAMED)}; or a folder with its config.json"
        raise UsageError(f"LLM {shown(name)} is unknown: {known}.{did_you_mean(name, NAMED)}")
    source = f"{row.source}, confidence {row.confidence}"
    return llm_from(Config(row.values, f"built-in LLM {name.lower()}"), name.lower(), source)


def find_llm(name: str | os.PathLike[str]) -> LlmSpec:
    """The language model that `name` means: a folder with its `config.json`, or a row of the table.

    Raises `UsageError` for an unknown name, `ConfigError` for a wrong file.
    """
    folder = os.path.expanduser(os.fspath(name)) if isinstance(name, str | os.PathLike) else ""
    return read_llm(folder) if folder and os.path.isdir(folder) else named_llm(os.fspath(name))


def llm_of(model: str | os.PathLike[str], *, revision: str | None = None) -> LlmSpec:
    """The language model behind `model`: of a folder or hub repository its own, of a built-in name from the table.

    >>> llm_of("qwen2.5-vl-7b").name, llm_of("qwen2.5-vl-7b").context
    ('qwen2.5-7b', 128000)

    Raises `UsageError` where it is not known, `ModelError` as `vistoken.count` does.
    """
    found = registry.find(model, revision=revision, series=False)
    if found.folder is not None:
        return read_llm(found.folder)
    if found.spec.prompt is None:
        raise UsageError(f"{found.spec.name} has no LLM behind it: name one whose prompt its tokens are to stand in")
    for name, row in NAMED.items():
        if behind := row.models.get(found.spec.name):
            llm = named_llm(name)
            return replace(llm, context=behind.context or llm.context, joint=behind.joint)
    raise UsageError(
        f"the LLM behind {found.spec.name} is not in the table: name one of its shape ({', '.join(NAMED)}), "
        "or give a folder with the model's config.json"
    )
