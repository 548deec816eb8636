"""The encoder: one module, built from an `EncoderSpec`, over a packed sequence.

Shapes: T tokens of all images, N patches of all images, B images, D dim, H heads, d head width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn

from vistoken.encoding.attention import Engine, Turn, attention_weights, engine, turn
from vistoken.encoding.connecting import Connecting
from vistoken.encoding.frontend import Embedding
from vistoken.encoding.merging import choose_route
from vistoken.encoding.mlp import build_mlp
from vistoken.encoding.norms import Rms, build_linear, build_norm
from vistoken.encoding.packing import Packed
from vistoken.encoding.pooling import build_pool, choose_pooling
from vistoken.encoding.routes import Merged, Route
from vistoken.errors import UsageError
from vistoken.frozen import frozen
from vistoken.geometry import Grid
from vistoken.spec import EncoderSpec, HeadNorm, QkNorm, WidthNorm

T = TypeVar("T", bound=nn.Module)


@frozen
class Wanted:
    """What a forward pass keeps besides its output.

    `layers` are hidden states, 0 what enters the first block and i what leaves block i, negative from the end; `maps`
    the blocks, from 0, whose attention is kept, of all heads or of `heads`; `image` tells whether image tokens are
    made, `pooled` whether the pooled vector is. With `merge` above 0, up to so many tokens a frame are joined to others
    in every block; hidden states then hold what each of the patches became part of.
    """

    layers: tuple[int, ...] = ()
    maps: tuple[int, ...] = ()
    heads: tuple[int, ...] = ()
    image: bool = False
    pooled: bool = True
    merge: int = 0


NOTHING_MORE = Wanted()


@frozen(eq=False)
class Encoded:
    """What the encoder makes of a packed sequence.

    Attributes:
        tokens: (T, D) after the last norm, where the family norms its patches.
        pooled: (B, pooled dim); None where the family has no pooling of its own, or where it is not asked for.
        layers: (T, D) hidden states that were asked for, without the last norm, by their number as asked.
        maps: of every block asked for the attention of each segment, (H, t, t); segments, and tokens within each, in
            raster order.
        image: (n, out) image tokens of all frames; None unless asked for.
        image_grids: the grid that the image tokens of each frame form.
        deepstack: (n, out) further vectors for the same positions.
        merged: where tokens were joined, what became of those that entered; `tokens` are then fewer than T.
    """

    tokens: Tensor
    pooled: Tensor | None
    layers: Mapping[int, Tensor] = field(default_factory=dict)
    maps: Mapping[int, tuple[Tensor, ...]] = field(default_factory=dict)
    image: Tensor | None = None
    image_grids: tuple[Grid, ...] = ()
    deepstack: tuple[Tensor, ...] = ()
    merged: Merged | None = None


class VisionEncoder(nn.Module):
    """Embed, positions, blocks, norm, pool; and where an LLM follows, what it receives.

    Args:
        spec: the description that everything is built from.
        attention: the engine: "sdpa", "varlen" or "reference".
        pool: the family's "own" pooled vector, or by choice "cls", "mean" or "cls+mean", all after the last norm, or
            "attention" where that is the family's own.
    """

    def __init__(self, spec: EncoderSpec, attention: str = "sdpa", pool: str = "own") -> None:
        super().__init__()
        self.spec, self.attention = spec, attention
        self.embed = Embedding(spec)
        self.pre_norm = build_norm(spec.norm, spec.dim) if spec.pre_norm else nn.Identity()
        self.blocks: Sequence[Block] = _list(Block(spec, engine(attention)) for _ in range(spec.depth))
        self.norm = build_norm(spec.norm, spec.dim) if spec.final_norm != "none" else nn.Identity()
        self.pool = build_pool(spec, engine(attention))
        # In a tuple, since it may be the module above, which must not be registered twice.
        self.pooling = (choose_pooling(spec, self.pool, pool),)
        self.connector = Connecting(spec.connector, spec.dim, engine(attention)) if spec.connector else None
        self.deepstack: Sequence[Connecting] = _list(
            Connecting(connector, spec.dim, engine(attention)) for connector in spec.deepstack
        )
        if spec.mask_token:  # stored in the files, used in pre-training alone
            self.mask_token = nn.Parameter(torch.zeros(1, spec.dim))

    @property
    def pooled_dim(self) -> int | None:
        """Width of the pooled vector, or None where there is none."""
        own, chosen = self.pool, self.pooling[0]
        return self.spec.pooled_dim if chosen is own else self.spec.dim * getattr(chosen, "times", 1)

    def forward(self, packed: Packed, wanted: Wanted = NOTHING_MORE) -> Encoded:
        route = choose_route(self.spec, packed, self.embed.angles(packed.frames), wanted.merge)
        x = route.enter(self.pre_norm(self.embed(packed)))
        kept, maps = self._kept(wanted), {}
        layers = {number: route.keep(x) for number in kept & {0}}
        for number, block in enumerate(self.blocks):
            if number in wanted.maps:
                maps[number] = route.leave_maps(block.maps(x, route.segments(number), route.turn, wanted.heads), number)
            x = block(x, number, route)
            if number + 1 in kept:
                layers[number + 1] = route.keep(x)
        x = route.leave(x)
        normed = self.norm(x)
        tokens = normed if self.spec.final_norm == "all" else x
        image, grids, deepstack = self._connect(packed, tokens, layers) if wanted.image else (None, (), ())
        asked = {number: layers[number % (self.spec.depth + 1)] for number in wanted.layers}
        pooled = self.pooling[0](route.spread(normed), packed.offsets) if wanted.pooled else None
        return Encoded(tokens, pooled, asked, maps, image, grids, deepstack, route.merged())

    def _kept(self, wanted: Wanted) -> frozenset[int]:
        """Numbers of the hidden states that are needed, from 0."""
        numbers = set(wanted.layers)
        for connector in (self.spec.connector, *self.spec.deepstack) if wanted.image else ():
            numbers |= set(connector.layers or ()) if connector else set()
        return frozenset(number % (self.spec.depth + 1) for number in numbers)

    def check(self, wanted: Wanted) -> None:
        """Raise `UsageError` for a layer, a block or a head that is not there, and for tokens that cannot be joined."""
        self._check_merge(wanted)
        depth = self.spec.depth
        for number in wanted.layers:
            if type(number) is not int or not -depth - 1 <= number <= depth:
                raise UsageError(f"layer {number!r}: there are hidden states 0 to {depth}, or -1 to {-depth - 1}")
        for block in wanted.maps:
            if type(block) is not int or not 0 <= block < depth:
                raise UsageError(f"attention of block {block!r}: there are blocks 0 to {depth - 1}")
        for head in wanted.heads:
            if type(head) is not int or not 0 <= head < self.spec.heads:
                raise UsageError(f"attention of head {head!r}: there are heads 0 to {self.spec.heads - 1}")

    def _check_merge(self, wanted: Wanted) -> None:
        self.spec.check_merge(wanted.merge)
        if not wanted.merge:
            return
        if wanted.image:
            raise UsageError(
                "image tokens are made of patches at their places in the grid, and merge_tokens joins patches from "
                "anywhere: leave image_tokens out, for example with what=['patches'] (--what patches)"
            )
        if wanted.maps:
            raise UsageError(
                "with merge_tokens, attention is among fewer tokens in every block: leave attention_maps out"
            )
        if self.attention == "varlen":
            raise UsageError(
                "attention 'varlen' cannot weigh tokens by their patches, as merge_tokens needs: choose sdpa"
            )

    def _connect(
        self, packed: Packed, tokens: Tensor, layers: Mapping[int, Tensor]
    ) -> tuple[Tensor, tuple[Grid, ...], tuple[Tensor, ...]]:
        """Image tokens of all frames, the grids they form, and the vectors of deepstack."""
        if self.connector is None:
            raise UsageError("this encoder stands in front of no LLM here, so it has no image tokens: ask for patches")

        def run(module: Connecting) -> tuple[Tensor, tuple[Grid, ...]]:
            numbers = module.connector.layers
            read = [tokens] if numbers is None else [layers[number % (self.spec.depth + 1)] for number in numbers]
            x = read[0] if len(read) == 1 else torch.cat(read, dim=-1)
            return module(without_prefix(x, packed), packed.frames)

        image, grids = run(self.connector)
        return image, grids, tuple(run(module)[0] for module in self.deepstack)


def _list(modules: Iterator[T]) -> Sequence[T]:
    """A `ModuleList`, which type checkers take for a list of any modules."""
    return nn.ModuleList(modules)  # type: ignore[return-value]


def without_prefix(tokens: Tensor, packed: Packed) -> Tensor:
    """The patches (N, D) among all tokens (T, D)."""
    count, frames = packed.prefix_tokens, packed.frames
    if not count:
        return tokens
    if len(set(frames)) == 1:
        return tokens.unflatten(0, (len(frames), -1))[:, count:].flatten(0, 1)
    return torch.cat([tokens[start + count : end] for start, end in pairwise(packed.segments)])


class Block(nn.Module):
    """Attention, then the MLP, each added to what came in; normed before, after, or on both sides."""

    def __init__(self, spec: EncoderSpec, attend: Engine) -> None:
        super().__init__()
        before, after = spec.block_norms != "after", spec.block_norms != "before"
        self.norm1 = build_norm(spec.norm, spec.dim) if before else nn.Identity()
        self.attention = Attention(spec, attend)
        self.after1 = build_norm(spec.norm, spec.dim) if after else nn.Identity()
        self.norm2 = build_norm(spec.norm, spec.dim) if before else nn.Identity()
        self.mlp = build_mlp(spec.mlp, spec.dim, spec.clamps)
        self.after2 = build_norm(spec.norm, spec.dim) if after else nn.Identity()
        self.scale1 = nn.Parameter(torch.ones(spec.dim)) if spec.layer_scale else None
        self.scale2 = nn.Parameter(torch.ones(spec.dim)) if spec.layer_scale else None

    def forward(self, x: Tensor, number: int, route: Route) -> Tensor:
        x = route.join(x + _scaled(self.after1(self.attention(self.norm1(x), number, route)), self.scale1))
        return x + _scaled(self.after2(self.mlp(self.norm2(x))), self.scale2)

    def maps(self, x: Tensor, segments: tuple[int, ...], by: Turn | None, heads: tuple[int, ...]) -> tuple[Tensor, ...]:
        """The attention of every segment, see `Attention.maps`."""
        return self.attention.maps(self.norm1(x), segments, by, heads)


def _scaled(x: Tensor, scale: Tensor | None) -> Tensor:
    return x if scale is None else x * scale


class Attention(nn.Module):
    """Self-attention within segments."""

    def __init__(self, spec: EncoderSpec, attend: Engine) -> None:
        super().__init__()
        self.head_dim, self.attend = spec.head_dim, attend
        self.widths, self.group = (spec.dim, spec.kv_dim, spec.kv_dim), spec.dim // spec.kv_dim
        self.qkv = _build_qkv(spec)
        self.qv_bias = nn.Parameter(torch.zeros(2 * spec.dim)) if spec.qkv_bias == "query and value" else None
        self.norm = build_norm(spec.norm, spec.dim) if spec.attention_norm else nn.Identity()
        self.out = build_linear(spec.dim, spec.dim, spec.out_bias, spec.clamps)
        self.by_head = isinstance(spec.qkv_norm, HeadNorm | QkNorm)
        self.q_norm, self.k_norm, self.v_norm = _qkv_norms(spec)
        self.scale = 1.0 if isinstance(spec.qkv_norm, HeadNorm) else spec.head_dim**-0.5

    def forward(self, x: Tensor, number: int, route: Route) -> Tensor:
        q, k, v = self.project(x, route.turn)
        attended = route.attend(self.attend, q, k, v, route.segments(number), self.scale)
        return self.out(self.norm(attended.flatten(1)))

    def project(self, x: Tensor, by: Turn | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values by head, (T, H, d) each: biased, normed and turned."""
        parts = self.qkv(x)
        if self.qv_bias is not None:
            q_bias, v_bias = self.qv_bias.chunk(2)
            parts = parts + torch.cat([q_bias, torch.zeros_like(q_bias), v_bias])
        q, k, v = parts.split(self.widths, dim=-1)
        if not self.by_head:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = (part.unflatten(1, (-1, self.head_dim)) for part in (q, k, v))
        if self.by_head:
            q, k, v = self.q_norm(q), self.k_norm(k), self.v_norm(v)
        if by is not None:
            q, k = turn(q, by), turn(k, by)
        if self.group > 1:  # queries that share a head of keys and values
            k, v = (part.repeat_interleave(self.group, dim=1) for part in (k, v))
        return q, k, v

    def maps(self, x: Tensor, segments: tuple[int, ...], by: Turn | None, heads: tuple[int, ...]) -> tuple[Tensor, ...]:
        """How much each token takes of each other one of its segment: (H, t, t) a segment, float32.

        Of all heads, or of those named.
        """
        q, k, _ = self.project(x, by)
        if heads:
            q, k = q[:, list(heads)], k[:, list(heads)]
        return tuple(attention_weights(q[a:b], k[a:b], None, self.scale) for a, b in pairwise(segments))


def _build_qkv(spec: EncoderSpec) -> nn.Module:
    """Queries, keys and values in one matrix."""
    bias = spec.qkv_bias == "all"
    if spec.kv_heads is None:
        return build_linear(spec.dim, spec.dim, bias, spec.clamps, parts=3)
    return nn.Linear(spec.dim, spec.dim + 2 * spec.kv_dim, bias)


def _qkv_norms(spec: EncoderSpec) -> tuple[nn.Module, nn.Module, nn.Module]:
    match spec.qkv_norm:
        case WidthNorm(norm):
            return Rms(spec.dim, norm.eps), Rms(spec.dim, norm.eps), nn.Identity()
        case HeadNorm(norm):
            width = spec.head_dim
            return Rms(width, norm.eps), Rms(width, norm.eps), Rms(width, norm.eps, weight=False)
        case QkNorm(norm):
            return Rms(spec.head_dim, norm.eps), Rms(spec.head_dim, norm.eps), nn.Identity()
        case None:
            return nn.Identity(), nn.Identity(), nn.Identity()
