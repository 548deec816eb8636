"""Layouts of a picture with one view whose patches are merged: kinds A, B and C without breaks between rows."""

from __future__ import annotations

from vistoken.errors import InputError, UsageError
from vistoken.frozen import frozen
from vistoken.geometry import Grid, Patch, Size
from vistoken.prompts.layout import OneGrid
from vistoken.sequence import Image, Marker, Sequence
from vistoken.views.rule import Tiling


@frozen
class SpaceToDepth:
    """Each block of `side` x `side` patches becomes one token for the LLM (Qwen2-VL's merger, pixel shuffle)."""

    side: int

    def grid(self, grid: Grid) -> Grid:
        """The grid of tokens. Raises `InputError` where the grid of patches does not divide into blocks."""
        if grid.rows % self.side or grid.cols % self.side:
            raise InputError(
                f"a grid of {grid} patches cannot be merged in blocks of {self.side} x {self.side}: "
                f"rows and columns must be multiples of {self.side}"
            )
        return Grid(grid.rows // self.side, grid.cols // self.side, grid.frames)

    def tokens(self, grid: Grid) -> int:
        """Image tokens of one grid. Raises `InputError` where the grid does not divide into blocks."""
        return self.grid(grid).patches

    def check_input(self, size: Size, patch: Patch) -> None:
        """A size that the caller forces on the encoder must give whole blocks. Raises `UsageError`."""
        height, width = patch.height * self.side, patch.width * self.side
        if size.height % height or size.width % width:
            unit = f"{height}" if height == width else f"{width} (width) and {height} (height)"
            down = Size(height=max(1, size.height // height) * height, width=max(1, size.width // width) * width)
            raise UsageError(f"input {size}: sides must be multiples of {unit}, for example {down}")

    def __str__(self) -> str:
        return f"{self.side} x {self.side} patches become one token"


@frozen
class Merged(OneGrid):
    """All tokens of one view in raster order, perhaps with one marker before and one after."""

    merge: SpaceToDepth
    image_token: str
    start: str = ""
    end: str = ""
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        grid = self.merge.grid(tiling.tile)
        image = Image(grid.patches, grid)
        if not self.start:
            return Sequence((image,))
        return Sequence((Marker(self.start), image, Marker(self.end)) if self.end else (Marker(self.start), image))

    def tokens_of(self, rows: int, cols: int) -> int:
        side = self.merge.side
        if rows % side or cols % side:
            self.merge.grid(Grid(rows, cols))  # which refuses it
        return rows * cols // (side * side) + (bool(self.start) + bool(self.end) if self.start else 0)

    def check_input(self, size: Size, patch: Patch) -> None:
        self.merge.check_input(size, patch)

    def __str__(self) -> str:
        return str(self.merge)
