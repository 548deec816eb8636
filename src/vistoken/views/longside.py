"""View rules that bring the long side to a fixed length and pad to a square at the right and bottom (Aria)."""

from __future__ import annotations

from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.views.pinpoints import Canvases, best_canvas, canvas_reasons, fit_inside, in_the_middle
from vistoken.views.rule import Tiling, ViewRule
from vistoken.views.steps import Crop, Filter, Pad, Resize, Step, View


@frozen
class LongSidePad(ViewRule):
    """Bring the long side to `side` and the short one to `least` or more, then pad at the right and bottom.

    Source: transformers 5.23.0, `models/aria/image_processing_pil_aria.py`, `_preprocess`.
    """

    side: int
    least: int
    filter: Filter
    patch: Patch

    kind = "long side + padding"

    def __str__(self) -> str:
        return f"bring the long side to {self.side}, the short one to {self.least} or more, pad to {self.own_size}"

    @property
    def own_size(self) -> Size:
        return Size(height=self.side, width=self.side)

    def tiling(self, size: Size) -> Tiling:
        return Tiling(self.patch.grid(self.own_size))

    def views(self, size: Size) -> tuple[View, ...]:
        return (View.of(size, self.steps(size), self.patch),)

    def steps(self, size: Size) -> tuple[Step, ...]:
        """What happens to a picture, or to a piece of one, of `size`."""
        scale = self.side / max(size.height, size.width)
        if size.width >= size.height:
            fitted = Size(height=max(int(size.height * scale), self.least), width=self.side)
        else:
            fitted = Size(height=self.side, width=max(int(size.width * scale), self.least))
        resize = Resize(fitted, self.filter)
        return (resize,) if fitted == self.own_size else (resize, Pad(0, 0, self.own_size))


@frozen
class SplitLongSidePad(ViewRule):
    """Fit into the best canvas, cut it into pieces of `piece.side` or less, and treat each as `piece` says.

    There is no view of the whole picture. `canvases` are (height, width).
    Source: as `LongSidePad`, with `split_image`: `get_image_patches`.
    """

    canvases: Canvases
    piece: LongSidePad

    kind = "pieces of the best of listed canvases"

    def __str__(self) -> str:
        return (
            f"fit into the best of {len(self.canvases)} canvases, pad in the middle, cut pieces of at most "
            f"{self.piece.own_size}; of each, {self.piece}"
        )

    @property
    def patch(self) -> Patch:  # type: ignore[override]
        return self.piece.patch

    @property
    def filter(self) -> Filter:  # type: ignore[override]
        return self.piece.filter

    def tiling(self, size: Size) -> Tiling:
        height, width = best_canvas(size, self.canvases)
        side = self.piece.side
        return Tiling(self.piece.tiling(size).tile, -(-height // side), -(-width // side))

    def views(self, size: Size) -> tuple[View, ...]:
        height, width = best_canvas(size, self.canvases)
        canvas, side = Size(height=height, width=width), self.piece.side
        fitted = fit_inside(size, canvas)
        padded: tuple[Step, ...] = (Resize(fitted, self.filter), *in_the_middle(fitted, canvas))
        pieces = (
            Crop(top, left, Size(height=min(side, height - top), width=min(side, width - left)))
            for top in range(0, height, side)
            for left in range(0, width, side)
        )
        return tuple(View.of(size, (*padded, cut, *self.piece.steps(cut.size)), self.patch) for cut in pieces)

    def reasons(self, size: Size) -> list[str]:
        return canvas_reasons(size, self.canvases)
