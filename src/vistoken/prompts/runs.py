"""Layouts of a video whose tokens stand in one run: time is in the position ids, not in the text."""

from __future__ import annotations

from vistoken.frozen import frozen
from vistoken.geometry import Size
from vistoken.prompts.layout import VideoLayout
from vistoken.prompts.plain import SpaceToDepth
from vistoken.sequence import Image, Sequence
from vistoken.video import Clip
from vistoken.views.rule import Tiling


@frozen
class MergedVideo(VideoLayout):
    """All tokens of all frame groups in one run (Qwen2-VL).

    Source: transformers 5.23.0, `models/qwen2_vl/processing_qwen2_vl.py`, `replace_video_token`.
    """

    merge: SpaceToDepth
    video_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        grid = self.merge.grid(tiling.tile)
        return Sequence((Image(grid.patches, grid),))

    def __str__(self) -> str:
        return str(self.merge)


@frozen
class FramesMerged(VideoLayout):
    """As `MergedVideo`, and `frames` frames of a block are merged into one token after the tower (ERNIE).

    Source: transformers 5.23.0, `models/ernie4_5_vl_moe/processing_ernie4_5_vl_moe.py`, `replace_video_token`.
    """

    merge: SpaceToDepth
    frames: int
    video_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        return Sequence((Image(self.merge.tokens(tiling.tile) // self.frames),))

    def __str__(self) -> str:
        return f"{self.merge}, of {self.frames} frames together"


@frozen
class FixedVideo(VideoLayout):
    """`tokens` video tokens, however many frames there are."""

    tokens: int
    video_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        return Sequence((Image(self.tokens),))

    def __str__(self) -> str:
        return f"always {self.tokens} video tokens"
