"""Layouts of videos whose frames are read in groups, each group under a line that names its frames."""

from __future__ import annotations

from dataclasses import dataclass

from vistoken.geometry import Size
from vistoken.prompts.layout import VideoLayout
from vistoken.prompts.plain import SpaceToDepth
from vistoken.sequence import Image, Marker, Piece, Sequence, Text
from vistoken.video import Clip
from vistoken.views.rule import Tiling


@dataclass(frozen=True, slots=True)
class NamedGroups(VideoLayout):
    """`Frame 1 sampled at 0.00 seconds and frame 2 sampled at 0.50 seconds: `, then the group's tokens; a line each.

    Without a frame rate the times are left out. `group` frames make one group; the last may be short. `pruned` is the
    share of a video's tokens that the model drops by their content, after the prompt is written.
    Source: transformers 5.23.0, `models/nemotron_h_omni/processing_nemotron_h_omni.py`, `replace_video_token`.
    """

    merge: SpaceToDepth
    group: int
    video_token: str
    start: str
    end: str
    pruned: float = 0.0
    template: str = ""

    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        tokens = self.merge.tokens(tiling.tile) // tiling.tile.frames
        filled = (Marker(self.start), Image(tokens), Marker(self.end))
        pieces: list[Piece] = []
        for first in range(0, clip.frames, self.group):
            names = (self._name(clip, number) for number in range(first, min(first + self.group, clip.frames)))
            line = "\n" if first else ""
            pieces += (Text(f"{line}F{' and f'.join(names)}: "), *filled)
        return Sequence(tuple(pieces))

    def _name(self, clip: Clip, number: int) -> str:
        """`rame 1 sampled at 0.00 seconds`: what stands after the first letter, which is a capital at the front."""
        name = f"rame {number + 1}"
        if clip.source.fps is None:
            return name
        seconds = clip.indices[number] * int(1000.0 / clip.source.fps) / 1000.0  # whole milliseconds a frame
        return f"{name} sampled at {seconds:.2f} seconds"

    def __str__(self) -> str:
        kept = f", of which the model keeps about {1 - self.pruned:.0%}" if self.pruned else ""
        return f"merge {self.merge}; {self.group} frames a line, named and between {self.start} and {self.end}{kept}"
