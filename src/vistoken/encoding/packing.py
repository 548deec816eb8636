"""Packing: images of any size become one sequence with offsets, without padding (patch-n'-pack, arXiv 2307.06304).

Shapes: N patches of all images, T tokens of the sequence (patches and prefix), C channels, t h w a patch's frames and
sides.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import torch
from torch import Tensor

from vistoken.errors import InputError, UsageError
from vistoken.frozen import frozen
from vistoken.geometry import Grid, Patch, Size, offsets

# The mask has T x T entries; this is 64 MiB.
MAX_MASK_TOKENS = 8192


@frozen(eq=False)
class Packed:
    """Patches of many images (views, videos), one after another.

    Attributes:
        patches: (N, C*t*h*w), frame by frame in raster order, each patch as (channel, frame, row, column); (N, C*h*w)
            where all frames of a patch are the same: a still picture. Floats are normalised; bytes are not.
        grids: one grid an image.
        prefix_tokens: how many tokens the encoder puts in front of the patches of each frame.

    >>> packed = pack([torch.zeros(3, 32, 48), torch.zeros(3, 16, 16)], Patch.square(16), prefix_tokens=1)
    >>> packed.offsets, packed.mask().sum().item()
    ((0, 7, 9), 53)
    """

    patches: Tensor
    grids: tuple[Grid, ...]
    prefix_tokens: int

    @property
    def lengths(self) -> tuple[int, ...]:
        """Tokens of each image, prefix included."""
        return tuple(grid.patches + self.prefix_tokens * grid.frames for grid in self.grids)

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where each image begins in the sequence, and where the last one ends."""
        return offsets(self.lengths)

    @property
    def frames(self) -> tuple[Grid, ...]:
        """The grids of single frames: a token sees those of its own frame alone."""
        if all(grid.frames == 1 for grid in self.grids):
            return self.grids
        return tuple(Grid(grid.rows, grid.cols) for grid in self.grids for _ in range(grid.frames))

    @property
    def segments(self) -> tuple[int, ...]:
        """Where the tokens of each frame begin, and where the last ones end."""
        return offsets(grid.patches + self.prefix_tokens for grid in self.frames)

    def windows(self, side: int) -> tuple[Tensor, tuple[int, ...]]:
        """The places of all patches, window by window, and where each window begins.

        Windows of `side` x `side` patches start at the top left of each frame; those at the right and bottom may be
        smaller. Windows of one shape stand together, so that attention takes them as one batch.
        """
        order, lengths, start = list[Tensor](), list[int](), 0
        for grid in self.frames:
            places, sizes = window_order(grid.rows, grid.cols, side)
            order.append(places + start)
            lengths += sizes
            start += grid.patches
        return torch.cat(order).to(self.patches.device), offsets(lengths)

    def mask(self) -> Tensor:
        """The attention mask written out: (T, T), True where two tokens belong to one frame of one image.

        For teaching and for small inputs: raises `UsageError` above 8,192 tokens. No engine but the reference uses it.
        """
        return block_mask(self.segments, self.segments, self.patches.device)


def block_mask(rows: tuple[int, ...], cols: tuple[int, ...], device: torch.device) -> Tensor:
    """Block-diagonal mask (rows[-1], cols[-1]) from two lists of offsets: True within a segment."""
    if max(rows[-1], cols[-1]) > MAX_MASK_TOKENS:
        raise UsageError(
            f"a mask over {max(rows[-1], cols[-1]):,} tokens is not written out (limit {MAX_MASK_TOKENS:,}): "
            "use the sdpa engine, or fewer images at once"
        )
    return _owners(rows, device)[:, None] == _owners(cols, device)[None, :]


def _owners(offsets: tuple[int, ...], device: torch.device) -> Tensor:
    """For each token the number of its segment."""
    lengths = torch.tensor(offsets, device=device).diff()
    return torch.repeat_interleave(torch.arange(len(lengths), device=device), lengths)


@lru_cache(maxsize=64)
def window_order(rows: int, cols: int, side: int) -> tuple[Tensor, list[int]]:
    """Raster places of one frame, window by window and within each in raster order, and how many each window holds."""
    places = torch.arange(rows * cols).unflatten(0, (rows, cols))
    windows = [
        places[top : top + side, left : left + side].flatten()
        for top in range(0, rows, side)
        for left in range(0, cols, side)
    ]
    windows.sort(key=len, reverse=True)  # stable: windows of one size keep their order
    return torch.cat(windows), list(map(len, windows))


def cut(pixels: Tensor, patch: Patch) -> Tensor:
    """Cut (..., C, H, W) into (..., N, C*h*w) patches in raster order; what does not fill a patch is left out."""
    grid = patch.grid(Size(height=pixels.shape[-2], width=pixels.shape[-1]))
    pixels = pixels[..., : grid.rows * patch.height, : grid.cols * patch.width]
    *batch, channels, _, _ = pixels.shape
    cells = pixels.unflatten(-1, (grid.cols, patch.width)).unflatten(-3, (grid.rows, patch.height))
    # (..., C, rows, h, cols, w) -> (..., rows, cols, C, h, w)
    cells = cells.movedim((-4, -2), (-5, -4))
    return cells.reshape(*batch, grid.patches, channels * patch.height * patch.width)


def cut_frames(pixels: Tensor, patch: Patch) -> Tensor:
    """Cut frames (F, C, H, W) into (N, C*t*h*w) patches, t frames each; F is a multiple of t."""
    groups = cut(pixels, patch).unflatten(0, (-1, patch.frames))  # (F/t, t, n, C*h*w)
    cells = groups.unflatten(3, (pixels.shape[1], -1))
    return cells.permute(0, 2, 3, 1, 4).flatten(2).flatten(0, 1)


def check_image(image: object, index: int, patch: Patch, channels: int = 3) -> Grid:
    """The grid of a float tensor (channels, height, width), or (frames, channels, height, width) for a video.

    Raises `InputError` that names the position of an image whose shape is wrong, or which holds no whole patch.
    """
    if not isinstance(image, Tensor) or not image.is_floating_point():
        kind = image.dtype if isinstance(image, Tensor) else type(image).__name__
        raise InputError(f"image {index} is {kind}: it must be a float tensor, resized and normalised")
    film = image.ndim == 4 and patch.frames > 1
    if (not film and image.ndim != 3) or image.shape[-3] != channels or 0 in image.shape:
        wanted = f"({channels}, height, width)" + (f" or (frames, {channels}, height, width)" * (patch.frames > 1))
        raise InputError(f"image {index} has shape {tuple(image.shape)}: it must be {wanted}")
    if film and len(image) % patch.frames:
        raise InputError(f"image {index} has {len(image)} frames: it must be a multiple of {patch.frames}")
    grid = patch.grid(Size(height=image.shape[-2], width=image.shape[-1]))
    if not grid.patches:
        size = f"{image.shape[-1]}x{image.shape[-2]}"
        raise InputError(f"image {index} is {size}, smaller than one {patch} patch: make it larger")
    return Grid(grid.rows, grid.cols, len(image) // patch.frames) if film else grid


def pack(images: Iterable[Tensor], patch: int | Patch, prefix_tokens: int = 0, channels: int = 3) -> Packed:
    """Pack float images of shape (C, H, W), already resized and normalised; (F, C, H, W) where patches span frames.

    Raises `InputError` that names the position of an image whose shape is wrong, or which holds no whole patch.
    """
    images, patch = list(images), Patch.of(patch)
    if not images:
        raise UsageError("there is nothing to pack: give at least one image")
    if prefix_tokens < 0:
        raise UsageError(f"prefix_tokens is {prefix_tokens}: it must be at least 0")
    grids = tuple(check_image(image, index, patch, channels) for index, image in enumerate(images))
    films = any(image.ndim == 4 for image in images)
    return Packed(torch.cat([cut_any(image, patch, films) for image in images]), grids, prefix_tokens)


def cut_any(image: Tensor, patch: Patch, films: bool) -> Tensor:
    """Patches of a still picture, or of a video; beside `films` a still picture's patches repeat it."""
    if image.ndim == 4:
        return cut_frames(image, patch)
    return cut_frames(image.expand(patch.frames, *image.shape), patch) if films else cut(image, patch)
