"""The formulas of `llm.py` with their numbers filled in: prefill and cache of the visual tokens, row by row.

Where other tokens stand before, or one kind of layer has several shapes, the pairs of tokens have no short formula.
Sources as in `llm.py`; tests hold these against its numbers for every language model of the table.
"""

from __future__ import annotations

from collections import Counter
from typing import assert_never

from vistoken.planning.formulas import product, total
from vistoken.planning.llm import DenseMlp, Experts, GroupedAttention, LatentAttention, LlmCost, cache_width


def prefill_formulas(cost: LlmCost) -> dict[str, str]:
    """Of multiply-adds, by row of `cost.macs`.

    >>> from vistoken.planning.llm import llm_cost
    >>> from vistoken.planning.llm_table import named_llm
    >>> prefill_formulas(llm_cost(named_llm("qwen2.5-7b"), 1196))["MLP"]
    '28 × 1,196 × 3 × 3,584 × 18,944'
    """
    width, layers = cost.llm.width, Counter(cost.llm.layers)
    projections = [product(n, cost.tokens, _projections(layer.attention, width)) for layer, n in layers.items()]
    mlps = [product(n, cost.tokens, _mlp(layer.mlp, width)) for layer, n in layers.items()]
    pairs = [] if cost.before else [
        product(n, 2, _met(layer.attention), _pairs(cost.tokens, layer.attention.window, cost.joint))
        if isinstance(layer.attention, GroupedAttention)
        else product(n, _met(layer.attention), _pairs(cost.tokens, None, cost.joint))
        for layer, n in layers.items()
    ]  # fmt: skip
    rows = {"projections": projections, "MLP": mlps, "attention: scores and sum": pairs}
    return {name: " + ".join(terms) for name, terms in rows.items()}


def cache_formulas(cost: LlmCost) -> dict[str, str]:
    """Of bytes, by row of `cost.kv`; empty where earlier tokens stand in the windows."""
    rows: dict[str, list[str]] = {}
    for attention, layers in Counter(layer.attention for layer in cost.llm.layers).items():
        rows.setdefault(attention.label, []).append(
            product(layers, _cached(attention, cost.tokens), cache_width(cost.dtype))
        )
    return {name: "" if cost.before else " + ".join(terms) for name, terms in rows.items()}


def _projections(attention: GroupedAttention | LatentAttention, width: int) -> str:
    match attention:
        case GroupedAttention(heads, kv_heads, head_dim):
            return product(2, width, head_dim, total(heads, kv_heads))
        case LatentAttention():
            return product(attention.weights(width))
        case _:
            assert_never(attention)


def _mlp(mlp: DenseMlp | Experts, width: int) -> str:
    """Weights that a token meets: of experts the chosen, the shared and the router over all."""
    match mlp:
        case DenseMlp(hidden, gated):
            return product(2 + gated, width, hidden)
        case Experts(hidden, chosen, experts, shared, shared_gate):
            met = product(3, total(product(chosen, hidden), shared))
            return product(width, total(met, experts, int(shared_gate)))
        case _:
            assert_never(mlp)


def _met(attention: GroupedAttention | LatentAttention) -> str:
    """Multiply-adds where two tokens meet, over the heads; of grouped ones the score alone, the sum is as much."""
    match attention:
        case GroupedAttention(heads, _, head_dim):
            return product(heads, head_dim)
        case LatentAttention(heads):
            return product(heads, total(attention.nope_dim, attention.rope_dim, attention.value_dim))
        case _:
            assert_never(attention)


def _pairs(tokens: int, window: int | None, joint: int) -> str:
    """Pairs in causal order: the first tokens see 1, 2, 3 and so on, those beyond the window as many as it holds."""
    rising = tokens if window is None else min(tokens, window)
    beyond = product(tokens - rising, rising) if tokens > rising else 0
    among = f"{joint:,} × {joint - 1:,} / 2" if joint > 1 else 0
    return total(f"{rising:,} × {rising + 1:,} / 2", beyond, among)


def _cached(attention: GroupedAttention | LatentAttention, tokens: int) -> str:
    match attention:
        case GroupedAttention(_, kv_heads, head_dim, window):
            return product(2, kv_heads, head_dim, tokens if window is None else min(tokens, window))
        case LatentAttention():
            return product(total(attention.kv_rank, attention.rope_dim), tokens)
        case _:
            assert_never(attention)
