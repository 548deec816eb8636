"""The operations of an encoder with their parameters and multiply-adds: the one source of every planned number.

Counted: every contraction, as it runs: padding excluded, one attention matrix a frame, or a window. Not counted:
biases, norms, softmax, activations, residuals, layer scale, resizing of position tables; together under 0.3 % of a ViT.
Notation: D dim, N tokens of a view, F the MLP's hidden size. FLOPs are twice the multiply-adds.
Checked against torch's `FlopCounterMode` on transformers' own models (eager attention), to the unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import assert_never

from vistoken.connector import (
    AveragePool,
    Connector,
    Downsample,
    Linear,
    MergeBlocks,
    MlpStage,
    Normalise,
    Resample,
    Unpadded,
)
from vistoken.geometry import Grid
from vistoken.spec import (
    AttentionPool,
    Buckets,
    ClassPool,
    ClassRotary,
    EncoderSpec,
    Factorised,
    GatedMlp,
    HeadNorm,
    LayerNorm,
    LearnedTable,
    MeanPool,
    Mlp,
    NoPool,
    NoPosition,
    Norm,
    PlainMlp,
    Pool,
    Position,
    ProjectedClass,
    QkNorm,
    QueryPool,
    RmsNorm,
    Sinusoidal,
    Stem,
    WidthNorm,
    Windows,
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of the encoder: the part it belongs to, its parameters, and its multiply-adds for all views."""

    part: str
    name: str
    params: int
    macs: int


def operations(spec: EncoderSpec, grids: Sequence[Grid], classes: int = 0, merge: int = 0) -> tuple[Operation, ...]:
    """All operations over the views whose grids are given.

    `classes` adds a linear classifier on the pooled vector; with `merge`, up to so many tokens a frame are joined to
    others in every block.
    """
    return tuple(_operations(spec, grids, classes, merge))


def _operations(spec: EncoderSpec, grids: Sequence[Grid], classes: int, merge: int) -> Iterator[Operation]:
    patches = sum(grid.patches for grid in grids)
    frames = [Grid(grid.rows, grid.cols) for grid in grids for _ in range(grid.frames)]
    dim, norm = spec.dim, norm_params(spec.norm, spec.dim)
    patch, channels = spec.projected
    values = patch.values(channels)
    if spec.stem:
        yield _stem(spec.stem, spec.channels, patches * patch.height * patch.width)
    yield Operation("patch embedding", "projection", dim * (values + spec.patch_bias), patches * values * dim)
    if spec.embed_norm:
        yield Operation("patch embedding", "norm", norm, 0)
    yield Operation("position", type(spec.position).__name__, position_params(spec.position, dim), 0)
    if isinstance(spec.rotary, ClassRotary):
        yield Operation("position", "angles of the class token", spec.head_dim // 2, 0)
    yield Operation("prefix", "prefix tokens", spec.prefix_tokens * dim, 0)
    if spec.pre_norm:
        yield Operation("pre-norm", "norm before the blocks", norm, 0)
    yield from _blocks(spec, frames, merge)
    if spec.final_norm != "none":
        yield Operation("final norm", "norm", norm, 0)
    yield from _pool(spec.pool, spec.norm, dim, [spec.tokens(grid) for grid in grids])
    if spec.connector:
        yield from _connector("connector", spec.connector, dim, frames)
    for number, connector in enumerate(spec.deepstack, 1):
        yield from _connector("deepstack", connector, dim, frames, f"{number}: ")
    if classes:
        width = spec.pooled_dim or dim
        yield Operation("pool and head", "classifier", (width + 1) * classes, len(grids) * width * classes)
    if spec.mask_token:
        yield Operation("mask token", "stored, not used", dim, 0)


def _stem(stem: Stem, channels: int, cells: int) -> Operation:
    """Convolutions without biases, a group norm behind each; `cells` are those of the map that comes out."""
    params = macs = 0
    reduction = 2  # of the sides, so far
    for before, after, kernel, stride in _convolutions(stem, channels):
        reduction *= stride
        weights = before * after * kernel**2
        params += weights + 2 * after
        macs += weights * cells * stem.stride**2 // reduction**2
    return Operation("patch embedding", "stem", params, macs)


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

    def blocks(name: str, params: int, macs: int) -> Operation:
        return Operation("blocks", name, spec.depth * params, macs)

    matrix = dim * (dim + 2 * spec.kv_dim)
    biases = {"all": dim + 2 * spec.kv_dim, "query and value": 2 * dim, "none": 0}[spec.qkv_bias]
    yield blocks("norms", (4 if spec.block_norms == "both" else 2) * norm_params(spec.norm, dim), 0)
    yield blocks("attention: q, k, v", matrix + biases, enter * matrix)
    if spec.qkv_norm:
        yield blocks("attention: norms of q and k", _qkv_norm_params(spec), 0)
    # Scores and weighted sum: N^2 D each, over the heads together; one square a frame, or a window.
    yield Operation("blocks", "attention: scores and sum", 0, 2 * dim * _scores(spec, frames, lengths))
    if spec.attention_norm:
        yield blocks("attention: norm before the output", norm_params(spec.norm, dim), 0)
    yield blocks("attention: output", dim * (dim + spec.out_bias), enter * dim * dim)
    if merge:
        yield blocks("token merging", 0, spec.head_dim * sum(map(_compared, lengths)))
    yield blocks("MLP", mlp_params(spec.mlp, dim), leave * mlp_macs(spec.mlp, dim))
    if spec.layer_scale:
        yield blocks("layer scale", 2 * dim, 0)


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


def norm_params(norm: Norm, width: int) -> int:
    match norm:
        case LayerNorm():
            return 2 * width
        case RmsNorm():
            return width
        case _:
            assert_never(norm)


def _connector(
    part: str, connector: Connector, dim: int, frames: Sequence[Grid], mark: str = ""
) -> Iterator[Operation]:
    """The stages with parameters; the grids of `frames` shrink where blocks become one token."""
    width, grids = dim * len(connector.layers or (0,)), frames
    for stage in connector.stages:
        tokens = sum(grid.patches for grid in grids)
        match stage:
            case Normalise(norm, weight):
                yield Operation(part, f"{mark}norm", norm_params(norm, width) * weight, 0)
            case Linear(out, bias):
                yield Operation(part, f"{mark}linear", out * (width + bias), tokens * width * out)
            case Downsample(out):
                grids = [Grid(grid.rows // stage.side, grid.cols // stage.side) for grid in grids]
                after, kernel = sum(grid.patches for grid in grids), 9 * width
                yield Operation(part, f"{mark}convolution", out * (kernel + 1), after * kernel * out)
            case MlpStage(mlp, out):
                yield Operation(part, f"{mark}MLP", mlp_params(mlp, width, out), tokens * mlp_macs(mlp, width, out))
            case Resample(latents):
                yield from _resample(part, stage, width, tokens, len(frames))
                grids = [Grid(1, latents)] * len(grids)
            case MergeBlocks(side) | AveragePool(side):
                grids = [Grid(grid.rows // side, grid.cols // side) for grid in grids]
            case _:
                pass  # activations and constants: no parameters, no contraction
        width = Connector(stages=(stage,)).width(width)
    if isinstance(connector.arrangement, Unpadded):
        yield Operation(part, f"{mark}newline", width, 0)


def _resample(part: str, stage: Resample, width: int, tokens: int, views: int) -> Iterator[Operation]:
    """Over all its blocks: the latents of every view ask the view's tokens and one another."""
    asked, depth = stage.latents * views, stage.depth
    seen, inner, keys = tokens + asked, stage.heads * stage.head_dim, stage.key_heads * stage.head_dim
    yield Operation(part, "latents", stage.latents * width, 0)
    yield Operation(part, "resampler: norms", (3 * depth + 1) * norm_params(stage.norm, width), 0)
    yield Operation(part, "resampler: q", depth * width * inner, depth * asked * width * inner)
    yield Operation(part, "resampler: k, v", 2 * depth * width * keys, 2 * depth * seen * width * keys)
    yield Operation(part, "resampler: scores and sum", 0, 2 * depth * stage.latents * seen * inner)
    yield Operation(part, "resampler: output", depth * width * inner, depth * asked * width * inner)
    yield Operation(
        part, "resampler: MLP", depth * mlp_params(stage.mlp, width), depth * asked * mlp_macs(stage.mlp, width)
    )


def mlp_params(mlp: Mlp, dim: int, out: int | None = None) -> int:
    """From `dim` dimensions to `out`, or to as many."""
    out = out or dim
    match mlp:
        case PlainMlp(hidden):
            return (dim + out) * hidden + mlp.bias * (hidden + out)
        case GatedMlp(hidden):
            inner = norm_params(mlp.norm, hidden) if mlp.norm else 0
            return (2 * dim + out) * hidden + mlp.bias * (2 * hidden + out) + inner
        case _:
            assert_never(mlp)


def mlp_macs(mlp: Mlp, dim: int, out: int | None = None) -> int:
    """Multiply-adds of one token."""
    match mlp:
        case PlainMlp(hidden):
            return (dim + (out or dim)) * hidden
        case GatedMlp(hidden):
            return (2 * dim + (out or dim)) * hidden
        case _:
            assert_never(mlp)


def position_params(position: Position, dim: int) -> int:
    match position:
        case LearnedTable():
            return (position.rows * position.cols + position.prefix_rows) * dim
        case Factorised(rows, cols):
            return (rows + cols) * dim
        case Buckets(side):
            return side * side * dim
        case NoPosition() | Sinusoidal():
            return 0
        case _:
            assert_never(position)


def _pool(pool: Pool, norm: Norm, dim: int, lengths: Sequence[int]) -> Iterator[Operation]:
    views, part = len(lengths), "pool and head"
    match pool:
        case NoPool() | ClassPool() | MeanPool(False):
            return
        case MeanPool():
            yield Operation(part, "norm", norm_params(norm, dim), 0)
        case ProjectedClass(width, bias):
            yield Operation(part, "projection", (dim + bias) * width, views * dim * width)
        case AttentionPool(_, hidden, projection, bias):
            tokens, mlp, out = sum(lengths), PlainMlp(hidden, "gelu"), projection or 0
            yield Operation(part, "probe", dim, 0)
            # The probe alone asks; every token is asked: q once, k and v N times, one row of scores and one sum.
            yield Operation(part, "attention: q, k, v", 3 * dim * (dim + 1), (2 * tokens + views) * dim * dim)
            yield Operation(part, "attention: scores and sum", 0, 2 * tokens * dim)
            yield Operation(part, "attention: output", dim * (dim + 1), views * dim * dim)
            yield Operation(part, "norm", norm_params(norm, dim), 0)
            yield Operation(part, "MLP", mlp_params(mlp, dim), views * mlp_macs(mlp, dim))
            yield Operation(part, "projection", (dim + bias) * out, views * dim * out)
        case QueryPool(_, projection):
            tokens, out = sum(lengths), projection or 0
            yield Operation(part, "query", dim, 0)
            yield Operation(part, "attention: k, v", 2 * dim * dim, 2 * tokens * dim * dim)
            yield Operation(part, "attention: scores and sum", 0, 2 * tokens * dim)
            yield Operation(part, "attention: output", dim * (dim + 1), views * dim * dim)
            yield Operation(part, "projection", dim * out, views * dim * out)
        case _:
            assert_never(pool)
