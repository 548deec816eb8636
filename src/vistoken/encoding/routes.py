"""How a packed sequence goes through the blocks: its order, its segments, and by what heads are turned.

Shapes: T tokens of all images, H heads, d head width.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from vistoken.encoding.attention import Engine, Turn
from vistoken.encoding.packing import Packed
from vistoken.frozen import frozen
from vistoken.spec import EncoderSpec


@frozen(eq=False)
class Merged:
    """What became of a pack whose tokens were joined on the way.

    Attributes:
        segments: where the tokens of each frame begin, and where the last ones end.
        places: for each token that entered, the one that holds it in the end.
    """

    segments: tuple[int, ...]
    places: Tensor


@dataclass(eq=False, slots=True)
class Route:
    """Every token stays what it is.

    Windows change the order once, before the first block: a frame stays together in it, so blocks that see the whole
    frame need no other order.
    """

    order: Tensor | None
    frames: tuple[int, ...]
    windows: tuple[int, ...]
    full: tuple[int, ...]
    turn: Turn | None

    @classmethod
    def of(cls, spec: EncoderSpec, packed: Packed, angles: Tensor | None) -> Route:
        segments = packed.segments
        order, windows = (None, segments) if spec.windows is None else packed.windows(spec.windows.side)
        turn = None if angles is None else turn_by(angles if order is None else angles[order])
        return cls(order, segments, windows, spec.windows.full if spec.windows else (), turn)

    # ------------------------------------------------------------ through one block

    def segments(self, number: int) -> tuple[int, ...]:
        """Where the segments of block `number` begin, and where the last one ends."""
        return self.frames if self.order is None or number in self.full else self.windows

    def attend(
        self, engine: Engine, q: Tensor, k: Tensor, v: Tensor, segments: tuple[int, ...], scale: float
    ) -> Tensor:
        """The attention of a block: (T, H, d)."""
        return engine(q, k, v, segments, segments, scale)

    def join(self, x: Tensor) -> Tensor:
        """The tokens between attention and MLP of a block."""
        return x

    # ------------------------------------------------------------ in and out

    def enter(self, x: Tensor) -> Tensor:
        return x if self.order is None else x[self.order]

    def leave(self, x: Tensor) -> Tensor:
        """What leaves the last block, frame by frame in raster order."""
        return x if self.order is None else torch.empty_like(x).index_copy_(0, self.order, x)

    def keep(self, x: Tensor) -> Tensor:
        """A hidden state on the way, with a vector for every token that entered, in raster order."""
        return self.leave(x)

    def spread(self, x: Tensor) -> Tensor:
        """Tokens that have left, with a vector for every one that entered."""
        return x

    def merged(self) -> Merged | None:
        """What became of the tokens, where they were joined."""
        return None

    def leave_maps(self, maps: tuple[Tensor, ...], number: int) -> tuple[Tensor, ...]:
        """Attention of all segments of block `number`: windows, or the tokens of whole frames, in raster order.

        Within a window tokens stand in raster order already, and windows of one frame begin before those of the next.
        """
        if self.order is None:
            return maps
        if number not in self.full:
            first = self.order[list(self.windows[:-1])]
            return tuple(maps[index] for index in first.argsort().tolist())
        raster = (self.order[start:end].argsort() for start, end in pairwise(self.frames))
        return tuple(weights[:, places][:, :, places] for weights, places in zip(maps, raster, strict=True))


def turn_by(angles: Tensor) -> Turn:
    """Cosines and sines of (T, d/2) angles, the same for all heads."""
    return angles[:, None].cos(), angles[:, None].sin()
