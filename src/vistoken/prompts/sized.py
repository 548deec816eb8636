"""Layouts that write the size of the grid into the prompt as text."""

from __future__ import annotations

from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.prompts.layout import OneGrid
from vistoken.sequence import Image, Marker, Sequence, Text
from vistoken.views.rule import Tiling


@frozen
class SizedRows(OneGrid):
    """`rows*columns` as text, then a token for each cell and one at the end of each row (Emu3).

    The end of a row stands on an image token, too. `wrapper` is written between the size and the cells, `last` behind
    the last row.
    Source: transformers 5.23.0, `models/emu3/processing_emu3.py`, `replace_image_token`.
    """

    image_token: str
    start: str
    wrapper: str
    last: str
    end: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        rows, cols = tiling.tile.rows, tiling.tile.cols
        cells = Image(rows * (cols + 1), f"{rows} rows of {cols} and the end of the row")
        before = (Marker(self.start), Text(f"{rows}*{cols}"), Marker(self.wrapper))
        return Sequence((*before, cells, Marker(self.last), Marker(self.end)))

    def tokens_of(self, rows: int, cols: int) -> int:
        return rows * (cols + 1) + 4  # the markers

    def __str__(self) -> str:
        return "the grid's size as text, then a token for each cell and one for the end of each row"
