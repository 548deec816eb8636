"""Lists of words in a stream of bytes, one a line or with NUL between them, as `find -print0` writes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

# Bytes of one word: no path that an operating system takes is longer.
LONGEST = 65_536
_BLOCK = 65_536


def read_words(stream: BinaryIO, null: bool = False) -> Iterator[str | None]:
    r"""The words of a stream in flat memory, None for one that is too long; empty ones are left out.

    Bytes that are no UTF-8 survive as they do in the names of files (`os.fsdecode`). With `null` the words end at NUL,
    and may hold line breaks.

    >>> import io
    >>> list(read_words(io.BytesIO(b"640x480\n\ntwo words.jpg")))
    ['640x480', 'two words.jpg']
    """
    separator, held = b"\0" if null else b"\n", b""
    while block := stream.read1(_BLOCK) if hasattr(stream, "read1") else stream.read(_BLOCK):
        first, *others = block.split(separator)
        held += first if len(held) <= LONGEST else b""
        for other in others:
            yield from _word(held, null)
            held = other
    yield from _word(held, null)


def _word(given: bytes, null: bool) -> Iterator[str | None]:
    word = given if null else given.removesuffix(b"\r")  # lists that Windows wrote
    if word:
        yield None if len(word) > LONGEST else os.fsdecode(word)
