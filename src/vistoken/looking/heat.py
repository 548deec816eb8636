"""Features as heat maps: how alike positions are, and how long token vectors are.

Shapes: n patches of the first view in raster order (of its first frame, where it has several), dim their width. numpy
is imported where arrays are handled, so that everything else can be drawn without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from PIL import Image, ImageDraw

from vistoken.errors import MissingExtra, UsageError
from vistoken.frozen import frozen
from vistoken.geometry import Grid
from vistoken.looking.ink import (
    BOX,
    HAIR,
    INK,
    MUTED,
    PAPER,
    TEXT,
    UNSEEN,
    Colour,
    column,
    length,
    paragraph,
    row,
    wrap,
    write,
)
from vistoken.looking.panels import THINNEST, scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

# Dark blue to pale yellow, lightness rising evenly: it reads the same in grey and for any colour vision.
RAMP: tuple[Colour, ...] = (
    (33, 25, 84),
    (44, 82, 134),
    (36, 130, 138),
    (82, 178, 117),
    (181, 215, 88),
    (253, 238, 150),
)
# Anchors of the mosaic along each side of the grid.
ANCHORS = 3
# Letters of the colour bar.
KEY = 13


@frozen(eq=False)
class Features:
    """What an encoder computed for the first view, as plain arrays.

    `tokens` (n_patches, dim) are the patch tokens, `positions` (n_patches, dim) the position vectors on the view's
    grid; either may be None. `prefix` holds the norm of each prefix token by name, `source` says in a few words where
    the weights come from.
    """

    tokens: Array | None = None
    positions: Array | None = None
    prefix: Mapping[str, float] = field(default_factory=dict)
    source: str = ""


def panels(features: Features, grid: Grid, room: tuple[int, int]) -> list[tuple[str, str, Image.Image]]:
    """(title, caption, body) of what the features show; each body fits into `room`.

    Raises `UsageError` where an array does not have one vector a patch, `MissingExtra` without numpy.
    """
    found = []
    if features.positions is not None:
        vectors = checked(features.positions, "positions", grid)
        caption = "Cosine similarity of every position vector with that of the outlined patch, for nine patches."
        found.append(("Positions: which patches are alike", caption, mosaic(vectors, grid, room)))
    if features.tokens is not None:
        caption = "Length (Euclidean norm) of every patch token. " + prefix_text(features.prefix)
        found.append(("Token norms", caption, norm_map(checked(features.tokens, "tokens", grid), grid, room)))
    return found


def prefix_text(prefix: Mapping[str, float]) -> str:
    """The norms of the prefix tokens in words."""
    return "Prefix tokens: " + ", ".join(f"{name} {norm:.4g}" for name, norm in prefix.items()) if prefix else ""


def checked(values: Array, name: str, grid: Grid) -> Array:
    """(n, dim) float32 vectors of the first frame. Raises `UsageError` unless there is one vector a patch."""
    try:
        import numpy as np
    except ImportError:
        raise MissingExtra("numpy", "look", "drawing features") from None
    array = np.asarray(values, dtype=np.float32)
    if array.ndim != 2 or len(array) != grid.patches or not array.size:
        raise UsageError(f"{name} has shape {array.shape}: it must be ({grid.patches}, dim), a vector for every patch")
    return array[: grid.rows * grid.cols]


def similarity(vectors: Array, anchor: int) -> Array:
    """(n, dim) vectors -> (n,) cosine similarities with vector number `anchor`; 0 where a vector has no length."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths != 0)
        alike: Array = np.clip(unit @ unit[anchor], -1.0, 1.0)
    return alike


def anchors(grid: Grid) -> list[tuple[int, int]]:
    """(row, column) of up to 3 x 3 patches, spread evenly over the grid."""
    rows, cols = (
        sorted({(2 * number + 1) * side // (2 * ANCHORS) for number in range(ANCHORS)})
        for side in (grid.rows, grid.cols)
    )
    return [(row, col) for row in rows for col in cols]


# ---------------------------------------------------------------- colours


@cache
def ramp() -> tuple[Colour, ...]:
    """256 colours from low to high."""
    colours: list[Colour] = []
    pairs = list(pairwise(RAMP))
    for step in range(256):
        at = step * (len(RAMP) - 1) / 255
        start = min(int(at), len(pairs) - 1)
        (low, high), part = pairs[start], at - start
        red, green, blue = (round(a + (b - a) * part) for a, b in zip(low, high, strict=True))
        colours.append((red, green, blue))
    return tuple(colours)


def paint(values: Array, low: float, high: float, size: tuple[int, int]) -> Image.Image:
    """(rows, cols) values -> a picture of `size`; what is not finite is grey."""
    import numpy as np

    span = high - low if high > low else 1.0
    finite = np.isfinite(values)
    index = np.clip(np.where(finite, (values - low) / span, 0) * 255, 0, 255).astype(np.intp)
    colours = np.where(finite[..., None], np.array(ramp(), np.uint8)[index], np.array(UNSEEN, np.uint8))
    image = Image.fromarray(colours.astype(np.uint8))
    if size[0] >= image.width and size[1] >= image.height:
        return image.resize(size, Image.Resampling.NEAREST)
    return scale(image, size)


def key(width: int, labels: list[tuple[float, str]]) -> Image.Image:
    """The bar of colours; `labels` are (place from 0 to 1, text), in rising order, which keep clear of one another."""
    image = Image.new("RGB", (width, 44), PAPER)
    pen, last = ImageDraw.Draw(image), width - 1
    for x in range(width):
        pen.line((x, 8, x, 21), fill=ramp()[round(255 * x / last)])
    widths = [length(text, KEY) + 14 for _, text in labels]
    for number, (place, text) in enumerate(labels):
        pen.line((place * last, 4, place * last, 24), fill=INK)
        left = max(place * last - length(text, KEY) / 2, sum(widths[:number]))
        write(image, (min(left, width + 14 - sum(widths[number:])), 27), text, KEY, MUTED)
    return image


# ---------------------------------------------------------------- the two maps


def fill(grid: Grid, room: tuple[int, int]) -> tuple[int, int]:
    """The size of a map of `grid` in `room`: whole pixels a cell where there is enough room."""
    factor = min(room[0] / grid.cols, room[1] / grid.rows)
    factor = int(factor) if factor >= 3 else factor
    size = round(grid.cols * factor), round(grid.rows * factor)
    return max(min(THINNEST, room[0]), size[0]), max(min(THINNEST, room[1]), size[1])


def mosaic(vectors: Array, grid: Grid, room: tuple[int, int], gap: int = 10) -> Image.Image:
    """A heat map for each anchor patch, on one common scale that ends at 1."""
    import numpy as np

    maps = {(r, c): similarity(vectors, r * grid.cols + c).reshape(grid.rows, grid.cols) for r, c in anchors(grid)}
    low = min(0.0, *(float(np.nan_to_num(values).min()) for values in maps.values()))
    rows = len({r for r, _ in maps})
    size = fill(grid, ((room[0] - 2 * gap) // 3, (room[1] - 2 * gap - 54) // 3))
    drawn = [_outlined(paint(values, low, 1.0, size), cell, grid) for cell, values in maps.items()]
    across = len(drawn) // rows
    lines = [row(drawn[start : start + across], gap) for start in range(0, len(drawn), across)]
    body = column(lines, gap)
    return column([body, key(max(240, min(420, body.width)), [(0.0, f"{low:.2f}"), (1.0, "1.00: the same")])], gap)


def _outlined(image: Image.Image, cell: tuple[int, int], grid: Grid) -> Image.Image:
    """A frame around one cell, just outside of it, so that its own colour stays visible."""
    x, y = image.width / grid.cols, image.height / grid.rows
    area = (round(cell[1] * x) - 2, round(cell[0] * y) - 2, round((cell[1] + 1) * x) + 1, round((cell[0] + 1) * y) + 1)
    ImageDraw.Draw(image).rectangle(area, outline=BOX, width=2)
    ImageDraw.Draw(image).rectangle((0, 0, image.width - 1, image.height - 1), outline=HAIR)
    return image


def norm_map(vectors: Array, grid: Grid, room: tuple[int, int]) -> Image.Image:
    """A heat map of the vectors' lengths, with the least, the middle and the largest in numbers."""
    import numpy as np

    norms = np.linalg.norm(vectors, axis=1)
    finite = norms[np.isfinite(norms)]
    size = fill(grid, (room[0], room[1] - 54))
    if not finite.size:
        body = paint(norms.reshape(grid.rows, grid.cols), 0.0, 1.0, size)
        return column([body, paragraph(["no token has a finite length"], room[0])], 10)
    low, middle, high = float(finite.min()), float(np.median(finite)), float(finite.max())
    body = paint(norms.reshape(grid.rows, grid.cols), low, high, size)
    place = (middle - low) / (high - low) if high > low else 0.5
    # As many digits as tell the two ends apart.
    digits = 2 if high <= low else min(8, max(2, 2 - math.floor(math.log10(high - low))))
    labels = [(0.0, f"min {low:.{digits}f}"), (place, f"median {middle:.{digits}f}"), (1.0, f"max {high:.{digits}f}")]
    parts = [body, key(max(300, min(420, body.width)), labels)]
    if finite.size < norms.size:
        parts.append(paragraph(wrap(f"grey: {norms.size - finite.size:,} not finite", TEXT, room[0]), room[0]))
    return column(parts, 10)
