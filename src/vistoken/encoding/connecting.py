"""Carrying out a `Connector`: patches of a tower in, image tokens for an LLM out.

Shapes: n tokens of one view or frame, D dim, s a block's side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import assert_never

import torch
from torch import Tensor, nn

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
    Stage,
    Standardise,
    Twice,
    Unpadded,
)
from vistoken.encoding.attention import Engine
from vistoken.encoding.mlp import ACTIVATIONS, build_mlp
from vistoken.encoding.norms import build_norm
from vistoken.encoding.resampling import Resampling
from vistoken.geometry import Grid


class Connecting(nn.Module):
    """The stages of a connector, one after another; `stages.{i}` has the parameters of stage i."""

    def __init__(self, connector: Connector, dim: int, attend: Engine) -> None:
        super().__init__()
        self.connector = connector
        self.stages = nn.ModuleList()
        width = dim * len(connector.layers or (0,))
        for stage in connector.stages:
            self.stages.append(_build(stage, width, attend))
            width = Connector(stages=(stage,)).width(width)
        # A learned vector at the end of each row of tokens.
        self.newline = nn.Parameter(torch.zeros(width)) if isinstance(connector.arrangement, Unpadded) else None

    def forward(self, x: Tensor, frames: Sequence[Grid]) -> tuple[Tensor, tuple[Grid, ...]]:
        """Patches (N, D) of all frames -> tokens (n, out) of all frames, and the grids that they form."""
        grids = tuple(frames)
        for grid in set(grids):
            self.connector.check(grid)
        for stage, module in zip(self.connector.stages, self.stages, strict=True):
            if isinstance(stage, MergeBlocks | AveragePool):
                x, grids = _by_blocks(x, grids, stage.side, partial(_blocks, stage=stage))
            elif isinstance(stage, Downsample):
                x, grids = _by_blocks(x, grids, stage.side, module)
            elif isinstance(stage, Resample):
                x = module(x, [grid.patches for grid in grids])
                grids = (Grid(1, stage.latents),) * len(grids)
            else:
                x = module(x)
        return x, grids


class Multiply(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class Downsampling(nn.Module):
    """Tokens of frames of one grid, (frames * n, D) -> (frames * n / 4, out)."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, out, kernel_size=3, stride=2, padding=1)

    def forward(self, x: Tensor, grid: Grid) -> Tensor:
        maps = x.unflatten(0, (-1, grid.rows, grid.cols)).permute(0, 3, 1, 2)
        return self.convolution(maps).permute(0, 2, 3, 1).flatten(0, 2)


class Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, x], dim=-1)


class Standardised(nn.Module):
    """(x - shift) * scale: stored, not learned."""

    shift: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return ((x.float() - self.shift.float()) * self.scale.float()).to(x.dtype)


class Activated(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _build(stage: Stage, width: int, attend: Engine) -> nn.Module:
    match stage:
        case Normalise(norm, weight):
            return build_norm(norm, width, weight)
        case Linear(out, bias):
            return nn.Linear(width, out, bias=bias)
        case Activate(activation):
            return Activated(ACTIVATIONS[activation])
        case Downsample(out):
            return Downsampling(width, out)
        case Scale(factor):
            return Multiply(factor)
        case Softmax():
            return nn.Softmax(dim=-1)
        case Twice():
            return Doubled()
        case Standardise():
            return Standardised(width)
        case MlpStage(mlp, out):
            return build_mlp(mlp, width, out=out)
        case Resample():
            return Resampling(stage, width, attend)
        case MergeBlocks() | AveragePool():
            return nn.Identity()  # see `_blocks`
        case _:
            assert_never(stage)


def _by_blocks(
    x: Tensor, grids: tuple[Grid, ...], side: int, joined: Callable[[Tensor, Grid], Tensor]
) -> tuple[Tensor, tuple[Grid, ...]]:
    """What `joined` makes of the frames of each grid, of `side` x `side` tokens one; and the grids after that."""
    smaller = {grid: Grid(grid.rows // side, grid.cols // side) for grid in set(grids)}
    after = tuple(smaller[grid] for grid in grids)
    if len(smaller) == 1:
        return joined(x, grids[0]), after
    parts = x.split([grid.patches for grid in grids])
    return torch.cat([joined(part, grid) for part, grid in zip(parts, grids, strict=True)]), after


def _blocks(x: Tensor, grid: Grid, stage: MergeBlocks | AveragePool) -> Tensor:
    """Frames of one grid: (frames * n, D) -> (frames * n / s^2, D or s^2 D); what fills no block is dropped."""
    side, rows, cols = stage.side, grid.rows // stage.side, grid.cols // stage.side
    whole = x.unflatten(0, (-1, grid.rows, grid.cols))[:, : rows * side, : cols * side]
    # (frames, rows, s, cols, s, D) -> (frames, rows, cols, s, s, D)
    cells = whole.reshape(len(whole), rows, side, cols, side, x.shape[1]).transpose(2, 3)
    match stage:
        case AveragePool():
            return cells.mean(dim=(3, 4)).flatten(0, 2)
        case MergeBlocks(order="cells"):
            return cells.flatten(3).flatten(0, 2)
        case MergeBlocks():
            return cells.movedim(5, 3).flatten(3).flatten(0, 2)
        case _:
            assert_never(stage)
