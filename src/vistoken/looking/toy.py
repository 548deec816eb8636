"""From pixels to tokens in numbers: a picture so small that every step can be redone by hand.

Plain Python: nothing is imported that a newcomer would have to trust.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from vistoken.frozen import frozen

Vector: TypeAlias = tuple[float, ...]
Matrix: TypeAlias = tuple[Vector, ...]

# A heart with a darker spot. All values are multiples of 4, so that what follows is exact to two decimals.
PICTURE = (
    "04400440",
    "48844884",
    "48488884",
    "48888884",
    "04888840",
    "00488400",
    "00044000",
    "00000000",
)
SIDE = 4
NAMES = ("mean", "right", "bottom", "checker")
CLASS_TOKEN: Vector = (0.5, -0.5, 0.5, -0.5)


@frozen
class Toy:
    """All values of the example, in raster order.

    `image` (8, 8) whole numbers, `patches` (4, 16), `weight` (4, 16), `projected` (4, 4) = patches x weight
    transposed, `positions` (4, 4), `class_token` (4,), `sequence` (5, 4).
    """

    image: tuple[tuple[int, ...], ...]
    patches: tuple[tuple[int, ...], ...]
    weight: Matrix
    projected: Matrix
    positions: Matrix
    class_token: Vector
    sequence: Matrix


def toy() -> Toy:
    """The example, computed.

    >>> len(toy().sequence), toy().positions[0]
    (5, (0.0, 1.0, 0.0, 1.0))
    """
    image = tuple(tuple(map(int, line)) for line in PICTURE)
    cells = [(row, col) for row in range(len(image) // SIDE) for col in range(len(image[0]) // SIDE)]
    patches = tuple(_cut(image, row, col) for row, col in cells)
    weight = _weight()
    projected = tuple(
        tuple(sum(w * x for w, x in zip(line, patch, strict=True)) for line in weight) for patch in patches
    )
    positions = tuple((math.sin(row), math.cos(row), math.sin(col), math.cos(col)) for row, col in cells)
    added = tuple(tuple(map(sum, zip(*pair, strict=True))) for pair in zip(projected, positions, strict=True))
    return Toy(image, patches, weight, projected, positions, CLASS_TOKEN, (CLASS_TOKEN, *added))


def _cut(image: Sequence[Sequence[int]], row: int, col: int) -> tuple[int, ...]:
    """The numbers of one patch, its lines one after another."""
    lines = image[row * SIDE : (row + 1) * SIDE]
    return tuple(value for line in lines for value in line[col * SIDE : (col + 1) * SIDE])


def _weight() -> Matrix:
    """Four patterns of +1/16 and -1/16: all, right minus left half, bottom minus top, even minus odd cells."""
    cells = [(row, col) for row in range(SIDE) for col in range(SIDE)]
    patterns = (
        [1 for _ in cells],
        [1 if col >= SIDE // 2 else -1 for _, col in cells],
        [1 if row >= SIDE // 2 else -1 for row, _ in cells],
        [1 if (row + col) % 2 == 0 else -1 for row, col in cells],
    )
    return tuple(tuple(sign / SIDE**2 for sign in pattern) for pattern in patterns)


def numbers() -> str:
    """The page of `vistoken look --numbers`: at most 80 columns and 45 lines, every number computed."""
    values = toy()
    parts = (
        ["From pixels to tokens, in numbers: an 8x8 picture, 4x4 patches, vectors of 4."],
        ["1 CUT the picture into 2 x 2 patches of 4 x 4 pixels, counted row by row.", *_picture(values)],
        ["2 FLATTEN each patch, line after line, to 16 numbers.", *_patches(values)],
        ["3 PROJECT: add the numbers under +, subtract those under -, divide by 16.", *_projection(values)],
        ["4 ADD POSITION of (row, col): [sin row, cos row, sin col, cos col], in radians.", *_positions(values)],
        ["5 CLASS TOKEN: a learned vector goes in front; the sequence is 5 x 4.", *_sequence(values)],
        ["ViT-B/16 does the same with 16 x 16 x 3 = 768 numbers, and learns the patterns."],
    )
    return "\n\n".join("\n".join(part) for part in parts)


def _picture(values: Toy) -> list[str]:
    """The picture with a dot for 0, cut in four; which patch is which at its right."""
    lines = []
    for number, line in enumerate(values.image):
        shown = [str(value or ".") for value in line]
        text = " | ".join(" ".join(shown[start : start + SIDE]) for start in range(0, len(line), SIDE))
        first = number // SIDE * 2
        lines.append(f"    {text}" + (f"      patch {first} | patch {first + 1}" if number % SIDE == 1 else ""))
        if number == SIDE - 1:
            lines.append(f"    {'-' * 8}+{'-' * 8}      {'-' * 8}+{'-' * 8}")
    lines[0] += "      (a dot is 0)"
    return lines


def _patches(values: Toy) -> list[str]:
    return [f"    patch {number}: {' '.join(map(str, patch))}" for number, patch in enumerate(values.patches)]


def _projection(values: Toy) -> list[str]:
    """The patterns as little pictures, with what they make of every patch at their right, and one sum in full."""
    signs = [["+" if w > 0 else "-" for w in line] for line in values.weight]
    lines = ["    " + "".join(f"{name:<9}" for name in NAMES) + "         " + " ".join(f"{name:>7}" for name in NAMES)]
    for number, vector in enumerate(values.projected):
        cells = "".join(f"{' '.join(sign[number * SIDE : (number + 1) * SIDE]):<9}" for sign in signs)
        lines.append(f"    {cells}patch {number}: {_vector(vector)}")
    pairs = list(zip(values.patches[0], values.weight[1], strict=True))
    plus, minus = sum(x for x, w in pairs if w > 0), sum(x for x, w in pairs if w < 0)
    return [*lines, f"    For example patch 0, {NAMES[1]}: ({plus} - {minus}) / 16 = {values.projected[0][1]:.2f}"]


def _positions(values: Toy) -> list[str]:
    cells = [(row, col) for row in range(2) for col in range(2)]
    lines = enumerate(zip(cells, values.projected, values.positions, strict=True))
    return [f"    patch {number} at {cell}: {_vector(x)} + {_vector(p)}" for number, (cell, x, p) in lines]


def _sequence(values: Toy) -> list[str]:
    names = ("class  ", *(f"patch {number}" for number in range(len(values.patches))))
    return [f"    {name}: {_vector(vector)}" for name, vector in zip(names, values.sequence, strict=True)]


def _vector(vector: Sequence[float]) -> str:
    return "[" + " ".join(f"{value:5.2f}" for value in vector) + "]"
