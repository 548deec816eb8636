"""The connector to an LLM, in rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from vistoken.connector import (
    Activate,
    AveragePool,
    Connector,
    Downsample,
    Linear,
    MergeBlocks,
    MlpStage,
    Normalise,
    Resample,
    Scale,
    Softmax,
    Standardise,
    Twice,
    Unpadded,
)
from vistoken.geometry import Grid
from vistoken.planning.rows import Operation, mlp_rows, norm_flops, norm_params


def connector_rows(
    part: str, connector: Connector, dim: int, frames: Sequence[Grid], mark: str = ""
) -> Iterator[Operation]:
    """The stages with parameters; the grids of `frames` shrink where blocks become one token."""
    width, grids = dim * len(connector.layers or (0,)), frames
    for stage in connector.stages:
        tokens = sum(grid.patches for grid in grids)
        match stage:
            case Normalise(norm, weight):
                moved = tokens * width
                flops = norm_flops(norm, moved, weight)
                yield Operation(part, f"{mark}norm", norm_params(norm, width) * weight, 0, moved, moved, flops)
            case Linear(out, bias):
                yield Operation(
                    part, f"{mark}linear", out * (width + bias), tokens * width * out, tokens * width, tokens * out
                )
            case MlpStage(mlp, out):
                yield from mlp_rows(part, mark, mlp, width, out, tokens)
            case Downsample(out):
                grids = [Grid(grid.rows // stage.side, grid.cols // stage.side) for grid in grids]
                after, kernel = sum(grid.patches for grid in grids), 9 * width
                yield Operation(
                    part, f"{mark}convolution", out * (kernel + 1), after * kernel * out, tokens * width, after * out
                )
            case Resample(latents):
                yield from _resample(part, stage, width, tokens, len(frames))
                grids = [Grid(1, latents)] * len(grids)
            case MergeBlocks(side) | AveragePool(side):
                grids = [Grid(grid.rows // side, grid.cols // side) for grid in grids]
            case Activate() | Scale() | Standardise() | Softmax():
                yield Operation(part, f"{mark}{type(stage).__name__.lower()}", 0, 0, tokens * width, tokens * width)
            case Twice():
                pass  # the same vectors, seen twice
            case _:
                assert_never(stage)
        width = Connector(stages=(stage,)).width(width)
    if isinstance(connector.arrangement, Unpadded):
        yield Operation(part, f"{mark}newline", width, 0)


def _resample(part: str, stage: Resample, width: int, tokens: int, views: int) -> Iterator[Operation]:
    """Over all its blocks: the latents of every view ask the view's tokens and one another."""
    asked, depth = stage.latents * views, stage.depth
    seen, inner, keys = tokens + asked, stage.heads * stage.head_dim, stage.key_heads * stage.head_dim
    whole, keyed, latent = depth * seen * width, 2 * depth * seen * keys, depth * asked
    yield Operation(part, "latents", stage.latents * width, 0)
    # Of a block: tokens and latents before the attention, latents before the MLP; latents once more at the end.
    normed = whole + (latent + asked) * width
    yield Operation(part, "resampler: norms", (3 * depth + 1) * norm_params(stage.norm, width), 0, normed, normed)
    yield Operation(part, "resampler: q", depth * width * inner, latent * width * inner, latent * width, latent * inner)
    yield Operation(part, "resampler: k, v", 2 * depth * width * keys, 2 * whole * keys, whole, keyed)
    scores = 2 * depth * stage.latents * seen * inner
    yield Operation(part, "resampler: scores and sum", 0, scores, latent * inner + keyed, latent * inner)
    yield Operation(
        part, "resampler: output", depth * width * inner, latent * width * inner, latent * inner, latent * width
    )
    yield from mlp_rows(part, "resampler: ", stage.mlp, width, None, latent, depth)
    yield Operation(part, "resampler: residual additions", 0, 0, 4 * latent * width, 2 * latent * width)
