"""Layouts of an overview and slices in rows (MiniCPM-V)."""

from __future__ import annotations

from vistoken.frozen import frozen
from vistoken.geometry import Grid, Size
from vistoken.prompts.layout import Layout
from vistoken.sequence import Image, Marker, Piece, Repeat, Sequence, Text
from vistoken.views.rule import Tiling


@frozen
class Slices(Layout):
    """The picture's number, the overview between <image> and </image>, each slice between <slice> and </slice>.

    A newline stands between rows of slices. `block` patches become one token; where it is None, every view gives
    `queries` tokens whatever its size. The number is that of the first picture.
    Sources: transformers 5.23.0, `models/minicpmv4_6/processing_minicpmv4_6.py`; the hub code of MiniCPM-V 2.6.
    """

    image_token: str
    block: int | None
    queries: int = 64
    numbered: bool = True
    template: str = ""

    def tokens(self, grid: Grid) -> int:
        """Image tokens of one view."""
        return grid.patches // self.block if self.block else self.queries

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        number: tuple[Piece, ...] = (Marker("<image_id>"), Text("0"), Marker("</image_id>")) if self.numbered else ()
        whole = Image(self.tokens(tiling.overview or tiling.tile), "overview")
        start = (*number, Marker("<image>"), whole, Marker("</image>"))
        if tiling.overview is None:
            return Sequence(start)
        one = (Marker("<slice>"), Image(self.tokens(tiling.tile), "slice"), Marker("</slice>"))
        row = Repeat(tiling.cols, one)
        return Sequence((*start, row, Repeat(tiling.rows - 1, (Text("\n"), row))))

    def __str__(self) -> str:
        each = f"{self.block} patches become one token" if self.block else f"{self.queries} tokens a view"
        return f"{each}; the overview, then rows of slices"
