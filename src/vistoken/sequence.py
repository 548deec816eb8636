"""What stands in the prompt for one picture: merged image tokens and what the model's processor writes around them."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass

from vistoken.errors import InputError, UsageError
from vistoken.geometry import Grid, Patch, Size


@dataclass(frozen=True, slots=True)
class SpaceToDepth:
    """Each block of `side` x `side` patches becomes one token for the LLM (Qwen2-VL's merger, pixel shuffle)."""

    side: int

    def tokens(self, grid: Grid) -> int:
        """Image tokens of one grid. Raises `InputError` where the grid does not divide into blocks."""
        if grid.rows % self.side or grid.cols % self.side:
            raise InputError(
                f"a grid of {grid} patches cannot be merged in blocks of {self.side} x {self.side}: "
                f"rows and columns must be multiples of {self.side}"
            )
        return grid.frames * (grid.rows // self.side) * (grid.cols // self.side)

    def __str__(self) -> str:
        return f"{self.side} x {self.side} patches become one token"


Merge = SpaceToDepth


@dataclass(frozen=True, slots=True)
class Image:
    """A run of positions of the LLM's input that visual embeddings fill."""

    tokens: int


@dataclass(frozen=True, slots=True)
class Marker:
    """One special token that the processor itself writes."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text that the processor writes; its token count depends on the tokenizer."""

    text: str


Piece = Image | Marker | Text


@dataclass(frozen=True, slots=True)
class Sequence:
    """The ordered pieces of one picture in the prompt."""

    pieces: tuple[Piece, ...]

    @property
    def image_tokens(self) -> int:
        return sum(piece.tokens for piece in self.pieces if isinstance(piece, Image))

    @property
    def marker_tokens(self) -> int:
        return sum(isinstance(piece, Marker) for piece in self.pieces)

    @property
    def text(self) -> tuple[str, ...]:
        return tuple(piece.text for piece in self.pieces if isinstance(piece, Text))


@dataclass(frozen=True, slots=True)
class Prompt:
    """How one picture enters the prompt of a language model.

    `template` tells what the chat template adds around it: a note, since the processor does not write it.
    """

    merge: Merge
    template: str = ""

    def sequence(self, grids: Items[Grid]) -> Sequence:
        return Sequence(tuple(Image(self.merge.tokens(grid)) for grid in grids))

    def check_input(self, size: Size, patch: Patch) -> None:
        """A size that the caller forces on the encoder must give whole blocks. Raises `UsageError`."""
        height, width = patch.height * self.merge.side, patch.width * self.merge.side
        if size.height % height or size.width % width:
            unit = f"{height}" if height == width else f"{width} (width) and {height} (height)"
            down = Size(height=max(1, size.height // height) * height, width=max(1, size.width // width) * width)
            raise UsageError(f"input {size}: sides must be multiples of {unit}, for example {down}")
