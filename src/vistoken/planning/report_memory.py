"""The part of a report on memory: weights in any dtype, peaks with the tensors that live there, the allowance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from vistoken.geometry import Grid
from vistoken.planning.formulas import product
from vistoken.planning.memory import DTYPES, allowance
from vistoken.planning.report_cases import Asked, Case, width_of
from vistoken.planning.report_parts import Bar, Bars, Items, Paragraph, Part, Section, Table
from vistoken.planning.report_words import byte_table, gigabytes

# What rows of a peak are multiples of: E, all tokens, dim wide; H, the same as wide as the MLP is inside; S, scores.
_MULTIPLES = {
    "W": ("weights", "optimizer states", "gradients"),
    "E": (
        "tokens", "patch vectors", "embedding output", "block input", "block inputs", "residual", "residuals",
        "norm output", "norm outputs", "MLP: norm outputs", "MLP: output", "hidden states kept", "in float32",
        "queries, keys, values", "queries and keys, normed", "queries and keys, turned", "queries and keys in float32",
        "turned", "turned, float32", "turned by rotary angles, float32", "keys and values, repeated",
        "attention of equal segments", "attention output", "attention outputs", "attention output, normed",
        "output of its matrix", "outputs before layer scale", "queries and keys, folded", "values, folded", "squares",
        "rounded", "gradient of the residual", "gradients of queries, keys, values", "gradient of attention output",
    ),
    "H": ("MLP: hidden vectors", "gradient of hidden vectors"),
    "S": (
        "scores", "scores, scaled", "scores in float32", "attention weights", "attention weights in float32",
        "in float32", "gradients of scores",
    ),
}  # fmt: skip
MOST = 256  # 40 blocks that keep 4 hidden vectors each are 160; what is more is no multiple that says anything
# What the other rows are, and these where they are no multiple.
_WORDS = {
    "gradients": "of weights that the way back has passed",
    "scores": "for every pair of tokens of the whole pack",
    "attention weights in float32": "for every pair of tokens of the whole pack",
    "in float32": "a copy, 4 bytes a number",
    "queries, keys, values": "with fewer heads of keys and values",
    "queries and keys, turned": "with fewer heads of keys",
    "patch vectors": "4 bytes a number, before prefix tokens are there",
    "weights that take bytes": "patch weights in float32, the normalisation of pixels folded in",
    "patches in bytes": "one byte a value of a pixel",
    "patches as float32": "4 bytes a value of a pixel",
    "pixels": "of all views, in the dtype of the weights",
    "buffers": "constants that the module keeps",
    "places of tokens": "integers: positions, and borders of frames and windows",
    "positions, resized": "the position table, brought to this grid",
    "position table in float32": "the position table, while it is resized",
    "rotary angles": "in float32, of every token and dimension of a head",
    "order of windows": "an integer of 8 bytes a token",
    "mask": "a byte for every pair of tokens of the whole pack",
    "mask, turned": "a byte for every pair of tokens of the whole pack",
    "statistics of softmax": "4 bytes for every head and token",
    "statistics of norms": "mean and scale of two norms, 4 bytes a number as torch keeps them",
    "gradient of a matrix": "of the MLP: dim times its hidden size",
    "connector: in, inside, out": "of its widest stage",
}
_ALLOWED = {
    "CUDA context, assumed": "with torch's kernels; it varies with card and driver",
    "cuBLAS workspace": "torch, aten/src/ATen/cuda/CUDABlas.cpp, on Hopper; 8 MiB before",
}


def memory(case: Case) -> Iterator[Section]:
    yield Section("Weights", tuple(_weights(case)))
    yield Section("Inference", tuple(_inference(case)))
    if case.peak:
        yield Section("Allowance on a GPU", tuple(_allowance(case)))
    if case.devices and case.peak:
        yield Section("What fits", tuple(_fits(case)))
    yield Section("Training with AdamW", tuple(_training(case)))


def _weights(case: Case) -> Iterator[Part]:
    params, rows = case.plan.params.total, []
    for dtype, size in case.weights:
        how = f"{product(params, DTYPES[dtype])}" if dtype in DTYPES else _packed(params, size)
        rows.append((dtype, f"{size:,}", f"{size / 2**20:,.1f}", how))
    yield Table(("dtype", "bytes", "MiB", "formula"), tuple(rows), words=(0, 3))


def _packed(params: int, size: int) -> str:
    """Weight-only dtypes, against bfloat16."""
    return f"{product(params, 2)} - {2 * params - size:,} that packed matrices of the blocks save, scales counted"


def _inference(case: Case) -> Iterator[Part]:
    yield _asked_table(case.inference)
    yield from _chart("Live tensors at the peak of inference", case.inference)
    yield from _definitions(case)
    for each in case.inference:
        if each.peak:
            yield Paragraph(f"{each.what}: the peak is at the step “{each.peak.moment}”.")
            yield byte_table("lives at the peak", _explained(case, each.peak.rows))


def _training(case: Case) -> Iterator[Part]:
    known = [each for each in case.training if each.peak]
    if not known:
        yield Paragraph(f"Not known: {case.training[0].reason}.")
        return
    yield _asked_table(case.training)
    yield from _chart("Live tensors at the peak of training", case.training)
    for each in known:
        assert each.peak
        yield Paragraph(f"{each.what}: the peak is at the step “{each.peak.moment}”.")
        yield byte_table("lives at the peak", _explained(case, each.peak.rows))


def _asked_table(asked: Sequence[Asked]) -> Table:
    rows = [
        (each.what, f"{each.peak.total:,}", gigabytes(each.peak.total), f"at “{each.peak.moment}”")
        if each.peak else (each.what, "-", "-", f"not known: {each.reason}")
        for each in asked
    ]  # fmt: skip
    return Table(("code", "bytes", "in short", "the peak"), tuple(rows), words=(0, 3))


def _chart(title: str, asked: Sequence[Asked], most: int = 10) -> Iterator[Part]:
    """Stacked bars; what is more than `most` times the least would hide all others."""
    known = [(each, each.peak) for each in asked if each.peak]
    least = min((peak.total for _, peak in known), default=0)
    drawn = [Bar(each.what, gigabytes(peak.total), _pieces(peak.rows)) for each, peak in known
             if peak.total <= most * least]  # fmt: skip
    if drawn:
        yield Bars(title, tuple(drawn))
    if left := [each.what for each, peak in known if peak.total > most * least]:
        yield Paragraph(f"Not drawn, being over {most} times the least: {'; '.join(left)}.")


def _pieces(rows: Sequence[tuple[str, int]], most: int = 4) -> tuple[tuple[str, float], ...]:
    """The weights first, then the largest; what is left together."""
    weights = [row for row in rows if row[0] == "weights"]
    others = sorted((row for row in rows if row[0] != "weights"), key=lambda row: -row[1])
    shown, rest = others[:most], sum(value for _, value in others[most:])
    return (*weights, *shown, *((("all others", rest),) if rest else ()))


def _definitions(case: Case) -> Iterator[Part]:
    plan, units = case.plan, _units(case)
    tokens, width = plan.batch * plan.tokens, width_of(plan.dtype)
    squares = units["S"] // (plan.encoder.heads * width)
    yield Paragraph("In the tables below, bytes are written as multiples of these:")
    letters = {
        "W": "the weights",
        "E": f"all tokens of the batch, dim wide: {product(tokens, plan.encoder.dim, width)}",
        "H": f"the same as wide as the MLP is inside: {product(tokens, plan.encoder.mlp.hidden, width)}",
        "S": f"scores of {plan.encoder.heads} heads for pairs of tokens: {product(plan.encoder.heads, squares, width)}",
    }
    yield Items(tuple(f"{letter}, {how} = {units[letter]:,} bytes" for letter, how in letters.items()))


def _units(case: Case) -> dict[str, int]:
    """Bytes of W, E, H and S."""
    plan, spec = case.plan, case.plan.encoder
    tokens, width = plan.batch * plan.tokens, width_of(plan.dtype)
    pairs = plan.batch * sum(
        g.frames * spec.tokens(Grid(g.rows, g.cols)) ** 2 for g in (view.grid for view in plan.views)
    )
    return {
        "W": plan.memory.total,
        "E": tokens * spec.dim * width,
        "H": tokens * spec.mlp.hidden * width,
        "S": spec.heads * pairs * width,
    }


def _explained(case: Case, rows: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int, str]]:
    """Each row as a multiple where it is one, else in words."""
    for name, value in rows:
        yield name, value, _multiple(case, name, value) or _WORDS.get(name, "")


def _multiple(case: Case, name: str, value: int) -> str:
    """How many times what, empty where it is no such multiple; of one picture, a share of what the batch has.

    Of several that divide it, the largest is meant: scores far outnumber what they are made of.
    """
    units = _units(case)
    for letter in sorted((letter for letter, names in _MULTIPLES.items() if name in names), key=lambda it: -units[it]):
        times = Fraction(value, units[letter])
        if case.plan.batch % times.denominator == 0 and times <= MOST:
            return f"{times} × {letter}"
    return ""


def _allowance(case: Case) -> Iterator[Part]:
    assert case.peak
    tally, rows = allowance(case.peak), len(case.peak.rows)
    segments = f"20 MiB × {rows} tensors of the peak (c10/cuda/CUDACachingAllocator.cpp)"
    yield byte_table("beside live tensors", ((name, n, _ALLOWED.get(name, segments)) for name, n in tally.rows))
    yield Paragraph(f"This is {tally.convention}.")


def _fits(case: Case) -> Iterator[Part]:
    """Each device with what our encoder takes there, against its memory."""
    assert case.peak
    bars, rows = [], []
    for device in case.devices:
        needed, has = case.needed(device), device.memory_bytes
        assert needed is not None
        extra = needed - case.peak.total
        pieces = (*_pieces(case.peak.rows), *((("allowance", extra),) if extra else ()))
        verdict = "fits" if needed <= has else f"{gigabytes(needed - has)} short"
        bars.append(Bar(device.name, f"{gigabytes(needed)} of {gigabytes(has)}: {verdict}", pieces, has))
        source = f"{device.memory.value:g} GB: {device.memory.source} (confidence {device.memory.confidence})"
        summed = f"{case.peak.total:,} + {extra:,} = {needed:,}"
        rows.append((device.label, summed, f"{has:,}", verdict, source))
    yield Bars("Peak of inference against the device's memory: our encoder, fused attention", tuple(bars))
    header = ("device", "peak + allowance, bytes", "has, bytes", "verdict", "source of its memory")
    yield Table(header, tuple(rows), words=(0, 1, 3, 4))
