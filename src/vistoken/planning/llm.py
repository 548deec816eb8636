"""The language model behind an encoder: what visual tokens cost there, in cache, FLOPs and share of the context.

Notation: V visual tokens stand after P earlier ones. Counted are the contractions of the layers, as in
`vistoken.planning.operations`; norms, softmax and activations are not, nor is the projection onto the vocabulary, which
a prompt asks for its last token alone.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from vistoken.errors import UsageError, did_you_mean, shown
from vistoken.frozen import frozen
from vistoken.planning.plans import Tally

# Far above any prompt; a context of published models ends at 10 million tokens.
MAX_TOKENS = 10**9
# Bytes of a value in the cache. Engines also keep it in 8 bits.
CACHE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "float8": 1, "int8": 1}
CONVENTIONS = {
    "kv": "keys and values that the tokens add, one prompt; without an engine's pages and its rounding up",
    "macs": "multiply-adds of the layers; a causal token meets itself and all before it; no projection onto words",
    "flops": "two for each multiply-add",
}


@frozen
class GroupedAttention:
    """Queries of `heads`, keys and values of `kv_heads` (one: MQA; as many: MHA), perhaps over a sliding `window`.

    A token sees `window` tokens, itself among them; then the layer's cache stops growing. Sources: GQA, arXiv
    2305.13245; windows, arXiv 2310.06825, section 2. An engine may hold one token less than the window (transformers'
    `DynamicCache`, since the token that is being read comes on top).
    """

    heads: int
    kv_heads: int
    head_dim: int
    window: int | None = None

    def weights(self, width: int) -> int:
        """Of the four projections."""
        return 2 * width * self.head_dim * (self.heads + self.kv_heads)

    def cached(self, tokens: int) -> int:
        """Values kept for `tokens`: a key and a value for every head of them."""
        return 2 * self.kv_heads * self.head_dim * (tokens if self.window is None else min(tokens, self.window))

    @property
    def pair_macs(self) -> int:
        """Multiply-adds where one token meets another: a score and a weighted sum."""
        return 2 * self.heads * self.head_dim

    @property
    def label(self) -> str:
        return "full attention" if self.window is None else f"sliding attention, window {self.window:,}"


@frozen
class LatentAttention:
    """Keys and values from one latent vector of `kv_rank`, besides one key of `rope_dim` for all heads (MLA).

    `q_rank` is that of the queries, None where they come from the stream directly. The cache is the latent, as serving
    engines keep it: transformers' own keeps the expanded heads. The expansion is counted for the new tokens alone.
    Source: arXiv 2405.04434, section 2.1.
    """

    heads: int
    kv_rank: int
    rope_dim: int
    nope_dim: int
    value_dim: int
    q_rank: int | None = None

    def weights(self, width: int) -> int:
        queries = self.heads * (self.nope_dim + self.rope_dim)
        asking = width * queries if self.q_rank is None else self.q_rank * (width + queries)
        latent = width * (self.kv_rank + self.rope_dim) + self.kv_rank * self.heads * (self.nope_dim + self.value_dim)
        return asking + latent + self.heads * self.value_dim * width

    def cached(self, tokens: int) -> int:
        return (self.kv_rank + self.rope_dim) * tokens

    @property
    def window(self) -> None:
        return None

    @property
    def pair_macs(self) -> int:
        return self.heads * (self.nope_dim + self.rope_dim + self.value_dim)

    @property
    def label(self) -> str:
        return "latent attention"


@frozen
class DenseMlp:
    """Up and down, and a gate beside up where `gated` (SwiGLU, GeGLU)."""

    hidden: int
    gated: bool = True

    def weights(self, width: int) -> int:
        return (2 + self.gated) * width * self.hidden

    active = weights  # every token goes through all of it


@frozen
class Experts:
    """A router over `total` gated MLPs of `hidden`, `chosen` of them a token, beside a `shared` hidden size for all.

    `shared_gate` is a learned scalar for what is shared (Qwen2-MoE).
    """

    hidden: int
    chosen: int
    total: int
    shared: int = 0
    shared_gate: bool = False

    def weights(self, width: int) -> int:
        return self._with(width, self.total)

    def active(self, width: int) -> int:
        """Weights that one token meets."""
        return self._with(width, self.chosen)

    def _with(self, width: int, experts: int) -> int:
        return width * (3 * (experts * self.hidden + self.shared) + self.total + self.shared_gate)


@frozen
class Layer:
    attention: GroupedAttention | LatentAttention
    mlp: DenseMlp | Experts


@frozen(kw_only=True)
class LlmSpec:
    """A language model as far as its prompt costs: `layers` in order, `width`, `vocab`, `context` in tokens.

    `joint` tells that the image tokens of one picture see one another, earlier and later ones (Gemma 3, PaliGemma);
    else attention is causal. `tied` embeddings serve as output projection too. `source` says where the values are from.
    """

    name: str
    layers: tuple[Layer, ...]
    width: int
    vocab: int
    context: int
    source: str
    tied: bool = False
    joint: bool = False

    @property
    def linear_weights(self) -> int:
        """Weights of the layers' matrices that one token meets: active experts only, no embedding."""
        return sum(layer.attention.weights(self.width) + layer.mlp.active(self.width) for layer in self.layers)

    @property
    def params(self) -> int:
        """All weights of matrices and embeddings; norms and biases, under 0.1 %, are left out."""
        layers = sum(layer.attention.weights(self.width) + layer.mlp.weights(self.width) for layer in self.layers)
        return layers + (2 - self.tied) * self.vocab * self.width

    def kv_bytes(self, tokens: int, dtype: str = "bfloat16") -> int:
        """Bytes of the cache of one prompt of `tokens`."""
        return cache_width(dtype) * sum(layer.attention.cached(tokens) for layer in self.layers)


@frozen
class LlmCost:
    """What `tokens` visual tokens cost in the LLM after `before` earlier ones: `kv` in bytes, prefill `macs`, `flops`.

    `joint` is how many of them see one another.
    """

    llm: LlmSpec
    tokens: int
    before: int
    joint: int
    dtype: str

    @property
    def kv(self) -> Tally:
        """Bytes that the tokens add to the cache, by kind of layer."""
        width, rows = cache_width(self.dtype), Counter[str]()
        for attention, layers in Counter(layer.attention for layer in self.llm.layers).items():
            added = attention.cached(self.before + self.tokens) - attention.cached(self.before)
            rows[attention.label] += layers * width * added
        return Tally(tuple(rows.items()), CONVENTIONS["kv"])

    @property
    def macs(self) -> Tally:
        """Multiply-adds of the prefill."""
        rows: Counter[str] = Counter()
        for layer, times in Counter(self.llm.layers).items():
            rows["projections"] += times * self.tokens * layer.attention.weights(self.llm.width)
            rows["MLP"] += times * self.tokens * layer.mlp.active(self.llm.width)
            pairs = _pairs(self.tokens, self.before, layer.attention.window, self.joint)
            rows["attention: scores and sum"] += times * pairs * layer.attention.pair_macs
        return Tally(tuple(rows.items()), CONVENTIONS["macs"])

    @property
    def flops(self) -> Tally:
        return Tally(tuple((name, 2 * value) for name, value in self.macs.rows), CONVENTIONS["flops"])

    @property
    def linear_flops(self) -> int:
        """FLOPs without the attention of tokens to tokens: 2 V times the linear weights."""
        return 2 * self.tokens * self.llm.linear_weights

    @property
    def share(self) -> float:
        """Of the context, from 0; above 1 the tokens do not fit into it."""
        return self.tokens / self.llm.context

    @property
    def left(self) -> int:
        """Tokens of the context that remain for text; below 0 for as many as are too many."""
        return self.llm.context - self.before - self.tokens

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names."""
        tallies = {name: getattr(self, name).as_dict() for name in CONVENTIONS}
        return {
            "llm": self.llm.name, "source": self.llm.source, "params": self.llm.params, "tokens": self.tokens,
            "before": self.before, "joint": self.joint, "dtype": self.dtype, **tallies,
            "linear_flops": self.linear_flops, "context": self.llm.context, "share": self.share, "left": self.left,
        }  # fmt: skip


def llm_cost(
    llm: LlmSpec, tokens: int, *, image_tokens: int | None = None, before: int = 0, dtype: str = "bfloat16"
) -> LlmCost:
    """What `tokens` visual tokens of one picture cost in `llm`.

    Args:
        llm: from `vistoken.planning.named_llm`, `llm_of` or `read_llm`.
        tokens: image and marker tokens, as counted.
        image_tokens: how many of them are the picture's own, which see one another where the model is `joint`; all,
            if not given.
        before: tokens that stand earlier in the prompt.
        dtype: of the cache: bfloat16, float16, float32, float8 or int8.

    >>> from vistoken.planning.llm_table import named_llm
    >>> cost = llm_cost(named_llm("qwen2.5-7b"), 1196)
    >>> f"{cost.kv.total / 2**20:.1f} MiB, {cost.linear_flops / 1e12:.1f} TFLOP"
    '65.4 MiB, 15.6 TFLOP'

    Raises `UsageError` for numbers of tokens that cannot be, or an unknown dtype.
    """
    image_tokens = tokens if image_tokens is None else image_tokens
    for what, value, most in (("tokens", tokens, MAX_TOKENS), ("before", before, MAX_TOKENS),
                              ("image_tokens", image_tokens, tokens)):  # fmt: skip
        if type(value) is not int or not 0 <= value <= most:
            raise UsageError(f"{what} is {shown(value)}: it must be a whole number from 0 to {most:,}")
    cache_width(dtype)
    return LlmCost(llm, tokens, before, image_tokens if llm.joint else 0, dtype)


def cache_width(dtype: str) -> int:
    """Bytes of one value. Raises `UsageError` for a dtype that no cache is kept in."""
    if not isinstance(dtype, str) or dtype not in CACHE_BYTES:
        known = f"known are {', '.join(CACHE_BYTES)}.{did_you_mean(dtype, CACHE_BYTES)}"
        raise UsageError(f"dtype {shown(dtype)} of the cache is unknown: {known}")
    return CACHE_BYTES[dtype]


def _pairs(tokens: int, before: int, window: int | None, joint: int) -> int:
    """Pairs of a token that asks and one that it sees.

    Each joint token sees the later ones of its picture besides; a window cuts off what is earlier alone. Source:
    transformers 5.23.0, `create_masks_for_vision_model` in `modeling_gemma3.py`: window and (causal or same picture).
    """
    return _seen(before + tokens, window) - _seen(before, window) + joint * (joint - 1) // 2


def _seen(tokens: int, window: int | None) -> int:
    """Sum over the first `tokens` positions of how many each sees in causal order: min(position, window), from 1."""
    rising = tokens if window is None else min(tokens, window)
    return rising * (rising + 1) // 2 + (tokens - rising) * rising
