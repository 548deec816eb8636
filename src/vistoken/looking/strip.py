"""The sequence as a strip of tiles: prefix tokens, then patches; and what a language model receives of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

from vistoken.counting import TokenCount
from vistoken.frozen import frozen
from vistoken.looking.ink import (
    HAIR,
    INK,
    MUTED,
    PAPER,
    PREFIX,
    SMALL,
    TEXT,
    column,
    length,
    number_of,
    paragraph,
    shorten,
    wrap,
    write,
)
from vistoken.prompts.layout import Layout
from vistoken.prompts.plain import Merged
from vistoken.spec import PrefixToken
from vistoken.views import View

TILE, GAP = 50, 6
# So many prefix tokens get a tile of their own; so many tokens stand behind the gap.
PREFIX_TILES, ENDING = 6, 3


@frozen
class Tile:
    """One token of the strip, or (without a picture) a gap that stands for several."""

    image: Image.Image | None
    label: str


def merge_side(prompt: Layout | None) -> int:
    """Patches along one side of what becomes one image token; 1 where blocks of patches do not become tokens."""
    return prompt.merge.side if isinstance(prompt, Merged) else 1


def sequence(result: TokenCount, carried: Image.Image, width: int) -> Image.Image:
    """The block of all strips: what the encoder computes and, for a model with a prompt, what its LLM receives."""
    view, prefix = result.views[0], result.spec.encoder.prefix if result.spec.encoder else ()
    cells = view.grid.rows * view.grid.cols
    own = strip(prefix_tiles(prefix), cells, lambda number: cut(carried, view, number, 1), width)
    parts = [_words(encoder_line(result), width), own]
    if isinstance(result.spec.prompt, Merged):
        side = merge_side(result.spec.prompt)
        merged = strip([], cells // side**2, lambda number: cut(carried, view, number, side), width)
        parts += [Image.new("RGB", (width, 8), PAPER), _words(prompt_line(result), width), merged]
    elif result.spec.prompt:
        parts += [Image.new("RGB", (width, 8), PAPER), _words(prompt_line(result), width)]
    return column(parts, 6)


def _words(text: str, width: int) -> Image.Image:
    return paragraph(wrap(text, TEXT, width), width, colour=INK)


def encoder_line(result: TokenCount) -> str:
    """What the encoder's sequence consists of, as a sum."""
    if result.patches is None:
        return f"In the encoder: unknown, behind an API; {number_of(len(result.views), 'view')}"
    prefix = result.spec.encoder.prefix if result.spec.encoder else ()
    parts = [number_of(token.count * len(result.views), token.label) for token in prefix]
    total = result.tiling.patches + result.prefix_tokens
    patches = f"{result.patches:,} patches"
    views = f" in {len(result.views)} views (below: view 0)" if len(result.views) > 1 else ""
    ends = f" = {total:,} tokens" if parts else ""
    # Blocks stand together in what a merging model's own processor packs; attention does not care, and our order is
    # always raster.
    order = ", drawn row by row" if result.spec.prompt else ""
    return f"In the encoder: {' + '.join([*parts, patches])}{ends}{order}{views}"


def prompt_line(result: TokenCount) -> str:
    """What reaches the language model, for example "26 x 46 = 1,196 image tokens after merging 2 x 2"."""
    if not isinstance(result.spec.prompt, Merged):
        return f"In the prompt: {result.sequence}"
    side, grid = merge_side(result.spec.prompt), result.views[0].grid
    merged = f"{result.image_tokens or 0:,} image tokens after merging {side} x {side}"
    if len(result.views) > 1:
        text = f"In the prompt: {result.patches:,} patches of {len(result.views)} views = {merged}"
    else:
        frames = f"{grid.frames} x " if grid.frames > 1 else ""
        text = f"In the prompt: {frames}{grid.rows // side} x {grid.cols // side} = {merged}"
    return text + (f", and {result.marker_tokens:,} marker tokens" if result.marker_tokens else "")


def cut(carried: Image.Image, view: View, number: int, side: int) -> Image.Image:
    """The pixels of token `number`, a block of `side` x `side` patches, in raster order of the blocks."""
    row, col = divmod(number, view.grid.cols // side)
    width, height = view.patch.width * side, view.patch.height * side
    return carried.crop((col * width, row * height, (col + 1) * width, (row + 1) * height))


def prefix_tiles(prefix: Sequence[PrefixToken]) -> list[Tile]:
    """A tile for each prefix token, named by its key; a gap where there are too many."""
    names = [
        token.key if token.count == 1 else f"{token.key} {number}" for token in prefix for number in range(token.count)
    ]
    tiles = [Tile(_named(name), name) for name in names[:PREFIX_TILES]]
    return tiles + ([Tile(None, f"{len(names) - PREFIX_TILES} more")] if len(names) > PREFIX_TILES else [])


def _named(name: str) -> Image.Image:
    image = Image.new("RGB", (TILE, TILE), PREFIX)
    write(image, (TILE / 2, TILE / 2), shorten(name, 14, TILE - 4), 14, PAPER, anchor="mm")
    return image


def strip(first: list[Tile], count: int, picture: Callable[[int], Image.Image], width: int) -> Image.Image:
    """The tiles `first`, then `count` numbered tokens whose tiles `picture` makes, the middle left out if need be."""
    room = (width + GAP) // (TILE + GAP) - len(first)
    tiles = list(first)
    if count <= room:
        tiles += [_token(picture, number) for number in range(count)]
    else:
        shown = room - 2 - ENDING
        tiles += [_token(picture, number) for number in range(shown)]
        tiles.append(Tile(None, f"{count - shown - ENDING:,} more"))
        tiles += [_token(picture, number) for number in range(count - ENDING, count)]
    return _laid_out(tiles, width)


def _token(picture: Callable[[int], Image.Image], number: int) -> Tile:
    image = picture(number)
    filter = Image.Resampling.NEAREST if image.width < TILE else Image.Resampling.LANCZOS
    tile = image.resize((TILE, TILE), filter)
    ImageDraw.Draw(tile).rectangle((0, 0, TILE - 1, TILE - 1), outline=HAIR)
    return Tile(tile, f"{number:,}")


def _laid_out(tiles: Sequence[Tile], width: int) -> Image.Image:
    """The tiles beside one another; gaps share what they leave of the width."""
    image, left = Image.new("RGB", (width, TILE + 18), PAPER), 0
    filled = sum(tile.image is not None for tile in tiles)
    spare = (width - filled * TILE - (len(tiles) - 1) * GAP) // max(1, len(tiles) - filled)
    for tile in tiles:
        room = TILE if tile.image else spare
        middle = left + room / 2
        if tile.image:
            image.paste(tile.image, (left, 0))
            write(image, (middle, TILE + 4), tile.label, SMALL, MUTED, anchor="ma")
        else:
            _gap(image, middle, shorten(tile.label, SMALL, room))
        left += room + GAP
    return image


def _gap(image: Image.Image, middle: float, label: str) -> None:
    pen = ImageDraw.Draw(image)
    for offset in (-12, 0, 12):
        pen.ellipse((middle + offset - 2, TILE / 2 - 2, middle + offset + 2, TILE / 2 + 2), fill=MUTED)
    write(image, (middle - length(label, SMALL) / 2, TILE + 4), label, SMALL, MUTED)
