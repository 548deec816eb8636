"""What models behind an API bill for a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.prompts.layout import Layout, VideoLayout
from vistoken.sequence import Image, Repeat, Sequence
from vistoken.views.rule import Tiling

if TYPE_CHECKING:
    from vistoken.video import Clip


@frozen
class TileBill(Layout):
    """`base` tokens for the picture and `tile` for each tile."""

    base: int
    tile: int
    image_token: str = "image"
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        tiles = Repeat(tiling.tiles, (Image(self.tile),))
        return Sequence((Image(self.base, "base"), tiles) if self.base else (tiles,))

    def __str__(self) -> str:
        return f"{self.base} tokens and {self.tile} for each tile" if self.base else f"{self.tile} tokens for each tile"


@frozen
class PatchBill(Layout):
    """`hundredths` / 100 tokens a patch, the sum rounded up, and `extra` tokens for the picture."""

    hundredths: int = 100
    extra: int = 0
    image_token: str = "image"
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        tokens = -(-tiling.patches * self.hundredths // 100)  # whole numbers: 1.2 has no exact float
        image = Image(tokens, tiling.tile)
        return Sequence((image, Image(self.extra, "extra")) if self.extra else (image,))

    def __str__(self) -> str:
        times = f"{self.hundredths / 100:g} tokens a patch, rounded up" if self.hundredths != 100 else "a token a patch"
        return times + (f", and {self.extra} more" if self.extra else "")


@frozen
class FrameBill(VideoLayout):
    """`tokens` for every cell of every frame."""

    tokens: int
    video_token: str = "frame"
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        frame = tiling.tile.rows * tiling.tile.cols * self.tokens
        return Sequence((Repeat(clip.frames, (Image(frame, "frame"),)),))

    def __str__(self) -> str:
        return f"{self.tokens} tokens a frame" if self.tokens > 1 else "a token a cell of each frame"
