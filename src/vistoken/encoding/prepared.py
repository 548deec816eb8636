"""A picture made ready for the encoder: its views as patches, in bytes.

Bytes travel as they are, a quarter of the size of floats: the projection normalises them, see `PatchEmbed.fold`.
Shapes: n patches of one view, C channels, t h w a patch's frames and sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from vistoken import pixels
from vistoken.encoding.packing import check_image, cut_any
from vistoken.errors import ConfigError, InputError
from vistoken.frozen import frozen
from vistoken.geometry import Grid, Patch, Size
from vistoken.model_spec import ModelSpec, PixelSpec
from vistoken.spec import EncoderSpec, Factorised
from vistoken.views import View
from vistoken.views.rule import Tiling

if TYPE_CHECKING:
    from PIL import Image

    from vistoken.video import Clip


@frozen(eq=False)
class Prepared:
    """A picture ready for the encoder.

    Attributes:
        name: of the picture.
        size: of the upright picture.
        views: what the encoder looks at.
        patches: of each view (n, C*h*w), or (n, C*t*h*w) for frames: bytes, or floats that are normalised.
        tiling: the view rule's decision; None where the caller's tensors go in as they are, and for a video.
        clip: of a video, the frames that are looked at.
    """

    name: str
    size: Size
    views: tuple[View, ...]
    patches: tuple[Tensor, ...]
    tiling: Tiling | None
    clip: Clip | None = None

    def tokens(self, spec: EncoderSpec) -> int:
        """Tokens that the encoder makes of it, prefix included."""
        return sum(spec.tokens(view.grid) for view in self.views)


def of_picture(picture: Image.Image, name: str, spec: ModelSpec, fed: Size | None, limit: int) -> Prepared:
    """Carry out the steps of a decoded picture's views. Raises `InputError` that names it."""
    known_pixels(spec)  # without which the bytes mean nothing
    size = pixels.size_of(picture)
    try:
        views = spec.views(size, fed)
        tiling = spec.tiling(size, fed)
        for view in views:
            check_grid(spec.encoder, view.grid)
        seen = [np.asarray(image) for image in pixels.carry_out_all(picture, views, limit)]
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    patches = tuple(cut_bytes(image, view.patch, view.grid) for image, view in zip(seen, views, strict=True))
    return Prepared(name, size, views, patches, tiling)


def of_tensor(image: Tensor, index: int, spec: EncoderSpec, image_tokens: bool = False) -> Prepared:
    """A tensor that is already resized and normalised, as one view. Raises `InputError` that names its position.

    With `image_tokens` its grid must divide into the blocks that become one token.
    """
    grid = check_image(image, index, spec.patch, spec.channels)
    try:
        check_grid(spec, grid, image_tokens)
    except InputError as error:
        raise InputError(f"image {index}: {error}") from None
    size = Size(height=image.shape[-2], width=image.shape[-1])
    view = View(size, (), spec.patch, grid)
    return Prepared(f"image {index}", size, (view,), (cut_any(image, spec.patch, image.ndim == 4),), None)


def check_grid(spec: EncoderSpec | None, grid: Grid, image_tokens: bool = False) -> None:
    """Raise `InputError` for a grid that the encoder has no positions for, or which cannot become image tokens."""
    if spec and isinstance(spec.position, Factorised):
        spec.position.check(grid)
    if spec and spec.connector and image_tokens:
        spec.connector.check(grid)


def cut_bytes(image: np.ndarray, patch: Patch, grid: Grid) -> Tensor:
    """(H, W, C) bytes -> (n, C*h*w) patches in raster order; what fills no patch is left out."""
    height, width = patch.height, patch.width
    cells = image[: grid.rows * height, : grid.cols * width].reshape(grid.rows, height, grid.cols, width, -1)
    return torch.from_numpy(np.ascontiguousarray(cells.transpose(0, 2, 4, 1, 3)).reshape(grid.rows * grid.cols, -1))


def normalise(image: np.ndarray, pixels: PixelSpec) -> Tensor:
    """(H, W, 3) bytes -> (3, H, W) float32: (value * scale - mean) / std.

    The order and the widths of the reference: scaled in float64, then float32 (transformers 5.23.0,
    `image_transforms.rescale` and `normalize`). A byte has 256 values, so each channel is a look-up, not arithmetic.
    The encoder does not need it: see `PatchEmbed.fold`.
    """
    scaled = (np.arange(256, dtype=np.float64) * pixels.scale).astype(np.float32)[:, None]
    mean, std = np.array(pixels.mean, dtype=np.float32), np.array(pixels.std, dtype=np.float32)
    table = (scaled - mean) / std
    return torch.from_numpy(np.stack([table[image[..., channel], channel] for channel in range(3)]))


def known_pixels(spec: ModelSpec) -> PixelSpec:
    """How pixels are normalised. Raises `ConfigError` where the model's files do not tell it."""
    if spec.pixels is None:
        raise ConfigError(
            f"{spec.name} has no preprocessor_config.json, so mean and std of its pixels are unknown: "
            "put the file beside config.json, or use encode_pixels"
        )
    return spec.pixels
