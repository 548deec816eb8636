"""Rules for the frames of a video."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from vistoken.frozen import frozen
from vistoken.geometry import Grid, Size
from vistoken.views.rule import Tiling, ViewRule
from vistoken.views.steps import View


class FrameRule(ABC):
    """From the size of a video and its number of frames to what the model looks at.

    The views are those of one frame; the frames stand in their grids: `Grid.frames` counts frame groups, for a tower
    that reads several frames as one patch.
    """

    __slots__ = ()

    @abstractmethod
    def rule(self, size: Size, frames: int) -> ViewRule:
        """The rule that each frame is brought to size with, where `frames` of them are looked at."""

    @abstractmethod
    def groups(self, frames: int) -> int:
        """Frame groups that `frames` frames make."""

    def tiling(self, size: Size, frames: int) -> Tiling:
        """As `ViewRule.tiling`, for all frames."""
        tiling, groups = self.rule(size, frames).tiling(size), self.groups(frames)
        overview = _lengthened(tiling.overview, groups) if tiling.overview else None
        return tiling._replace(tile=_lengthened(tiling.tile, groups), overview=overview)

    def views(self, size: Size, frames: int) -> tuple[View, ...]:
        """As `ViewRule.views`, for all frames: the steps of a view are carried out on each."""
        groups = self.groups(frames)
        return tuple(replace(view, grid=_lengthened(view.grid, groups)) for view in self.rule(size, frames).views(size))


def _lengthened(grid: Grid, frames: int) -> Grid:
    return Grid(grid.rows, grid.cols, frames)


@frozen
class PerFrame(FrameRule):
    """Every frame by one and the same rule; `group` frames make one patch, the last frame is repeated to fill."""

    frame: ViewRule
    group: int = 1

    def rule(self, size: Size, frames: int) -> ViewRule:
        return self.frame

    def groups(self, frames: int) -> int:
        return -(-frames // self.group)

    def __str__(self) -> str:
        several = f", {self.group} frames as one" if self.group > 1 else ""
        return f"each frame: {self.frame}{several}"
