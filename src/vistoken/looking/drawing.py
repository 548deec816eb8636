"""The composition: from a picture, its count and, where there are any, features to one titled drawing."""

from __future__ import annotations

from PIL import Image, ImageDraw

from vistoken import pixels
from vistoken.counting import TokenCount
from vistoken.errors import UsageError
from vistoken.geometry import Box
from vistoken.looking import heat
from vistoken.looking.heat import Features
from vistoken.looking.ink import (
    BOX,
    HAIR,
    INK,
    MUTED,
    PAPER,
    TEXT,
    column,
    framed,
    letters,
    number_of,
    panel,
    paragraph,
    row,
    shorten,
    wrap,
)
from vistoken.looking.panels import GUTTER, Lattice, extent, fit, number_size, remainder, seen, sight
from vistoken.looking.strip import merge_side, sequence
from vistoken.views import View

MARGIN, GAP = 44, 40
LEFT, RIGHT = 450, 1008 + GUTTER
WIDTH = LEFT + GAP + RIGHT
# A picture that is so many times wider than high gets the full width.
WIDE = 2.4
# A grid that is so many times wider than high has its heat maps below one another.
WIDE_MAPS = 8
# So many views are drawn, so many beside one another; so many steps are told.
MOST_VIEWS, ACROSS, MOST_STEPS = 8, 4, 14


def draw(picture: Image.Image, result: TokenCount, features: Features | None = None, missing: str = "") -> Image.Image:
    """Draw what the model sees of `picture`: at most 1,700 x 2,400 pixels, RGB.

    Args:
        picture: the source, upright and RGB, of the size that `result` was counted for.
        result: the count, whose views are drawn.
        features: arrays of the first view; drawn as heat maps. These need numpy, nothing else does.
        missing: what could not be shown and how to get it; printed at the bottom.

    Raises `UsageError` where sizes do not agree, `InputError` where a view would need too many pixels, and
    `MissingExtra` where features are given and numpy is not there.
    """
    size = pixels.size_of(picture)
    if size != result.size:
        raise UsageError(f"the picture is {size} and the count is for {result.size}: count the picture that is drawn")
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    carried = [pixels.carry_out(picture, view) for view in result.views[:MOST_VIEWS]]
    blocks = [_header(result), *_pictures(picture, result, carried), _sequence(result, carried[0])]
    if features is not None:
        blocks += _features(features, result)
    if missing:
        blocks.append(_note(missing))
    return framed(column(blocks, GAP), MARGIN)


def _header(result: TokenCount) -> Image.Image:
    image = Image.new("RGB", (WIDTH, 84), PAPER)
    pen = ImageDraw.Draw(image)
    pen.text((0, 0), shorten(result.model, 34, WIDTH), fill=INK, font=letters(34))
    parts = " + ".join(number_of(value, name) for name, value in result.rows)
    total = f"{result.tokens:,} tokens: " if len(result.rows) > 1 else ""
    text = f"source {result.size} pixels  ·  {total}{parts}"
    pen.text((0, 48), shorten(text, 18, WIDTH), fill=MUTED, font=letters(18))
    pen.line((0, 82, WIDTH, 82), fill=HAIR, width=2)
    return image


# ---------------------------------------------------------------- pictures


def _pictures(picture: Image.Image, result: TokenCount, carried: list[Image.Image]) -> list[Image.Image]:
    """Source, steps and views: in two columns, and what is very wide in a line of its own."""
    wide_source = picture.width > WIDE * picture.height
    view = result.views[0].size
    wide_views = len(result.views) > 1 or view.width > WIDE * view.height
    source = _source(picture, result, WIDTH if wide_source else LEFT)
    room = (WIDTH, 480) if wide_views else (RIGHT, 760 if wide_source else 1008)
    views = _views(result, carried, room)
    if wide_source and wide_views:
        return [source, views, _steps(result, WIDTH)]
    if wide_source:
        return [source, row([_steps(result, LEFT), views], GAP)]
    if wide_views:
        return [row([source, _steps(result, RIGHT)], GAP), views]
    return [row([column([source, _steps(result, LEFT)], GAP), views], GAP)]


def _source(picture: Image.Image, result: TokenCount, width: int) -> Image.Image:
    many = len(result.views) > 1
    body = sight(picture, result.views, (width, 240 if width == WIDTH else 300 if many else 560))
    covered = all(_covers(view) for view in result.views)
    caption = "All of it is seen." if covered else "Orange: what is seen. Dimmed: what is not."
    if many:
        caption = f"Orange: the boxes of the {len(result.views)} views, numbered from 0."
    if extent(*picture.size, result.views) != Box(0, 0, *picture.size):
        caption += " Hatched: padding."
    return panel("The picture", caption, body, width)


def _covers(view: View) -> bool:
    area, source = view.box, view.source
    return area.left <= 0 and area.top <= 0 and area.right >= source.width and area.bottom >= source.height


def _steps(result: TokenCount, width: int) -> Image.Image:
    lines = [line.strip() for line in result.explain().splitlines()[1:]]
    if len(lines) > MOST_STEPS:
        lines = [*lines[: MOST_STEPS - 3], "...", *lines[-2:]]
    wrapped = [part for line in lines for part in wrap(line, TEXT, width, indent="    ")]
    return panel("Step by step", "", paragraph(wrapped, width), width)


def _views(result: TokenCount, carried: list[Image.Image], room: tuple[int, int]) -> Image.Image:
    side, (width, height) = merge_side(result.spec.prompt), room
    if len(result.views) == 1:
        view, inner = result.views[0], (width - GUTTER, height)
        return panel(
            "What the model sees", _view_caption(view, side, inner), seen(carried[0], view, side, inner), width
        )
    left_out = len(result.views) - len(carried)
    caption = f"{len(result.views)} views" + (f", {left_out} of which are left out here" if left_out else "")
    caption += ". Where numbers stand at the edges, that of a patch is the sum of the two."
    across = min(ACROSS, len(carried))
    card = (width - GAP * (across - 1)) // across
    inner = (card - GUTTER, 340 if len(carried) <= ACROSS else 240)
    cards = [_card(number, image, result.views[number], side, inner) for number, image in enumerate(carried)]
    lines = [row(cards[start : start + across], GAP) for start in range(0, len(cards), across)]
    return panel("What the model sees", caption, column(lines, 24), width)


def _card(number: int, carried: Image.Image, view: View, side: int, room: tuple[int, int]) -> Image.Image:
    width = room[0] + GUTTER
    words = wrap(f"view {number}: {view.size}, {view.grid} patches. {remainder(view)}", TEXT, width)
    return column([paragraph(words, width), seen(carried, view, side, room)], 6)


def _view_caption(view: View, side: int, room: tuple[int, int]) -> str:
    """What the grid is, and how to find a token on it."""
    grid, lattice = view.grid, Lattice.of(view, fit(view.size.width, view.size.height, room), side)
    text = [f"{view.size} pixels, {grid} = {grid.patches:,} patches of {view.patch.width}x{view.patch.height} pixels."]
    if number_size(lattice):
        text.append("Patches are numbered row by row.")
    else:
        text.append("The number of a patch is the one at its left plus the one above it.")
    if lattice.step == side > 1:
        text.append(f"Each cell is {side} x {side} patches, which become one token.")
    elif lattice.step > 1:
        text.append(f"One line every {lattice.step} patches.")
    elif side > 1:
        text.append(f"Strong lines: {side} x {side} patches become one token.")
    return " ".join([*text, remainder(view)]).strip()


# ---------------------------------------------------------------- sequence, features, note


def _sequence(result: TokenCount, carried: Image.Image) -> Image.Image:
    return panel("The sequence", "", sequence(result, carried, WIDTH), WIDTH)


def _features(features: Features, result: TokenCount) -> list[Image.Image]:
    """Both maps side by side, or below one another where the grid is very wide."""
    grid = result.views[0].grid
    wide = grid.cols > WIDE_MAPS * grid.rows
    crowded = len(result.views) > 1 or result.size.width > WIDE * result.size.height
    width = WIDTH if wide else (WIDTH - GAP) // 2
    height = 250 if wide else 480 if crowded else 560
    found = [panel(*parts, width) for parts in heat.panels(features, grid, (width, height))]
    blocks = (found if wide else [row(found, GAP)]) if found else []
    words = [f"Features: {features.source}."] if features.source else []
    if features.tokens is None and features.prefix:
        words.append(heat.prefix_text(features.prefix))
    return blocks + ([paragraph(wrap(" ".join(words), TEXT, WIDTH), WIDTH)] if words else [])


def _note(text: str) -> Image.Image:
    """A plain text line behind a mark."""
    words = [line for part in text.splitlines() for line in wrap(part, TEXT, WIDTH - 20)]
    body = paragraph(words, WIDTH - 20, colour=INK)
    mark = Image.new("RGB", (20, body.height), PAPER)
    ImageDraw.Draw(mark).rectangle((0, 0, 4, body.height), fill=BOX)
    return row([mark, body])
