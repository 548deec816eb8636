"""View rules whose result has one size whatever the picture, and the rule that leaves a picture as it is."""

from __future__ import annotations

import math

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import MAX_SIDE, Patch, Size
from vistoken.views.rule import OneView, Tiling, ViewRule
from vistoken.views.steps import Crop, Filter, Pad, Resize, View, check_at_least_one_patch


@frozen
class Stretch(OneView):
    """Resize to one fixed size without keeping the aspect ratio (ViT, SigLIP).

    Source: transformers 5.23.0, `PilBackend.resize` with `size = {"height", "width"}`.
    """

    size: Size
    filter: Filter
    patch: Patch

    kind = "stretch"

    def __str__(self) -> str:
        return f"resize to {self.size}, whatever the aspect ratio"

    @property
    def own_size(self) -> Size:
        return self.size

    @property
    def up_to(self) -> int:
        return MAX_SIDE

    def fit(self, size: Size) -> Size:
        return self.size


@frozen
class ShortSideCrop(ViewRule):
    """Scale the short side to `short`, then cut the middle of size `crop` (CLIP, DeiT, DINOv2).

    Where the crop is larger than the scaled picture, it is padded with black first. `nearest`: see `centre_crop`.
    Source: transformers 5.23.0, `image_transforms.get_resize_output_image_size` and `center_crop`.
    """

    short: int
    crop: Size
    filter: Filter
    patch: Patch
    nearest: bool = False

    kind = "short side + centre crop"

    def __str__(self) -> str:
        return f"scale the short side to {self.short}, then cut {self.crop} out of the middle"

    @property
    def own_size(self) -> Size:
        return self.crop

    @property
    def up_to(self) -> int:
        """Even a picture one pixel wide is not too thin up to here."""
        return MAX_SIDE // self.short

    def tiling(self, size: Size) -> Tiling:
        scale_short_side(size, self.short)  # refuses what is too thin
        return Tiling(self.patch.grid(self.crop))

    def views(self, size: Size) -> tuple[View, ...]:
        resized = scale_short_side(size, self.short)
        steps = (Resize(resized, self.filter), *centre_crop(resized, self.crop, self.nearest))
        return (View.of(size, steps, self.patch),)


@frozen
class ShortSide(ViewRule):
    """Scale the short side to `short` and keep all of the picture (DINOv2 without its centre crop).

    Source: transformers 5.23.0, `image_transforms.get_resize_output_image_size`.
    """

    short: int
    filter: Filter
    patch: Patch

    kind = "short side"

    def __str__(self) -> str:
        return f"scale the short side to {self.short}"

    @property
    def own_size(self) -> Size:
        """A square: the smallest result."""
        return Size(height=self.short, width=self.short)

    def tiling(self, size: Size) -> Tiling:
        return Tiling(self.views(size)[0].grid)

    def views(self, size: Size) -> tuple[View, ...]:
        view = View.of(size, (Resize(scale_short_side(size, self.short), self.filter),), self.patch)
        return (check_at_least_one_patch(view),)


@frozen
class StretchCrop(ViewRule):
    """Resize to a fixed size without keeping the aspect ratio, then cut the middle (DeiT: 256x256, then 224x224).

    Source: transformers 5.23.0, `DeiTImageProcessorPil`: `size = {"height": 256, "width": 256}`, `crop_size` 224.
    """

    size: Size
    crop: Size
    filter: Filter
    patch: Patch
    nearest: bool = False

    kind = "stretch + centre crop"

    def __str__(self) -> str:
        return f"resize to {self.size}, whatever the aspect ratio, then cut {self.crop} out of the middle"

    @property
    def own_size(self) -> Size:
        return self.crop

    @property
    def up_to(self) -> int:
        return MAX_SIDE

    def tiling(self, size: Size) -> Tiling:
        return Tiling(self.patch.grid(self.crop))

    def views(self, size: Size) -> tuple[View, ...]:
        steps = (Resize(self.size, self.filter), *centre_crop(self.size, self.crop, self.nearest))
        return (View.of(size, steps, self.patch),)


@frozen
class Native(ViewRule):
    """Leave the picture at its own size.

    `own` is the size to speak of where no picture is given, if there is one; `filter` serves a caller who asks for
    another size.
    """

    own: Size | None
    filter: Filter
    patch: Patch

    kind = "native size"

    def __str__(self) -> str:
        return "leave the picture at its own size"

    @property
    def own_size(self) -> Size | None:
        return self.own

    def tiling(self, size: Size) -> Tiling:
        return Tiling(self.views(size)[0].grid)

    def views(self, size: Size) -> tuple[View, ...]:
        return (check_at_least_one_patch(View.of(size, (), self.patch)),)


def centre_crop(size: Size, crop: Size, nearest: bool = False) -> tuple[Pad | Crop, ...]:
    """The steps that cut `crop` out of the middle of `size`, padding where the picture is too small.

    The crop starts at floor((side - crop) / 2); padding puts the spare pixel of an odd difference first
    (transformers 5.23.0, `image_transforms.center_crop`: "top_pad = ceil(...)"). torchvision, and with it timm and
    open_clip, start at the `nearest` whole pixel, ties to even, and put the spare pixel of padding last
    (torchvision 0.28.0, `transforms/functional.py`, `center_crop`).
    """
    canvas = Size(height=max(size.height, crop.height), width=max(size.width, crop.width))
    steps: list[Pad | Crop] = []
    if canvas != size:
        first = math.floor if nearest else math.ceil
        steps.append(Pad(first((canvas.height - size.height) / 2), first((canvas.width - size.width) / 2), canvas))
    if canvas != crop:
        begin = round if nearest else math.floor
        steps.append(Crop(begin((canvas.height - crop.height) / 2), begin((canvas.width - crop.width) / 2), crop))
    return tuple(steps)


def scale_short_side(size: Size, short: int) -> Size:
    """The size whose short side is `short`, the long one cut to whole pixels. Raises `InputError` if it is too thin."""
    lesser, longer = sorted((size.height, size.width))
    # int() of a float quotient, not integer division: the reference writes it so, and huge sides would differ.
    scaled = int(short * longer / lesser)
    if scaled > MAX_SIDE:
        raise InputError(
            f"{size} is too thin: with its short side scaled to {short} the long side is {scaled:,} pixels, "
            f"more than {MAX_SIDE:,}; crop it first"
        )
    if size.width <= size.height:
        return Size(height=scaled, width=short)
    return Size(height=short, width=scaled)
