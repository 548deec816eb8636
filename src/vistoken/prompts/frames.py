"""Layouts of videos whose frames are merged over time as well."""

from __future__ import annotations

from dataclasses import dataclass

from vistoken.geometry import Size
from vistoken.prompts.layout import VideoLayout
from vistoken.prompts.plain import SpaceToDepth
from vistoken.sequence import Image, Sequence
from vistoken.video import Clip
from vistoken.views.rule import Tiling


@dataclass(frozen=True, slots=True)
class FramesMerged(VideoLayout):
    """All tokens in one run, `frames` frames of a block merged into one token after the tower.

    Source: transformers 5.23.0, `models/ernie4_5_vl_moe/processing_ernie4_5_vl_moe.py`, `replace_video_token`.
    """

    merge: SpaceToDepth
    frames: int
    video_token: str
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        return Sequence((Image(self.merge.tokens(tiling.tile) // self.frames),))

    def __str__(self) -> str:
        return f"merge {self.merge}, of {self.frames} frames together"
