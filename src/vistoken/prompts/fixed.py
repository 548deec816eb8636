"""Layouts of a fixed number of image tokens whatever the picture (kind J)."""

from __future__ import annotations

from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.prompts.layout import Layout
from vistoken.sequence import Image, Piece, Sequence
from vistoken.views.rule import Tiling


@frozen
class FixedTokens(Layout):
    """`tokens` image tokens for each picture, between the pieces that always stand before and after."""

    tokens: int
    image_token: str
    before: tuple[Piece, ...] = ()
    after: tuple[Piece, ...] = ()
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        return Sequence((*self.before, Image(self.tokens), *self.after))

    def __str__(self) -> str:
        return f"always {self.tokens} image tokens"
