"""What an item of many is called."""

from __future__ import annotations

# A word of the command line, or a table and the row in it: put together only where it is shown.
Name = str | tuple[str, int]


def called(name: Name) -> str:
    """The name in words.

    >>> called("photo.jpg"), called(("sizes.csv", 17))
    ('photo.jpg', 'sizes.csv:17')
    """
    return name if isinstance(name, str) else f"{name[0]}:{name[1]}"
