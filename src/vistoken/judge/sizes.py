"""Sizes to compare on: seeded, with every odd kind among them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from vistoken.geometry import Size

# 1 x 1, thin ones, primes, common screens and prints. (width, height)
FIXED = (
    (1, 1), (1, 2), (2, 1), (3, 3), (1, 100), (100, 1), (30, 3000), (3000, 30), (1, 200), (200, 1), (13, 14), (14, 13),
    (7, 13), (997, 1009), (509, 2003), (98, 70), (98, 42), (1200, 6), (6, 1200), (300, 5), (2000, 10), (28, 28),
    (27, 29), (32, 32), (31, 33), (64, 64), (224, 224), (256, 256), (336, 336), (384, 384), (448, 448), (512, 512),
    (640, 480), (480, 640), (768, 768), (1024, 1024), (1024, 768), (1280, 720), (720, 1280), (1920, 1080), (1080, 1920),
    (1536, 1536), (2048, 1024), (595, 842), (1000, 1000), (150, 224), (333, 333), (2560, 1440),
)  # fmt: skip


def sizes(count: int = 300, seed: int = 0, thresholds: Iterable[tuple[int, int]] = ()) -> list[Size]:
    """`count` different sizes: the fixed ones, those around `thresholds` (width, height), then random ones.

    Every second of these has ordinary sides, from 200 to 2500 pixels; those of the others are spread evenly in their
    logarithm, from 1 to 3000.
    """
    chosen = dict.fromkeys([*FIXED, *_around(thresholds)])
    rng = random.Random(seed)
    if len(chosen) > count:
        chosen = dict.fromkeys(rng.sample(sorted(chosen), count))
    while len(chosen) < count:
        if len(chosen) % 2:
            chosen[rng.randint(200, 2500), rng.randint(200, 2500)] = None
        else:
            chosen[round(3000 ** rng.random()), round(3000 ** rng.random())] = None
    return [Size(height=height, width=width) for width, height in chosen]


def films(count: int = 60, seed: int = 0) -> list[tuple[Size, int, float | None]]:
    """(size, frames, frames a second or None): some of `sizes` with lengths from one frame to ten minutes."""
    rng = random.Random(seed)
    lengths: list[tuple[int, float | None]] = [
        (1, None), (2, None), (3, None), (4, 30.0), (7, 25.0), (9, None), (16, None), (32, 24.0), (33, 29.97),
        (120, 30.0), (301, 25.0), (900, 30.0), (1500, 29.97), (7200, 24.0), (18_000, 30.0),
    ]  # fmt: skip
    chosen = sizes(count + len(FIXED), seed)[::-1]
    return [(chosen[number], *lengths[number % len(lengths)]) for number in range(count // 2)] + [
        (rng.choice(chosen), *rng.choice(lengths)) for _ in range(count - count // 2)
    ]


def _around(thresholds: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Each threshold with its neighbours in both directions."""
    for width, height in thresholds:
        for right in (-1, 0, 1):
            for down in (-1, 0, 1):
                if width + right > 0 and height + down > 0:
                    yield width + right, height + down
