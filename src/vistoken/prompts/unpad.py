"""Layouts of tiles that are put together again and freed of their padding: one newline a row (LLaVA-NeXT)."""

from __future__ import annotations

import math

from vistoken.frozen import frozen
from vistoken.geometry import Grid, Size
from vistoken.prompts.layout import Layout
from vistoken.sequence import Image, Repeat, Sequence
from vistoken.views.rule import Tiling


@frozen
class Unpadded(Layout):
    """The whole picture's tokens, then the tiles' as one grid without padding, each row closed by a newline token.

    `cells` are the tokens of one tile. `base` are those of the whole picture, with what the processor adds for a class
    token and takes away for it.
    Source: transformers 5.23.0, `models/llava_next/processing_llava_next.py`, `_get_number_of_features`;
    `models/granite4_vision/processing_granite4_vision.py`, where the cells are fewer than the patches.
    """

    cells: Grid
    base: int
    image_token: str
    template: str = ""

    follows_size = True

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        rows, cols = without_padding(size, tiling.rows * self.cells.rows, tiling.cols * self.cells.cols)
        return _rows(self.base, rows, cols)

    def __str__(self) -> str:
        return (
            f"{self.base} tokens for the whole picture; {self.cells} tokens a tile, put together, "
            "freed of padding, a newline token after each row"
        )


@frozen
class UnpaddedUnderCap(Layout):
    """As `Unpadded`; a grid of more than 1.21 x `most` tiles' tokens is shrunk to about `most`.

    The tokens of a tile and of the whole picture are both derived from `tokens`; `change` is what the processor adds
    to the sum: minus one where it drops a class token.
    Source: transformers 5.23.0, `models/llava_onevision/processing_llava_onevision.py`, `_get_unpadded_features`
    (`anyres_max_9`); arXiv 2408.03326, section 3.2, which shrinks the features by interpolation.
    """

    tokens: int
    most: int
    change: int
    image_token: str
    template: str = ""

    follows_size = True

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        side = math.isqrt(self.tokens)
        rows, cols = without_padding(size, tiling.rows * side, tiling.cols * side)
        return _rows(self.tokens + self.change, *shrunk(rows, cols, self.most, side))

    def __str__(self) -> str:
        side = math.isqrt(self.tokens)
        return (
            f"{self.tokens + self.change} tokens for the whole picture; {side} x {side} tokens a tile, put together, "
            f"freed of padding, shrunk to about {self.most} x {side * side} tokens where it has over 1.21 times as "
            "many, a newline token after each row"
        )


def without_padding(size: Size, rows: int, cols: int) -> tuple[int, int]:
    """What remains of a canvas of `rows` x `cols` tokens when the padding around a picture of `size` is cut off.

    Rounded to seven decimals before it is cut to a whole number, and cut by the same number on both sides.
    """
    if size.width / size.height > cols / rows:
        kept = int(round(size.height * (cols / size.width), 7))
        return rows - (rows - kept) // 2 * 2, cols
    kept = int(round(size.width * (rows / size.height), 7))
    return rows, cols - (cols - kept) // 2 * 2


def shrunk(rows: int, cols: int, most: int, side: int) -> tuple[int, int]:
    """Rows and columns brought to about `most` tiles of `side` x `side` tokens; unchanged below 1.21 times as many."""
    ratio = math.sqrt(rows * cols / (most * side**2))
    return (int(rows // ratio), int(cols // ratio)) if ratio > 1.1 else (rows, cols)


def _rows(base: int, rows: int, cols: int) -> Sequence:
    return Sequence((Image(base, "whole picture"), Repeat(rows, (Image(cols, "row"), Image(1, "newline")))))


@frozen
class PaddedRows(Layout):
    """Whole picture, a separator, then all tiles as one grid, padding and all: a newline token after each row of both.

    Source: DeepSeek-VL2's `processing_deepseek_vl_v2.py`, `tokenize_with_images`, which writes the image token for
    newlines and separator too; arXiv 2412.10302, section 2.1.
    """

    cells: Grid
    image_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        newline = Image(1, "newline")
        whole = Repeat(self.cells.rows, (Image(self.cells.cols, "row of the whole picture"), newline))
        tiles = Repeat(tiling.rows * self.cells.rows, (Image(tiling.cols * self.cells.cols, "row"), newline))
        return Sequence((whole, Image(1, "separator"), tiles))

    def __str__(self) -> str:
        return f"{self.cells} tokens a view, a newline token after each row, a separator before the tiles"
