"""Layouts of a picture that was cut into tiles, each worth the same number of image tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.prompts.layout import Layout, VideoLayout
from vistoken.sequence import Image, Marker, Piece, Repeat, Sequence, Text
from vistoken.views.rule import Tiling

if TYPE_CHECKING:
    from vistoken.video import Clip


@frozen
class TilesInOneRun(Layout):
    """All tiles and the overview in one run, with one marker before and one after, or none (InternVL, GOT-OCR 2).

    Sources: transformers 5.23.0, `models/internvl/processing_internvl.py` and
    `models/got_ocr2/processing_got_ocr2.py`, `replace_image_token`.
    """

    tokens: int
    image_token: str
    start: str = ""
    end: str = ""
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        views = tiling.tiles + (tiling.overview is not None)
        run = Image(views * self.tokens)
        return Sequence((Marker(self.start), run, Marker(self.end)) if self.start else (run,))

    def __str__(self) -> str:
        between = f", between {self.start} and {self.end}" if self.start else ""
        return f"{self.tokens} image tokens a view{between}"


@frozen
class NumberedFrames(VideoLayout):
    """Each frame with its number before it, `Frame1: `, and markers around it; a line break between frames (InternVL).

    Source: transformers 5.23.0, `models/internvl/processing_internvl.py`, `replace_video_token`.
    """

    tokens: int
    video_token: str
    start: str
    end: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        frame = (Marker(self.start), Image(self.tokens), Marker(self.end))
        numbered = (Text("Frame{frame}: "), *frame, Text("\n"))
        return Sequence((Repeat(clip.frames - 1, numbered, "frame"), Text(f"Frame{clip.frames}: "), *frame))

    def __str__(self) -> str:
        return f"{self.tokens} image tokens a frame, between {self.start} and {self.end}, with its number before it"


@frozen
class NumberedTiles(Layout):
    """A numbered marker before each tile and one before the overview; one tile alone is the overview (Aya Vision).

    Source: transformers 5.23.0, `models/aya_vision/processing_aya_vision.py`, `replace_image_token`.
    """

    tokens: int
    image_token: str
    start: str
    end: str
    tile: str
    overview: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        tiles: tuple[Piece, ...] = ()
        if tiling.overview is not None:
            tile = (Marker(f"{self.tile}_{{tile}}"), Image(self.tokens, "tile"))
            tiles = (Repeat(tiling.tiles, tile, "tile"),)
        whole = (Marker(self.overview), Image(self.tokens, "overview"))
        return Sequence((Marker(self.start), *tiles, *whole, Marker(self.end)))

    def __str__(self) -> str:
        return (
            f"{self.tokens} image tokens a view, after {self.tile}_1, {self.tile}_2 ... and {self.overview}, "
            f"all between {self.start} and {self.end}"
        )


@frozen
class OverviewThenGrid(Layout):
    """The overview, then the tiles with marks between columns and between rows; one tile alone is the overview (Ovis2).

    Source: transformers 5.23.0, `models/ovis2/processing_ovis2.py`, `replace_image_token`.
    """

    tokens: int
    image_token: str
    start: str
    grid: str
    column: str
    row: str
    end: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        overview = (Marker(self.start), Image(self.tokens, "overview"), Marker(self.grid))
        if tiling.overview is None:
            return Sequence((*overview, Marker(self.end)))
        tile = Image(self.tokens, "tile")
        row = (Repeat(tiling.cols - 1, (tile, Marker(self.column))), tile)
        return Sequence((*overview, Repeat(tiling.rows - 1, (*row, Marker(self.row))), *row, Marker(self.end)))

    def __str__(self) -> str:
        return (
            f"{self.tokens} image tokens a view, the overview first, {self.grid} after it, "
            f"{self.column} between columns and {self.row} between rows, all between {self.start} and {self.end}"
        )


@frozen
class TilesThenOverview(Layout):
    """Tiles, if there are any, the overview, and one separator embedding, all in image tokens (DeepSeek-OCR 2).

    Source: transformers 5.23.0, `models/deepseek_ocr2/processing_deepseek_ocr2.py`, `replace_image_token`; the order
    of the parts is that of `models/deepseek_ocr2/modeling_deepseek_ocr2.py`.
    """

    tile: int
    overview: int
    image_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        rest = (Image(self.overview, "overview"), Image(1, "separator"))
        if tiling.overview is None:  # then the only view is the overview
            return Sequence(rest)
        return Sequence((Image(tiling.tiles * self.tile, "tiles"), *rest))

    def __str__(self) -> str:
        return f"{self.tile} image tokens a tile, {self.overview} for the overview, 1 for the separator"


@frozen
class NewlinesThenOverview(Layout):
    """As `TilesThenOverview`, with a learned newline after each row of tokens: of the joined tiles, of the overview.

    `tile` and `overview` are tokens along a side.
    Source: transformers 5.23.0, `models/unlimited_ocr/processing_unlimited_ocr.py`, `replace_image_token`.
    """

    tile: int
    overview: int
    image_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        rest = (Image(self.overview * (self.overview + 1), "overview and newlines"), Image(1, "separator"))
        if tiling.overview is None:  # then the only view is the overview
            return Sequence(rest)
        rows, cols = tiling.rows * self.tile, tiling.cols * self.tile
        return Sequence((Image(rows * (cols + 1), "tiles and newlines"), *rest))

    def __str__(self) -> str:
        return (
            f"{self.tile} x {self.tile} image tokens a tile, {self.overview} x {self.overview} for the overview, "
            "1 more at the end of each row of tokens, 1 for the separator"
        )
