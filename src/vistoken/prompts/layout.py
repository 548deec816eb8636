"""What every layout offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from vistoken.errors import UsageError
from vistoken.geometry import Patch, Size
from vistoken.sequence import Sequence

if TYPE_CHECKING:
    from vistoken.video import Clip
    from vistoken.views.rule import Tiling


class Layout(ABC):
    """How one picture enters the prompt.

    `image_token` is the token that the processor repeats for visual embeddings; `template` tells what the chat
    template adds around the picture: a note, since the processor does not write it.
    """

    __slots__ = ()

    image_token: str
    template: str
    # Whether pictures of another size may get other pieces although the rule cuts them alike (padding taken off).
    follows_size: ClassVar[bool] = False

    @abstractmethod
    def sequence(self, tiling: Tiling, size: Size) -> Sequence:
        """The pieces of a picture of `size` that the rule cut as `tiling` says."""

    def length(self, tiling: Tiling, size: Size) -> int:
        """Image and marker tokens of `sequence`; a layout may tell them without its pieces, for speed."""
        image, markers = self.sequence(tiling, size).counts
        return image + markers

    def cross_tokens(self, tiling: Tiling) -> int | None:
        """Tokens that the LLM reads by cross-attention instead of its prompt; None for most models."""
        return None

    def check_input(self, size: Size, patch: Patch) -> None:
        """Whether the encoder may be fed `size` past the view rule.

        Raises `UsageError`: most prompts are written for the views that the rule makes.
        """
        raise UsageError(f"input {size}: this model's prompt is written for the views of its own rule; leave input out")


class OneGrid(Layout):
    """A layout for rules with one view, whose tokens follow from its rows and columns alone."""

    __slots__ = ()

    @abstractmethod
    def tokens_of(self, rows: int, cols: int) -> int:
        """Image and marker tokens of a grid of `rows` x `cols` patches."""

    def length(self, tiling: Tiling, size: Size) -> int:
        return self.tokens_of(tiling.tile.rows, tiling.tile.cols)


class VideoLayout(ABC):
    """How one video enters the prompt. `video_token` is the token that the processor repeats."""

    __slots__ = ()

    video_token: str
    template: str

    @abstractmethod
    def sequence(self, tiling: Tiling, size: Size, clip: Clip) -> Sequence:
        """The pieces of the frames of `clip`, whose grids `tiling` holds."""
