"""Which tensors live while a pass runs: moments, each with named bytes, of which the largest is the peak.

A moment is written down for every step at which something large is made, in the order of the code that is followed.
Notation: E bytes of all tokens in the dtype of the pass, H those of the MLP's hidden vectors, S the number of scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from vistoken.frozen import frozen
from vistoken.geometry import Grid, Size
from vistoken.spec import EncoderSpec

if TYPE_CHECKING:
    from vistoken.planning.memory import Engine

FLOAT = 4  # bytes of a float32, in which softmax, rotary angles and statistics of norms are computed
INDEX = 8  # bytes of an int64


@frozen
class Moment:
    """What lives at one step, in bytes."""

    name: str
    rows: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, name: str, *parts: Mapping[str, int]) -> Moment:
        """Rows of several parts; what is empty is left out."""
        rows: dict[str, int] = {}
        for part in parts:
            for row, value in part.items():
                rows[row] = rows.get(row, 0) + value
        return cls(name, tuple((row, value) for row, value in rows.items() if value))

    @property
    def total(self) -> int:
        return sum(value for _, value in self.rows)


def largest(moments: Iterable[Moment]) -> Moment:
    """The first of those with most bytes."""
    return max(moments, key=lambda moment: moment.total)


@dataclass(frozen=True)
class Pass:
    """Some views through an encoder.

    Attributes:
        spec: of the encoder.
        grids: of all views of all pictures.
        sizes: of the same views in pixels.
        weights: bytes of all parameters.
        width: bytes of one number of parameters and pixels.
        engine: whether attention writes its scores out ("eager") or not ("fused").
        autocast: whether matrices are multiplied in bfloat16 although parameters and residuals are wider.
        head: numbers in the matrices behind the blocks: pooling, projection, classifier.
    """

    spec: EncoderSpec
    grids: tuple[Grid, ...]
    sizes: tuple[Size, ...]
    weights: int
    width: int
    engine: Engine
    autocast: bool = False
    head: int = 0

    @cached_property
    def frames(self) -> tuple[Grid, ...]:
        """Grids of single frames: a token sees those of its own frame at most."""
        return tuple(Grid(grid.rows, grid.cols) for grid in self.grids for _ in range(grid.frames))

    @cached_property
    def patches(self) -> int:
        return sum(grid.patches for grid in self.grids)

    @cached_property
    def tokens(self) -> int:
        return self.patches + self.spec.prefix_tokens * len(self.frames)

    @property
    def eager(self) -> bool:
        return self.engine == "eager"

    @property
    def narrow(self) -> int:
        """Bytes of one number that a matrix product takes and gives."""
        return 2 if self.autocast else self.width

    @property
    def dense(self) -> int:
        """E: all tokens, dim wide."""
        return self.tokens * self.spec.dim * self.width

    @property
    def product(self) -> int:
        """All tokens, dim wide, as a matrix product gives them."""
        return self.tokens * self.spec.dim * self.narrow

    @property
    def hidden(self) -> int:
        """H: all tokens, as wide as the MLP is inside, as a matrix product gives them."""
        return self.tokens * self.spec.mlp.hidden * self.narrow

    @cached_property
    def scores(self) -> int:
        """S: how many pairs of a query and a key there are, over all heads, where every frame is seen whole."""
        return self.spec.heads * sum(self.spec.tokens(frame) ** 2 for frame in self.frames)

    @property
    def statistics(self) -> int:
        """Logarithms of sums that fused attention gives besides."""
        return FLOAT * self.spec.heads * self.tokens
