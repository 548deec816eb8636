"""A report as Markdown (GitHub's kind, with tables). Charts are left out: their numbers stand in the tables beside."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vistoken.errors import printable
from vistoken.planning.report_parts import Bars, Items, Lines, Paragraph, Part, Report, Section, Spans, Table

# What would be markup; an underscore within a word is not.
_MARKUP = re.compile(r"[\\`*|\[\]~]|(?<!\w)_|_(?!\w)|^(?=#|[-+] |\d+[.)] )", re.M)


def markdown(report: Report) -> str:
    """The text of a file.

    >>> from vistoken.planning import plan
    >>> from vistoken.planning.reports import Case, report
    >>> markdown(report([Case(plan("vit-b16-224"))])).splitlines()[0]
    '# What google/vit-base-patch16-224 at 224x224 costs'
    """
    lines = [f"# {escaped(report.title)}", ""]
    for part in report.parts:
        lines += _part(part)
    for section in report.sections:
        lines += _section(section, 2)
    return "\n".join([*lines, f"_{escaped(report.footer)}_", ""])


def escaped(text: str) -> str:
    r"""Words that mean what they say, on one line.

    >>> escaped("<b> | a*b #1")
    '&lt;b> \\| a\\*b #1'
    """
    words = printable(text).replace("&", "&amp;").replace("<", "&lt;")
    return _MARKUP.sub(lambda found: f"\\{found[0]}", words)


def _section(section: Section, level: int) -> Iterator[str]:
    yield from (f"{'#' * level} {escaped(section.title)}", "")
    for part in section.parts:
        yield from _part(part)
    for inner in section.sections:
        yield from _section(inner, level + 1)


def _part(part: Part) -> Iterator[str]:
    match part:
        case Paragraph(text):
            yield escaped(text)
        case Items(texts):
            yield from (f"- {escaped(text)}" for text in texts)
        case Lines(text):
            yield from _code(text)
        case Table():
            yield from _table(part)
        case Bars() | Spans():
            return
    yield ""


def _code(text: str) -> Iterator[str]:
    """Between fences that are longer than any within."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    yield from (f"{fence}text", *map(printable, text.split("\n")), fence)


def _table(table: Table) -> Iterator[str]:
    rules = (":--" if column in table.words else "--:" for column in range(len(table.header)))
    yield _row(table.header)
    yield f"| {' | '.join(rules)} |"
    for number, row in enumerate(table.rows, 1):
        bold = table.summed and number == len(table.rows)
        yield _row(row, bold)


def _row(cells: tuple[str, ...], bold: bool = False) -> str:
    words = (f"**{escaped(cell)}**" if bold and cell else escaped(cell) for cell in cells)
    return f"| {' | '.join(words)} |"
