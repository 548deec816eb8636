"""Packing: images of any size become one sequence with offsets, without padding (patch-n'-pack, arXiv 2307.06304).

Shapes: N patches of all images, T tokens of the sequence (patches and prefix), C channels, h w a patch's sides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from vistoken.errors import InputError, UsageError
from vistoken.geometry import Grid, Patch, Size, offsets

# The mask has T x T entries; this is 64 MiB.
MAX_MASK_TOKENS = 8192


@dataclass(frozen=True, eq=False, slots=True)
class Packed:
    """Patches of many images, one after another.

    Attributes:
        patches: (N, C*h*w), raster order within an image, each patch as (channel, row, column).
        grids: one grid an image.
        prefix_tokens: how many tokens the encoder puts in front of each image's patches.

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
        return tuple(grid.patches + self.prefix_tokens for grid in self.grids)

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where each image begins in the sequence, and where the last one ends."""
        return offsets(self.lengths)

    def mask(self) -> Tensor:
        """The attention mask written out: (T, T), True where two tokens belong to one image.

        For teaching and for small inputs: raises `UsageError` above 8,192 tokens. No engine but the reference uses it.
        """
        return block_mask(self.offsets, self.offsets, self.patches.device)


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


def cut(pixels: Tensor, patch: Patch) -> Tensor:
    """Cut (..., C, H, W) into (..., N, C*h*w) patches in raster order; what does not fill a patch is left out."""
    grid = patch.grid(Size(height=pixels.shape[-2], width=pixels.shape[-1]))
    pixels = pixels[..., : grid.rows * patch.height, : grid.cols * patch.width]
    *batch, channels, _, _ = pixels.shape
    cells = pixels.unflatten(-1, (grid.cols, patch.width)).unflatten(-3, (grid.rows, patch.height))
    # (..., C, rows, h, cols, w) -> (..., rows, cols, C, h, w)
    cells = cells.movedim((-4, -2), (-5, -4))
    return cells.reshape(*batch, grid.patches, patch.values(channels))


def check_image(image: object, index: int, channels: int = 3) -> None:
    """Raise `InputError` unless `image` is a float tensor (channels, height, width) that holds something."""
    if not isinstance(image, Tensor) or not image.is_floating_point():
        kind = image.dtype if isinstance(image, Tensor) else type(image).__name__
        raise InputError(f"image {index} is {kind}: it must be a float tensor, resized and normalised")
    if image.ndim != 3 or image.shape[0] != channels or 0 in image.shape:
        raise InputError(f"image {index} has shape {tuple(image.shape)}: it must be ({channels}, height, width)")


def pack(images: Iterable[Tensor], patch: int | Patch, prefix_tokens: int = 0, channels: int = 3) -> Packed:
    """Pack float images of shape (C, H, W), already resized and normalised.

    Raises `InputError` that names the position of an image whose shape is wrong, or which holds no whole patch.
    """
    images, patch = list(images), Patch.of(patch)
    if not images:
        raise UsageError("there is nothing to pack: give at least one image")
    if prefix_tokens < 0:
        raise UsageError(f"prefix_tokens is {prefix_tokens}: it must be at least 0")
    for index, image in enumerate(images):
        check_image(image, index, channels)
        if image.shape[1] < patch.height or image.shape[2] < patch.width:
            size = f"{image.shape[2]}x{image.shape[1]}"
            raise InputError(f"image {index} is {size}, smaller than one {patch} patch: make it larger")
    grids = tuple(patch.grid(Size(height=image.shape[1], width=image.shape[2])) for image in images)
    return Packed(torch.cat([cut(image, patch) for image in images]), grids, prefix_tokens)
