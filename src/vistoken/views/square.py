"""View rules that fit the whole picture into a box and pad it to a fixed size (kind J without distortion)."""

from __future__ import annotations

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.fixed import scale_short_side
from vistoken.views.rule import Tiling, ViewRule
from vistoken.views.steps import BLACK, Colour, Filter, Pad, Resize, Step, View


@frozen
class PadSquare(ViewRule):
    """Bring the long side to `side`, the short one to no less than `least`, and pad to a square, picture in the middle.

    Sides are rounded, ties to even.
    Source: transformers 5.23.0, `models/janus/image_processing_pil_janus.py` and
    `models/deepseek_vl/image_processing_pil_deepseek_vl.py`, `resize` and `pad_to_square`.
    """

    side: int
    least: int
    filter: Filter
    patch: Patch
    fill: Colour = BLACK

    kind = "fit and pad to a square"

    def __str__(self) -> str:
        return (
            f"scale the long side to {self.side} and the short one to at least {self.least}, "
            "then pad to a square with the picture in the middle"
        )

    @property
    def own_size(self) -> Size:
        return Size(height=self.side, width=self.side)

    def fit(self, size: Size) -> Size:
        """The size of the picture before it is padded."""
        scale = self.side / max(size.height, size.width)
        height, width = round(size.height * scale), round(size.width * scale)
        return Size(height=max(height, self.least), width=max(width, self.least))

    def steps(self, size: Size) -> tuple[Step, ...]:
        fitted = self.fit(size)
        return (Resize(fitted, self.filter), *_middle(fitted, self.own_size, self.fill))

    def tiling(self, size: Size) -> Tiling:
        return Tiling(self.patch.grid(self.own_size))

    def views(self, size: Size) -> tuple[View, ...]:
        return (View.of(size, self.steps(size), self.patch),)


@frozen
class SquareForTwoTowers(ViewRule):
    """A padded square for one tower, and the same square resized to `side` for another one.

    The small view stands first, as the processor hands them over; the large one is its overview.
    Source: transformers 5.23.0, `models/deepseek_vl_hybrid/image_processing_pil_deepseek_vl_hybrid.py`, `_preprocess`.
    """

    side: int
    large: PadSquare
    filter: Filter
    patch: Patch

    kind = "one square for each of two towers"

    def __str__(self) -> str:
        return f"for the second tower {self.large}; for the first one resize that square to {self.side}"

    @property
    def own_size(self) -> Size:
        return Size(height=self.side, width=self.side)

    def tiling(self, size: Size) -> Tiling:
        return Tiling(self.patch.grid(self.own_size), overview=self.large.tiling(size).tile)

    def views(self, size: Size) -> tuple[View, ...]:
        square = self.large.steps(size)
        small = (*square, Resize(self.own_size, self.filter))
        return View.of(size, small, self.patch), View.of(size, square, self.large.patch)


@frozen
class FitIntoCorner(ViewRule):
    """Scale to fit into `box`, up or down, both sides cut to whole pixels; pad at the right and bottom to `canvas`.

    The reference pads with 0 after normalising: `fill` is the byte nearest to that.
    Source: transformers 5.23.0, `image_utils.get_image_size_for_max_height_width` and `TorchvisionBackend.pad`, as
    `models/pi0/image_processing_pi0.py` uses them.
    """

    box: Size
    canvas: Size
    filter: Filter
    patch: Patch
    fill: Colour = BLACK

    kind = "fit and pad at the right and bottom"

    def __str__(self) -> str:
        return f"scale to fit into {self.box}, then pad to {self.canvas} at the right and bottom"

    @property
    def own_size(self) -> Size:
        return self.canvas

    def fit(self, size: Size) -> Size:
        """The size of the picture before it is padded. Raises `InputError` where a side would vanish."""
        scale = min(self.box.height / size.height, self.box.width / size.width)
        return _whole(size, int(size.height * scale), int(size.width * scale), self.box)

    def tiling(self, size: Size) -> Tiling:
        self.fit(size)  # refuses what is too thin
        return Tiling(self.patch.grid(self.canvas))

    def views(self, size: Size) -> tuple[View, ...]:
        fitted = self.fit(size)
        pad = () if fitted == self.canvas else (Pad(0, 0, self.canvas, self.fill),)
        return (View.of(size, (Resize(fitted, self.filter), *pad), self.patch),)


@frozen
class Thumbnail(ViewRule):
    """Scale the short side to the box's shorter one, shrink (bicubic) what still overlaps, and pad to `box`.

    Both times the other side is cut to whole pixels; the picture stands in the middle.
    Source: transformers 5.23.0, `models/pp_formulanet/image_processing_pp_formulanet.py`, `resize`, `thumbnail` and
    `pad_images`.
    """

    box: Size
    filter: Filter
    patch: Patch

    kind = "short side, then shrink and pad"

    def __str__(self) -> str:
        return (
            f"scale the short side to {min(self.box.height, self.box.width)}, shrink it to fit into {self.box}, "
            "then pad with the picture in the middle"
        )

    @property
    def own_size(self) -> Size:
        return self.box

    def fit(self, size: Size) -> tuple[Size, Size]:
        """The sizes after the first and the second resize. Raises `InputError` where a side would vanish."""
        first = scale_short_side(size, min(self.box.height, self.box.width))
        height, width = min(first.height, self.box.height), min(first.width, self.box.width)
        if (height, width) != (first.height, first.width):
            if first.height > first.width:
                width = int(first.width * height / first.height)
            elif first.width > first.height:
                height = int(first.height * width / first.width)
        return first, _whole(size, height, width, self.box)

    def tiling(self, size: Size) -> Tiling:
        self.fit(size)  # refuses what is too thin
        return Tiling(self.patch.grid(self.box))

    def views(self, size: Size) -> tuple[View, ...]:
        first, second = self.fit(size)
        shrink = () if second == first else (Resize(second, "bicubic"),)
        steps = (Resize(first, self.filter), *shrink, *_middle(second, self.box))
        return (View.of(size, steps, self.patch),)


def _middle(size: Size, canvas: Size, fill: Colour = BLACK) -> tuple[Pad, ...]:
    """The step that puts `size` in the middle of `canvas`, an odd pixel at the right or bottom; none if it fills it."""
    if size == canvas:
        return ()
    return (Pad((canvas.height - size.height) // 2, (canvas.width - size.width) // 2, canvas, fill),)


def _whole(size: Size, height: int, width: int, box: Size) -> Size:
    if height and width:
        return Size(height=height, width=width)
    raise InputError(f"{size} is too thin: fitted into {box} its short side would be under one pixel; crop it first")
