"""View rules of kind A that guard a picture first: thin sides enlarged, or sides that are whole tokens demanded."""

from __future__ import annotations

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.budget import PixelBudget, refuse_thin
from vistoken.views.rule import OneView
from vistoken.views.steps import Filter, View


@frozen
class GuardedBudget(PixelBudget):
    """A pixel budget before which a side under one multiple is brought up to it, the height first.

    Kind A with guard A2. The other side follows with the same scale, rounded (ties to even); the aspect limit holds
    for what comes out.
    Source: transformers 5.23.0, `models/paddleocr_vl/image_processing_pil_paddleocr_vl.py`, `smart_resize`.
    """

    kind = "pixel budget, thin sides enlarged first"

    def reasons(self, size: Size) -> list[str]:
        enlarged = Size(*self._enlarged(size.height, size.width))
        up = [f"a side under {self.multiple} is brought up to it first: {size} becomes {enlarged}"] * (enlarged != size)
        return [*up, *PixelBudget.reasons(self, enlarged)]

    def blocks(self, height: int, width: int) -> tuple[int, int]:
        return PixelBudget.blocks(self, *self._enlarged(height, width))

    def _enlarged(self, height: int, width: int) -> tuple[int, int]:
        k, given = self.multiple, (height, width)
        if height >= k <= width:
            return given
        if height < k:
            height, width = k, round(width * k / height)
        if width < k:
            height, width = round(height * k / width), k
        refuse_thin(height, width, self.max_aspect, given)
        return height, width


@frozen
class WholeTokens(OneView):
    """The picture stays as it is; both sides must be multiples of `multiple`.

    Source: transformers 5.23.0, the processors of kind A with `do_resize` off, which cut the picture into blocks of
    patches and fail where a side leaves a rest.
    """

    multiple: int
    filter: Filter
    patch: Patch

    kind = "own size in whole tokens"

    def __str__(self) -> str:
        return f"leave the picture at its own size, whose sides must be multiples of {self.multiple}"

    def fit(self, size: Size) -> Size:
        """The same size. Raises `InputError` where a side is no multiple."""
        if size.height % self.multiple or size.width % self.multiple:
            raise InputError(
                f"{size}: this model's processor does not resize here, so both sides must be multiples of "
                f"{self.multiple}: resize it first"
            )
        return size

    def views(self, size: Size) -> tuple[View, ...]:
        return (View.of(self.fit(size), (), self.patch),)
