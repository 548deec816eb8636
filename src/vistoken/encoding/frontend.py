"""The front end of a vision transformer: pixels -> patch vectors -> prefix tokens in front -> positions.

    image (3, H, W) --cut--> N patches of 3*h*w numbers --project--> (N, D) --prefix, positions--> (P + N, D)

`Embedding` is what every encoder of vistoken begins with; `VisionFrontEnd` is the same module with a plain interface,
ready to use without weights. `python -m vistoken.encoding.frontend` shows it at work.
Shapes: B images, N patches of one image, P prefix tokens, D dim, C channels, h w a patch's sides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vistoken.encoding.norms import build_norm
from vistoken.encoding.packing import Packed, cut
from vistoken.encoding.positions import build_positions, rotary_angles
from vistoken.encoding.positions import sinusoidal_2d as sinusoidal_2d
from vistoken.encoding.stem import build_stem
from vistoken.encoding.versions import state_of
from vistoken.errors import UsageError
from vistoken.families.front_end import positions
from vistoken.geometry import Grid, Patch, Size
from vistoken.spec import ClassRotary, ClassToken, EncoderSpec, LayerNorm, PlainMlp, PrefixToken, Registers

Method = Literal["conv", "linear"]
Projection = Literal["learned", "dct"]


class PatchEmbed(nn.Module):
    """One linear map for every patch: (B, C, H, W) -> (B, N, D), raster order.

    A convolution whose stride is its kernel, or cutting and one matrix product: the same numbers, so `method` is a
    matter of speed (benchmarks/RESULTS.md: the product is up to 1.3 times faster). Pixels that do not fill a patch are
    unread.

    >>> PatchEmbed(Patch(height=32, width=16), dim=8)(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 8, 8])
    """

    def __init__(
        self,
        patch: int | Patch,
        dim: int,
        channels: int = 3,
        bias: bool = True,
        method: Method = "conv",
        seed: int = 0,
    ) -> None:
        super().__init__()
        if method not in ("conv", "linear"):
            raise UsageError(f"method is {method!r}: it must be 'conv' or 'linear'")
        for name, value in (("dim", dim), ("channels", channels)):
            if type(value) is not int or value < 1:
                raise UsageError(f"{name} is {value!r}: it must be a whole number of at least 1")
        self.size, self.method = Patch.of(patch), method
        frames = (self.size.frames,) * (self.size.frames > 1)
        self.weight = nn.Parameter(torch.empty(dim, channels, *frames, self.size.height, self.size.width))
        self.bias = nn.Parameter(torch.empty(dim)) if bias else None
        self.normalisation: tuple[float, tuple[float, ...], tuple[float, ...]] | None = None
        self._folded: tuple[tuple[object, ...] | None, Tensor, Tensor] | None = None
        if not self.weight.is_meta:
            seed_parameters(self, seed)

    def forward(self, pixels: Tensor) -> Tensor:
        self._check(pixels)
        if self.method == "linear":
            return self.project(cut(pixels, self.size))
        stride = (self.size.height, self.size.width)
        return F.conv2d(pixels, self.weight, self.bias, stride=stride).flatten(2).transpose(1, 2)

    def _check(self, pixels: Tensor) -> None:
        if not isinstance(pixels, Tensor) or not pixels.is_floating_point():
            kind = pixels.dtype if isinstance(pixels, Tensor) else type(pixels).__name__
            raise UsageError(f"pixels are {kind}: they must be a float tensor, scaled and normalised")
        if pixels.ndim != 4 or pixels.shape[1] != self.weight.shape[1] or not len(pixels):
            wanted = f"(images, {self.weight.shape[1]}, height, width)"
            raise UsageError(f"pixels have shape {tuple(pixels.shape)}: they must be {wanted}")
        if pixels.shape[2] < self.size.height or pixels.shape[3] < self.size.width:
            size = f"{pixels.shape[3]}x{pixels.shape[2]}"
            raise UsageError(f"{size} pixels hold no {self.size} patch: give a larger picture")

    def project(self, patches: Tensor) -> Tensor:
        """Patches that are already cut: (..., C*t*h*w) -> (..., D).

        Still pictures, (..., C*h*w), repeat one frame, so that the weights of the frames can be summed instead. Bytes
        go through weights that normalise them, see `fold`.
        """
        if patches.dtype == torch.uint8:
            weight, bias = self.folded
            out = F.linear(patches.float(), self._for(patches, weight).flatten(1), bias)
            return out.to(self.weight.dtype)
        return F.linear(patches, self._for(patches, self.weight).flatten(1), self.bias)

    def _for(self, patches: Tensor, weight: Tensor) -> Tensor:
        still = self.size.frames > 1 and patches.shape[-1] * self.size.frames == weight[0].numel()
        return weight.sum(2) if still else weight

    def fold(self, scale: float, mean: Sequence[float], std: Sequence[float]) -> None:
        """Take in bytes from now on: (byte * scale - mean) / std becomes part of the projection, in float32.

        W((x s - m) / d) + b = (W s / d) x + (b - sum of W m / d), channel by channel.
        """
        self.normalisation, self._folded = (scale, tuple(mean), tuple(std)), None

    @property
    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias for bytes. Raises `UsageError` where it is not known how bytes are normalised."""
        if self.normalisation is None:
            raise UsageError("bytes came in, and how they are normalised is unknown: call fold first")
        state = state_of(self.weight, self.bias)
        if self._folded is None or state is None or self._folded[0] != state:  # kept while both stay as they are
            self._folded = (state, *self._fold(*self.normalisation))
        return self._folded[1:]

    def _fold(self, scale: float, mean: Sequence[float], std: Sequence[float]) -> tuple[Tensor, Tensor]:
        weight = self.weight.detach().double()
        shape = (1, -1, *[1] * (weight.ndim - 2))
        m, d = (torch.tensor(values, dtype=torch.float64, device=weight.device) for values in (mean, std))
        bias = -(weight * (m / d).view(shape)).flatten(1).sum(1)
        bias = bias if self.bias is None else bias + self.bias.double()
        return (weight * (scale / d).view(shape)).float(), bias.float()


class Embedding(nn.Module):
    """Patches, prefix tokens and positions of a packed sequence: what an encoder of depth 0 is."""

    def __init__(self, spec: EncoderSpec, method: Method = "conv") -> None:
        super().__init__()
        self.spec = spec
        self.stem = build_stem(spec.stem, spec.patch, spec.channels)
        patch, channels = spec.projected
        self.patch = PatchEmbed(patch, spec.dim, channels, spec.patch_bias, method)
        self.norm = build_norm(spec.norm, spec.dim) if spec.embed_norm else nn.Identity()
        self.prefix = nn.ParameterDict(
            {token.key: nn.Parameter(torch.zeros(token.count, spec.dim)) for token in spec.prefix}
        )
        self.position = build_positions(spec.position, spec.dim)
        if isinstance(spec.rotary, ClassRotary):
            self.class_angles = nn.Parameter(torch.zeros(1, spec.head_dim // 2))

    def forward(self, packed: Packed) -> Tensor:
        """(N, C*t*h*w) patches of all images -> (T, D) tokens, the prefix in front of each frame's patches."""
        patches = packed.patches if self.stem is None else self.stem(packed.patches, packed.frames)
        return self.assemble(self.norm(self.patch.project(patches)), packed.frames)

    def fold(self, scale: float, mean: Sequence[float], std: Sequence[float]) -> None:
        """Take in bytes from now on, which are normalised as (byte * scale - mean) / std."""
        (self.stem or self.patch).fold(scale, mean, std)

    def assemble(self, patches: Tensor, frames: Sequence[Grid]) -> Tensor:
        """Patch vectors (N, D) of all frames -> (T, D): add positions, put the prefix tokens in front."""
        if len(set(frames)) > 1:
            parts = patches.split([grid.patches for grid in frames])
            return torch.cat([self.batch(part[None], grid)[0] for part, grid in zip(parts, frames, strict=True)])
        return self.batch(patches.unflatten(0, (len(frames), -1)), frames[0]).flatten(0, 1)

    def batch(self, patches: Tensor, grid: Grid) -> Tensor:
        """Patch vectors (B, N, D) of images with one grid -> (B, P + N, D)."""
        vectors, prefix = self.position.vectors(grid), self.prefix_tokens()
        if prefix is None:
            return patches if vectors is None else patches + vectors.to(patches)
        tokens = torch.cat([prefix.expand(len(patches), -1, -1), patches], dim=1)
        if vectors is not None:
            # In place: the tensor is new, and a copy costs more than the sum.
            tokens[:, len(prefix) :] += vectors.to(tokens)
        return tokens

    def prefix_tokens(self) -> Tensor | None:
        """(P, D) prefix tokens with their positions, or None where there are none."""
        if not len(self.prefix):
            return None
        prefix = torch.cat(list(self.prefix.values()))
        rows = self.position.prefix_vectors()
        return prefix if rows is None else prefix + F.pad(rows, (0, 0, 0, len(prefix) - len(rows)))

    def angles(self, frames: Sequence[Grid]) -> Tensor | None:
        """(T, d/2) rotary angles of the whole sequence, prefix tokens in front; None where nothing is turned."""
        rotary, device = self.spec.rotary, self.patch.weight.device
        if rotary is None:
            return None
        prefix = self._prefix_angles()
        patches = {grid: _cached_angles(rotary, grid, self.spec.head_dim).to(device) for grid in set(frames)}
        return torch.cat([part for grid in frames for part in (prefix, patches[grid])])

    def _prefix_angles(self) -> Tensor:
        """(P, d/2): 0, so that prefix tokens are not turned, or the class token's own."""
        if isinstance(self.spec.rotary, ClassRotary):
            return self.class_angles.float()
        return self.patch.weight.new_zeros(self.spec.prefix_tokens, self.spec.head_dim // 2, dtype=torch.float32)


# Few entries: the angles of 100 x 100 patches of heads 64 wide take 1.3 MB.
_cached_angles = lru_cache(maxsize=64)(rotary_angles)


class VisionFrontEnd(nn.Module):
    """The front end as a module of its own: (B, 3, H, W) -> (B, P + N, D). Deterministic: parameters come from `seed`.

    Args:
        patch: side of a square patch, or a `Patch`, in pixels.
        dim: width of the tokens.
        position: "sinusoidal", "learned", "factorised", "rotary" (as `angles`; tokens stay as they are) or "none".
        registers: how many register tokens stand behind the class token.
        class_token: whether there is a class token.
        projection: "learned" (random start) or "dct": an orthonormal 2-D DCT basis for each channel, lowest
            frequencies first, from which `reconstruct` gives the picture back; exactly so at dim = 3*h*w.
        image_size: the size for which learned tables are made.
        heads: only for rotary angles, which depend on the head width.
        method: "conv" or "linear", see `PatchEmbed`.

    >>> front_end = VisionFrontEnd()
    >>> front_end(torch.zeros(1, 3, 224, 224)).shape
    torch.Size([1, 197, 768])
    >>> sum(p.numel() for p in front_end.embed.patch.parameters())
    590592

    Raises `UsageError` for impossible geometry.
    """

    def __init__(
        self,
        patch: int | Patch = 16,
        dim: int = 768,
        *,
        position: str = "sinusoidal",
        registers: int = 0,
        class_token: bool = True,
        projection: Projection = "learned",
        image_size: int | Size = 224,
        heads: int = 12,
        method: Method = "conv",
        seed: int = 0,
    ) -> None:
        super().__init__()
        patch = Patch.of(patch)
        size = Size(height=image_size, width=image_size) if isinstance(image_size, int) else Size.of(image_size)
        self.spec = _front_end_spec(patch, dim, position, registers, class_token, size, heads)
        self.embed = Embedding(self.spec, method)
        seed_parameters(self, seed)
        if projection == "dct":
            with torch.no_grad():
                self.embed.patch.weight.copy_(dct_basis(patch, dim))
        elif projection != "learned":
            raise UsageError(f"projection is {projection!r}: it must be 'learned' or 'dct'")
        self.projection = projection

    def forward(self, pixels: Tensor) -> Tensor:
        patches = self.embed.patch(pixels)
        return self.embed.batch(patches, self.grid(pixels.shape[-2], pixels.shape[-1]))

    def grid(self, height: int, width: int) -> Grid:
        """The grid of a picture. Raises `UsageError` if it holds no whole patch."""
        grid = self.spec.patch.grid(Size(height=height, width=width))
        if not grid.patches:
            raise UsageError(f"{width}x{height} pixels hold no {self.spec.patch} patch: give a larger picture")
        return grid

    def angles(self, height: int, width: int) -> Tensor | None:
        """(P + N, d/2) rotary angles, 0 for prefix tokens; None unless `position` is "rotary"."""
        return self.embed.angles([self.grid(height, width)])

    def reconstruct(self, tokens: Tensor, height: int, width: int) -> Tensor:
        """Pixels from tokens: (B, P + N, D) -> (B, 3, rows*h, cols*w); the transpose inverts the basis.

        With fewer than 3*h*w dimensions the high frequencies are gone, and the result is the nearest picture without.
        Raises `UsageError` unless the projection is "dct".
        """
        if self.projection != "dct":
            raise UsageError("only a front end with projection='dct' can be inverted")
        grid, patch = self.grid(height, width), self.spec.patch
        shape = (self.spec.tokens(grid), self.spec.dim)
        if tokens.ndim != 3 or tuple(tokens.shape[1:]) != shape:
            raise UsageError(
                f"tokens have shape {tuple(tokens.shape)}: {width}x{height} gives (images, {shape[0]}, {shape[1]})"
            )
        vectors = tokens[:, self.spec.prefix_tokens :]
        positions = self.embed.position.vectors(grid)
        if positions is not None:
            vectors = vectors - positions.to(vectors)
        if self.embed.patch.bias is not None:
            vectors = vectors - self.embed.patch.bias
        cells = (vectors @ self.embed.patch.weight.flatten(1)).unflatten(2, (3, patch.height, patch.width))
        cells = cells.unflatten(1, (grid.rows, grid.cols)).permute(0, 3, 1, 4, 2, 5)
        return cells.flatten(4).flatten(2, 3)


def _front_end_spec(
    patch: Patch, dim: int, position: str, registers: int, class_token: bool, size: Size, heads: int
) -> EncoderSpec:
    schemes = positions(patch.grid(size))
    if not isinstance(position, str) or position not in schemes:
        raise UsageError(f"position is {position!r}: it must be one of {', '.join(schemes)}")
    prefix: tuple[PrefixToken, ...] = (ClassToken(),) * class_token + ((Registers(registers),) if registers else ())
    added, rotary = schemes[position]
    heads = heads if rotary else 1
    return EncoderSpec(
        patch=patch, dim=dim, depth=0, heads=heads, norm=LayerNorm(1e-6), mlp=PlainMlp(4 * dim, "gelu"),
        prefix=prefix, position=added, rotary=rotary, final_norm="none",
    )  # fmt: skip


def seed_parameters(module: nn.Module, seed: int) -> None:
    """Draw every parameter from `seed`, in the order of names: matrices keep the variance, biases are 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(module.named_parameters()):
            if name.endswith("bias"):
                parameter.zero_()
            else:
                # Tokens and tables have a standard deviation of 0.02 = 1 / sqrt(2500), as in ViT.
                fan_in = parameter[0].numel() if name.endswith("weight") else 2500
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / math.sqrt(fan_in))


def dct_basis(patch: Patch, dim: int, channels: int = 3) -> Tensor:
    """(D, C, h, w): products of cosines of both axes, orthonormal, lowest frequencies first, channels in turn.

    Raises `UsageError` where `dim` is more than the C*h*w directions there are.
    """
    count = patch.values(channels)
    if dim > count:
        raise UsageError(f"dim is {dim}: a {patch} patch of {channels} channels has {count} directions, no more")
    rows, cols = _dct_1d(patch.height), _dct_1d(patch.width)
    order = sorted((u / patch.height + v / patch.width, u, v) for u in range(patch.height) for v in range(patch.width))
    basis = torch.zeros(dim, channels, patch.height, patch.width)
    for index in range(dim):
        (_, u, v), channel = order[index // channels], index % channels
        basis[index, channel] = torch.outer(rows[u], cols[v])
    return basis


def _dct_1d(size: int) -> Tensor:
    """The orthonormal DCT-II matrix (frequency, sample)."""
    samples, frequency = torch.arange(size, dtype=torch.float64), torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi / size * (samples[None] + 0.5) * frequency[:, None]) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix.float()


def synthesize_image(seed: int = 0) -> np.ndarray:
    """A picture that needs no file: (224, 224, 3), uint8, the same for the same seed.

    A slanted gradient, three soft blobs and a little noise, all drawn from numpy's generator.
    """
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:224, 0:224] / 224
    image = np.stack([a * x + b * y for a, b in generator.uniform(0, 0.5, (3, 2))], axis=-1)
    for cy, cx, radius in generator.uniform((0.2, 0.2, 0.05), (0.8, 0.8, 0.2), (3, 3)):
        blob = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / radius**2)[..., None]
        image = image * (1 - blob) + blob * generator.uniform(0, 1, 3)
    image += generator.normal(0, 0.02, image.shape)
    return (image.clip(0, 1) * 255).round().astype(np.uint8)


def main() -> None:
    """Run a synthetic picture through the default front end and print what comes out."""
    front_end = VisionFrontEnd()
    pixels = torch.from_numpy(synthesize_image(0)).permute(2, 0, 1)[None] / 127.5 - 1
    tokens = front_end(pixels)
    row = sinusoidal_2d(14, 14, 768)[15]
    shown = ", ".join(f"{value:.4f}" for value in row[:6].tolist())
    print(f"output shape             {tuple(tokens.shape)}")
    print(f"norm of the class token  {tokens[0, 0].norm().item():.4f}")
    print(f"position of row 1, col 1 [{shown}, ...] of {len(row)} values")
    print(f"its norm                 {row.norm().item():.4f} = sqrt(768 / 2) = {math.sqrt(384):.4f}")


if __name__ == "__main__":
    main()
