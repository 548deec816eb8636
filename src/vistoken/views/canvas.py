"""View rules that choose a canvas of tiles by the scale that brings the picture onto it (kind E)."""

from __future__ import annotations

import math
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache

from vistoken.frozen import frozen
from vistoken.geometry import Grid, Patch, Size
from vistoken.single import single, singles
from vistoken.views.rule import Tiling, ViewRule, cut
from vistoken.views.steps import Filter, Pad, Resize, Step, View
from vistoken.views.tiles import arrangements

Tiles = tuple[int, int]  # rows and columns


@frozen
class CanvasRule(ViewRule):
    """What the rules of this file share: square tiles, at most `most` of them, on a canvas that `choose` finds."""

    tile: int
    most: int
    filter: Filter
    patch: Patch

    @abstractmethod
    def choose(self, size: Size) -> Tiles:
        """Rows and columns of tiles."""

    @property
    def grid(self) -> Grid:
        """The grid of one tile."""
        return Grid(self.tile // self.patch.height, self.tile // self.patch.width)

    def canvas(self, tiles: Tiles) -> Size:
        return Size(height=tiles[0] * self.tile, width=tiles[1] * self.tile)

    def whole(self, size: Size) -> View:
        """The whole picture, stretched to one tile."""
        return View.of(size, (Resize(self.canvas((1, 1)), self.filter),), self.patch)

    def cut(self, size: Size, steps: tuple[Step, ...], tiles: Tiles) -> tuple[View, ...]:
        return cut(size, steps, self.canvas((1, 1)), *tiles, self.patch)


@frozen
class FittedCanvas(CanvasRule):
    """Fit the picture onto the canvas that enlarges it least, else shrinks it least, and pad it (Llama 3.2 Vision).

    The picture itself is enlarged to one tile's side at most. Scales are compared as float64; of equal ones the
    smallest canvas wins, then the one with fewer rows.
    Source: transformers 5.23.0, `models/mllama/image_processing_pil_mllama.py`, `get_optimal_tiled_canvas` and
    `get_image_size_fit_to_canvas`.
    """

    kind = "canvas of tiles by scale"

    def __str__(self) -> str:
        return (
            f"fit onto the canvas of 1 to {self.most} tiles of {self.tile}x{self.tile} that changes the size least, pad"
        )

    def choose(self, size: Size) -> Tiles:
        down, across = scales(self.tile, size.height, self.most), scales(self.tile, size.width, self.most)
        return least_scaled(by_area(self.most), down, across)

    def fit(self, size: Size, canvas: Size) -> Size:
        """The size that the picture has on the canvas."""
        height, width = size.height, size.width
        box_height = min(max(height, self.tile), canvas.height)
        box_width = min(max(width, self.tile), canvas.width)
        down, across = box_height / height, box_width / width
        if across < down:
            return Size(height=min(math.floor(height * across) or 1, box_height), width=box_width)
        return Size(height=box_height, width=min(math.floor(width * down) or 1, box_width))

    def tiling(self, size: Size) -> Tiling:
        return Tiling(self.grid, *self.choose(size))

    def views(self, size: Size) -> tuple[View, ...]:
        tiles = self.choose(size)
        canvas = self.canvas(tiles)
        return self.cut(size, placed(self.fit(size, canvas), canvas, self.filter), tiles)

    def reasons(self, size: Size) -> list[str]:
        tiles = self.choose(size)
        fitted = self.fit(size, self.canvas(tiles))
        return [scale_reason(self.tile, by_area(self.most), tiles, size), f"the picture becomes {fitted} on it"]


@frozen
class BoundedCanvas(CanvasRule):
    """As `FittedCanvas`, compared as float32, and with the whole picture as one more tile (Llama 4).

    Neither side of the picture is enlarged past one tile's side. One tile alone has no overview.
    Source: transformers 5.23.0, `models/llama4/image_processing_llama4.py`, `get_best_fit`,
    `get_max_res_without_distortion` and `_preprocess`.
    """

    kind = "canvas of tiles by scale"

    def __str__(self) -> str:
        return (
            f"fit onto the canvas of 1 to {self.most} tiles of {self.tile}x{self.tile} that changes the size least, "
            "pad, and the whole picture as one more"
        )

    def choose(self, size: Size) -> Tiles:
        down, across = self.sides(size)
        return least_scaled(by_ratio_and_area(self.most), down, across)

    def sides(self, size: Size) -> tuple[Sequence[float], Sequence[float]]:
        """The scales of both sides, see `scales`."""
        return single_scales(self.tile, size.height, self.most), single_scales(self.tile, size.width, self.most)

    def box(self, size: Size, canvas: Size) -> Size:
        """What the picture is fitted into."""
        return Size(
            height=min(max(size.height, self.tile), canvas.height), width=min(max(size.width, self.tile), canvas.width)
        )

    def fit(self, size: Size, canvas: Size) -> Size:
        """The size that the picture has on the canvas.

        A side of the box that the canvas sets is a tensor in the reference, whose scale is float32 then.
        """
        box = self.box(size, canvas)
        by_canvas = self.set_by_canvas(size, canvas)
        down, across = _scale(box.height, size.height, by_canvas[0]), _scale(box.width, size.width, by_canvas[1])
        narrower = single(across) < single(down) if any(by_canvas) else across < down
        if narrower:
            height = _floored(size.height, across, by_canvas[1])
            return Size(height=max(1, min(height, box.height)), width=box.width)
        width = _floored(size.width, down, by_canvas[0])
        return Size(height=box.height, width=max(1, min(width, box.width)))

    def set_by_canvas(self, size: Size, canvas: Size) -> tuple[bool, bool]:
        """Whether the canvas sets the height and the width of the box."""
        return canvas.height < size.height, canvas.width < size.width

    def tiling(self, size: Size) -> Tiling:
        rows, cols = self.choose(size)
        return Tiling(self.grid, rows, cols, self.grid if rows * cols > 1 else None)

    def views(self, size: Size) -> tuple[View, ...]:
        tiles = self.choose(size)
        canvas = self.canvas(tiles)
        views = self.cut(size, placed(self.fit(size, canvas), canvas, self.filter), tiles)
        return (*views, self.whole(size)) if len(views) > 1 else views

    def reasons(self, size: Size) -> list[str]:
        tiles = self.choose(size)
        fitted = self.fit(size, self.canvas(tiles))
        return [
            scale_reason(self.tile, by_ratio_and_area(self.most), tiles, size),
            f"the picture becomes {fitted} on it",
        ]


@frozen
class LargestCanvas(BoundedCanvas):
    """As `BoundedCanvas`, but the canvas on which the picture is largest, and the picture fills it.

    Source: as there, with `resize_to_max_canvas`.
    """

    kind = "largest canvas of tiles"

    def __str__(self) -> str:
        return (
            f"fit onto the canvas of 1 to {self.most} tiles of {self.tile}x{self.tile} that enlarges most, "
            "pad, and the whole picture as one more"
        )

    def choose(self, size: Size) -> Tiles:
        down, across = self.sides(size)
        return max(by_ratio_and_area(self.most), key=lambda tiles: min(down[tiles[0]], across[tiles[1]]))

    def box(self, size: Size, canvas: Size) -> Size:
        return canvas

    def set_by_canvas(self, size: Size, canvas: Size) -> tuple[bool, bool]:
        return True, True


@frozen
class StretchedCanvas(CanvasRule):
    """Stretch to the canvas that enlarges the picture least, else shrinks it least (Command A Vision).

    Scales are compared as float64; of equal ones the canvas with fewer tiles wins, then the one with fewer columns.
    The whole picture is one more tile where there are several.
    Source: transformers 5.23.0, `models/cohere2_vision/image_processing_cohere2_vision.py`,
    `get_optimal_tiled_canvas` and `crop_image_to_patches`.
    """

    kind = "canvas of tiles by scale"

    def __str__(self) -> str:
        return (
            f"stretch to the canvas of 1 to {self.most} tiles of {self.tile}x{self.tile} that changes the size least, "
            "and the whole picture as one more"
        )

    def choose(self, size: Size) -> Tiles:
        down, across = scales(self.tile, size.height, self.most), scales(self.tile, size.width, self.most)
        return least_scaled(by_columns(self.most), down, across)

    def tiling(self, size: Size) -> Tiling:
        rows, cols = self.choose(size)
        return Tiling(self.grid, rows, cols, self.grid if rows * cols > 1 else None)

    def views(self, size: Size) -> tuple[View, ...]:
        tiles = self.choose(size)
        views = self.cut(size, (Resize(self.canvas(tiles), self.filter),), tiles)
        return (*views, self.whole(size)) if len(views) > 1 else views

    def reasons(self, size: Size) -> list[str]:
        return [scale_reason(self.tile, by_columns(self.most), self.choose(size), size)]


@frozen
class FullestCanvas(CanvasRule):
    """Stretch to the canvas on which the fitted picture would be largest, after the whole picture (PerceptionLM).

    Among the canvases that contain the picture, the one wins whose fitted picture has the longest short side; of equal
    ones the last in the reference's list, which goes by aspect ratio: small pictures get many tiles. Where none
    contains it, the next squarer aspect ratio is taken, with as many tiles as it has.
    Source: transformers 5.23.0, `models/perception_lm/image_processing_perception_lm.py`, `_fit_image_to_canvas` and
    `_find_closest_aspect_ratio`.
    """

    kind = "fullest canvas of tiles"

    def __str__(self) -> str:
        return (
            f"the whole picture, and stretched to the canvas of 1 to {self.most} tiles of {self.tile}x{self.tile} "
            "that it would fill best"
        )

    def choose(self, size: Size) -> Tiles:
        return self.containing(size) or self.closest(size)

    def containing(self, size: Size) -> Tiles | None:
        """The canvas that contains the picture and shows it largest."""
        height, width, tile = size.height, size.width, self.tile
        if self.most == 1:
            return 1, 1
        down, across = scales(tile, height, self.most), scales(tile, width, self.most)
        aspect, longest, best = width / height, -1.0, None
        for cols, rows in by_ratio(self.most):
            if cols * tile >= width and rows * tile >= height:
                scale = min(across[cols], down[rows])
                if aspect > 1:
                    short: float = math.floor(scale * width / aspect)
                else:
                    short = scale * height if aspect == 1 else math.floor(scale * height * aspect)
                if short >= longest:
                    longest, best = short, (rows, cols)
        return best

    def closest(self, size: Size) -> Tiles:
        """The aspect ratio at or below the picture's if it is wide, the next above if it is high; most tiles."""
        aspect, known = size.width / size.height, sorted_ratios(self.most)
        above = bisect_right(known, aspect)
        cols, rows = max(ratios(self.most)[known[above - 1 if aspect >= 1 else above]])
        return rows, cols

    def tiling(self, size: Size) -> Tiling:
        return Tiling(self.grid, *self.choose(size), self.grid)

    def views(self, size: Size) -> tuple[View, ...]:
        tiles = self.choose(size)
        return (self.whole(size), *self.cut(size, (Resize(self.canvas(tiles), self.filter),), tiles))

    def reasons(self, size: Size) -> list[str]:
        rows, cols = self.choose(size)
        how = "that contains it and shows it largest" if self.containing(size) else "of the next squarer aspect ratio"
        return [
            f"width / height = {size.width} / {size.height} = {size.width / size.height:.4g}",
            f"the canvas {how}: {rows} rows x {cols} columns",
        ]


# ---------------------------------------------------------------- the choice


def least_scaled(grids: Iterable[Tiles], down: Sequence[float], across: Sequence[float]) -> Tiles:
    """The grid whose canvas enlarges least, else the one that shrinks least; the first of equal ones.

    `down[rows]` is the scale at which that many tiles hold the picture's height, `across[cols]` likewise.
    """
    enlarging = shrinking = None
    least, most = math.inf, -math.inf
    for tiles in grids:
        scale = min(down[tiles[0]], across[tiles[1]])
        if scale >= 1:
            if enlarging is None or scale < least:
                enlarging, least = tiles, scale
        elif shrinking is None or scale > most:
            shrinking, most = tiles, scale
    chosen = enlarging or shrinking
    assert chosen is not None  # every list begins with one tile
    return chosen


def scales(tile: int, side: int, most: int) -> list[float]:
    """The scale at which 0, 1, 2 ... `most` tiles hold `side`, as float64."""
    return [count * tile / side for count in range(most + 1)]


def single_scales(tile: int, side: int, most: int) -> tuple[float, ...]:
    """As `scales`, as float32; a side may be 0 (infinite scale) or negative where margins were taken off."""
    exact = single(side)
    return singles([length / exact if exact else math.inf for length in _lengths(tile, most)])


@cache
def _lengths(tile: int, most: int) -> tuple[float, ...]:
    return singles(count * tile for count in range(most + 1))


@cache
def by_area(most: int) -> tuple[Tiles, ...]:
    """All grids of up to `most` tiles: fewer tiles first, then fewer rows."""
    grids = [(rows, cols) for rows in range(1, most + 1) for cols in range(1, most // rows + 1)]
    return tuple(sorted(grids, key=lambda tiles: tiles[0] * tiles[1]))


@cache
def by_columns(most: int) -> tuple[Tiles, ...]:
    """The same: fewer tiles first, then fewer columns."""
    return tuple((rows, cols) for cols, rows, _ in arrangements(1, most))


@cache
def ratios(most: int) -> dict[float, list[tuple[int, int]]]:
    """Pairs whose product is `most` at most, by their ratio; ratios stand in the order in which products fall."""
    grouped: dict[float, list[tuple[int, int]]] = {}
    for product in range(most, 0, -1):
        for first in range(1, product + 1):
            if product % first == 0:
                grouped.setdefault(first / (product // first), []).append((first, product // first))
    return grouped


@cache
def sorted_ratios(most: int) -> tuple[float, ...]:
    """The ratios of `ratios` in ascending order."""
    return tuple(sorted(ratios(most)))


@cache
def by_ratio(most: int) -> tuple[tuple[int, int], ...]:
    """All pairs of `ratios` in their order."""
    return tuple(pair for pairs in ratios(most).values() for pair in pairs)


@cache
def by_ratio_and_area(most: int) -> tuple[Tiles, ...]:
    """The same, fewer tiles first."""
    return tuple(sorted(by_ratio(most), key=lambda tiles: tiles[0] * tiles[1]))


def placed(fitted: Size, canvas: Size, filter: Filter) -> tuple[Step, ...]:
    """The steps that resize to `fitted` and put the result into the top left corner of `canvas`."""
    resized = Resize(fitted, filter)
    return (resized,) if fitted == canvas else (resized, Pad(0, 0, canvas))


def scale_reason(tile: int, grids: Iterable[Tiles], chosen: Tiles, size: Size) -> str:
    """The chosen grid beside those whose scale is nearest to it."""

    def scale(tiles: Tiles) -> float:
        return min(tiles[0] * tile / size.height, tiles[1] * tile / size.width)

    others = sorted((tiles for tiles in grids if tiles != chosen), key=lambda tiles: abs(scale(tiles) - scale(chosen)))
    listed = ", ".join(f"{rows} x {cols} scales by {scale((rows, cols)):.4g}" for rows, cols in [chosen, *others[:3]])
    return f"rows x columns: {listed}; chosen: {chosen[0]} rows x {chosen[1]} columns"


def _scale(target: int, side: int, as_single: bool) -> float:
    return single(single(target) / single(side)) if as_single else target / side


def _floored(side: int, scale: float, as_single: bool) -> int:
    return math.floor(single(single(side) * scale)) if as_single else math.floor(side * scale)
