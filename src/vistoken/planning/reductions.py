"""Ways to fewer visual tokens, as people write them: pool=2, shuffle=2, resample=64, merge=8, drop=0.5, fastv=0.5@2.

What each of them costs and saves is told by `vistoken.planning.reducing`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

from vistoken.errors import UsageError, did_you_mean, one_line
from vistoken.frozen import frozen

# Far above any grid, number of latents or of frames that is looked at.
MAX_NUMBER = 1_000_000


@frozen
class PoolBlocks:
    """Each block of `side` x `side` tokens becomes their mean.

    A last, ragged block is the mean of what is there, so rows and columns are divided and rounded up: 27 become 14.
    Source: transformers 5.23.0, `apply_pooling` of `models/llava_onevision/modeling_llava_onevision.py`. (torch's
    `AvgPool2d`, as Gemma 3 has it, drops that block unless told otherwise.)
    """

    side: int

    widening = 1

    def __str__(self) -> str:
        return f"pool={self.side}"


@frozen
class ShuffleBlocks:
    """Each block of `side` x `side` tokens becomes one, their vectors side by side: pixel shuffle, space to depth.

    The matrix behind it becomes side^2 times as wide. A last, ragged block is filled with zeros. Source: transformers
    5.23.0, `models/ovis2/modeling_ovis2.py`, `Ovis2VisionModel`. (InternVL and Idefics3 refuse such a grid.)
    """

    side: int

    @property
    def widening(self) -> int:
        """How many times as wide a token becomes."""
        return self.side**2

    def __str__(self) -> str:
        return f"shuffle={self.side}"


@frozen
class Latents:
    """`count` learned vectors ask the tokens of a view, or of a frame, and stand in their place.

    Sources: arXiv 2204.14198 (perceiver resampler), 2301.12597 (Q-Former). Costed as Idefics2's resampler.
    """

    count: int

    def __str__(self) -> str:
        return f"resample={self.count}"


@frozen
class SomeFrames:
    """`count` frames of a video, spread evenly from the first to the last."""

    count: int

    def of(self, indices: tuple[int, ...]) -> tuple[int, ...]:
        last = len(indices) - 1
        if self.count > len(indices):
            raise UsageError(f"the video has {len(indices)} frames to choose from, fewer than {self.count}")
        if self.count == 1:
            return indices[:1]
        return tuple(indices[round(Fraction(place * last, self.count - 1))] for place in range(self.count))

    def __str__(self) -> str:
        return f"frames={self.count}"


@frozen
class EveryFrame:
    """Every `nth` frame of a video, from the first."""

    nth: int

    def of(self, indices: tuple[int, ...]) -> tuple[int, ...]:
        return indices[:: self.nth]

    def __str__(self) -> str:
        return f"every={self.nth}"


@frozen
class JoinTokens:
    """Up to `tokens` of a frame are joined to similar ones in every block of the tower (ToMe, arXiv 2210.09461)."""

    tokens: int

    def __str__(self) -> str:
        return f"merge={self.tokens}"


@frozen
class DropTokens:
    """A share of the image tokens is left out behind the projector, by chance or by a score that costs nothing here.

    Of n tokens, share x n are dropped, rounded down; markers stay.
    """

    share: Fraction

    def __str__(self) -> str:
        return f"drop={float(self.share):g}"


@frozen
class DropInTower:
    """A share of each frame's patch tokens is left out in front of block `block` of the tower, counted from 1.

    Sources: arXiv 2202.07800 (EViT, by the attention of the class token), 2208.07220 (PatchDropout, by chance, in front
    of the first). Rounded down as in `DropTokens`; prefix tokens stay.
    """

    share: Fraction
    block: int

    def __str__(self) -> str:
        return f"drop={float(self.share):g}@{self.block}"


@frozen
class DropInside:
    """A share of the image tokens is left out behind layer `layer` of the LLM (FastV, arXiv 2403.06764, section 4).

    The first `layer` layers see and cache all tokens, the others what is kept.
    """

    share: Fraction
    layer: int

    def __str__(self) -> str:
        return f"fastv={float(self.share):g}@{self.layer}"


Reduction = (
    PoolBlocks | ShuffleBlocks | Latents | SomeFrames | EveryFrame | JoinTokens | DropTokens | DropInTower | DropInside
)

# What `all` stands for. FastV's default is half behind layer 2 (arXiv 2403.06764); 64 latents are Flamingo's and
# Idefics2's; ToMe's r is 8 for ViT-L (arXiv 2210.09461, table 1).
STANDARD: tuple[Reduction, ...] = (
    PoolBlocks(2), ShuffleBlocks(2), Latents(64), EveryFrame(2), JoinTokens(8), DropTokens(Fraction(1, 2)),
    DropInside(Fraction(1, 2), 2),
)  # fmt: skip
ALL = "all"


def parse_reductions(words: Iterable[str]) -> tuple[Reduction, ...]:
    """The reductions that `words` name, each once and in order; "all" is the standard set.

    >>> [str(one) for one in parse_reductions(["pool=2", "drop=0.50"])]
    ['pool=2', 'drop=0.5']

    Raises `UsageError` that names the word and what would work.
    """
    found: dict[Reduction, None] = {}
    for word in words:
        found |= dict.fromkeys(STANDARD if word == ALL else (_parse(word),))
    return tuple(found)


def _parse(word: str) -> Reduction:
    said = f"reduction '{one_line(str(word))}'"
    name, equals, value = word.partition("=") if isinstance(word, str) else ("", "", "")
    if name not in _READERS:
        known = ", ".join(f"{kind}={example}" for kind, (example, _) in _READERS.items())
        raise UsageError(f"{said} is unknown: write {known}, or {ALL}.{did_you_mean(name, [*_READERS, ALL])}")
    example, read = _READERS[name]
    reduction = read(value)
    if not equals or reduction is None:
        raise UsageError(f"{said}: {_RULES[read]}, for example {name}={example}")
    return reduction


def _number(text: str) -> int | None:
    value = int(text) if re.fullmatch(r"[0-9]{1,7}", text) else 0
    return value if 1 <= value <= MAX_NUMBER else None


def _share(text: str) -> Fraction | None:
    value = Fraction(text) if re.fullmatch(r"[0-9]?\.?[0-9]{1,6}", text) else Fraction(1)
    return value if value < 1 else None


def _of_number(kind: Callable[[int], Reduction]) -> Callable[[str], Reduction | None]:
    def read(text: str) -> Reduction | None:
        value = _number(text)
        return None if value is None else kind(value)

    return read


def _read_drop(text: str) -> Reduction | None:
    share, at, block = text.partition("@")
    kept, place = _share(share), _number(block)
    if kept is None or (at and place is None):
        return None
    return DropTokens(kept) if place is None else DropInTower(kept, place)


def _read_inside(text: str) -> Reduction | None:
    share, _, layer = text.partition("@")
    kept, place = _share(share), _number(layer)
    return None if kept is None or place is None else DropInside(kept, place)


# By the word: an example of the value, and what reads it; None for a value that it cannot be.
_READERS: Mapping[str, tuple[str, Callable[[str], Reduction | None]]] = {
    "pool": ("2", _of_number(PoolBlocks)),
    "shuffle": ("2", _of_number(ShuffleBlocks)),
    "resample": ("64", _of_number(Latents)),
    "frames": ("8", _of_number(SomeFrames)),
    "every": ("2", _of_number(EveryFrame)),
    "merge": ("16", _of_number(JoinTokens)),
    "drop": ("0.5", _read_drop),
    "fastv": ("0.5@2", _read_inside),
}
_WHOLE = f"write a whole number from 1 to {MAX_NUMBER:,}"
_RULES = {read: _WHOLE for _, read in _READERS.values()} | {
    _read_drop: "write a share from 0 to below 1, perhaps @ and the block of the tower in front of which it is dropped",
    _read_inside: "write a share from 0 to below 1, @ and the layer of the LLM behind which it is dropped",
}
