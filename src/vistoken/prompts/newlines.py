"""Layouts with a learned newline after each row of tokens, written as the image token itself."""

from __future__ import annotations

from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.prompts.layout import Layout
from vistoken.prompts.plain import SpaceToDepth
from vistoken.sequence import Image, Repeat, Sequence
from vistoken.views.rule import Tiling


@frozen
class NewlineRows(Layout):
    """Each row of tokens ends in a newline position; `bounds` positions stand at each end of the picture.

    Source: transformers 5.23.0, `models/hunyuan_vl/processing_hunyuan_vl.py`, `replace_image_token`.
    """

    merge: SpaceToDepth
    image_token: str
    bounds: int
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        grid = self.merge.grid(tiling.tile)
        rows = Repeat(grid.rows, (Image(grid.cols), Image(1, "newline")))
        if not self.bounds:
            return Sequence((rows,))
        return Sequence((Image(self.bounds, "begin"), rows, Image(self.bounds, "end")))

    def check_input(self, size: Size, patch: Patch) -> None:
        self.merge.check_input(size, patch)

    def __str__(self) -> str:
        ends = f", {self.bounds} position at each end" if self.bounds else ""
        return f"merge {self.merge}; a newline position after each row{ends}"
