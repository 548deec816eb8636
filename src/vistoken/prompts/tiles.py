"""Layouts of a picture that was cut into tiles, each worth the same number of image tokens."""

from __future__ import annotations

from dataclasses import dataclass

from vistoken.geometry import Size
from vistoken.prompts.layout import Layout
from vistoken.sequence import Image, Marker, Sequence
from vistoken.views.rule import Tiling


@dataclass(frozen=True, slots=True)
class TilesInOneRun(Layout):
    """All tiles and the overview in one run, with one marker before and one after (InternVL).

    Source: transformers 5.23.0, `models/internvl/processing_internvl.py`, `replace_image_token`.
    """

    tokens: int
    image_token: str
    start: str
    end: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        views = tiling.tiles + (tiling.overview is not None)
        return Sequence((Marker(self.start), Image(views * self.tokens), Marker(self.end)))

    def __str__(self) -> str:
        return f"{self.tokens} image tokens a view, between {self.start} and {self.end}"
