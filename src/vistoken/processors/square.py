"""Values of image processors that cut a canvas into square tiles."""

from __future__ import annotations

from vistoken.configs import Config
from vistoken.geometry import Patch

# The largest side of a tile that is read: with 1024 tiles a canvas stays under 100 million pixels a side.
MAX_TILE = 65_536
# Grids of tiles are listed one by one; more tiles than this serve nobody.
MAX_TILES = 1024


def square(config: Config, name: str, patch: Patch) -> int:
    """The side of a square that holds one patch at least: `size` as most processors write it."""
    size = config.size(name)
    if size.height != size.width or not max(patch.height, patch.width) <= size.height <= MAX_TILE:
        rule = f"it must be a square that holds one patch of {patch}, with sides of at most {MAX_TILE:,}"
        raise config.error(name, str(size), rule)
    return size.height


def pair(config: Config, name: str, low: int, high: int) -> tuple[int, int]:
    """Two whole numbers; one stands for both."""
    first, second = config.numbers(name, 2, low, high)
    if not first.is_integer() or not second.is_integer():
        raise config.error(name, [first, second], "it must hold two whole numbers")
    return int(first), int(second)
