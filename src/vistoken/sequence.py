"""The pieces that stand in the prompt for one picture: image tokens, and what the processor writes around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import assert_never

from vistoken.frozen import frozen


@frozen
class Image:
    """A run of positions of the LLM's input that visual embeddings fill.

    Learned newlines and separators count among them where the model's processor writes the image token for them.
    `what` says what the run shows, for people: a grid of tokens, or words.
    """

    tokens: int
    what: object = ""


@frozen
class Marker:
    """One special token that the processor itself writes, by its name in the vocabulary."""

    name: str


@frozen
class Text:
    """Plain text that the processor writes; its token count depends on the tokenizer."""

    text: str


@frozen
class Repeat:
    """Pieces that are written `times` times.

    Where `counter` is a word, `{word}` in the names and texts within stands for the number of the round, from
    `start` on: `<row_{row}_col_{col}>`. `words` writes that number: in digits, or as what it counts (a time).
    """

    times: int
    pieces: tuple[Piece, ...]
    counter: str = ""
    start: int = 1
    words: Callable[[int], str] = str


Piece = Image | Marker | Text | Repeat


@frozen
class Sequence:
    """The ordered pieces of one picture (or video) in the prompt.

    >>> row = (Image(3), Marker("[IMG_BREAK]"))
    >>> picture = Sequence((Repeat(1, row), Image(3), Marker("[IMG_END]")))
    >>> picture.image_tokens, picture.marker_tokens
    (6, 2)
    >>> picture.render("[IMG]")
    '[IMG][IMG][IMG][IMG_BREAK][IMG][IMG][IMG][IMG_END]'
    """

    pieces: tuple[Piece, ...]

    @property
    def image_tokens(self) -> int:
        return _sum(self.pieces)[0]

    @property
    def marker_tokens(self) -> int:
        return _sum(self.pieces)[1]

    @property
    def counts(self) -> tuple[int, int]:
        """Image tokens and marker tokens."""
        return _sum(self.pieces)

    @property
    def text(self) -> tuple[str, ...]:
        """The strings of plain text, in order."""
        return tuple(piece.text for piece in self.flat() if isinstance(piece, Text))

    def flat(self) -> Iterator[Image | Marker | Text]:
        """The pieces one after another: repetitions written out, numbers put in."""
        return _flat(self.pieces, {})

    def render(self, image_token: str) -> str:
        """The string that the model's processor writes, with `image_token` for every image token."""
        parts = []
        for piece in self.flat():
            match piece:
                case Image(tokens):
                    parts.append(image_token * tokens)
                case Marker(word) | Text(word):
                    parts.append(word)
                case _:
                    assert_never(piece)
        return "".join(parts)

    def __str__(self) -> str:
        return " + ".join(filter(None, map(_shown, self.pieces))) or "nothing"


def _sum(pieces: tuple[Piece, ...]) -> tuple[int, int]:
    image = markers = 0
    for piece in pieces:
        kind = type(piece)  # identity of types, not a match: this runs for every count
        if kind is Image:
            image += piece.tokens  # type: ignore[union-attr]
        elif kind is Marker:
            markers += 1
        elif kind is Repeat:
            inner = _sum(piece.pieces)  # type: ignore[union-attr]
            image += piece.times * inner[0]  # type: ignore[union-attr]
            markers += piece.times * inner[1]  # type: ignore[union-attr]
    return image, markers


def _flat(pieces: tuple[Piece, ...], numbers: dict[str, str]) -> Iterator[Image | Marker | Text]:
    for piece in pieces:
        match piece:
            case Image():
                yield piece
            case Marker(word):
                yield Marker(_numbered(word, numbers))
            case Text(word):
                yield Text(_numbered(word, numbers))
            case Repeat(times, inner, counter, start, words):
                for number in range(start, start + times):
                    yield from _flat(inner, {**numbers, counter: words(number)} if counter else numbers)
            case _:
                assert_never(piece)


def _numbered(word: str, numbers: dict[str, str]) -> str:
    for counter, number in numbers.items():
        word = word.replace(f"{{{counter}}}", number)
    return word


def _shown(piece: Piece) -> str:
    """For people: numbers that a repetition puts into names are shown as N."""
    match piece:
        case Image(tokens, what):
            return f"{tokens:,} image" + (f" ({what})" if what else "")
        case Marker(name):
            return _COUNTER.sub("N", name)
        case Text(text):
            return repr(_COUNTER.sub("N", text))
        case Repeat(0):
            return ""
        case Repeat(1, pieces):
            return " + ".join(filter(None, map(_shown, pieces)))
        case Repeat(times, pieces):
            return f"{times:,} x [{' + '.join(filter(None, map(_shown, pieces)))}]"
        case _:
            assert_never(piece)


_COUNTER = re.compile(r"\{\w+\}")
