"""The shape rule of SoViT as an advisor: width, depth and MLP of an encoder for more or less compute.

Source: arXiv 2305.13035, "Getting ViT in Shape". For every dimension the paper finds an exponent s, with which its
optimum grows where it grows alone (section 4, 10-shot ImageNet). Grown together, a growth of compute by a factor is
split among the three, so a dimension grows by factor^(s / 3). The two shapes that the paper trained are the anchors;
compute is forward FLOPs of the whole training in XLA's sense, two for each multiply-add (table 1).

The rule is coarse. From the start shape (608, 10, 928) it gives 758 / 16 / 1691 for SoViT-150m and 1003 / 28 / 3630 for
SoViT-400m, which are 880 / 18 / 2320 and 1152 / 27 / 4304: off by up to 27 %. It says nothing about accuracy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vistoken.errors import NothingFits, UsageError, did_you_mean, one_line
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.planning.plans import Plan, plan
from vistoken.spec import AttentionPool, EncoderSpec, LayerNorm, LearnedTable, PlainMlp, TableResize

# arXiv 2305.13035, section 4: exponents of the optimum of each dimension alone.
EXPONENTS = {"dim": 0.22, "depth": 0.45, "mlp": 0.60}
# The largest deviation of the rule from the shapes that were trained: MLP of SoViT-150m, 1691 against 2320.
ERROR = 0.27
# Width and MLP of both published shapes are multiples of 16; so are all 16 heads a whole number of channels wide.
MULTIPLE = 16
HEADS, PATCH = 16, 14
# From the start shape's compute to SoViT-400m's, the paper spans a factor of 916; from there on nobody has looked.
SMALLEST, LARGEST = 0.001, 1000.0
DOMAIN = (
    "fitted on JFT-3B with patches of 14; compute is forward FLOPs of the whole training, so the number of training "
    "pictures grows too"
)
SAYS_NOT = "This is a rule for shapes. It does not forecast the accuracy of a model of such a shape, on any data."


@frozen
class Shape:
    """Width of the tokens, number of blocks, hidden size of the MLP."""

    dim: float
    depth: float
    mlp: float

    def times(self, factor: float) -> Shape:
        """The optimum for `factor` times the compute.

        >>> grown = Shape(608, 10, 928).times(20.1)
        >>> round(grown.dim), round(grown.depth), round(grown.mlp)
        (758, 16, 1691)
        """
        return Shape(*(getattr(self, name) * factor ** (s / 3) for name, s in EXPONENTS.items()))

    def rounded(self) -> Shape:
        """Width and MLP to multiples of 16, the depth to whole blocks; at least one of each."""
        dim, mlp = (max(1, round(value / MULTIPLE)) * MULTIPLE for value in (self.dim, self.mlp))
        return Shape(dim, max(1, round(self.depth)), mlp)

    def __str__(self) -> str:
        return f"{self.dim:,.0f} / {self.depth:,.0f} / {self.mlp:,.0f}"


# arXiv 2305.13035, section 4, as trained. The first has the compute of ViT-B/14 on 4e9 pictures, the second that of
# ViT-g/14 on 16e9: 46 times as much.
ANCHORS: Mapping[str, Shape] = {"so150m": Shape(880, 18, 2320), "so400m": Shape(1152, 27, 4304)}
# Factors of compute, counted from the anchor, between which the paper has fitted or trained.
_CHECKED = {"so150m": (1 / 20, 46.0), "so400m": (1 / 916, 1.0)}


@frozen
class Advice:
    """A shape for `factor` times the compute of `anchor`, and what such an encoder costs.

    Attributes:
        exact: what the rule says, before it is rounded.
        shape: rounded to a width and an MLP that are multiples of 16, and whole blocks.
        plan: of one picture of that encoder.
        beyond: whether the compute lies outside of what the paper has looked at.
    """

    anchor: str
    factor: float
    exact: Shape
    shape: Shape
    plan: Plan
    beyond: bool

    def ranges(self) -> dict[str, tuple[int, int]]:
        """Where the optimum may lie, given how far the rule was off."""
        return {
            name: (round(getattr(self.exact, name) * (1 - ERROR)), round(getattr(self.exact, name) / (1 - ERROR)))
            for name in EXPONENTS
        }

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys are the attributes' names."""
        return {
            "anchor": self.anchor,
            "factor": self.factor,
            "exact": {name: getattr(self.exact, name) for name in EXPONENTS},
            "shape": {name: int(getattr(self.shape, name)) for name in EXPONENTS} | {"heads": HEADS, "patch": PATCH},
            "ranges": {name: list(bounds) for name, bounds in self.ranges().items()},
            "error": ERROR,
            "domain": DOMAIN,
            "beyond": self.beyond,
            "width": self.plan.size.width,
            "height": self.plan.size.height,
            "tokens": self.plan.tokens,
            "params": self.plan.params.total,
            "macs": self.plan.macs.total,
            "flops": self.plan.flops.total,
            "note": SAYS_NOT,
        }


def advise(text: str, *, width: int = 224, height: int = 224) -> Advice:
    """The shape that `text` asks for: "so400m:10x", or "so400m:macs=100G" for a picture of `width` x `height` pixels.

    10x is ten times the compute of the anchor's training. With `macs` (or `flops`, twice as many), the factor is
    looked for: it is the largest whose rounded shape takes no more.

    >>> str(advise("so400m:1x").shape)
    '1,152 / 27 / 4,304'

    Raises `UsageError` for what cannot be read, and `NothingFits` for a target below the smallest shape.
    """
    anchor, factor, target = _read(text)
    size = Size(height=height, width=width)
    if target is not None:
        factor = _factor(ANCHORS[anchor], target, size)
    low, high = _CHECKED[anchor]
    exact = ANCHORS[anchor].times(factor)
    shape = exact.rounded()
    return Advice(anchor, factor, exact, shape, _planned(shape, size), not low <= factor <= high)


_EXAMPLES = "for example so400m:10x, so150m:0.5x or so400m:macs=100G"
_TEXT = re.compile(r"(?:([^:]*):)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)x|(macs|flops)=([0-9]{1,9}(?:\.[0-9]{1,9})?)([mgt]))")
_UNITS = {"m": 1e6, "g": 1e9, "t": 1e12}


def _read(text: str) -> tuple[str, float, float | None]:
    """Anchor, factor, and multiply-adds of a picture where these are asked for instead of it."""
    match = _TEXT.fullmatch(text.strip().lower()) if isinstance(text, str) and len(text) <= 100 else None
    if match is None:
        raise UsageError(f"shape {one_line(str(text))!r}: write ANCHOR:FACTORx or ANCHOR:macs=NUMBER, {_EXAMPLES}")
    anchor, factor, unit, number, scale = match.groups()
    if anchor not in ANCHORS:
        known = f"known are {', '.join(ANCHORS)}, {_EXAMPLES}.{did_you_mean(anchor, ANCHORS)}"
        raise UsageError(f"shape {text.strip()!r} names no anchor: {known}" if anchor is None else
                         f"anchor {one_line(anchor)!r} is unknown: {known}")  # fmt: skip
    if factor is None:
        return anchor, 1.0, float(number) * _UNITS[scale] / (2 if unit == "flops" else 1)
    if not SMALLEST <= float(factor) <= LARGEST:
        raise UsageError(
            f"{factor} times the compute of {anchor}: the factor must be from {SMALLEST} to {LARGEST:,.0f}"
        )
    return anchor, float(factor), None


def _factor(anchor: Shape, target: float, size: Size) -> float:
    """The largest factor whose rounded shape takes at most `target` multiply-adds, to a millionth of itself."""

    def taken(factor: float) -> int:
        return _planned(anchor.times(factor).rounded(), size).macs.total

    low, high = SMALLEST, LARGEST
    for bound, fits in ((low, taken(low) <= target), (high, taken(high) >= target)):
        if not fits:
            raise NothingFits(
                f"{_giga(target)} a picture of {size} are outside of the rule: with {bound:g} times the compute of the "
                f"anchor a picture takes {_giga(taken(bound))}"
            )
    while high / low > 1 + 1e-6:  # shapes grow with the factor, and their cost with them
        middle = (low * high) ** 0.5
        low, high = (middle, high) if taken(middle) <= target else (low, middle)
    return low


def _giga(macs: float) -> str:
    return f"{macs / 1e9:,.6g} GMACs = {2 * macs / 1e9:,.6g} GFLOPs"


def _planned(shape: Shape, size: Size) -> Plan:
    """As SigLIP's SO400m, with an attention head; the number of heads changes neither parameters nor multiply-adds."""
    patch, dim, hidden = Patch.square(PATCH), int(shape.dim), int(shape.mlp)
    grid = patch.grid(size)
    if not grid.patches:
        raise UsageError(f"{size} holds no {patch} patch: give a larger size")
    encoder = EncoderSpec(
        patch=patch, dim=dim, depth=int(shape.depth), heads=HEADS, norm=LayerNorm(1e-6),
        mlp=PlainMlp(hidden, "gelu_tanh"), pool=AttentionPool(HEADS, hidden),
        position=LearnedTable(grid.rows, grid.cols, prefix_rows=0, resize=TableResize("bicubic", antialias=False)),
    )  # fmt: skip
    return plan(encoder, width=size.width, height=size.height)
