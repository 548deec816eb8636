"""The operations of an encoder with parameters, multiply-adds and traffic: the one source of every planned number.

Counted: every contraction, as it runs: padding excluded, one attention matrix a frame, or a window. Not counted:
biases, norms, softmax, activations, residuals, layer scale, resizing of position tables; together under 0.3 % of a ViT.
Notation: D dim, N tokens of a view, F the MLP's hidden size. FLOPs are twice the multiply-adds.
Checked against torch's `FlopCounterMode` on transformers' own models (eager attention), to the unit.

Traffic is what a step reads and writes in memory where every row is one kernel: elements of activations, not bytes,
since their width is the caller's choice. Parameters (`params`) are apart: they are read once for all pictures.
Scores stay on the chip (fused attention). A norm reads and writes a vector a token, a residual addition reads two, an
activation reads its input, and the gate of gated ones too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise

from vistoken.geometry import Grid
from vistoken.planning.pools import pool_rows
from vistoken.planning.rows import ROTARY, mlp_rows, norm_flops, norm_params, position_params
from vistoken.planning.rows import Operation as Operation
from vistoken.spec import ClassRotary, EncoderSpec, HeadNorm, NoPosition, QkNorm, Stem, WidthNorm, Windows


def operations(spec: EncoderSpec, grids: Sequence[Grid], classes: int = 0, merge: int = 0) -> tuple[Operation, ...]:
    """All operations over the views whose grids are given.

    `classes` adds a linear classifier on the pooled vector; with `merge`, up to so many tokens a frame are joined to
    others in every block.
    """
    return tuple(_operations(spec, grids, classes, merge))


def _operations(spec: EncoderSpec, grids: Sequence[Grid], classes: int, merge: int) -> Iterator[Operation]:
    patches = sum(grid.patches for grid in grids)
    frames = [Grid(grid.rows, grid.cols) for grid in grids for _ in range(grid.frames)]
    dim, norm, flops = spec.dim, norm_params(spec.norm, spec.dim), partial(norm_flops, spec.norm)
    patch, channels = spec.projected
    values = patch.values(channels)
    embedded, entering = patches * dim, sum(map(spec.tokens, grids)) * dim
    leaving = sum(spec.lengths(frame, merge)[-1] for frame in frames) * dim
    if spec.stem:
        yield _stem(spec.stem, spec.channels, patches * patch.height * patch.width)
    params, pixels = dim * (values + spec.patch_bias), patches * values
    yield Operation("patch embedding", "projection", params, pixels * dim, pixels, embedded)
    if spec.embed_norm:
        yield Operation("patch embedding", "norm", norm, 0, embedded, embedded, flops(embedded))
    added = 0 if isinstance(spec.position, NoPosition) else embedded
    yield Operation("position", type(spec.position).__name__, position_params(spec.position, dim), 0, added, added)
    if isinstance(spec.rotary, ClassRotary):
        yield Operation("position", "angles of the class token", spec.head_dim // 2, 0)
    yield Operation("prefix", "prefix tokens", spec.prefix_tokens * dim, 0, 0, entering - embedded)
    if spec.pre_norm:
        yield Operation("pre-norm", "norm before the blocks", norm, 0, entering, entering, flops(entering))
    yield from _blocks(spec, frames, merge)
    if spec.final_norm != "none":
        normed = leaving if spec.final_norm == "all" else len(grids) * dim
        # timm's networks norm all tokens, also where the pooled vector alone is handed on.
        yield Operation("final norm", "norm", norm, 0, normed, normed, flops(leaving))
    yield from pool_rows(spec.pool, spec.norm, dim, [spec.tokens(grid) for grid in grids])
    if spec.connector:
        from vistoken.planning.ends import connector_rows  # plain encoders do without

        yield from connector_rows("connector", spec.connector, dim, frames)
        for number, connector in enumerate(spec.deepstack, 1):
            yield from connector_rows("deepstack", connector, dim, frames, f"{number}: ")
    if classes:
        width = spec.pooled_dim or dim
        pooled, made = len(grids) * width, len(grids) * classes
        yield Operation("pool and head", "classifier", (width + 1) * classes, pooled * classes, pooled, made)
    if spec.mask_token:
        yield Operation("mask token", "stored, not used", dim, 0)


def _stem(stem: Stem, channels: int, cells: int) -> Operation:
    """Convolutions without biases, a group norm behind each; `cells` are those of the map that comes out."""
    params = macs = reads = writes = extra = 0
    reduction = 2  # of the sides, so far
    for before, after, kernel, stride in _convolutions(stem, channels):
        reads += before * cells * stem.stride**2 // reduction**2
        reduction *= stride
        weights, made = before * after * kernel**2, cells * stem.stride**2 // reduction**2
        params += weights + 2 * after
        macs += weights * made
        # The norm behind it reads and writes once more.
        reads, writes = reads + after * made, writes + 2 * after * made
        # Weights are standardised by a norm without a weight, and the group norm has one (fvcore, as `norm_flops`).
        extra += 4 * weights + 5 * after * made
    return Operation("patch embedding", "stem", params, macs, reads, writes, extra)


def _convolutions(stem: Stem, channels: int) -> Iterator[tuple[int, int, int, int]]:
    """Channels that come in and go out, kernel, and by how much sides shrink since the convolution before.

    The first halves the picture, and so does the maximum behind it.
    """
    yield channels, stem.width, 7, 1
    for number, (depth, before, after, stride) in enumerate(stem.stages()):
        middle, shrunk = after // 4, 2 if number == 0 else 1
        yield before, middle, 1, shrunk
        yield middle, middle, 3, stride
        yield middle, after, 1, 1
        yield before, after, 1, 1  # the shortcut
        for _ in range(1, depth):
            yield from ((after, middle, 1, 1), (middle, middle, 3, 1), (middle, after, 1, 1))


def _blocks(spec: EncoderSpec, frames: Sequence[Grid], merge: int) -> Iterator[Operation]:
    """Every row is over all `depth` blocks; where tokens are joined, the MLPs already work on fewer."""
    dim, lengths = spec.dim, [spec.lengths(grid, merge) for grid in frames]
    enter, leave = (sum(sum(of_frame[part]) for of_frame in lengths) for part in (slice(-1), slice(1, None)))

    def blocks(name: str, params: int, macs: int, reads: int, writes: int, flops: int = 0) -> Operation:
        return Operation("blocks", name, spec.depth * params, macs, reads, writes, flops)

    matrix, width = dim * (dim + 2 * spec.kv_dim), dim + 2 * spec.kv_dim
    biases = {"all": width, "query and value": 2 * dim, "none": 0}[spec.qkv_bias]
    around, both = 2 if spec.block_norms == "both" else 1, (enter + leave) * dim
    normed = around * both
    yield blocks("norms", 2 * around * norm_params(spec.norm, dim), 0, normed, normed, norm_flops(spec.norm, normed))
    yield blocks("attention: q, k, v", matrix + biases, enter * matrix, enter * dim, enter * width)
    turned = enter * (dim + spec.kv_dim)
    if spec.qkv_norm:
        yield blocks("attention: norms of q and k", _qkv_norm_params(spec), 0, turned, turned)
    if spec.rotary:
        yield blocks(ROTARY, 0, 0, turned, turned)
    # Scores and weighted sum: N^2 D each, over the heads together; one square a frame, or a window.
    scores = 2 * dim * _scores(spec, frames, lengths)
    yield Operation("blocks", "attention: scores and sum", 0, scores, enter * width, enter * dim)
    if spec.attention_norm:
        inner = enter * dim
        flops = norm_flops(spec.norm, inner)
        yield blocks("attention: norm before the output", norm_params(spec.norm, dim), 0, inner, inner, flops)
    yield blocks("attention: output", dim * (dim + spec.out_bias), enter * dim * dim, enter * dim, enter * dim)
    if merge:
        pairs, keys = sum(map(_compared, lengths)), enter * spec.head_dim
        yield blocks("token merging", 0, spec.head_dim * pairs, keys + enter * dim, pairs + leave * dim)
    yield from mlp_rows("blocks", "", spec.mlp, dim, None, leave, spec.depth)
    if spec.layer_scale:
        yield blocks("layer scale", 2 * dim, 0, both, both)
    yield blocks("residual additions", 0, 0, 2 * both, both)


def _compared(lengths: Sequence[int]) -> int:
    """Pairs of keys that are compared in a frame, one of each half, in the blocks that join any."""
    return sum((tokens + 1) // 2 * (tokens // 2) for tokens, left in pairwise(lengths) if left < tokens)


def _scores(spec: EncoderSpec, frames: Sequence[Grid], lengths: Sequence[Sequence[int]]) -> int:
    """Pairs of tokens that meet, over all blocks and frames; `lengths` are of each frame the tokens of every block."""
    if spec.windows is None:
        return sum(tokens**2 for of_frame in lengths for tokens in of_frame[:-1])
    whole = sum(spec.tokens(grid) ** 2 for grid in frames)
    full = sum(number < spec.depth for number in spec.windows.full)
    return full * whole + (spec.depth - full) * sum(_in_windows(grid, spec.windows) for grid in frames)


def _in_windows(grid: Grid, windows: Windows) -> int:
    """Pairs within the windows of one frame, ragged ones at the borders: sum of (height x width)^2."""

    def squares(cells: int) -> int:
        whole, rest = divmod(cells, windows.side)
        return whole * windows.side**2 + rest**2

    return squares(grid.rows) * squares(grid.cols)


def _qkv_norm_params(spec: EncoderSpec) -> int:
    match spec.qkv_norm:
        case WidthNorm():
            return 2 * spec.dim
        case HeadNorm() | QkNorm():
            return 2 * spec.head_dim
        case None:
            return 0
