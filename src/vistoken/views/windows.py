"""The view rule whose tiles overlap: kind E on the picture without its margins (Molmo2)."""

from __future__ import annotations

from vistoken.frozen import frozen
from vistoken.geometry import Grid, Patch, Size
from vistoken.views.canvas import Tiles, by_area, least_scaled, single_scales
from vistoken.views.rule import Tiling, ViewRule
from vistoken.views.steps import Crop, Filter, Resize, View


@frozen
class OverlappingWindows(ViewRule):
    """The whole picture stretched to one crop, then a canvas cut into crops that overlap by `margins` patches.

    A crop of `crop` pixels keeps a window without its margins; the windows tile the canvas. The grid of windows is the
    one that enlarges the picture less both margins least, else shrinks it least: scales compared as float32, of equal
    ones fewer windows win, then fewer rows. A picture smaller than the margins gives scales below 0, and one window.
    Nothing is antialiased.
    Source: transformers 5.23.0, `models/molmo2/image_processing_molmo2.py`, `compute_crop_geometry` and
    `select_tiling`.
    """

    crop: int
    margins: int
    most: int
    filter: Filter
    patch: Patch

    kind = "overlapping windows by scale"

    def __str__(self) -> str:
        return (
            f"the whole picture at {self.crop}x{self.crop}, and stretched to the canvas of 1 to {self.most} windows of "
            f"{self.window} pixels that changes the size least, cut into crops of {self.crop}x{self.crop} that overlap"
        )

    @property
    def margin(self) -> int:
        """Pixels of both margins of a side."""
        return self.margins * self.patch.height

    @property
    def window(self) -> int:
        """Pixels of a crop's side that are its own."""
        return self.crop - self.margin

    def choose(self, size: Size) -> Tiles:
        """Rows and columns of windows."""
        down = single_scales(self.window, size.height - self.margin, self.most)
        across = single_scales(self.window, size.width - self.margin, self.most)
        return least_scaled(by_area(self.most), down, across)

    def canvas(self, size: Size) -> Size:
        """The size that the picture is stretched to."""
        rows, cols = self.choose(size)
        return Size(height=rows * self.window + self.margin, width=cols * self.window + self.margin)

    def tiling(self, size: Size) -> Tiling:
        side = self.crop // self.patch.height
        grid = Grid(side, side)
        return Tiling(grid, *self.choose(size), grid)

    def views(self, size: Size) -> tuple[View, ...]:
        (rows, cols), crop = self.choose(size), Size(height=self.crop, width=self.crop)
        stretched = Resize(self.canvas(size), self.filter, antialias=False)
        windows = (
            View.of(size, (stretched, Crop(row * self.window, col * self.window, crop)), self.patch)
            for row in range(rows)
            for col in range(cols)
        )
        return (View.of(size, (Resize(crop, self.filter, antialias=False),), self.patch), *windows)

    def reasons(self, size: Size) -> list[str]:
        height, width = size.height - self.margin, size.width - self.margin
        rows, cols = self.choose(size)
        return [
            f"without {self.margin} pixels of margins: {width} x {height}, windows of {self.window}",
            f"chosen: {rows} rows x {cols} columns of windows, a canvas of {self.canvas(size)}",
        ]
