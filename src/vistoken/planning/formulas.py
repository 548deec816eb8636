"""The formula of every operation with its numbers filled in, so that a reader can redo a plan with a calculator.

A matrix of I x O on T tokens: I x O parameters, and O biases where it has them; T x I x O multiply-adds. Attention:
N^2 x D multiply-adds for scores, as many for the weighted sum, over all heads together (arXiv 1706.03762, section
3.2). They are written down apart from `operations.py` and not derived from its numbers; tests hold one against the
other for every built-in encoder.

Where there is no short formula (convolutions of a stem, resamplers, tokens that are joined from block to block), it is
empty: the number is then a sum over layers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vistoken.connector import (
    AveragePool,
    Downsample,
    Linear,
    MergeBlocks,
    MlpStage,
    Normalise,
    Resample,
    Twice,
    Unpadded,
)
from vistoken.frozen import frozen
from vistoken.geometry import Grid
from vistoken.spec import (
    AttentionPool,
    Buckets,
    EncoderSpec,
    Factorised,
    GatedMlp,
    LearnedTable,
    Mlp,
    Norm,
    PlainMlp,
    ProjectedClass,
    QueryPool,
    RmsNorm,
    WidthNorm,
)

if TYPE_CHECKING:
    from vistoken.connector import Connector
    from vistoken.planning.plans import Plan


@frozen
class Formula:
    """Of parameters, and of multiply-adds for one picture; empty where the number is 0 or no short formula exists."""

    params: str = ""
    macs: str = ""


NONE = Formula()


def formulas(plan: Plan) -> tuple[Formula, ...]:
    """One for each of `plan.operations`, in their order.

    >>> from vistoken.planning import plan
    >>> known = plan("vit-b16-224")
    >>> [f.macs for f, step in zip(formulas(known), known.operations) if step.name == "attention: scores and sum"]
    ['12 × 2 × 768 × 197²']
    """
    spec, frames = plan.encoder, [Grid(v.grid.rows, v.grid.cols) for v in plan.views for _ in range(v.grid.frames)]
    known = {
        **_entrance(plan),
        **{("blocks", name): formula for name, formula in _blocks(spec, frames).items()},
        **{("pool and head", name): formula for name, formula in _pool(plan).items()},
    }
    if any(step.name == "token merging" for step in plan.operations):
        known = {key: Formula(each.params) for key, each in known.items()}
    parts = {
        "connector": _connector(spec.connector, spec.dim, frames),
        "deepstack": (row for each in spec.deepstack for row in _connector(each, spec.dim, frames)),
    }
    steps = plan.operations
    return tuple(next(parts[s.part]) if s.part in parts else known.get((s.part, s.name), NONE) for s in steps)


def product(*factors: int | str) -> str:
    """Factors, of which those that are 1 are left out.

    >>> product(12, 1, 3072)
    '12 × 3,072'
    """
    return " × ".join(f"{f:,}" if isinstance(f, int) else f for f in factors if f != 1) or "1"


def total(*terms: int | str) -> str:
    """Terms, in brackets where there are several; those that are 0 are left out."""
    words = [f"{term:,}" if isinstance(term, int) else term for term in terms if term]
    return f"({' + '.join(words)})" if len(words) > 1 else "".join(words) or "0"


# ---------------------------------------------------------------- in front of the blocks


def _entrance(plan: Plan) -> dict[tuple[str, str], Formula]:
    spec = plan.encoder
    patch, channels = spec.projected
    sides = (patch.height, patch.width, patch.frames, channels)
    patches = sum(view.grid.patches for view in plan.views)
    projection = Formula(
        product(spec.dim, total(product(*sides), int(spec.patch_bias))), product(patches, *sides, spec.dim)
    )
    norm = Formula(_norm(spec.norm, spec.dim))
    return {
        ("patch embedding", "projection"): projection,
        ("patch embedding", "norm"): norm,
        ("position", type(spec.position).__name__): Formula(_positions(spec)),
        ("position", "angles of the class token"): Formula(f"{product(spec.head_dim)} / 2"),
        ("prefix", "prefix tokens"): Formula(product(spec.prefix_tokens, spec.dim) if spec.prefix_tokens else ""),
        ("pre-norm", "norm before the blocks"): norm,
        ("final norm", "norm"): norm,
        ("mask token", "stored, not used"): Formula(product(spec.dim)),
    }


def _positions(spec: EncoderSpec) -> str:
    match spec.position:
        case LearnedTable() as table:
            return product(total(product(table.rows, table.cols), table.prefix_rows), spec.dim)
        case Factorised(rows, cols):
            return product(total(rows, cols), spec.dim)
        case Buckets(side):
            return product(side, side, spec.dim)
        case _:
            return ""


def _norm(norm: Norm, width: int) -> str:
    return product(width) if isinstance(norm, RmsNorm) else product(2, width)


# ---------------------------------------------------------------- blocks


def _blocks(spec: EncoderSpec, frames: list[Grid]) -> dict[str, Formula]:
    if not spec.depth:
        return {}
    dim, depth, width = spec.dim, spec.depth, spec.dim + 2 * spec.kv_dim
    tokens = sum(map(spec.tokens, frames))
    biases = {"all": width, "query and value": 2 * dim, "none": 0}[spec.qkv_bias]
    around = 4 if spec.block_norms == "both" else 2
    normed = dim if isinstance(spec.qkv_norm, WidthNorm) else spec.head_dim
    out = total(product(dim, dim), dim * spec.out_bias)
    return {
        "norms": Formula(product(depth, around, _norm(spec.norm, dim))),
        "attention: q, k, v": Formula(
            product(depth, total(product(dim, width), biases)), product(depth, tokens, dim, width)
        ),
        "attention: norms of q and k": Formula(product(depth, 2, normed)),
        "attention: scores and sum": Formula("", _scores(spec, frames)),
        "attention: norm before the output": Formula(product(depth, _norm(spec.norm, dim))),
        "attention: output": Formula(product(depth, out), product(depth, tokens, dim, dim)),
        "MLP": _mlp(spec.mlp, dim, dim, tokens, depth),
        "layer scale": Formula(product(depth, 2, dim)),
    }


def _scores(spec: EncoderSpec, frames: list[Grid]) -> str:
    """Pairs of tokens that meet: squares of frames, and of windows where a block has them."""
    whole = _groups(f"{spec.tokens(frame):,}²" for frame in frames)
    if spec.windows is None:
        return product(spec.depth, 2, spec.dim, whole)
    side, full = spec.windows.side, sum(number < spec.depth for number in spec.windows.full)
    small = _groups(product(_squares(frame.rows, side), _squares(frame.cols, side)) for frame in frames)
    pairs = [product(times, text) for times, text in ((full, whole), (spec.depth - full, small)) if times]
    return product(2, spec.dim, total(*pairs))


def _groups(squares: Iterator[str]) -> str:
    """A sum in which equal terms stand once."""
    return total(*(product(times, square) for square, times in Counter(squares).items()))


def _squares(cells: int, side: int) -> str:
    whole, rest = divmod(cells, side)
    return total(product(whole, f"{side}²") if whole else 0, f"{rest}²" if rest else 0)


def _mlp(mlp: Mlp, into: int, out: int, tokens: int, copies: int = 1) -> Formula:
    """Of `copies` MLPs that see `tokens` each."""
    ways, hidden = 1 + isinstance(mlp, GatedMlp), mlp.hidden
    matrices = product(total(product(ways, into), out), hidden)
    biases = total(product(ways, hidden), out) if mlp.bias else 0
    inner = _norm(mlp.norm, hidden) if isinstance(mlp, GatedMlp) and mlp.norm else 0
    return Formula(product(copies, total(matrices, biases, inner)), product(copies, tokens, matrices))


# ---------------------------------------------------------------- behind the blocks


def _pool(plan: Plan) -> dict[str, Formula]:
    spec, views = plan.encoder, len(plan.views)
    dim, square = spec.dim, product(spec.dim, spec.dim)
    biased = Formula(product(dim, total(dim, 1)), product(views, square))
    rows: dict[str, Formula] = {"norm": Formula(_norm(spec.norm, dim))}
    match spec.pool:
        case ProjectedClass(width, bias):
            rows["projection"] = Formula(product(total(dim, int(bias)), width), product(views, dim, width))
        case AttentionPool(_, hidden, projection, bias):
            asked = product(total(product(2, plan.tokens), views), square)
            rows["probe"] = Formula(product(dim))
            rows["attention: q, k, v"] = Formula(product(3, dim, total(dim, 1)), asked)
            rows |= _projected(projection, dim, int(bias), views) | {"attention: output": biased}
            rows["MLP"] = _mlp(PlainMlp(hidden, "gelu"), dim, dim, views)
        case QueryPool(_, projection):
            rows["query"] = Formula(product(dim))
            rows["attention: k, v"] = Formula(product(2, square), product(2, plan.tokens, square))
            rows |= _projected(projection, dim, 0, views) | {"attention: output": biased}
        case _:
            pass
    rows["attention: scores and sum"] = Formula("", product(2, plan.tokens, dim))
    classes = _classes(plan)
    width = spec.pooled_dim or dim
    rows["classifier"] = Formula(product(total(width, 1), classes), product(views, width, classes))
    return rows


def _projected(width: int | None, dim: int, bias: int, views: int) -> dict[str, Formula]:
    if not width:
        return {}
    return {"projection": Formula(product(total(dim, bias), width), product(views, dim, width))}


def _classes(plan: Plan) -> int:
    """Of the classifier that was asked for: what it writes for every view."""
    written = sum(step.writes for step in plan.operations if step.name == "classifier")
    return written // len(plan.views)


def _connector(connector: Connector | None, dim: int, frames: list[Grid]) -> Iterator[Formula]:
    """As many as `ends.connector_rows` has rows."""
    if connector is None:
        return
    width, grids = dim * len(connector.layers or (0,)), frames
    for stage in connector.stages:
        tokens = sum(grid.patches for grid in grids)
        match stage:
            case Normalise(norm, weight):
                yield Formula(_norm(norm, width) if weight else "")
            case Linear(out, bias):
                yield Formula(product(total(width, int(bias)), out), product(tokens, width, out))
                width = out
            case MlpStage(mlp, out):
                yield from (_mlp(mlp, width, out or width, tokens), NONE)
                width = out or width
            case Downsample(out):
                grids = [Grid(grid.rows // stage.side, grid.cols // stage.side) for grid in grids]
                kernel = (3, 3, width)
                after = sum(grid.patches for grid in grids)
                yield Formula(product(out, total(product(*kernel), 1)), product(after, *kernel, out))
                width = out
            case Resample(latents):
                yield from [NONE] * 9
                grids = [Grid(1, latents)] * len(grids)
            case MergeBlocks(side) | AveragePool(side):
                grids = [Grid(grid.rows // side, grid.cols // side) for grid in grids]
                width *= side**2 if isinstance(stage, MergeBlocks) else 1
            case Twice():
                width *= 2
            case _:
                yield NONE
    if isinstance(connector.arrangement, Unpadded):  # one learned newline
        yield Formula(product(width))
