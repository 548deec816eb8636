"""What a report says: sections of words, tables and charts from plans; how they are written down stands elsewhere.

Each number stands with its formula, the numbers filled in, or with the rows that sum to it; what is not counted and
what is assumed stands at the end, with the sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vistoken._version import __version__
from vistoken.planning.formulas import formulas
from vistoken.planning.report_cases import Case as Case
from vistoken.planning.report_memory import memory
from vistoken.planning.report_parts import Bar, Bars, Items, Lines, Paragraph, Part, Report, Section, Table
from vistoken.planning.report_prose import ASSUMPTIONS, SOURCES
from vistoken.planning.report_speed import latencies, llm
from vistoken.planning.report_words import LAYERED, gigabytes, millions, scaled


def report(cases: Sequence[Case]) -> Report:
    """The whole report.

    >>> from vistoken.planning import plan
    >>> [section.title for section in report([Case(plan("vit-b16-224"))]).sections]
    ['google/vit-base-patch16-224 at 224x224', 'Assumptions, and what is not counted', 'Sources']
    """
    title = f"What {cases[0].title} costs" if len(cases) == 1 else f"What {len(cases)} vision encoders cost"
    first = cases[0].plan
    batch = f"Compute and memory are for a batch of {first.batch:,}, weights in {first.dtype}."
    intro = Paragraph(f"Tokens are those of one {cases[0].thing}. {batch} MiB and GiB are 2^20 and 2^30 bytes.")
    return Report(
        title,
        (intro, _summary(cases), *(_compared(cases) if len(cases) > 1 else ())),
        (
            *(Section(case.title, (), tuple(_sections(case))) for case in cases),
            Section("Assumptions, and what is not counted", (Items(ASSUMPTIONS),)),
            Section("Sources", (Items(SOURCES),)),
        ),
        f"vistoken {__version__}",
    )


def as_dict(cases: Sequence[Case]) -> dict[str, Any]:
    """The same for machines: bytes, seconds and multiply-adds in full digits."""
    return {
        "title": report(cases).title,
        "cases": [case.as_dict() for case in cases],
        "assumptions": list(ASSUMPTIONS),
        "sources": list(SOURCES),
        "vistoken": __version__,
    }


def _summary(cases: Sequence[Case]) -> Table:
    header = ("model", "size", "tokens", "into the LLM", "parameters", "MACs", "FLOPs", "weights",
              "inference peak", "fits")  # fmt: skip
    return Table(header, tuple(map(_summarised, cases)), words=(0, 1, 9))


def _summarised(case: Case) -> tuple[str, ...]:
    plan, peak, count = case.plan, case.peak, case.count
    into = f"{count.tokens:,}" if count and count.image_tokens is not None else "-"
    fits = [f"{device.name}: {_verdict(case.needed(device), device.memory_bytes)}" for device in case.devices]
    return (
        plan.model, str(plan.size), f"{plan.tokens:,}", into, millions(plan.params.total),
        f"{scaled(plan.macs.total)}MACs", f"{scaled(plan.flops.total)}FLOPs", gigabytes(plan.memory.total),
        gigabytes(peak.total) if peak else "not known", "; ".join(fits) or "-",
    )  # fmt: skip


def _verdict(needed: int | None, has: int) -> str:
    if needed is None:
        return "not known"
    return "yes" if needed <= has else f"no, {gigabytes(needed - has)} short"


def _compared(cases: Sequence[Case]) -> Iterator[Part]:
    """Models side by side in charts."""
    params = [(case.title, case.plan.params.total) for case in cases]
    macs = [(case.title, case.plan.macs.total) for case in cases]
    yield Bars("Parameters", tuple(Bar(title, millions(value), (("", value),)) for title, value in params))
    yield Bars("Multiply-adds", tuple(Bar(title, f"{scaled(value)}MACs", (("", value),)) for title, value in macs))


def _sections(case: Case) -> Iterator[Section]:
    yield Section("Tokens", tuple(_tokens(case)))
    yield Section("Parameters", tuple(_parameters(case)))
    yield Section("Multiply-adds and FLOPs", tuple(_compute(case)))
    yield Section("Memory", (), tuple(memory(case)))
    if case.devices:
        yield Section("Latency", tuple(latencies(case)))
    if case.llm:
        yield Section("The LLM behind", tuple(llm(case, case.llm)))


# ---------------------------------------------------------------- tokens


def _tokens(case: Case) -> Iterator[Part]:
    plan, spec = case.plan, case.plan.encoder
    terms = [f"{view.grid.patches:,}" for view in plan.views]
    patches = sum(view.grid.patches for view in plan.views)
    how = f"{_listed(terms)} patches in {_views(len(plan.views))}"
    if spec.prefix_tokens:
        kinds = ", ".join(token.label for token in spec.prefix)
        how += f", and {plan.tokens - patches:,} besides ({kinds}; {spec.prefix_tokens:,} a frame)"
    yield Paragraph(f"The blocks work on {plan.tokens:,} tokens a {case.thing}: {how}.")
    if case.count is None:
        grid, patch = plan.views[0].grid, spec.patch
        yield Paragraph(
            f"Bare geometry: {plan.size.width} // {patch.width} = {grid.cols} columns and {plan.size.height} // "
            f"{patch.height} = {grid.rows} rows of patches; {grid.rows} x {grid.cols} = {grid.patches:,}."
        )
        return
    if case.count.image_tokens is not None:
        yield Paragraph(f"Into the LLM's prompt go {case.count.tokens:,} tokens a {case.thing}.")
    yield Lines(case.count.explain())


def _views(number: int) -> str:
    return "one view" if number == 1 else f"{number:,} views"


def _listed(terms: Sequence[str], most: int = 8) -> str:
    """A sum, equal terms once."""
    counted = {term: terms.count(term) for term in terms}
    words = [term if times == 1 else f"{times:,} × {term}" for term, times in counted.items()]
    return " + ".join(words[:most]) + (" + ..." if len(words) > most else "")


# ---------------------------------------------------------------- parameters and compute


def _parameters(case: Case) -> Iterator[Part]:
    tally = case.plan.params
    known = [(name, value) for name, value in tally.rows if value]
    bars = (Bar(name, f"{millions(value)} ({value / tally.total:.1%})", (("", value),)) for name, value in known)
    yield Bars("Parameters by part", tuple(bars))
    pairs = zip(case.plan.operations, formulas(case.plan), strict=True)
    rows = [(s.part, s.name, f"{s.params:,}", f.params or LAYERED) for s, f in pairs if s.params]
    yield Table(("part", "operation", "parameters", "formula"), (*rows, ("total", "", f"{tally.total:,}", "")),
                words=(0, 1, 3), summed=True)  # fmt: skip
    yield Paragraph(f"Counted: {tally.convention}.")


def _compute(case: Case) -> Iterator[Part]:
    plan, tally = case.plan, case.plan.macs
    yield Paragraph(
        f"{tally.total:,} multiply-adds x 2 = {plan.flops.total:,} FLOPs: "
        f"{scaled(tally.total)}MACs = {scaled(plan.flops.total)}FLOPs."
    )
    bars = (Bar(name, f"{scaled(v)}MACs ({v / tally.total:.1%})", (("", v),)) for name, v in tally.rows)
    yield Bars("Multiply-adds by part", tuple(bars))
    pairs = zip(plan.operations, formulas(plan), strict=True)
    times = f"{plan.batch:,} × " if plan.batch > 1 else ""
    rows = [
        (s.part, s.name, f"{plan.batch * s.macs:,}", f"{2 * plan.batch * s.macs:,}",
         f"{times}{f.macs}" if f.macs else LAYERED)
        for s, f in pairs if s.macs
    ]  # fmt: skip
    last = ("total", "", f"{tally.total:,}", f"{plan.flops.total:,}", "")
    yield Table(("part", "operation", "multiply-adds", "FLOPs", "formula of the multiply-adds"), (*rows, last),
                words=(0, 1, 4), summed=True)  # fmt: skip
    yield Paragraph(f"Counted: {tally.convention}.")
