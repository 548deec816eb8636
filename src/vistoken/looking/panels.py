"""The two pictures of a drawing: the source with what is seen of it, and each view with its grid of patches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from PIL import Image, ImageDraw

from vistoken.frozen import frozen
from vistoken.geometry import Box
from vistoken.looking.ink import BOX, INK, MUTED, PAPER, SMALL, UNSEEN, dimmed, hatch, length, number_of, write
from vistoken.views import View

# A side is drawn with at least so many pixels, be the picture ever so thin.
THINNEST = 24
# Cells are divided by lines where they are drawn at least so wide. Labels at the edge need so much height.
NARROWEST, LABEL = 6.0, 13.0
# Patches inside of merge blocks are divided, too, where they are at least so wide.
DIVIDED = 10.0
# A number takes at most this part of the width and of the height of its cell.
PART = 0.55, 0.38
# Pictures that are enlarged so many times or more are enlarged by whole numbers, with square pixels.
SQUARE = 3
GUTTER = 46


def fit(width: float, height: float, room: tuple[int, int]) -> tuple[int, int]:
    """The size to draw a `width` x `height` picture at in `room` pixels; whole multiples where it is enlarged."""
    factor = min(room[0] / width, room[1] / height)
    factor = float(int(factor)) if factor >= SQUARE else factor
    return max(min(THINNEST, room[0]), round(width * factor)), max(min(THINNEST, room[1]), round(height * factor))


def scale(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`image` at `size`: its pixels stay visible where it is much enlarged, and are averaged where it shrinks."""
    if size[0] >= SQUARE * image.width and size[1] >= SQUARE * image.height:
        return image.resize(size, Image.Resampling.NEAREST)
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


# ---------------------------------------------------------------- the source


def extent(width: int, height: int, views: Sequence[View]) -> Box:
    """What has to be drawn to show the picture and all boxes, those that lie partly on padding too."""
    boxes = [Box(0, 0, width, height), *(view.box for view in views)]
    return Box(
        left=min(each.left for each in boxes),
        top=min(each.top for each in boxes),
        right=max(each.right for each in boxes),
        bottom=max(each.bottom for each in boxes),
    )


def sight(picture: Image.Image, views: Sequence[View], room: tuple[int, int]) -> Image.Image:
    """The source with the boxes of the views; what none of them covers is dimmed, padding is hatched."""
    around = extent(*picture.size, views)
    size = fit(around.width, around.height, room)
    image = Image.new("RGB", size, PAPER)
    hatch(image, (0, 0, *size))
    left, top, right, bottom = _drawn(Box(0, 0, *picture.size), around, size)
    image.paste(scale(picture, (right - left, bottom - top)), (left, top))
    areas = [_drawn(view.box, around, size) for view in views]
    image = _dimmed(image, areas)
    for area in areas:
        _outline(image, area, 3 if len(areas) == 1 else 2)
    if len(areas) > 1:
        _tag(image, areas)
    return image


def _drawn(area: Box, around: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box of the source in drawn pixels (left, top, right, bottom; the last two excluded), never empty."""
    x, y = size[0] / around.width, size[1] / around.height
    left, top = round((area.left - around.left) * x), round((area.top - around.top) * y)
    left, top = min(left, size[0] - 1), min(top, size[1] - 1)
    return (
        left,
        top,
        max(left + 1, round((area.right - around.left) * x)),
        max(top + 1, round((area.bottom - around.top) * y)),
    )


def _outline(image: Image.Image, area: tuple[int, int, int, int], width: int) -> None:
    """The colour of boxes on the inner edge of `area`, and a hair of light inside of it for pictures of that colour."""
    pen, (left, top, right, bottom) = ImageDraw.Draw(image), area
    if min(right - left, bottom - top) > 4 * width:
        pen.rectangle((left, top, right - 1, bottom - 1), outline=PAPER, width=width + 1)
    pen.rectangle((left, top, right - 1, bottom - 1), outline=BOX, width=width)


def _dimmed(image: Image.Image, areas: Sequence[tuple[int, int, int, int]]) -> Image.Image:
    unseen = Image.new("L", image.size, 255)
    for area in areas:
        unseen.paste(0, area)
    return Image.composite(dimmed(image), image, unseen)


def _tag(image: Image.Image, areas: Sequence[tuple[int, int, int, int]], most: int = 24) -> None:
    """Number the boxes from 0 in their upper left corner; those that share it one below the other."""
    taken: Counter[tuple[int, int]] = Counter()
    for number, area in enumerate(areas[:most]):
        left, top = area[0] + 2, area[1] + 2 + 16 * taken[area[:2]]
        taken[area[:2]] += 1
        ImageDraw.Draw(image).rectangle((left, top, left + length(str(number), SMALL) + 6, top + 14), fill=BOX)
        write(image, (left + 4, top + 2), str(number), SMALL, PAPER)


# ---------------------------------------------------------------- one view and its grid


@frozen
class Lattice:
    """A grid as it is drawn: `width` x `height` pixels for the cells, of which `side` x `side` are merged."""

    rows: int
    cols: int
    width: float
    height: float
    side: int

    @classmethod
    def of(cls, view: View, size: tuple[int, int], side: int) -> Lattice:
        """The grid of `view`, drawn at `size` with its unread remainder."""
        width = size[0] * view.patch.width * view.grid.cols / view.size.width
        height = size[1] * view.patch.height * view.grid.rows / view.size.height
        return cls(view.grid.rows, view.grid.cols, width, height, side)

    @property
    def step(self) -> int:
        """A line every so many patches: 1 where they are large enough, else whole merge blocks, doubled as needed."""
        cell = min(self.width / self.cols, self.height / self.rows)
        step = 1 if self.side == 1 or cell >= DIVIDED else self.side
        while step * cell < NARROWEST and step < max(self.rows, self.cols):
            step *= 2
        return step

    def x(self, col: int) -> int:
        """Where column `col` begins, in drawn pixels."""
        return round(col * self.width / self.cols)

    def y(self, row: int) -> int:
        """Where row `row` begins, in drawn pixels."""
        return round(row * self.height / self.rows)


def seen(carried: Image.Image, view: View, side: int, room: tuple[int, int]) -> Image.Image:
    """What the model sees: the carried-out view, its grid, and a number for every patch or along two edges."""
    size = fit(view.size.width, view.size.height, room)
    lattice = Lattice.of(view, size, side)
    image = scale(carried, size)
    right, bottom = lattice.x(lattice.cols), lattice.y(lattice.rows)
    hatch(image, (right, 0, *size))
    hatch(image, (0, bottom, right, size[1]))
    _lines(image, lattice)
    if number_size(lattice):
        _number_cells(image, lattice)
        return image
    return _number_edges(image, lattice)


def _lines(image: Image.Image, lattice: Lattice) -> None:
    """Each line is dark beside light, so that it shows on any picture; the edges of merge blocks are stronger."""
    pen = ImageDraw.Draw(image, "RGBA")
    right, bottom = lattice.x(lattice.cols), lattice.y(lattice.rows)
    for number in range(0, lattice.cols + 1, lattice.step):
        x = min(lattice.x(number), image.width - 1)
        _line(pen, (x, 0, x, bottom), _strong(number, lattice))
    for number in range(0, lattice.rows + 1, lattice.step):
        y = min(lattice.y(number), image.height - 1)
        _line(pen, (0, y, right, y), _strong(number, lattice))


def _strong(number: int, lattice: Lattice) -> bool:
    return lattice.side > 1 and lattice.step < lattice.side and number % lattice.side == 0


def _line(pen: ImageDraw.ImageDraw, ends: tuple[int, int, int, int], strong: bool) -> None:
    across = (1, 0) if ends[0] == ends[2] else (0, 1)
    dark, light = ((*MUTED, 255), (*PAPER, 255)) if strong else ((*MUTED, 120), (*PAPER, 105))
    for offset, colour in ((-1, light), (0, dark), (1, light)) if strong else ((0, dark), (1, light)):
        x, y = across[0] * offset, across[1] * offset
        pen.line((ends[0] + x, ends[1] + y, ends[2] + x, ends[3] + y), fill=colour)


def number_size(lattice: Lattice) -> int:
    """The size of letters for a number in every cell, or 0 where they would not be legible."""
    last = str(lattice.rows * lattice.cols - 1)
    cell_width, cell_height = lattice.width / lattice.cols, lattice.height / lattice.rows
    fitting = [
        size for size in range(10, 19) if length(last, size) <= PART[0] * cell_width and size <= PART[1] * cell_height
    ]
    return fitting[-1] if fitting else 0


def _number_cells(image: Image.Image, lattice: Lattice) -> None:
    """Dark numbers in a light picture and light ones in a dark picture, on a veil of the other."""
    ink, veil = (INK, PAPER) if _mean(image.convert("L")) > 140 else (PAPER, INK)
    pen, size = ImageDraw.Draw(image, "RGBA"), number_size(lattice)
    for row in range(lattice.rows):
        for col in range(lattice.cols):
            text, left, top = str(row * lattice.cols + col), lattice.x(col) + 2, lattice.y(row) + 2
            pen.rectangle((left, top, left + round(length(text, size)) + 3, top + size + 1), fill=(*veil, 120))
            write(image, (left + 2, top + size / 2 + 0.5), text, size, ink, anchor="lm")


def _mean(grey: Image.Image) -> float:
    histogram = grey.histogram()
    return sum(value * times for value, times in enumerate(histogram)) / sum(histogram)


def _number_edges(image: Image.Image, lattice: Lattice) -> Image.Image:
    """First tokens of rows at the left, of columns at the top: the number of a patch is the sum of the two."""
    framed = Image.new("RGB", (image.width + GUTTER, image.height + 18), PAPER)
    framed.paste(image, (GUTTER, 18))
    wide = length(str(lattice.cols), SMALL) + 8
    for col in range(0, lattice.cols, _every(wide, lattice.width / lattice.cols)):
        write(framed, (GUTTER + lattice.x(col), 3), str(col), SMALL, MUTED)
    for row in range(0, lattice.rows, _every(LABEL, lattice.height / lattice.rows)):
        at = (GUTTER - 5, 18 + lattice.y(row))
        write(framed, (at[0], at[1] + 1), f"{row * lattice.cols:,}", SMALL, MUTED, anchor="ra")
        ImageDraw.Draw(framed).line((at[0] + 1, at[1], GUTTER - 1, at[1]), fill=UNSEEN)
    return framed


def _every(needed: float, cell: float) -> int:
    """The least of 1, 2, 5, 10, 20, ... cells that are `needed` pixels together."""
    step, factors = 1, (2.0, 2.5, 2.0)
    number = 0
    while step * cell < needed:
        step, number = round(step * factors[number % 3]), number + 1
    return step


def remainder(view: View) -> str:
    """What the grid leaves unread, in words; empty where it covers the view."""
    right = view.size.width - view.grid.cols * view.patch.width
    bottom = view.size.height - view.grid.rows * view.patch.height
    sides = ((right, "at the right"), (bottom, "at the bottom"))
    parts = [f"{number_of(count, 'pixel')} {where}" for count, where in sides if count]
    return f"Hatched: {' and '.join(parts)}, which no patch reads." if parts else ""
