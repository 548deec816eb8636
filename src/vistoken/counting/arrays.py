"""Rules and layouts in array form: many sizes at once in numpy, where the scalar form is too slow for millions.

A form stands beside its scalar twin only where a benchmark asked for it (`benchmarks/many.py`). It computes with the
same float64 operations in the same order, so that ties and roundings fall alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vistoken.errors import InputError
from vistoken.geometry import MAX_SIDE, Size
from vistoken.model_spec import ModelSpec
from vistoken.prompts.plain import Merged
from vistoken.prompts.tiles import TilesInOneRun
from vistoken.prompts.unpad import Unpadded, UnpaddedUnderCap
from vistoken.views.budget import PixelBudget
from vistoken.views.pinpoints import Canvases, Pinpoints
from vistoken.views.tiles import ClosestAspect, arrangements

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

    Integers = NDArray[int64]
    Floats = NDArray[float64]
    # Heights and widths -> tokens; 0 where the scalar form is to be asked, since the rule refuses the size, or may.
    ArrayForm = Callable[[Integers, Integers], Integers]
    # Heights and widths -> rows and columns, of patches or of tiles; 0 likewise.
    RuleForm = Callable[[Integers, Integers], tuple[Integers, Integers]]
    # Heights and widths, rows and columns -> tokens; 0 likewise.
    LayoutForm = Callable[[Integers, Integers, Integers, Integers], Integers]

# Sizes that are computed at once: the few arrays of them that are needed stay in a core's cache.
CHUNK = 16_384
# Whole numbers up to this are exact in float64.
_EXACT = 2**53
# Twice this many bits hold a product of two areas.
_MOST_AREA = 2**26


def array_form(spec: ModelSpec) -> ArrayForm | None:
    """A function of many heights and widths, all of them from 1 to `MAX_SIDE`; None where there is no array form."""
    rule, layout = spec.known_rule(), spec.prompt
    if not has_form(spec):
        return None
    of_rule, of_layout = FORMS[type(rule), type(layout)]
    cut = of_rule(rule)
    return _together(cut, of_layout(layout)) if cut else None


def has_form(spec: ModelSpec) -> bool:
    """Whether there is an array form for this rule with this layout, but for odd settings."""
    return (type(spec.known_rule()), type(spec.prompt)) in FORMS


def _together(cut: RuleForm, lay: LayoutForm) -> ArrayForm:
    import numpy as np

    def tokens(heights: Integers, widths: Integers) -> Integers:
        found = np.zeros(len(heights), np.int64)
        for start in range(0, len(heights), CHUNK):
            height, width = heights[start : start + CHUNK], widths[start : start + CHUNK]
            rows, cols = cut(height, width)
            # Where the rule refuses, anything but 0 will do to divide by.
            laid = lay(height, width, np.maximum(rows, 1), np.maximum(cols, 1))
            found[start : start + CHUNK] = np.where((rows > 0) & (cols > 0), laid, 0)
        return found

    return tokens


# ---------------------------------------------------------------- rules


def _pixel_budget(rule: PixelBudget) -> RuleForm | None:
    """`PixelBudget.cells`. The area of a picture is divided in float64: larger ones are left to the scalar form."""
    import numpy as np

    k, low, high = rule.multiple, rule.min_pixels, rule.max_pixels
    if max(low, high) >= _EXACT or k >= MAX_SIDE:
        return None

    def cut(heights: Integers, widths: Integers) -> tuple[Integers, Integers]:
        rows, cols = (np.rint(sides / k).astype(np.int64) for sides in (heights, widths))
        pixels, volume = heights * widths, rows * k * cols * k
        over, under = np.nonzero(volume > high)[0], np.nonzero(volume < low)[0]
        scale = np.sqrt(pixels[over] / high)
        for blocks, sides in ((rows, heights), (cols, widths)):
            blocks[over] = np.maximum(1, np.floor(sides[over] / scale / k))
        under = under[volume[under] <= high]  # as in the scalar form, the maximum comes first
        scale = np.sqrt(low / pixels[under])
        for blocks, sides in ((rows, heights), (cols, widths)):
            blocks[under] = np.ceil(sides[under] * scale / k)
        most = rule.max_aspect
        rows[(pixels >= _EXACT) | (heights > widths * most) | (widths > heights * most)] = 0
        return rows * k // rule.patch.height, cols * k // rule.patch.width

    return cut


def _closest_aspect(rule: ClosestAspect) -> RuleForm | None:
    """`ClosestAspect.choose`; one tile, the overview among them, is a column more where there is one.

    The rows and columns that this returns are views and 1: no layout with an array form asks for more.
    """
    import numpy as np

    grids, area = arrangements(rule.least, rule.most), rule.tile.height * rule.tile.width
    if area * rule.most > _MOST_AREA * 64 or not rule.patch.grid(rule.tile).patches or not grids:
        return None
    views = np.array([1, *(cols * rows + (rule.overview and cols * rows > 1) for cols, rows, _ in grids)], np.int64)

    def cut(heights: Integers, widths: Integers) -> tuple[Integers, Integers]:
        aspect, pixels = widths / heights, heights * widths
        best, distance = np.zeros(len(heights), np.int64), np.full(len(heights), np.inf)
        for number, (cols, rows, ratio) in enumerate(grids, 1):
            away = np.abs(aspect - ratio)
            closer = (away < distance) | ((away == distance) & (pixels > 0.5 * area * cols * rows))
            np.copyto(best, number, where=closer)
            np.minimum(distance, away, out=distance)
        return views[best], np.ones_like(best)

    return cut


def _pinpoints(rule: Pinpoints) -> RuleForm | None:
    """`Pinpoints.choose`; None for canvases or patches beyond what models have, of which the scalar form takes care."""
    import numpy as np

    if max(height * width for height, width in rule.canvases) > _MOST_AREA or not rule.patch.grid(rule.crop).patches:
        return None
    rows, cols = np.array([_tiles(rule, *canvas) for canvas in rule.canvases], np.int64).T

    def cut(heights: Integers, widths: Integers) -> tuple[Integers, Integers]:
        best = _best(heights.astype(np.float64), widths.astype(np.float64), rule.canvases)
        return rows[best], cols[best]

    return cut


def _tiles(rule: Pinpoints, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of tiles of one canvas; 0 where the rule refuses it."""
    try:
        return replace(rule, canvases=((height, width),)).choose(Size(height, width))[:2]
    except InputError:
        return 0, 0


def _best(heights: Floats, widths: Floats, canvases: Canvases) -> Integers:
    """`best_canvas`: the number of the chosen canvas.

    A canvas's scale is the smaller of two. The pixels that survive never shrink as the scale grows, and so are the
    smaller of those at either: each side of the canvases is looked at once. Most pixels, then least waste, is one
    number: pixels x (largest area + 1) - (area - pixels).
    """
    import numpy as np

    pixels, largest = heights * widths, max(height * width for height, width in canvases)

    def used(scale: Floats) -> Floats:
        left: Floats = np.floor(widths * scale) * np.floor(heights * scale)
        return np.minimum(left, pixels)

    down = {side: used(side / heights) for side in {height for height, _ in canvases}}
    across = {side: used(side / widths) for side in {width for _, width in canvases}}
    best, most = np.zeros(len(heights), np.int64), np.full(len(heights), -np.inf)
    for number, (height, width) in enumerate(canvases):
        value = np.minimum(down[height], across[width]) * (largest + 2.0) - height * width
        np.copyto(best, number, where=value > most)
        np.maximum(most, value, out=most)
    return best


# ---------------------------------------------------------------- layouts


def _merged(layout: Merged) -> LayoutForm:
    import numpy as np

    side, markers = layout.merge.side, bool(layout.start) + bool(layout.start and layout.end)

    def lay(heights: Integers, widths: Integers, rows: Integers, cols: Integers) -> Integers:
        whole = (rows % side == 0) & (cols % side == 0)
        return np.where(whole, rows * cols // (side * side) + markers, 0)

    return lay


def _in_one_run(layout: TilesInOneRun) -> LayoutForm:
    def lay(heights: Integers, widths: Integers, rows: Integers, cols: Integers) -> Integers:
        return rows * cols * layout.tokens + (2 if layout.start else 0)

    return lay


def _unpadded(layout: Unpadded) -> LayoutForm:
    def lay(heights: Integers, widths: Integers, rows: Integers, cols: Integers) -> Integers:
        kept = _without_padding(heights, widths, rows * layout.cells.rows, cols * layout.cells.cols)
        return layout.base + kept[0] * (kept[1] + 1)

    return lay


def _under_cap(layout: UnpaddedUnderCap) -> LayoutForm:
    import numpy as np

    side = math.isqrt(layout.tokens)

    def lay(heights: Integers, widths: Integers, rows: Integers, cols: Integers) -> Integers:
        rows, cols = _without_padding(heights, widths, rows * side, cols * side)
        ratio = np.sqrt(rows * cols / (layout.most * side**2))
        over = ratio > 1.1
        rows[over], cols[over] = rows[over] // ratio[over], cols[over] // ratio[over]
        return layout.tokens + layout.change + rows * (cols + 1)

    return lay


def _without_padding(heights: Integers, widths: Integers, rows: Integers, cols: Integers) -> tuple[Integers, Integers]:
    """`without_padding`: the grids of tokens of many pictures."""
    import numpy as np

    wide = widths / heights > cols / rows
    # The sides by turns: the one that fills the canvas, and the other one, of which padding is cut off.
    kept = _cut(np.where(wide, heights * (cols / widths), widths * (rows / heights)))
    return np.where(wide, rows - (rows - kept) // 2 * 2, rows), np.where(wide, cols, cols - (cols - kept) // 2 * 2)


def _cut(values: Floats) -> Integers:
    """`int(round(value, 7))` of each.

    Rounding to seven decimals reaches the next whole number only from less than 1e-7 below; those few are rounded by
    Python, whose rounding is exact where numpy's is not.
    """
    import numpy as np

    whole = values.astype(np.int64)
    (near,) = np.nonzero(values - whole > 1 - 1e-6)
    whole[near] = [int(round(value, 7)) for value in values[near].tolist()]
    return whole


FORMS: dict[tuple[type, type], tuple[Callable[[Any], RuleForm | None], Callable[[Any], LayoutForm]]] = {
    (PixelBudget, Merged): (_pixel_budget, _merged),
    (ClosestAspect, TilesInOneRun): (_closest_aspect, _in_one_run),
    (Pinpoints, Unpadded): (_pinpoints, _unpadded),
    (Pinpoints, UnpaddedUnderCap): (_pinpoints, _under_cap),
}
