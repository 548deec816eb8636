"""Colours, letters and blocks: what every panel of a drawing is made of.

A block is a plain RGB picture on paper. Panels are blocks that are stacked and put side by side, each in the room of
its own, so that nothing can overlap. Pillow's built-in font knows ASCII and little more: captions keep to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

Colour: TypeAlias = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
INK: Colour = (27, 39, 51)
MUTED: Colour = (88, 100, 114)
HAIR: Colour = (206, 213, 220)
PALE: Colour = (240, 243, 246)
UNSEEN: Colour = (150, 160, 170)
# Vermilion and blue of Okabe and Ito's palette, which people of any colour vision tell apart.
BOX: Colour = (213, 94, 0)
PREFIX: Colour = (0, 114, 178)

TITLE, TEXT, SMALL = 21, 15, 11


@cache
def letters(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font at `size` pixels."""
    return ImageFont.load_default(size=size)


def length(text: str, size: int) -> float:
    """Width of `text` in pixels."""
    return letters(size).getlength(text)


def write(
    image: Image.Image, at: tuple[float, float], text: str, size: int, colour: Colour = INK, anchor: str = "la"
) -> None:
    """Put one line of `text` at `at`, by default its upper left corner (Pillow's text anchors)."""
    ImageDraw.Draw(image).text(at, text, fill=colour, font=letters(size), anchor=anchor)


def shorten(text: str, size: int, width: float) -> str:
    """`text`, its end replaced by "..." where it is wider than `width` pixels."""
    if length(text, size) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if length(text[:middle] + "...", size) <= width else (low, middle - 1)
    return text[:low] + "..."


def wrap(text: str, size: int, width: float, indent: str = "") -> list[str]:
    """`text` in lines of at most `width` pixels, broken at spaces; lines after the first begin with `indent`."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines[-1].strip() else lines[-1] + word
        if lines[-1].strip() and length(longer, size) > width:
            lines.append(indent + word)
        else:
            lines[-1] = longer
    return [shorten(line, size, width) for line in lines]


def number_of(count: int, name: str) -> str:
    """For example "1 class token", "7 class tokens"."""
    return f"{count:,} {name}" + ("s" if count != 1 and not name.endswith(("s", "es")) else "")


def paragraph(lines: Sequence[str], width: int, size: int = TEXT, colour: Colour = MUTED) -> Image.Image:
    """A block of text; the lines must be wrapped already."""
    pitch = round(size * 1.42)
    image = Image.new("RGB", (width, max(1, pitch * len(lines))), PAPER)
    for number, line in enumerate(lines):
        write(image, (0, number * pitch + (pitch - size) / 2), line, size, colour)
    return image


def panel(title: str, caption: str, body: Image.Image, width: int) -> Image.Image:
    """A block of `width` pixels: title, caption, body."""
    head = Image.new("RGB", (width, TITLE + 7), PAPER)
    text = shorten(title, TITLE, width)
    ImageDraw.Draw(head).text((0, 0), text, fill=INK, font=letters(TITLE), stroke_width=0.3, stroke_fill=INK)
    words = [paragraph(wrap(caption, TEXT, width), width)] if caption else []
    return column([head, *words, Image.new("RGB", (width, 10), PAPER), body])


def column(blocks: Sequence[Image.Image], gap: int = 0) -> Image.Image:
    """Blocks below one another, flush left."""
    height = sum(block.height for block in blocks) + gap * (len(blocks) - 1)
    image, top = Image.new("RGB", (max(block.width for block in blocks), height), PAPER), 0
    for block in blocks:
        image.paste(block, (0, top))
        top += block.height + gap
    return image


def row(blocks: Sequence[Image.Image], gap: int = 0) -> Image.Image:
    """Blocks beside one another, flush at the top."""
    width = sum(block.width for block in blocks) + gap * (len(blocks) - 1)
    image, left = Image.new("RGB", (width, max(block.height for block in blocks)), PAPER), 0
    for block in blocks:
        image.paste(block, (left, 0))
        left += block.width + gap
    return image


def framed(body: Image.Image, margin: int) -> Image.Image:
    """The block with an empty margin around it."""
    image = Image.new("RGB", (body.width + 2 * margin, body.height + 2 * margin), PAPER)
    image.paste(body, (margin, margin))
    return image


def dimmed(image: Image.Image) -> Image.Image:
    """The picture, mostly grey: what is not seen. White turns darker and black lighter."""
    return Image.blend(image, Image.new("RGB", image.size, UNSEEN), 0.68)


def hatch(image: Image.Image, area: tuple[int, int, int, int], pitch: int = 7) -> None:
    """Grey out `area` (left, top, right, bottom; the last two excluded) under thin diagonals, in place."""
    width, height = area[2] - area[0], area[3] - area[1]
    if width <= 0 or height <= 0:
        return
    tile = dimmed(image.crop(area))
    pen = ImageDraw.Draw(tile)
    for start in range(-height, width, pitch):
        pen.line((start, height, start + height, 0), fill=PALE, width=1)
    image.paste(tile, area[:2])
