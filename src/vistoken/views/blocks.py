"""The view rule that takes a picture as it is where it divides into whole tokens, and refuses it otherwise."""

from __future__ import annotations

from vistoken.errors import InputError
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.rule import Tiling, ViewRule
from vistoken.views.steps import Filter, View


@frozen
class WholeBlocks(ViewRule):
    """Leave the picture at its own size, whose sides must be multiples of `multiple`.

    Source: transformers 5.23.0, `models/qwen2_vl/image_processing_pil_qwen2_vl.py`, `patchify` with `do_resize` off.
    """

    multiple: int
    filter: Filter
    patch: Patch

    kind = "native size"

    def __str__(self) -> str:
        return f"leave the picture at its own size: multiples of {self.multiple}"

    def tiling(self, size: Size) -> Tiling:
        if size.height % self.multiple or size.width % self.multiple:
            raise InputError(
                f"{size} is not resized by these values of the model (do_resize is false), and its sides are not "
                f"multiples of {self.multiple}: resize it first"
            )
        return Tiling(self.patch.grid(size))

    def views(self, size: Size) -> tuple[View, ...]:
        self.tiling(size)  # refuses
        return (View.of(size, (), self.patch),)
