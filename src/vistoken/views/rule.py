"""What every view rule offers, and the integers in which it decides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from vistoken.geometry import Grid, Patch, Size

if TYPE_CHECKING:
    from vistoken.views.steps import Filter, Step, View


class Tiling(NamedTuple):
    """What a rule decided for one picture: `rows` x `cols` tiles of one grid each, and perhaps an overview.

    A model with one view has one tile. `ragged` holds the grid of every tile in raster order where they differ
    (Idefics2 cuts before it resizes). The frames of a video stand in the grids: a frame group is one frame of a grid.
    """

    tile: Grid
    rows: int = 1
    cols: int = 1
    overview: Grid | None = None
    ragged: tuple[Grid, ...] = ()

    @property
    def tiles(self) -> int:
        return self.rows * self.cols

    @property
    def views(self) -> int:
        return self.tiles + (self.overview is not None)

    @property
    def grids(self) -> tuple[Grid, ...]:
        """The grid of every view: the tiles in raster order, then the overview."""
        tiles = self.ragged or (self.tile,) * (self.rows * self.cols)
        return (*tiles, self.overview) if self.overview else tiles

    @property
    def patches(self) -> int:
        """Patches over all views."""
        if self.ragged:
            return sum(grid.patches for grid in self.grids)
        tiles = self.rows * self.cols * self.tile.patches
        return tiles + self.overview.patches if self.overview else tiles

    @property
    def segments(self) -> int:
        """Views, each frame of a view by itself: what has its own prefix tokens."""
        if self.ragged:
            return sum(grid.frames for grid in self.grids)
        tiles = self.rows * self.cols * self.tile.frames
        return tiles + self.overview.frames if self.overview else tiles


class ViewRule(ABC):
    """From the size of a picture to what the model looks at.

    A rule is a small frozen type, one for each distinct algorithm. `tiling` decides in integers; `views` spells the
    same decision out as steps that can be carried out on pixels. A test holds the two together.
    """

    __slots__ = ()

    kind: ClassVar[str]
    patch: Patch
    filter: Filter

    @abstractmethod
    def tiling(self, size: Size) -> Tiling:
        """The decision for a picture of `size`. Raises `InputError` where the rule refuses it."""

    @abstractmethod
    def views(self, size: Size) -> tuple[View, ...]:
        """The views of a picture of `size`, in the order in which the model's processor hands them over."""

    def reasons(self, size: Size) -> Sequence[str]:
        """How the decision for `size` came about, in steps with their numbers; empty where the steps say it all."""
        return ()

    @property
    def up_to(self) -> int:
        """Pictures with no side above this all get the same tiling; 0 where the tiling follows the picture."""
        return 0

    @property
    def own_size(self) -> Size | None:
        """The size that the rule makes of every picture, or None where it follows the picture."""
        return None


class OneView(ViewRule):
    """A rule that resizes the whole picture to one size: `fit` chooses it."""

    __slots__ = ()

    @abstractmethod
    def fit(self, size: Size) -> Size:
        """The size that the picture is resized to."""

    def cells(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of patches of a picture of `height` x `width` pixels: a tiling without its objects."""
        fitted = self.fit(Size(height, width))
        return fitted.height // self.patch.height, fitted.width // self.patch.width

    def tiling(self, size: Size) -> Tiling:
        return Tiling(Grid(*self.cells(size.height, size.width)))

    def views(self, size: Size) -> tuple[View, ...]:
        from vistoken.views.steps import Resize, View  # counting alone needs no steps

        return (View.of(size, (Resize(self.fit(size), self.filter),), self.patch),)


def cut(source: Size, steps: tuple[Step, ...], tile: Size, rows: int, cols: int, patch: Patch) -> tuple[View, ...]:
    """The views that cut the canvas which `steps` make into `rows` x `cols` tiles, in raster order."""
    from vistoken.views.steps import Crop, View

    return tuple(
        View.of(source, (*steps, Crop(row * tile.height, col * tile.width, tile)), patch)
        for row in range(rows)
        for col in range(cols)
    )
