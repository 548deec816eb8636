"""Layouts of windows that each stand between markers, before the whole picture."""

from __future__ import annotations

from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.prompts.layout import Layout
from vistoken.sequence import Image, Marker, Piece, Repeat, Sequence
from vistoken.views.rule import Tiling


@frozen
class WindowsThenWhole(Layout):
    """Windows between `start` and `end`, `newline` between their rows, then the whole picture (Step 3.7).

    A tiling without an overview holds the whole picture alone.
    Source: transformers 5.23.0, `models/step3p7/processing_step3p7.py`, `replace_image_token`.
    """

    window_tokens: int
    whole_tokens: int
    image_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        whole: tuple[Piece, ...] = (Marker("<im_start>"), Image(self.whole_tokens, "whole"), Marker("<im_end>"))
        if tiling.overview is None:
            return Sequence(whole)
        window: tuple[Piece, ...] = (Marker("<patch_start>"), Image(self.window_tokens), Marker("<patch_end>"))
        row: tuple[Piece, ...] = (Repeat(tiling.cols, window),)
        if tiling.rows > 1:
            row = (Repeat(tiling.rows - 1, (*row, Marker("<patch_newline>"))), *row)
        return Sequence((*row, *whole))

    def __str__(self) -> str:
        return (
            f"{self.window_tokens} image tokens a window, <patch_newline> between rows of windows, "
            f"then {self.whole_tokens} for the whole picture"
        )
