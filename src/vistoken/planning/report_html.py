"""A report as one HTML file that needs nothing else: styles and charts stand in it, and there are no scripts.

Readable on a phone (tables scroll within themselves), when printed, in light and in dark. All text is escaped: a
folder's name is never markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import count

from vistoken.errors import printable
from vistoken.planning.report_charts import COLOURS, bars_svg, spans_svg
from vistoken.planning.report_parts import Bars, Items, Lines, Paragraph, Part, Report, Section, Spans, Table

# Hues apart enough to be told from their neighbours, light and dark in turn.
_HUES = ((212, 42), (28, 52), (150, 36), (340, 55), (265, 48), (45, 45), (185, 38), (5, 45), (95, 38), (300, 60),
         (230, 65), (20, 35))  # fmt: skip
_STYLE = """\
:root{color-scheme:light dark;--page:#fff;--ink:#1b1f24;--soft:#59636e;--rule:#d4dae0;--fill:#f3f5f7}
@media (prefers-color-scheme:dark){:root{--page:#14181d;--ink:#e8ecf0;--soft:#9da7b1;--rule:#3a424b;--fill:#1f252c}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:60rem;background:var(--page);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.2}
h2{font-size:1.3rem;margin-top:2.5rem;border-bottom:1px solid var(--rule);padding-bottom:.3rem}
h3{font-size:1.1rem;margin-top:2rem}
h4{font-size:1rem;margin-top:1.5rem}
nav ul{padding-left:1.2rem}
a{color:inherit}
.scroll{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-size:.875rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}
th{color:var(--soft);font-weight:600;overflow-wrap:normal}
td{overflow-wrap:normal;min-width:7rem}
td:last-child:not(.n){min-width:15rem}
td:last-child:empty{min-width:0}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;min-width:0}
th.n{white-space:normal}
tfoot td{font-weight:700;border-top:2px solid var(--rule)}
pre{white-space:pre-wrap;background:var(--fill);padding:.8rem;font-size:.8rem;border-radius:.3rem}
figure{margin:1rem 0;max-width:27rem}
figcaption{font-weight:600;font-size:.9rem}
.chart{display:block;margin-top:.3rem;width:100%;height:auto}
.chart text{font:12px system-ui,sans-serif;fill:var(--ink)}
.chart .value{text-anchor:end;fill:var(--soft)}
.chart .track{fill:var(--fill)}
.chart rect:not(.track){stroke:var(--page);stroke-width:.5}
.chart .mark{stroke:var(--ink);stroke-width:1.5}
.chart .open{stroke-dasharray:3 3}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:0;font-size:.8rem}
.legend i{display:inline-block;width:.8rem;height:.8rem;margin-right:.4rem;border-radius:.15rem;vertical-align:-.05rem}
@media (max-width:40rem){td{min-width:5rem}td:last-child:not(.n){min-width:11rem}}
footer{margin-top:3rem;color:var(--soft);font-size:.875rem}
@media print{body{max-width:none;padding:0;font-size:10pt}nav{display:none}.scroll{overflow:visible}
table{font-size:8pt;width:100%}.n{white-space:normal}td,td:last-child:not(.n){min-width:0}h2,h3,h4{break-after:avoid}
tfoot{display:table-row-group} /* the sum once, not on every page */
figure,tr,pre{break-inside:avoid}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""


def html(report: Report) -> str:
    """The text of a file.

    >>> from vistoken.planning import plan
    >>> from vistoken.planning.reports import Case, report
    >>> html(report([Case(plan("vit-b16-224"))])).startswith("<!doctype html>")
    True
    """
    names = (f"chart{number}" for number in count(1))
    body = "".join([
        f"<h1>{_safe(report.title)}</h1>",
        *(_part(part, names) for part in report.parts),
        _contents(report),
        *(_section(section, 2, names, f"s{number}") for number, section in enumerate(report.sections, 1)),
        f"<footer>{_safe(report.footer)}</footer>",
    ])  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_safe(report.title)}</title><style>{_STYLE}{_colours()}</style></head>\n<body>{body}</body></html>\n"
    )


def _colours() -> str:
    """One rule a class, for charts and for their legends."""
    rules = (f".c{n}{{fill:{colour};background:{colour}}}" for n, colour in enumerate(map(_colour, _HUES[:COLOURS])))
    return "\n".join(rules)


def _colour(hue: tuple[int, int]) -> str:
    return f"hsl({hue[0]} 60% {hue[1]}%)"


def _contents(report: Report) -> str:
    items = (f'<li><a href="#s{n}">{_safe(each.title)}</a></li>' for n, each in enumerate(report.sections, 1))
    return f'<nav aria-label="Contents"><ul>{"".join(items)}</ul></nav>'


def _section(section: Section, level: int, names: Iterator[str], anchor: str = "") -> str:
    mark = f' id="{anchor}"' if anchor else ""
    parts = "".join(_part(part, names) for part in section.parts)
    inner = "".join(_section(each, level + 1, names) for each in section.sections)
    return f"<section{mark}>\n<h{level}>{_safe(section.title)}</h{level}>{parts}{inner}</section>"


def _part(part: Part, names: Iterator[str]) -> str:
    match part:
        case Paragraph(text):
            return f"<p>{_safe(text)}</p>\n"
        case Items(texts):
            return f"<ul>{''.join(f'<li>{_safe(text)}</li>' for text in texts)}</ul>\n"
        case Lines(text):
            return "<pre>" + "\n".join(map(_safe, text.split("\n"))) + "</pre>\n"
        case Table():
            return _table(part)
        case Bars():
            return _figure(part.title, bars_svg(part, next(names)))
        case Spans():
            return _figure(part.title, spans_svg(part, next(names)))


def _figure(title: str, chart: str) -> str:
    return f"<figure><figcaption>{_safe(title)}</figcaption>{chart}</figure>\n"


def _table(table: Table) -> str:
    """A region of its own that scrolls, by keyboard as well."""
    rows, last = (table.rows[:-1], table.rows[-1:]) if table.summed else (table.rows, ())
    body, foot = ("".join(_row(row, "td", table.words) for row in some) for some in (rows, last))
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="Table: {_safe(", ".join(table.header))}"><table>'
        f"<thead>{_row(table.header, 'th', table.words)}</thead><tbody>{body}</tbody>"
        f"{f'<tfoot>{foot}</tfoot>' if foot else ''}</table></div>\n"
    )


def _row(cells: tuple[str, ...], tag: str, words: tuple[int, ...]) -> str:
    def cell(column: int, text: str) -> str:
        kind = "" if column in words else ' class="n"'
        scope = ' scope="col"' if tag == "th" else ""
        return f"<{tag}{kind}{scope}>{_safe(text)}</{tag}>"

    return f"<tr>{''.join(cell(column, text) for column, text in enumerate(cells))}</tr>"


def _safe(text: str) -> str:
    return escape(printable(text))
