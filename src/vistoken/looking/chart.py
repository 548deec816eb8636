"""A chart of choices: GMACs, or milliseconds a picture, over the size of the input; one line each model or geometry.

matplotlib is imported where something is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vistoken.errors import MissingExtra, UsageError
from vistoken.files import whole_file
from vistoken.frozen import frozen
from vistoken.planning.choosing import Choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 16  # lines that can be told apart
TICKS = 8  # sizes that have a tick each
# Okabe and Ito's palette without yellow, which people of any colour vision tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F7F7F")
MARKERS = ("o", "s", "^", "D")
BAND = 0.12  # opacity of what lies between two bounds
ARROW = 0.18  # length of an arrow, as a share of the lower bound that it stands on


@frozen
class Point:
    """A value over `x`: exact where `low` is `high`, a lower bound where `high` is None."""

    x: float
    low: float
    high: float | None


@frozen
class Line:
    label: str
    points: tuple[Point, ...]


@frozen
class Chart:
    """What is drawn: lines, what they have in common (`title`), and what both axes are, with units."""

    title: str
    x: str
    y: str
    timed: bool
    lines: tuple[Line, ...]


def chart(rows: Sequence[Choice]) -> Chart:
    """Of the rows with values; time where they have one, else multiply-adds. The highest line comes first.

    Raises `UsageError` where there is nothing to draw, or more lines than can be told apart.
    """
    timed = any(row.seconds for row in rows)
    there = [row for row in rows if row.tokens is not None and (row.seconds or not timed)]
    if not there:
        raise UsageError("--chart has nothing to draw: no row has a value")
    named = [_parts(row, timed) for row in there]
    common = {name: text for name, text in named[0].items() if all(parts.get(name) == text for parts in named)}
    (x, over), grouped = _axis(there), dict[str, set[Point]]()
    for row, parts in zip(there, named, strict=True):
        label = ", ".join(text for name, text in parts.items() if name not in common) or row.model
        grouped.setdefault(label, set()).add(_point(row, over(row)))
    if len(grouped) > MOST:
        raise UsageError(f"--chart would have {len(grouped)} lines, of which {MOST} can be told apart: sweep less")
    lines = [Line(label, tuple(sorted(points, key=lambda point: point.x))) for label, points in grouped.items()]
    lines.sort(key=lambda line: line.points[-1].low, reverse=True)
    y = "milliseconds a picture" if timed else "GMACs a picture (GFLOPs are twice as many)"
    return Chart(", ".join(common.values()), x, y, timed, tuple(lines))


def figures() -> type[Figure]:
    """matplotlib's figures, which need no screen. Raises `MissingExtra` without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("matplotlib", "look", "--chart") from None
    found: type[Figure] = Figure
    return found


def draw(rows: Sequence[Choice], path: str) -> None:
    """Write the chart of `rows` as PNG.

    Raises `UsageError` as `chart` does, `MissingExtra` without matplotlib, `OutputError` where it cannot be written.
    """
    wanted = chart(rows)
    figure = figures()(figsize=(9, 5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for number, line in enumerate(wanted.lines):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number // len(COLOURS)]
        _draw_line(axes, line, colour, marker)
    _dress(axes, wanted)
    # Beside the plot, so that nothing lies over a line.
    key = "solid: at least\ndashed: at most\narrow: no upper bound" if wanted.timed else None
    figure.legend(loc="outside right upper", fontsize=8, frameon=False, title=key, title_fontsize=8, alignment="left")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png")


def _draw_line(axes: Axes, line: Line, colour: str, marker: str) -> None:
    """Exact values and lower bounds as a line, upper bounds as the other edge of a band, or an arrow without one."""
    xs, lows = [point.x for point in line.points], [point.low for point in line.points]
    axes.plot(xs, lows, color=colour, marker=marker, markersize=4, linewidth=1.6, label=line.label)
    bounded = [(point.x, point.low, point.high) for point in line.points if point.high is not None]
    ranges = [one for one in bounded if one[1] < one[2]]
    if ranges:
        ends, bottoms, tops = zip(*ranges, strict=True)
        axes.fill_between(ends, bottoms, tops, color=colour, alpha=BAND, linewidth=0)
        axes.vlines(ends, bottoms, tops, color=colour, linewidth=0.6)
        axes.plot(ends, tops, color=colour, marker=marker, markersize=2, linewidth=1, linestyle="--")
    for point in line.points:
        if point.high is None:
            up = (point.x, point.low * (1 + ARROW))
            axes.annotate("", up, (point.x, point.low), arrowprops={"arrowstyle": "->", "color": colour})


def _dress(axes: Axes, wanted: Chart) -> None:
    """Axes, their labels, and ticks where something was planned; times differ by factors, so theirs is logarithmic."""
    axes.set(xlabel=wanted.x, ylabel=wanted.y)
    axes.set_title(wanted.title, fontsize=10)
    if wanted.timed:
        from matplotlib.ticker import LogLocator, StrMethodFormatter

        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_locator(LogLocator(subs=()))
    else:
        axes.set_ylim(bottom=0)
    planned = sorted({point.x for line in wanted.lines for point in line.points})
    if len(planned) <= TICKS:
        room = (planned[-1] - planned[0]) / (2 * TICKS)  # a tick's number is as wide
        axes.set_xticks(
            [x for x, before in zip(planned, (float("-inf"), *planned), strict=False) if x - before >= room]
        )
    axes.grid(color="#E3E7EB", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _parts(row: Choice, timed: bool) -> dict[str, str]:
    """What names a line, by what it is of; multiply-adds of a picture are the same in any batch, on any device."""
    parts = {"model": row.model} | {name: f"{name} {value}" for name, value in row.settings}
    if timed:
        parts |= {"batch": f"batch {row.batch:,}", "dtype": row.dtype, "device": f"{row.device}, {row.mode}"}
    return parts


def _axis(rows: Sequence[Choice]) -> tuple[str, Callable[[Choice], float]]:
    """Sides where all pictures are squares of several sizes, else tokens."""
    sizes = {row.size for row in rows if row.size}
    if len(sizes) > 1 and all(size.width == size.height for size in sizes):
        return "side of the picture, pixels", lambda row: row.size.width if row.size else 0
    return "tokens a picture", lambda row: row.tokens or 0


def _point(row: Choice, x: float) -> Point:
    if row.seconds is None:
        return Point(x, (row.macs or 0) / 1e9, (row.macs or 0) / 1e9)
    each = row.seconds.times(1000 / row.batch)
    return Point(x, each.low, each.high)
