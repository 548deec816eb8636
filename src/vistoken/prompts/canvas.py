"""Layouts of pictures on a canvas of tiles: Llama 3.2 Vision, Llama 4, Command A Vision, PerceptionLM and kin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.frozen import frozen
from vistoken.geometry import Grid, Size
from vistoken.prompts.layout import Layout, VideoLayout
from vistoken.sequence import Image, Marker, Piece, Repeat, Sequence
from vistoken.views.rule import Tiling

if TYPE_CHECKING:
    from vistoken.video import Clip
    from vistoken.views.gated import PaddedCrops


@frozen
class CrossAttention(Layout):
    """One marker in the prompt; the LLM reads the tiles by cross-attention, `slots` of them whatever the picture.

    `prefix` class tokens stand before the patches of each tile. Slots without a tile are masked.
    Source: transformers 5.23.0, `models/mllama/processing_mllama.py`, `replace_image_token`, and
    `image_processing_pil_mllama.py`, `pack_images`.
    """

    image_token: str
    slots: int
    prefix: int
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        return Sequence((Marker(self.image_token),))

    def cross_tokens(self, tiling: Tiling) -> int:
        return self.slots * (tiling.tile.patches + self.prefix)

    def __str__(self) -> str:
        return f"one marker; {self.slots} slots of tiles are read by cross-attention"


@frozen
class SeparatedTiles(Layout):
    """Tiles with a marker between those of a row and one after each row, then the overview (Llama 4).

    Source: transformers 5.23.0, `models/llama4/processing_llama4.py`, `_prompt_split_image`.
    """

    tokens: int
    image_token: str = "<|patch|>"
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        tile, column, row = Image(self.tokens), Marker("<|tile_x_separator|>"), Marker("<|tile_y_separator|>")
        last: tuple[Piece, ...] = (Marker("<|image|>"), tile, Marker("<|image_end|>"))
        start = Marker("<|image_start|>")
        if tiling.tiles == 1:
            return Sequence((start, *last))
        before = (Repeat(tiling.cols - 1, (tile, column)),) if tiling.cols > 1 else ()
        return Sequence((start, Repeat(tiling.rows, (*before, tile, row)), *last))

    def __str__(self) -> str:
        return f"{self.tokens} image tokens a tile and for the whole, separators between tiles and after rows"


@frozen
class BrokenTiles(Layout):
    """All views one after another, a line break after each, between two markers (Command A Vision).

    Source: transformers 5.23.0, `models/cohere2_vision/processing_cohere2_vision.py`, `replace_image_token`.
    """

    tokens: int
    image_token: str
    line_break: str
    start: str
    end: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        views = tiling.tiles + (tiling.overview is not None)
        tile = Repeat(views, (Image(self.tokens), Marker(self.line_break)))
        return Sequence((Marker(self.start), tile, Marker(self.end)))

    def __str__(self) -> str:
        return f"{self.tokens} image tokens and {self.line_break} a view, between {self.start} and {self.end}"


@frozen
class Pooling:
    """`ratio` x `ratio` patches are averaged to one token; what does not fill a block is spread over the others."""

    ratio: int

    def tokens(self, grid: Grid) -> int:
        """Image tokens of one frame of `grid`."""
        return (grid.rows // self.ratio) * (grid.cols // self.ratio)

    def __str__(self) -> str:
        return f"{self.ratio} x {self.ratio} patches become one token"


@frozen
class PooledViews(Layout):
    """The pooled tokens of all views in one run (PerceptionLM).

    Source: transformers 5.23.0, `models/perception_lm/processing_perception_lm.py`, `replace_image_token`.
    """

    pooling: Pooling
    image_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        views = tiling.tiles + (tiling.overview is not None)
        return Sequence((Image(views * self.pooling.tokens(tiling.tile), f"{views} views"),))

    def __str__(self) -> str:
        return str(self.pooling)


@frozen
class PooledFrames(VideoLayout):
    """The pooled tokens of all frames in one run (PerceptionLM).

    Source: as for `PooledViews`, `replace_video_token`.
    """

    pooling: Pooling
    video_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        return Sequence((Image(clip.frames * self.pooling.tokens(tiling.tile), f"{clip.frames} frames"),))

    def __str__(self) -> str:
        return str(self.pooling)


@frozen
class TaggedTiles(Layout):
    """A tag with row and column before each tile, one before the thumbnail, markers around all (LFM2-VL).

    `side` x `side` patches become one token, those at the edge too where they do not fill it.
    Source: transformers 5.23.0, `models/lfm2_vl/processing_lfm2_vl.py`, `_build_image_tokens`.
    """

    side: int
    image_token: str = "<image>"
    template: str = ""

    def image(self, grid: Grid) -> Image:
        return Image(-(-grid.rows // self.side) * -(-grid.cols // self.side), str(grid))

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        start, end, image = Marker("<|image_start|>"), Marker("<|image_end|>"), self.image(tiling.tile)
        if tiling.tiles == 1:
            return Sequence((start, image, end))
        row = Repeat(tiling.cols, (Marker("<|img_row_{row}_col_{col}|>"), image), "col")
        last = (Marker("<|img_thumbnail|>"), self.image(tiling.overview)) if tiling.overview else ()
        return Sequence((start, Repeat(tiling.rows, (row,), "row"), *last, end))

    def __str__(self) -> str:
        return f"{self.side} x {self.side} patches become one token; a tag before each tile and the thumbnail"


@frozen
class BareTiles(TaggedTiles):
    """As `TaggedTiles`, without tags and markers: the processor's `use_image_special_tokens` is off."""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        last = (self.image(tiling.overview),) if tiling.overview else ()
        return Sequence((Repeat(tiling.tiles, (self.image(tiling.tile),)), *last))

    def __str__(self) -> str:
        return f"{self.side} x {self.side} patches become one token"


@frozen
class UnpaddedHalfGrid(Layout):
    """The canvas at half resolution without its padding, a newline for each row, and the overview (Phi-4-multimodal).

    All of them, newlines and the separator too, are image tokens. The overview has 16 x 16 cells and 16 newlines
    whatever the tile.
    Source: transformers 5.23.0, `models/phi4_multimodal/image_processing_phi4_multimodal.py`, `num_img_tokens`.
    """

    rule: PaddedCrops
    image_token: str
    template: str = ""

    follows_size = True

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        content = self.rule.content(size)
        return Sequence(
            (
                Image(content.patches, f"{content} without padding"),
                Image(content.rows, "newlines"),
                Image(1, "separator"),
                Image(256, "overview"),
                Image(16, "newlines of the overview"),
            )
        )

    def __str__(self) -> str:
        return (
            "every second row and column of patches as far as the picture goes, a newline a row; 273 for the overview"
        )
