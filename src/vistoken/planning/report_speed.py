"""The parts of a report on latency and on the LLM behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vistoken.planning.formulas import product
from vistoken.planning.hardware import BYTES, Device
from vistoken.planning.latency import UNMEASURED, Latency
from vistoken.planning.llm_formulas import cache_formulas, prefill_formulas
from vistoken.planning.report_cases import Case
from vistoken.planning.report_parts import Bar, Bars, Items, Paragraph, Part, Span, Spans, Table
from vistoken.planning.report_words import LAYERED, byte_table, millions, scaled

if TYPE_CHECKING:
    from vistoken.planning.llm import LlmCost


def latencies(case: Case) -> Iterator[Part]:
    """Ranges with their reasons, and for each device the forecast that they are drawn around."""
    found = case.latencies
    times = [(each, each.seconds.times(1000)) for each in found]
    rows = [(each.device.name, f"{ms} ms", f"{each.images_per_second}", each.seconds.reason) for each, ms in times]
    yield Paragraph(f"A batch of {case.plan.batch:,} in {case.plan.dtype}, {case.mode} mode; the encoder alone.")
    spans = tuple(Span(each.device.name, f"{ms} ms", ms.low, ms.likely, ms.high) for each, ms in times)
    yield Spans("Milliseconds a batch", spans)
    yield Table(("device", "a batch", "pictures a second", "why a range"), tuple(rows), words=(0, 3))
    for each in found:
        yield from _forecast(case, each)


def _forecast(case: Case, found: Latency) -> Iterator[Part]:
    """The three terms with their numbers, and where these are from."""
    device, formulas = found.device, _terms(case, found)
    rows = [(name, f"{1000 * value:,.4g}", formulas[name]) for name, value in found.rows]
    yield Paragraph(f"{device.label}, the forecast before it becomes a range:")
    last = ("total", f"{1000 * found.total:,.4g}", "")
    yield Table(("term", "ms", "formula"), (*rows, last), words=(0, 2), summed=True)
    yield Items((*_figures(device, found.dtype), *found.notes))


def _terms(case: Case, found: Latency) -> dict[str, str]:
    plan, device, width = case.plan, found.device, BYTES[found.dtype]
    compute, traffic = _constants(found)
    moved = sum(step.moved for step in plan.operations if not step.macs)
    speed = f"{device.bandwidth.value:g} GB/s"
    return {
        "matrix products": f"{plan.flops.total:,} FLOPs / ({compute:g} × {device.rate(found.dtype).value:g} TFLOP/s)",
        "other kernels": f"{product(plan.batch, f'{traffic:g}', moved, width)} bytes / {speed}",
        "reading the weights": f"{product(plan.params.total, width)} bytes / {speed}",
    }


def _constants(found: Latency) -> tuple[float, float]:
    """Efficiencies of products and of traffic: the device's own, or those of cards that were measured."""
    measured = found.device.efficiency(found.mode, found.dtype)
    return (measured.compute, measured.traffic) if measured else UNMEASURED[found.mode]


def _figures(device: Device, dtype: str) -> Iterator[str]:
    for what, unit, figure in (("rate", "TFLOP/s", device.rate(dtype)), ("bandwidth", "GB/s", device.bandwidth)):
        seen = f"seen {figure.seen}, confidence {figure.confidence}"
        yield f"{what}: {figure.value:g} {unit}: {figure.source} ({seen})"


def llm(case: Case, cost: LlmCost) -> Iterator[Part]:
    """Prefill, cache and share of the context that one picture, or video, takes."""
    spec = cost.llm
    yield Paragraph(
        f"{cost.tokens:,} tokens of one {case.thing} go into {spec.name} ({spec.source}), "
        f"{millions(spec.params)} parameters, after {cost.before:,} earlier ones."
    )
    macs, flops = cost.macs, cost.flops
    bars = tuple(Bar(n, f"{scaled(v)}MACs ({v / macs.total:.1%})", (("", v),)) for n, v in macs.rows if v)
    yield Bars("Multiply-adds of the prefill", bars)
    how = prefill_formulas(cost)
    rows = [(name, f"{value:,}", f"{2 * value:,}", how[name] or LAYERED) for name, value in macs.rows]
    last = ("total", f"{macs.total:,}", f"{flops.total:,}", "")
    header = ("prefill", "multiply-adds", "FLOPs", "formula of the multiply-adds")
    yield Table(header, (*rows, last), words=(0, 3), summed=True)
    yield Paragraph(
        f"Linear part: 2 × {cost.tokens:,} tokens × {spec.linear_weights:,} weights that a token meets = "
        f"{cost.linear_flops:,} FLOPs. Counted: {macs.convention}."
    )
    how = cache_formulas(cost)
    layers = Counter(layer.attention.label for layer in cost.llm.layers)
    yield byte_table(
        "cache", ((f"{layers[name]} layers of {name}", n, how[name] or LAYERED) for name, n in cost.kv.rows)
    )
    yield Paragraph(f"In {cost.dtype}. Counted: {cost.kv.convention}.")
    yield Paragraph(f"Context: {cost.tokens:,} / {spec.context:,} = {cost.share:.2%}; {cost.left:,} tokens are left.")
