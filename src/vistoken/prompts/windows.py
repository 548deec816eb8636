"""Layouts of Molmo2: rows of pooled patches with column tokens, and frames with their times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.frozen import frozen
from vistoken.geometry import Grid, Size
from vistoken.prompts.layout import Layout, VideoLayout
from vistoken.sequence import Image, Marker, Piece, Repeat, Sequence, Text
from vistoken.views.rule import Tiling

if TYPE_CHECKING:
    from vistoken.video import Clip

PATCH, COLUMN, END = "<im_patch>", Marker("<im_col>"), Marker("<im_end>")


@frozen
class GridsWithColumns(Layout):
    """The low-resolution view, then the canvas of all windows as one grid, each between markers (Molmo2).

    `rows` x `cols` patches are pooled into one token, at the edge fewer. `high` and `low` tell whether a column token
    closes each row of the canvas and of the low-resolution view; `start` opens the latter. `margins` are the patches
    by which crops overlap.
    Source: transformers 5.23.0, `models/molmo2/processing_molmo2.py`, `replace_image_token`.
    """

    rows: int
    cols: int
    margins: int
    high: bool
    low: bool
    start: str
    image_token: str = PATCH
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        crop, margins = tiling.tile, self.margins
        rows = tiling.rows * (crop.rows - margins) + margins
        cols = tiling.cols * (crop.cols - margins) + margins
        return Sequence(
            (
                Marker(self.start), *grid_pieces(pooled(crop, self.rows, self.cols), self.low), END,
                Marker("<im_start>"), *grid_pieces(pooled(Grid(rows, cols), self.rows, self.cols), self.high), END,
            )
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.rows} x {self.cols} patches become one token: first the whole picture, then the canvas"


@frozen
class TimedFrames(VideoLayout):
    """The time in seconds before each frame, which stands between markers (Molmo2).

    `fps` serves where the rate is not known.
    Source: transformers 5.23.0, `models/molmo2/processing_molmo2.py`, `replace_video_token`, `get_video_string`.
    """

    rows: int
    cols: int
    columns: bool
    start: str
    end: str
    fps: float
    video_token: str = PATCH
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        grid = pooled(tiling.tile, self.rows, self.cols)
        frame = (Marker(self.start), *grid_pieces(grid, self.columns), Marker(self.end))
        pieces: list[Piece] = []
        for number in range(clip.frames):
            time = clip.tensor_time(number, self.fps)
            pieces += (Text(f" {time:.1f} " if pieces else f"{time:.1f} "), *frame)
        return Sequence(tuple(pieces))

    def __str__(self) -> str:
        return f"{self.rows} x {self.cols} patches become one token; the time before each frame"


def pooled(grid: Grid, rows: int, cols: int) -> Grid:
    """The grid of tokens where blocks of `rows` x `cols` patches are pooled, at the edge smaller ones."""
    return Grid(-(-grid.rows // rows), -(-grid.cols // cols))


def grid_pieces(grid: Grid, columns: bool) -> tuple[Piece, ...]:
    """A grid of tokens, with a column token after each row if there are `columns`."""
    if columns:
        return (Repeat(grid.rows, (Image(grid.cols), COLUMN)),)
    return (Image(grid.patches, str(grid)),)
