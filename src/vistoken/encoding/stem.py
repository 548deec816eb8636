"""The stem of a hybrid: a residual network that turns pixels into a map, of which the patches are cut.

Every view of the pack is put together again, normalised, brought through the convolutions on its own, and cut anew.
Shapes: n views of one size, N patches of all views, C channels, h w a patch's sides in pixels, R S the view's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vistoken.choices import GROUPS, BitStem, Stem
from vistoken.encoding.packing import cut
from vistoken.errors import UsageError
from vistoken.geometry import Grid, Patch

# Pixels that go through the stem at once: its first map alone takes 64 bytes a pixel in float32.
MAX_PIXELS = 4_000_000


class Bit(nn.Module):
    """Convolution, maximum, stages; see `BitStem`. (N, C*h*w) patches of pixels -> (N, ...) patches of the map."""

    def __init__(self, stem: BitStem, patch: Patch, channels: int) -> None:
        super().__init__()
        self.patch, self.cell = patch, stem.cell(patch)
        self.conv = StandardisedConv(channels, stem.width, kernel=7, stride=2)
        self.norm = nn.GroupNorm(GROUPS, stem.width)
        self.stages = nn.ModuleList(
            nn.Sequential(
                Bottleneck(before, after, stride), *(Bottleneck(after, after) for _ in range(1, depth))
            )
            for depth, before, after, stride in stem.stages()
        )  # fmt: skip
        self.normalisation: tuple[float, tuple[float, ...], tuple[float, ...]] | None = None

    def fold(self, scale: float, mean: Sequence[float], std: Sequence[float]) -> None:
        """Take in bytes from now on, which are normalised as (byte * scale - mean) / std."""
        self.normalisation = (scale, tuple(mean), tuple(std))

    def forward(self, patches: Tensor, frames: Sequence[Grid]) -> Tensor:
        """Views of one size that stand side by side share a run of the network, up to `MAX_PIXELS`."""
        parts, start = list[Tensor](), 0
        for grid, run in groupby(frames):
            count = grid.patches * len(list(run))
            views, start = patches[start : start + count].unflatten(0, (-1, grid.patches)), start + count
            together = max(1, MAX_PIXELS // (grid.patches * self.patch.height * self.patch.width))
            parts += [cut(self.map(self.join(part, grid)), self.cell) for part in views.split(together)]
        return torch.cat([part.flatten(0, 1) for part in parts])

    def join(self, patches: Tensor, grid: Grid) -> Tensor:
        """(n, patches, C*h*w) -> (n, C, R, S), normalised."""
        cells = patches.unflatten(2, (-1, self.patch.height, self.patch.width)).unflatten(1, (grid.rows, grid.cols))
        pixels = cells.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
        if pixels.dtype != torch.uint8:
            return pixels
        if self.normalisation is None:
            raise UsageError("bytes came in, and how they are normalised is unknown: call fold first")
        scale, *values = self.normalisation
        mean, std = (torch.tensor(each, device=pixels.device).view(-1, 1, 1) for each in values)
        return ((pixels.float() * scale - mean) / std).to(self.conv.weight.dtype)

    def map(self, pixels: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv(pixels)))
        x = F.max_pool2d(same(x, 3, 2), 3, 2)  # zeros at the rim never win: nothing is below them here
        for stage in self.stages:
            x = stage(x)
        return x


class Bottleneck(nn.Module):
    """1 x 1 down to a quarter of the channels, 3 x 3, 1 x 1 up; added to what came in, which changes shape at times."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        middle = after // 4
        self.conv1, self.norm1 = StandardisedConv(before, middle, 1), nn.GroupNorm(GROUPS, middle)
        self.conv2, self.norm2 = StandardisedConv(middle, middle, 3, stride), nn.GroupNorm(GROUPS, middle)
        self.conv3, self.norm3 = StandardisedConv(middle, after, 1), nn.GroupNorm(GROUPS, after)
        same_shape = before == after and stride == 1
        self.shortcut = nn.Identity() if same_shape else Shortcut(before, after, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        return F.relu(self.norm3(self.conv3(y)) + self.shortcut(x))


class Shortcut(nn.Module):
    """What came in, brought to the shape of what goes out."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv, self.norm = StandardisedConv(before, after, 1, stride), nn.GroupNorm(GROUPS, after)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class StandardisedConv(nn.Module):
    """A convolution without bias whose weights have mean 0 and variance 1 for each output (arXiv 1903.10520).

    Source: timm 1.0.31, `layers/std_conv.py`, `StdConv2dSame`; hybrids set eps 1e-8.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.zeros(after, before, kernel, kernel))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.float()
        variance, mean = torch.var_mean(weight, dim=(1, 2, 3), correction=0, keepdim=True)
        weight = ((weight - mean) * (variance + 1e-8).rsqrt()).to(x.dtype)
        return F.conv2d(same(x, weight.shape[-1], self.stride), weight, stride=self.stride)


def same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Zeros around a map so that ceil(side / stride) cells come out; the odd one below and to the right ("SAME")."""
    down, across = (max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in x.shape[-2:])
    return F.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))


def build_stem(stem: Stem | None, patch: Patch, channels: int) -> Bit | None:
    match stem:
        case None:
            return None
        case BitStem():
            return Bit(stem, patch, channels)
        case _:
            assert_never(stem)
