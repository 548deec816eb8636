"""What a report is made of: a small frozen tree that says nothing of Markdown or HTML."""

from __future__ import annotations

from vistoken.frozen import frozen


@frozen
class Paragraph:
    text: str


@frozen
class Items:
    texts: tuple[str, ...]


@frozen
class Lines:
    """Text whose line breaks and indents matter."""

    text: str


@frozen
class Table:
    """`words` are the columns that hold words; all others are numbers. With `summed` the last row is the total."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[int, ...] = (0,)
    summed: bool = False


@frozen
class Bar:
    """Named `pieces` side by side, `shown` in words; `whole` is what they are held against, where there is such."""

    label: str
    shown: str
    pieces: tuple[tuple[str, float], ...]
    whole: float | None = None

    @property
    def total(self) -> float:
        return sum(value for _, value in self.pieces)


@frozen
class Bars:
    """A chart. Each bar with a `whole` has a scale of its own; the others share one."""

    title: str
    bars: tuple[Bar, ...]


@frozen
class Span:
    """From `low` to `high`, which is None for a lower bound; `likely` may be None as well."""

    label: str
    shown: str
    low: float
    likely: float | None
    high: float | None


@frozen
class Spans:
    """A chart of ranges on one scale."""

    title: str
    spans: tuple[Span, ...]


Part = Paragraph | Items | Lines | Table | Bars | Spans


@frozen
class Section:
    title: str
    parts: tuple[Part, ...] = ()
    sections: tuple[Section, ...] = ()


@frozen
class Report:
    """Parts in front, sections behind, and a closing line."""

    title: str
    parts: tuple[Part, ...]
    sections: tuple[Section, ...]
    footer: str
