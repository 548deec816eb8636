"""The LLM behind an encoder: weights and caches against transformers' own models, the worked example to the unit."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vistoken import registry
from vistoken.configs import Config
from vistoken.errors import ConfigError, UsageError
from vistoken.planning.llm import Experts, GroupedAttention, LlmSpec, llm_cost
from vistoken.planning.llm_config import KINDS, llm_from, read_llm
from vistoken.planning.llm_table import NAMED, find_llm, llm_of, named_llm

BASE = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 96, "vocab_size": 50}
GROUPED = {**BASE, "num_key_value_heads": 2}
MLA = {"q_lora_rank": 24, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16, "v_head_dim": 12}
ROUTED = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
DEEPSEEK = {**BASE, **MLA, "n_routed_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 24,
            "n_shared_experts": 2, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1}  # fmt: skip
SMALL = {
    "llama": GROUPED,
    "mistral": {**GROUPED, "sliding_window": 16, "head_dim": 24},
    "ministral3": {**GROUPED, "head_dim": 24},
    "qwen2": GROUPED,
    "qwen2 late windows": {**GROUPED, "use_sliding_window": True, "sliding_window": 16, "max_window_layers": 3},
    "qwen2_moe early windows": {
        **GROUPED,
        **ROUTED,
        "use_sliding_window": True,
        "sliding_window": 16,
        "max_window_layers": 3,
    },
    "qwen3_moe one window": {**GROUPED, **ROUTED, "use_sliding_window": True, "sliding_window": 16},
    "qwen2_vl_text": GROUPED,
    "qwen2_5_vl_text": GROUPED,
    "qwen3": GROUPED,
    "qwen3_vl_text": GROUPED,
    "gemma": {**GROUPED, "num_key_value_heads": 1, "head_dim": 16},
    "gemma2": {**GROUPED, "sliding_window": 16, "head_dim": 24},
    "gemma3_text": {**GROUPED, "num_hidden_layers": 7, "sliding_window": 16, "head_dim": 24},
    "cohere": BASE,
    "cohere2": {**GROUPED, "sliding_window": 16},
    "granite": GROUPED,
    "phi": BASE,
    "phi3": {**GROUPED, "pad_token_id": 0},
    "mixtral": {**GROUPED, "num_local_experts": 8, "sliding_window": 16},
    "qwen2_moe": {**GROUPED, **ROUTED, "shared_expert_intermediate_size": 40, "decoder_sparse_step": 2},
    "qwen3_moe": {**GROUPED, **ROUTED, "mlp_only_layers": [0, 2]},
    "qwen3_vl_moe_text": {**GROUPED, **ROUTED, "mlp_only_layers": [1]},
    "gpt_oss": {**GROUPED, "num_local_experts": 8, "num_experts_per_tok": 2, "sliding_window": 16, "head_dim": 24},
    "deepseek_v2": DEEPSEEK,
    "deepseek_v2 direct queries": {**DEEPSEEK, "q_lora_rank": None},
    "deepseek_v3": DEEPSEEK,
}
WORD = "model_type"


def read(case):
    return llm_from(Config({WORD: case.split()[0], **SMALL[case]}, "config.json"), case, "a test")


def library_config(case):
    pytest.importorskip("transformers")
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return CONFIG_MAPPING[case.split()[0]](**SMALL[case])


def library_model(case):
    """The decoder of transformers, on the meta device."""
    torch = pytest.importorskip("torch")
    from transformers import AutoModel

    with torch.device("meta"):
        if "vl" in case:
            return _vision_language_model(case)
        return AutoModel.from_config(library_config(case))


def _vision_language_model(case):
    import transformers as hf

    name = {"qwen2_vl_text": "Qwen2VL", "qwen2_5_vl_text": "Qwen2_5_VL", "qwen3_vl_text": "Qwen3VL",
            "qwen3_vl_moe_text": "Qwen3VLMoe"}[case]  # fmt: skip
    config = library_config(case)
    config.rope_parameters = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}
    return getattr(hf, f"{name}TextModel")(config)


# ---------------------------------------------------------------- against the library


def test_every_kind_is_compared():
    assert {case.split()[0] for case in SMALL} == set(KINDS)


@pytest.mark.parametrize("case", SMALL)
def test_linear_weights_equal_the_library(case):
    """Matrices of the model without its embedding; of the experts, the chosen share."""
    spec, model = read(case), library_model(case)
    every = active = 0
    for name, tensor in model.named_parameters():
        if tensor.ndim < 2 or "embed_tokens" in name:
            continue
        if name.rpartition(".")[2].endswith("_bias"):  # gpt-oss keeps biases of experts as matrices
            continue
        every += tensor.numel()
        experts = tensor.ndim == 3
        active += tensor.numel() * 2 // 8 if experts else tensor.numel()
    assert spec.linear_weights == active
    assert spec.params == every + (2 - spec.tied) * model.embed_tokens.weight.numel()


@pytest.mark.parametrize("case", [case for case in SMALL if "deepseek" not in case])
@pytest.mark.parametrize("tokens", [9, 40])
def test_cache_equals_the_library(case, tokens):
    """Shapes that `DynamicCache` really holds, which is one token less where a layer slides."""
    torch = pytest.importorskip("torch")
    from transformers import DynamicCache

    spec, config = read(case), library_config(case)
    cache = DynamicCache(config=config)
    for number, layer in enumerate(spec.layers):
        kept = torch.empty(1, layer.attention.kv_heads, tokens, layer.attention.head_dim, device="meta")
        cache.update(kept, kept, number)
    held = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
    slides = [layer.attention for layer in spec.layers if layer.attention.window]
    assert [bool(layer.attention.window) for layer in spec.layers] == [layer.is_sliding for layer in cache.layers]
    assert {attention.window for attention in slides} <= {16}
    one_less = sum(attention.cached(1) for attention in slides) if tokens > 16 else 0
    assert spec.kv_bytes(tokens, "int8") == held + one_less


def test_cache_of_a_whole_forward_equals_the_library():
    """A tiny Gemma 3 that really runs: the cache's heads and widths are the model's own, not ours."""
    torch = pytest.importorskip("torch")
    from transformers import AutoModel

    config = library_config("gemma3_text")
    model = AutoModel.from_config(config).eval()
    with torch.no_grad():
        cache = model(torch.arange(40)[None], use_cache=True).past_key_values
    held = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
    spec = read("gemma3_text")
    one_less = sum(layer.attention.cached(1) for layer in spec.layers if layer.attention.window)
    assert spec.kv_bytes(40, "float8") == held + one_less


def test_latent_cache_is_what_the_library_projects_onto():
    """transformers caches expanded heads; the latent and the shared key are what `kv_a_proj_with_mqa` returns."""
    model = library_model("deepseek_v2")
    latent = model.layers[0].self_attn.kv_a_proj_with_mqa.out_features
    assert read("deepseek_v2").kv_bytes(10) == 2 * 10 * latent * len(model.layers)


@pytest.mark.parametrize("word", KINDS)
def test_defaults_are_those_of_the_library(word):
    pytest.importorskip("transformers")
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    kind, cls = KINDS[word], CONFIG_MAPPING[word]
    assert cls.__name__ == kind.library
    config = cls(num_experts_per_tok=1) if word == "deepseek_v2" else cls()
    read = llm_from(
        Config({WORD: word, "num_experts_per_tok": 1} if word == "deepseek_v2" else {WORD: word}, ""), "", ""
    )
    assert (len(read.layers), read.width, read.vocab) == (
        config.num_hidden_layers,
        config.hidden_size,
        config.vocab_size,
    )
    assert read.context == config.max_position_embeddings
    assert read.tied == getattr(config, "tie_word_embeddings", read.tied)
    fields = {"n_shared_experts", "first_k_dense_replace", "moe_intermediate_size", "intermediate_size",
              "shared_expert_intermediate_size", "decoder_sparse_step"} & set(kind.defaults)  # fmt: skip
    assert {name: kind.defaults[name] for name in fields} == {name: getattr(config, name) for name in fields}
    if isinstance(attention := read.layers[0].attention, GroupedAttention):
        head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        heads = config.num_attention_heads, config.num_key_value_heads, head
        assert (attention.heads, attention.kv_heads, attention.head_dim) == heads
    if isinstance(mlp := read.layers[-1].mlp, Experts):
        total = getattr(config, "n_routed_experts", None) or config.num_experts
        assert (mlp.chosen, mlp.total) == (config.num_experts_per_tok, total)


@pytest.mark.parametrize("case", ["llama", "gemma3_text", "mixtral", "qwen2_moe", "deepseek_v2", "phi"])
def test_prefill_equals_the_librarys_counter(case):
    """Eager attention computes every pair, causal or not: N^2 of them; experts one after another, as they are chosen."""
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModel

    spec, tokens, counter = read(case), 12, FlopCounterMode(display=False)
    config = library_config(case)
    model = AutoModel.from_config(config, attn_implementation="eager", experts_implementation="eager")
    with counter, torch.no_grad():
        model(torch.arange(tokens)[None])
    modules = {name.rpartition("Model.")[2]: ops for name, ops in counter.get_flop_counts().items()}
    pairs = linear = 0
    for number in range(len(spec.layers)):
        layer, asking = modules[f"layers.{number}"], modules[f"layers.{number}.self_attn"]
        scores = sum(flops for op, flops in asking.items() if "bmm" in str(op))
        pairs, linear = pairs + scores, linear + sum(layer.values()) - scores
    assert pairs == sum(2 * layer.attention.pair_macs * tokens**2 for layer in spec.layers)
    assert linear == 2 * tokens * spec.linear_weights == llm_cost(spec, tokens).linear_flops


# ---------------------------------------------------------------- the worked example and the laws


def test_worked_example_to_the_unit():
    """1196 tokens on Qwen2.5-7B: 65.4 MiB, 15.6 TFLOP; by hand from the published geometry."""
    cost = llm_cost(llm_of("qwen2.5-vl-7b"), 1196)
    assert cost.kv.total == 1196 * 2 * 28 * 4 * 128 * 2 == 68_583_424
    assert f"{cost.kv.total / 2**20:.1f} MiB" == "65.4 MiB"
    layer = 2 * 3584 * 3584 + 2 * 3584 * 512 + 3 * 3584 * 18_944
    assert cost.linear_flops == 2 * 1196 * 28 * layer == 15_608_489_967_616
    assert dict(cost.flops.rows)["attention: scores and sum"] == 4 * 28 * 28 * 128 * (1196 * 1197 // 2)
    assert cost.flops.total == 2 * cost.macs.total == sum(value for _, value in cost.flops.rows)
    assert (cost.share, cost.left) == (1196 / 128_000, 128_000 - 1196)


# KiB of a bfloat16 token, from the products of layers, heads and head dims of the published configs.
PER_TOKEN = {
    "qwen2.5-3b": 36, "qwen2.5-7b": 56, "qwen2.5-32b": 256, "qwen2.5-72b": 320, "qwen3-4b": 144, "qwen3-8b": 144,
    "llama-3-8b": 128, "llama-3.1-8b": 128, "vicuna-7b": 512, "mistral-7b-v0.2": 128, "mistral-small-24b": 160,
    "gemma-2b": 18, "gemma-2-9b": 336, "gemma-3-12b": 384, "deepseek-v2-lite": 30.375,
}  # fmt: skip
# Billions of parameters as the publishers give them (model cards), to the digit given.
BILLIONS = {"qwen2.5-3b": 3.09, "qwen2.5-7b": 7.62, "qwen2.5-32b": 32.8, "qwen2.5-72b": 72.7, "qwen3-4b": 4.02,
            "qwen3-8b": 8.19, "llama-3-8b": 8.03, "vicuna-7b": 6.74, "mistral-7b-v0.2": 7.24, "gemma-2b": 2.51,
            "gemma-2-9b": 9.24, "deepseek-v2-lite": 15.7}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_named_models(name):
    spec = named_llm(name)
    assert spec.kv_bytes(1) / 1024 == PER_TOKEN[name]
    if name in BILLIONS:
        assert spec.params / 1e9 == pytest.approx(BILLIONS[name], rel=2e-3)
    for model, behind in NAMED[name].models.items():
        described = registry.describe(model)
        assert described.name == model
        assert llm_of(model).context == (behind.context or spec.context)
        if described.encoder and described.encoder.connector:  # the projector ends in the LLM's width
            assert described.encoder.connector.width(described.encoder.dim) == spec.width


def test_sliding_layers_stop_growing():
    gemma = named_llm("gemma-3-12b")
    assert gemma.kv_bytes(1025) - gemma.kv_bytes(1024) == 2 * 8 * 8 * 256 * 2 == 64 * 1024
    later = llm_cost(gemma, 256, before=5000)
    assert dict(later.kv.rows) == {"sliding attention, window 1,024": 0, "full attention": 256 * 64 * 1024}


# Tokens, before, window, joint.
CASE = st.tuples(st.integers(0, 12), st.integers(0, 12), st.none() | st.integers(1, 10), st.integers(0, 12))


@given(CASE)
def test_pairs_equal_the_mask_written_out(case):
    """Each asks by itself: those within the window that are earlier, or of the same picture."""
    tokens, before, window, joint = case
    joint = min(joint, tokens)
    layer = GroupedAttention(1, 1, 1, window)
    spec = LlmSpec(name="", layers=(_layer(layer),), width=1, vocab=1, context=10, source="", joint=True)
    picture = range(before, before + joint)
    seen = sum(
        (window is None or i - j < window) and (j <= i or (i in picture and j in picture))
        for i in range(before, before + tokens)
        for j in range(before + tokens)
    )
    cost = llm_cost(spec, tokens, image_tokens=joint, before=before)
    assert dict(cost.macs.rows)["attention: scores and sum"] == 2 * seen


def _layer(attention):
    from vistoken.planning.llm import DenseMlp, Layer

    return Layer(attention, DenseMlp(1))


@given(st.sampled_from(sorted(NAMED)), st.lists(st.integers(0, 5000), min_size=2, max_size=4))
def test_pieces_of_a_prompt_sum_to_the_whole(name, pieces):
    """A causal prompt read in pieces costs what it costs at once, and leaves the same cache."""
    spec, before, macs, kv = replace(named_llm(name), joint=False), 0, 0, 0
    for piece in pieces:
        cost = llm_cost(spec, piece, before=before)
        before, macs, kv = before + piece, macs + cost.macs.total, kv + cost.kv.total
    whole = llm_cost(spec, before)
    assert (macs, kv) == (whole.macs.total, whole.kv.total)
    assert kv == spec.kv_bytes(before)


@pytest.mark.parametrize("picture", [(0, 9), (5, 8), (3, 24), (20, 20)])
def test_pairs_equal_the_librarys_mask(picture):
    """Gemma 3's own masks, with a window of 16: pictures that fit into it, and one that does not."""
    torch = pytest.importorskip("torch")
    from transformers.models.gemma3 import modeling_gemma3 as gemma3

    config, (before, tokens) = library_config("gemma3_text"), picture
    config._attn_implementation = "eager"
    length = before + tokens
    types = torch.tensor([[0] * before + [1] * tokens])
    masks = gemma3.create_masks_for_vision_model(
        config, torch.zeros(1, length, 64), None, None, torch.arange(length)[None],
        gemma3.get_block_sequence_ids_for_mask(types),
    )  # fmt: skip
    spec, pairs = replace(read("gemma3_text"), joint=True), 0
    for layer in spec.layers:
        mask = masks["sliding_attention" if layer.attention.window else "full_attention"]
        pairs += layer.attention.pair_macs * int((mask[0, 0, before:] == 0).sum())
    assert dict(llm_cost(spec, tokens, before=before).macs.rows)["attention: scores and sum"] == pairs


def test_joint_attention_over_image_tokens():
    cost = llm_cost(llm_of("google/paligemma-3b-pt-224"), 256)
    assert dict(cost.macs.rows)["attention: scores and sum"] == 18 * 256**2 * 2 * 8 * 256
    assert not named_llm("gemma-2b").joint


# ---------------------------------------------------------------- files and wrong use


def write(folder, **values):
    (folder / "config.json").write_text(json.dumps(values))
    return str(folder)


def test_nested_flat_and_foreign_places(tmp_path):
    text = {WORD: "qwen2", **GROUPED}
    nested = read_llm(write(tmp_path, model_type="internvl", text_config=text))
    flat = read_llm(write(tmp_path, model_type="qwen2_5_vl", **GROUPED))
    vendor = read_llm(write(tmp_path, model_type="internvl_chat", llm_config=text))
    alone = read_llm(write(tmp_path, **text))
    unnamed = read_llm(write(tmp_path, model_type="llava_onevision", text_config=GROUPED))
    assert nested.layers == flat.layers == vendor.layers == alone.layers == unnamed.layers
    assert not nested.joint
    assert read_llm(write(tmp_path, model_type="gemma3", text_config={WORD: "gemma3_text"})).joint
    assert find_llm(str(tmp_path)).width == 2304


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({WORD: "qwen22"}, "text_config.model_type is 'qwen22'"),
        ({WORD: ["qwen2"]}, "text_config.model_type is ['qwen2']: it must be a word"),
        ({"num_hidden_layers": 10**9}, "text_config.num_hidden_layers is 1000000000"),
        ({"num_key_value_heads": 3}, "text_config.num_key_value_heads is 3: it must divide"),
        ({"hidden_size": "64"}, "text_config.hidden_size is '64'"),
        ({"num_attention_heads": 6}, "it must divide hidden_size"),
        ({"vocab_size": True}, "text_config.vocab_size is True"),
        ({"max_position_embeddings": -1}, "text_config.max_position_embeddings is -1"),
        ({WORD: "gemma2", "layer_types": ["full_attention"]}, "a list of 4 words"),
        ({WORD: "gemma2", "layer_types": ["conv"] * 4}, "full_attention and sliding_attention"),
        ({WORD: "gemma2", "layer_types": [["x"]] * 4}, "full_attention and sliding_attention"),
        ({WORD: "gemma2", "sliding_window": 0}, "text_config.sliding_window is 0"),
        ({WORD: "deepseek_v2"}, "num_experts_per_tok is null"),
        ({WORD: "deepseek_v2", "num_experts_per_tok": 2, "use_mla": False}, "text_config.use_mla is False"),
        ({WORD: "qwen3_moe", "mlp_only_layers": [None]}, "mlp_only_layers"),
        ({WORD: "mixtral", "num_local_experts": 4, "num_experts_per_tok": 5}, "num_experts_per_tok is 5"),
    ],
)
def test_hostile_configs_are_refused_by_field(tmp_path, change, said):
    values = {WORD: "qwen2", **GROUPED, **change}
    with pytest.raises(ConfigError) as caught:
        read_llm(write(tmp_path, model_type="llava_onevision", text_config=values))
    assert said in str(caught.value)
    assert "config.json" in str(caught.value)


def test_text_config_that_is_no_object(tmp_path):
    with pytest.raises(ConfigError, match=r"text_config is \[1\]: it must be an object"):
        read_llm(write(tmp_path, model_type="llava", text_config=[1]))
    with pytest.raises(ConfigError, match=r"no config\.json"):
        read_llm(str(tmp_path / "none"))


def test_wrong_use():
    with pytest.raises(UsageError, match=r"Did you mean qwen2\.5-7b"):
        named_llm("qwen-2.5-7b")
    with pytest.raises(UsageError, match="has no LLM behind it"):
        llm_of("clip-b32")
    with pytest.raises(UsageError, match="is not in the table"):
        llm_of("llama-4-scout")
    with pytest.raises(UsageError, match="Did you mean bfloat16"):
        llm_cost(named_llm("qwen2.5-7b"), 10, dtype="bflot16")
    for wrong in (-1, 1.5, True, "7", 10**12):
        with pytest.raises(UsageError, match="tokens is"):
            llm_cost(named_llm("qwen2.5-7b"), wrong)
    with pytest.raises(UsageError, match="image_tokens is 11"):
        llm_cost(named_llm("qwen2.5-7b"), 10, image_tokens=11)


# ---------------------------------------------------------------- the command


def plan(capsys, *words):
    from vistoken.cli import run

    code = run(["plan", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_command_shows_the_worked_example(capsys):
    code, out, _ = plan(capsys, "1280x720", "-m", "qwen2.5-vl-7b", "--llm", "own")
    assert code == 0
    assert "1,196 tokens into qwen2.5-7b" in out
    assert "cache    65.4 MiB in bfloat16" in out
    assert "15.6 of them linear" in out


def test_command_takes_a_folder_and_tells_json(capsys, tmp_path):
    folder = write(tmp_path, model_type="qwen2", **GROUPED)
    code, out, _ = plan(capsys, "64x64", "-m", "clip-b32", "-m", "qwen2.5-vl-7b", "--llm", folder, "--json")
    costs = [json.loads(line)["llm"] for line in out.splitlines()]
    assert code == 0
    assert [cost["tokens"] for cost in costs] == [50, 4]
    assert [cost["kv"]["total"] for cost in costs] == [tokens * 4 * 2 * 2 * 16 * 2 for tokens in (50, 4)]


def test_command_refuses(capsys):
    bare = ["--patch", "16", "--dim", "64", "--depth", "1", "--heads", "1"]
    assert plan(capsys, "64x64", *bare, "--llm", "own")[::2] == (
        2,
        "error: --llm needs -m MODEL: bare geometry has no prompt\n",
    )
    assert "Did you mean gemma-2b" in plan(capsys, "-m", "clip-b32", "--llm", "gemma-2")[2]


def test_planning_an_llm_loads_no_torch():
    import subprocess
    import sys

    code = """
from vistoken.cli import run
assert run(["plan", "1280x720", "-m", "qwen2.5-vl-7b", "--llm", "own"]) == 0
assert run(["plan", "640x480", "-m", "qwen2.5-vl-7b", "--within", "kv<=1GiB"]) == 0
import sys
print(sorted({"torch", "numpy", "transformers"} & set(sys.modules)))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "[]"
