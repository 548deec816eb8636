"""Layouts that write a marker after every row of tokens, and the one that drops rows that fill no block."""

from __future__ import annotations

from vistoken.frozen import frozen
from vistoken.geometry import Grid, Patch, Size
from vistoken.prompts.layout import Layout
from vistoken.prompts.plain import SpaceToDepth
from vistoken.sequence import Image, Marker, Piece, Repeat, Sequence
from vistoken.views.rule import Tiling


@frozen
class RowBreaks(Layout):
    """A marker between rows and another one after the last row (Pixtral, Mistral Small 3.1).

    Source: transformers 5.23.0, `models/pixtral/processing_pixtral.py`, `replace_image_token`.
    """

    merge: SpaceToDepth
    image_token: str
    between: str
    end: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        grid = self.merge.grid(tiling.tile)
        last: tuple[Piece, ...] = (Image(grid.cols), Marker(self.end))
        if grid.rows == 1:
            return Sequence(last)
        return Sequence((Repeat(grid.rows - 1, (Image(grid.cols), Marker(self.between))), *last))

    def check_input(self, size: Size, patch: Patch) -> None:
        self.merge.check_input(size, patch)

    def __str__(self) -> str:
        return f"{self.merge}, {self.between} after each row and {self.end} after the last"


@frozen
class RowEnds(Layout):
    """The same marker after every row, and one more after the picture (Fuyu).

    Source: transformers 5.23.0, `models/fuyu/processing_fuyu.py`, `replace_image_token`.
    """

    image_token: str
    newline: str
    end: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        row = (Image(tiling.tile.cols), Marker(self.newline))
        return Sequence((Repeat(tiling.tile.rows, row), Marker(self.end)))

    def check_input(self, size: Size, patch: Patch) -> None:
        SpaceToDepth(1).check_input(size, patch)

    def __str__(self) -> str:
        return f"every patch is one token, {self.newline} after each row, {self.end} at the end"


@frozen
class WholeBlocks(Layout):
    """Blocks of `side` x `side` patches become one token; a last odd row or column of patches gets none (LightOnOCR).

    Source: transformers 5.23.0, `models/lighton_ocr/processing_lighton_ocr.py`, `replace_image_token`.
    """

    side: int
    image_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        grid = Grid(tiling.tile.rows // self.side, tiling.tile.cols // self.side)
        return Sequence((Image(grid.patches),))

    def check_input(self, size: Size, patch: Patch) -> None:
        """Any size will do: what fills no block gets no token."""

    def __str__(self) -> str:
        return f"each whole block of {self.side} x {self.side} patches becomes one token"
