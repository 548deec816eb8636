"""Charts of a report as SVG within the page: labels above bars, so that they can be read on a phone.

Colours come from the page's style sheet, by class, and follow its light and dark form. What a chart shows stands in its
text alternative too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from vistoken.errors import printable
from vistoken.planning.report_parts import Bar, Bars, Span, Spans

WIDTH, ROW, HEIGHT = 360, 40, 14  # of the drawing, of one bar with its label, of the bar itself
COLOURS = 12  # classes c0 to c11 of the style sheet; beyond, they come again
LETTERS = 50  # of a label and its number together


def bars_svg(chart: Bars, name: str) -> str:
    """The chart; `name` is unique in the page. Below it a legend, where bars have several pieces."""
    shared = max((bar.total for bar in chart.bars if bar.whole is None), default=0)
    colours = _colours(chart.bars)
    rows = []
    for number, bar in enumerate(chart.bars):
        scale = max(bar.whole, bar.total) if bar.whole is not None else shared
        rows += [_label(number, bar.label, bar.shown), *_pieces(number, bar, scale, colours)]
    told = "; ".join(f"{bar.label}: {bar.shown}" for bar in chart.bars)
    return _svg(chart.title, told, name, len(chart.bars), rows) + _legend(colours)


def spans_svg(chart: Spans, name: str) -> str:
    """Bars to the likeliest value, whiskers from the lowest to the highest; an arrow where no end is known."""
    furthest = max((span.low if span.high is None else span.high for span in chart.spans), default=0)
    scale, rows = 1.25 * furthest, []
    for number, span in enumerate(chart.spans):
        rows += [_label(number, span.label, span.shown), *_whiskers(number, span, scale)]
    told = "; ".join(f"{span.label}: {span.shown}" for span in chart.spans)
    return _svg(chart.title, told, name, len(chart.spans), rows)


def _svg(title: str, told: str, name: str, count: int, rows: Sequence[str]) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {count * ROW + 4}" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{_safe(title)}</title><desc id="{name}-d">{_safe(told)}</desc>{"".join(rows)}</svg>'
    )


def _label(number: int, label: str, shown: str) -> str:
    """The name at the left and the number at the right; a long name gives way."""
    top, room = number * ROW + 14, max(8, LETTERS - len(shown))
    short = label if len(label) <= room else f"{label[: room - 1]}…"
    return f'<text x="0" y="{top}">{_safe(short)}</text><text class="value" x="{WIDTH}" y="{top}">{_safe(shown)}</text>'


def _pieces(number: int, bar: Bar, scale: float, colours: Sequence[str]) -> Iterator[str]:
    top, left = number * ROW + 20, 0.0
    yield _rect("track", 0, top, WIDTH if bar.whole is None else _length(bar.whole, scale))
    for name, value in bar.pieces:
        wide = _length(value, scale)
        yield _rect(
            f"c{colours.index(name) % COLOURS}", left, top, wide, f"<title>{_safe(name)}</title>" if name else ""
        )
        left += wide
    if bar.whole is not None:
        edge = _length(bar.whole, scale)
        yield _line(edge, top - 3, edge, top + HEIGHT + 3)


def _whiskers(number: int, span: Span, scale: float) -> Iterator[str]:
    top, middle = number * ROW + 20, number * ROW + 20 + HEIGHT / 2
    low, end = _length(span.low, scale), WIDTH - 4.0
    yield _rect("c0", 0, top, _length(span.low if span.likely is None else span.likely, scale))
    yield _line(low, top - 2, low, top + HEIGHT + 2)
    if span.high is None:
        yield _line(low, middle, end, middle, "open")
        yield _line(end - 6, middle - 4, end, middle)
        yield _line(end - 6, middle + 4, end, middle)
        return
    high = _length(span.high, scale)
    yield _line(low, middle, high, middle)
    yield _line(high, top - 2, high, top + HEIGHT + 2)


def _rect(kind: str, left: float, top: float, wide: float, inside: str = "") -> str:
    return f'<rect class="{kind}" x="{left:.1f}" y="{top}" width="{wide:.1f}" height="{HEIGHT}">{inside}</rect>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str = "") -> str:
    marks = f"mark {kind}".strip()
    return f'<line class="{marks}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _length(value: float, scale: float) -> float:
    return WIDTH * value / scale if scale else 0.0


def _colours(bars: Sequence[Bar]) -> list[str]:
    """Names of pieces in the order of their colours."""
    return list(dict.fromkeys(name for bar in bars for name, _ in bar.pieces))


def _legend(names: Sequence[str]) -> str:
    if len(names) < 2:
        return ""
    items = (f'<li><i class="c{number % COLOURS}"></i>{_safe(name)}</li>' for number, name in enumerate(names))
    return f'<ul class="legend">{"".join(items)}</ul>'


def _safe(text: str) -> str:
    return escape(printable(text))
