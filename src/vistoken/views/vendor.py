"""View rules of models behind an API: kinds K and L, and two of kind B. What is known of them are documents and bills.

The vendors do not say which filter they resize with, nor how they round to whole pixels; "bicubic" stands here for
drawing, and a resized side is cut to whole pixels where nothing else is documented.
"""

from __future__ import annotations

import math

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import Grid, Patch, Size
from vistoken.views.rule import OneView, Tiling, ViewRule, cut
from vistoken.views.steps import Filter, Pad, Resize, View


@frozen
class BoxThenShortSide(ViewRule):
    """Fit into a square of `box` pixels, bring the short side down to `short`, then count tiles (OpenAI's tile models).

    Nothing is enlarged: a 128x64 picture is measured at one tile. `patch` is a whole tile: what lies within is not
    known.
    Source: OpenAI, vision guide, "Calculating costs".
    """

    box: int
    short: int
    patch: Patch
    filter: Filter = "bicubic"

    kind = "tiles over a bounded short side"

    def __str__(self) -> str:
        return f"shrink into {self.box}x{self.box}, then the short side to {self.short}; count tiles of {self.patch}"

    def fit(self, size: Size) -> Size:
        """The size that the picture is shrunk to."""
        size = shrunk(size, self.box / max(size.height, size.width))
        return shrunk(size, self.short / min(size.height, size.width))

    def tiling(self, size: Size) -> Tiling:
        fitted = self.fit(size)
        return Tiling(Grid(1, 1), -(-fitted.height // self.patch.height), -(-fitted.width // self.patch.width))

    def views(self, size: Size) -> tuple[View, ...]:
        fitted, (_, rows, cols, *_) = self.fit(size), self.tiling(size)
        tile = Size(height=self.patch.height, width=self.patch.width)
        canvas = Size(height=rows * tile.height, width=cols * tile.width)
        return cut(size, (Resize(fitted, self.filter), Pad(0, 0, canvas)), tile, rows, cols, self.patch)

    def reasons(self, size: Size) -> list[str]:
        boxed, fitted = shrunk(size, self.box / max(size.height, size.width)), self.fit(size)
        tile = self.patch
        return [
            f"into {self.box}x{self.box}: {boxed}; short side at most {self.short}: {fitted}",
            f"tiles: ceil({fitted.height} / {tile.height}) rows x ceil({fitted.width} / {tile.width}) columns",
        ]


@frozen
class PatchCap(OneView):
    """At most `budget` patches after fitting into a square of `edge` pixels, shrunk so that a side is whole patches.

    `refuse` is the number of patches above which the API refuses. Where `budget` is None, it only refuses.
    Source: OpenAI, vision guide, "Calculating costs": cells of 32 pixels, the shrink factor and its correction.
    """

    edge: int | None
    budget: int | None
    patch: Patch
    refuse: int | None = None
    filter: Filter = "bicubic"

    kind = "capped patches"

    def __str__(self) -> str:
        edge = f"shrink into {self.edge:,}x{self.edge:,}; " if self.edge else ""
        budget = f"; shrink to at most {self.budget:,} of them" if self.budget else ""
        return f"{edge}count patches of {self.patch}, started ones too{budget}"

    def fit(self, size: Size) -> Size:
        """The size after shrinking. Raises `InputError` where the API refuses."""
        if self.edge:
            size = shrunk(size, self.edge / max(size.height, size.width))
        rows, cols = self._cells(size)
        if self.refuse and rows * cols > self.refuse:
            raise InputError(
                f"{size} has {rows * cols:,} patches, and the API refuses more than {self.refuse:,}: shrink it"
            )
        if not self.budget or rows * cols <= self.budget:
            return size
        unit, area = self.patch.height, self.patch.height * self.patch.width
        scale = math.sqrt(area * self.budget / (size.width * size.height))
        across, down = size.width * scale / unit, size.height * scale / unit
        if across < 1 or down < 1:  # the correction of the guide would leave no patch
            return self._thin(size)
        scale *= min(math.floor(across) / across, math.floor(down) / down)
        # Half a millionth of a pixel: a side that the correction made whole must not fall below it by rounding.
        return Size(height=max(1, int(size.height * scale + 5e-7)), width=max(1, int(size.width * scale + 5e-7)))

    def _thin(self, size: Size) -> Size:
        """A picture so thin that its short side is one patch: the long side gets the budget."""
        most = (self.budget or 1) * self.patch.height
        return shrunk(size, most / max(size.height, size.width))

    def _cells(self, size: Size) -> tuple[int, int]:
        return -(-size.height // self.patch.height), -(-size.width // self.patch.width)

    def tiling(self, size: Size) -> Tiling:
        rows, cols = self._cells(self.fit(size))
        return Tiling(Grid(rows, cols))

    def views(self, size: Size) -> tuple[View, ...]:
        return (padded(size, self.fit(size), self.filter, self.patch),)

    def reasons(self, size: Size) -> list[str]:
        (rows, cols), fitted = self._cells(size), self.fit(size)
        unit = self.patch.height
        patches = f"ceil({size.height} / {unit}) x ceil({size.width} / {unit}) = {rows} x {cols} = {rows * cols:,}"
        return [f"patches: {patches}", f"after shrinking: {fitted}"]


@frozen
class EdgeAndTokens(OneView):
    """The largest size of the same shape that stays within `edge` pixels a side and `budget` patches (Claude).

    Sides are counted as padded up to whole patches. The long side is searched among whole pixels; the short one
    follows, ties to even. `most_side` is the side above which the API refuses.
    Source: Anthropic, vision and vision-coordinates guides; checked against the counts that they print.
    """

    edge: int
    budget: int
    patch: Patch
    most_side: int = 8000
    filter: Filter = "bicubic"

    kind = "largest within edge and patches"

    def __str__(self) -> str:
        return (
            f"shrink until both sides, padded to patches of {self.patch}, are at most {self.edge:,} pixels "
            f"and patches at most {self.budget:,}; sides above {self.most_side:,} are refused"
        )

    def fit(self, size: Size) -> Size:
        """The size after shrinking. Raises `InputError` where the API refuses the picture."""
        if max(size.height, size.width) > self.most_side:
            raise InputError(f"{size}: the API refuses sides above {self.most_side:,} pixels: shrink it first")
        return _largest(size, self.edge, self.budget, self.patch)

    def tiling(self, size: Size) -> Tiling:
        fitted = self.fit(size)
        return Tiling(Grid(-(-fitted.height // self.patch.height), -(-fitted.width // self.patch.width)))

    def views(self, size: Size) -> tuple[View, ...]:
        return (padded(size, self.fit(size), self.filter, self.patch),)

    def reasons(self, size: Size) -> list[str]:
        def told(size: Size) -> str:
            rows, cols = -(-size.height // self.patch.height), -(-size.width // self.patch.width)
            unit = self.patch.height
            return f"ceil({size.height} / {unit}) x ceil({size.width} / {unit}) = {rows} x {cols} = {rows * cols:,}"

        fitted = self.fit(size)
        return [f"as it is: {told(size)} patches"] + ([f"shrunk to {fitted}: {told(fitted)}"] if fitted != size else [])


def _largest(size: Size, edge: int, budget: int, patch: Patch) -> Size:
    def fits(size: Size) -> bool:
        rows, cols = -(-size.height // patch.height), -(-size.width // patch.width)
        return max(rows * patch.height, cols * patch.width) <= edge and rows * cols <= budget

    def scaled(side: int) -> Size:
        if size.width >= size.height:
            return Size(height=max(1, round(side / (size.width / size.height))), width=side)
        return Size(height=side, width=max(1, round(side / (size.height / size.width))))

    if fits(size):
        return size
    low, high = 1, max(size.height, size.width)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(scaled(middle)) else (low, middle)
    return scaled(low)


@frozen
class UnitsOfShortSide(ViewRule):
    """One tile where both sides are at most `small`, else square tiles whose side is the short one / 1.5 (Gemini 2).

    `patch` is a whole tile: what lies within is not known.

    Source: Google, token and image-understanding guides, which call the formula rough: 960x540 has units of
    floor(540 / 1.5) = 360, so 3 x 2 = 6 tiles. Each quotient is rounded up there.
    """

    small: int
    patch: Patch
    filter: Filter = "bicubic"

    kind = "tiles by the short side"

    def __str__(self) -> str:
        return (
            f"one tile if both sides are at most {self.small} pixels, else tiles as wide and high as the short side / "
            f"1.5, each scaled to {self.patch}"
        )

    def _unit(self, size: Size) -> int | None:
        """The side of a tile in the picture; None where the picture is one tile."""
        if max(size.height, size.width) <= self.small:
            return None
        return max(1, math.floor(min(size.height, size.width) / 1.5))

    def tiling(self, size: Size) -> Tiling:
        unit = self._unit(size)
        if unit is None:
            return Tiling(Grid(1, 1))
        rows, cols = -(-size.height // unit), -(-size.width // unit)
        if rows * cols > 3600:  # a picture this thin would cost more than the context of any of these models
            raise InputError(f"{size} is too thin for this model's rule: it would be {rows * cols:,} tiles; crop it")
        return Tiling(Grid(1, 1), rows, cols)

    def views(self, size: Size) -> tuple[View, ...]:
        unit, (_, rows, cols, *_) = self._unit(size), self.tiling(size)
        tile = Size(height=self.patch.height, width=self.patch.width)
        if unit is None:
            return (View.of(size, (Resize(tile, self.filter),), self.patch),)
        canvas, square = Size(height=rows * unit, width=cols * unit), Size(height=unit, width=unit)
        pieces = cut(size, (Pad(0, 0, canvas),) if canvas != size else (), square, rows, cols, Patch.square(unit))
        return tuple(View.of(size, (*piece.steps, Resize(tile, self.filter)), self.patch) for piece in pieces)

    def reasons(self, size: Size) -> list[str]:
        unit = self._unit(size)
        if unit is None:
            return [f"both sides are at most {self.small}: one tile"]
        _, rows, cols, *_ = self.tiling(size)
        return [
            f"unit: floor({min(size.height, size.width)} / 1.5) = {unit}",
            f"tiles: ceil({size.height} / {unit}) = {rows} rows x ceil({size.width} / {unit}) = {cols} columns",
        ]


def shrunk(size: Size, scale: float) -> Size:
    """The size times `scale`, cut to whole pixels; as it is where `scale` would enlarge."""
    if scale >= 1:
        return size
    return Size(height=max(1, int(size.height * scale)), width=max(1, int(size.width * scale)))


def padded(size: Size, fitted: Size, filter: Filter, patch: Patch) -> View:
    """Resized to `fitted` and filled up to whole patches at the right and bottom."""
    rows, cols = -(-fitted.height // patch.height), -(-fitted.width // patch.width)
    canvas = Size(height=rows * patch.height, width=cols * patch.width)
    steps: tuple[Resize | Pad, ...] = (Resize(fitted, filter),) if fitted != size else ()
    return View.of(size, steps + ((Pad(0, 0, canvas),) if canvas != fitted else ()), patch)
