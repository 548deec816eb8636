"""Formulas with their numbers filled in: what a calculator makes of them is what the operations say."""

import pytest

from vistoken import registry
from vistoken.errors import ModelError
from vistoken.planning import plan, plan_views
from vistoken.planning.formulas import formulas, product, total
from vistoken.planning.llm import DenseMlp, Experts, GroupedAttention, Layer, LlmSpec, llm_cost
from vistoken.planning.llm_formulas import cache_formulas, prefill_formulas
from vistoken.planning.llm_table import NAMED, named_llm

NAMES = [model.name for family in registry.families() for model in family.published]
# What no short formula exists for: sums over layers.
LAYERED = {"stem", "latents", "resampler: norms", "resampler: q", "resampler: k, v", "resampler: scores and sum",
           "resampler: output", "resampler: MLP"}  # fmt: skip


def calculated(formula):
    return eval(formula.replace(",", "").replace("×", "*").replace("²", "**2"), {"__builtins__": {}})


def plans(**options):
    """Of every built-in encoder, each shape once."""
    seen = set()
    for name in NAMES:
        for width, height in ((640, 480), (1000, 300)):
            try:
                planned = plan(name, width=width, height=height, **options)
            except ModelError:  # counted only
                continue
            if (planned.encoder, planned.views) not in seen:
                seen.add((planned.encoder, planned.views))
                yield planned


@pytest.mark.parametrize("head", [0, 1000])
def test_formulas_give_the_numbers_of_every_built_in_encoder(head):
    checked, layered = 0, set()
    for planned in plans(head=head):
        for step, formula in zip(planned.operations, formulas(planned), strict=True):
            for value, text in ((step.params, formula.params), (step.macs, formula.macs)):
                if text:
                    assert calculated(text) == value, (planned.model, step.part, step.name, text)
                    checked += 1
                elif value:
                    layered.add(step.name)
    assert layered == LAYERED
    assert checked > 4000


@pytest.mark.parametrize("name", ["siglip-b16-224", "aimv2-l14-224", "clip-b32"])
def test_formulas_hold_for_several_views(name):
    """Of towers whose pooling works view by view."""
    spec, views = registry.describe(name).encoder, plan(name).views
    planned = plan_views(name, spec, views * 3, head=10)
    for step, formula in zip(planned.operations, formulas(planned), strict=True):
        assert calculated(formula.macs or "0") == step.macs, step.name
        assert calculated(formula.params or "0") == step.params, step.name


def test_formulas_of_the_six_products_of_a_block_are_those_of_the_paper():
    """ViT-B/16 at 224: 12 blocks, dim 768, MLP 3072, 14 x 14 patches and a class token."""
    planned = plan("vit-b16-224")
    found = {step.name: each for step, each in zip(planned.operations, formulas(planned), strict=True)}
    assert found["attention: scores and sum"].macs == "12 × 2 × 768 × 197²"
    assert found["MLP"].macs == "12 × 197 × (768 + 768) × 3,072"
    assert found["projection"].params == "768 × (16 × 16 × 3 + 1)"
    assert found["LearnedTable"].params == "(14 × 14 + 1) × 768"


def test_where_tokens_are_joined_no_formula_of_blocks_pretends():
    planned = plan("vit-b16-224", merge_tokens=8)
    found = {step.name: each for step, each in zip(planned.operations, formulas(planned), strict=True)}
    assert found["MLP"].macs == found["attention: scores and sum"].macs == ""
    assert calculated(found["MLP"].params) == 12 * (2 * 768 * 3072 + 3072 + 768)


def test_ones_and_noughts_are_left_out():
    assert (product(1, 5, 1), product(1), total(0, 4), total(2, 3)) == ("5", "1", "4", "(2 + 3)")


# ---------------------------------------------------------------- the LLM behind


def experts(shared, gate):
    layer = Layer(GroupedAttention(8, 2, 16, window=50), Experts(32, 2, 8, shared, gate))
    other = Layer(GroupedAttention(8, 4, 16), DenseMlp(96, gated=False))
    return LlmSpec(name="t", layers=(layer, layer, other), width=128, vocab=9, context=99, source="made up", joint=gate)


@pytest.mark.parametrize("tokens", [1, 300, 5000])
@pytest.mark.parametrize(
    "llm", [*map(named_llm, NAMED), experts(0, False), experts(64, True)], ids=lambda llm: llm.name
)
def test_formulas_give_the_numbers_of_every_named_llm(llm, tokens):
    cost = llm_cost(llm, tokens, image_tokens=tokens - tokens // 7)
    for tally, found in ((cost.macs, prefill_formulas(cost)), (cost.kv, cache_formulas(cost))):
        assert {name: calculated(text) for name, text in found.items()} == dict(tally.rows)


def test_earlier_tokens_leave_pairs_and_cache_without_a_formula():
    cost = llm_cost(named_llm("gemma-3-12b"), 100, before=2000)
    assert prefill_formulas(cost)["attention: scores and sum"] == ""
    assert set(cache_formulas(cost).values()) == {""}


def test_the_cache_of_a_known_model_is_written_as_the_paper_has_it():
    """Keys and values, 28 layers of 4 heads of 128, 2 bytes: 56 KiB a token (Qwen2.5-7B)."""
    [formula] = cache_formulas(llm_cost(named_llm("qwen2.5-7b"), 1196)).values()
    assert formula == "28 × 2 × 4 × 128 × 1,196 × 2"
