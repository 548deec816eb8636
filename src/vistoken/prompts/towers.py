"""Layouts that hand on what the vision tower makes of every view or frame, perhaps with a class token or pooled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.errors import UsageError
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.prompts.layout import Layout, VideoLayout
from vistoken.sequence import Image, Sequence
from vistoken.views.rule import Tiling

if TYPE_CHECKING:
    from vistoken.video import Clip


@frozen
class TowerTokens(Layout):
    """One token for each patch, and `change` more: the class token that is kept, or minus one for a dropped patch.

    Source: transformers 5.23.0, `models/llava/processing_llava.py`, `replace_image_token`.
    """

    change: int
    image_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        return Sequence((Image(tiling.patches + self.change),))

    def check_input(self, size: Size, patch: Patch) -> None:
        if size.height % patch.height or size.width % patch.width:
            raise UsageError(f"input {size}: sides must be whole patches of {patch}")

    def __str__(self) -> str:
        return "one token for each patch" + (f", and {self.change:+d}" if self.change else "")


@frozen
class TowerTokensVideo(VideoLayout):
    """One token for each patch of each frame, and `change` more a frame.

    Source: transformers 5.23.0, `models/video_llava/processing_video_llava.py`, `replace_video_token`: the class token
    is kept for videos.
    """

    change: int
    video_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        return Sequence((Image(tiling.patches + self.change * clip.frames),))

    def __str__(self) -> str:
        return "one token for each patch of each frame" + (f", and {self.change:+d} a frame" if self.change else "")


@frozen
class PooledVideo(VideoLayout):
    """A quarter of each frame's patches: 2 x 2 are averaged.

    Source: transformers 5.23.0, `models/llava_next_video/processing_llava_next_video.py`, `replace_video_token`.
    """

    video_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        return Sequence((Image(tiling.tile.rows * tiling.tile.cols // 4 * clip.frames),))

    def __str__(self) -> str:
        return "a quarter of the patches of each frame: 2 x 2 become one"


@frozen
class FramesAndNewline(VideoLayout):
    """`tokens` for each frame, and one newline token after the last.

    Source: transformers 5.23.0, `models/llava_onevision/processing_llava_onevision.py`, `replace_video_token`.
    """

    tokens: int
    video_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        return Sequence((Image(self.tokens * clip.frames, "frames"), Image(1, "newline")))

    def __str__(self) -> str:
        return f"{self.tokens} tokens a frame, and one newline"


@frozen
class TokensPerView(Layout):
    """The same number of tokens for every view, in one run.

    Source: transformers 5.23.0, `models/aria/processing_aria.py`, `replace_image_token`.
    """

    tokens: int
    image_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        return Sequence((Image(tiling.segments * self.tokens),))

    def __str__(self) -> str:
        return f"{self.tokens} image tokens a view"
