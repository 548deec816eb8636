"""`vistoken count --summary`: all items in flat memory, a picture of how their tokens spread."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import click

from vistoken.cli.count_items import NAMED, count_others, progress
from vistoken.cli.count_print import notes
from vistoken.cli.shared import Failures, echo_json, note, print_table
from vistoken.counting.names import Name, called
from vistoken.counting.summary import PERCENTILES, Bin, Summary
from vistoken.errors import InputError, UsageError, VistokenError

if TYPE_CHECKING:
    from vistoken.cli.count_many import Many
    from vistoken.cli.count_price import Prices
    from vistoken.geometry import Size
    from vistoken.model_spec import ModelSpec
    from vistoken.video import Clip, Source

    How = tuple[Size | None, Clip | Source | None, int]

Pair = tuple[int, int]  # height, width

# Items that are counted at once: enough for array forms to be worth their while.
AT_ONCE = 32_768
# Distinct sizes whose tokens are remembered; beyond them all are forgotten, and memory stays flat.
REMEMBERED = 100_000


def answer(
    listed: Iterable[tuple[Name, Size]],
    takers: Sequence[Taker],
    models: Sequence[str],
    asked: Many,
    priced: Prices | None,
    sources: Sequence[str] | None,
) -> int:
    """One summary for each model; the exit code. `sources` are given where it is to be JSON."""
    failures, told = takers[0].failures, progress(listed)
    while some := list(islice(told, AT_ONCE)):
        for taker in takers:
            taker.take(some)
    unread = failures.count - sum(min(taker.refused, NAMED) for taker in takers)
    for model, taker in zip(models, takers, strict=True):
        count_others(failures, taker.refused, f"{taker.spec.name}: {{}} items that it refuses")
        asked.found |= asked.over is not None and taker.summary.over(asked.over) > 0
        if sources is not None:
            more = {"sources": list(sources), "model": taker.spec.name, "unread": unread, "refused": taker.refused}
            cost = priced.twin(model, taker.summary.total) if priced else {}
            echo_json({**more, **taker.summary.as_dict(asked.over, asked.batch), **cost})
    if sources is None:
        _print([(model, taker) for model, taker in zip(models, takers, strict=True)], asked, priced)
    return asked.exit_code(failures)


class Taker:
    """One model that takes items, and counts them some thousands at once."""

    def __init__(self, spec: ModelSpec, how: How, failures: Failures, alone: bool) -> None:
        self.spec, self.failures, self.alone = spec, failures, alone
        self.summary, self.refused = Summary(), 0
        self._count, self._known = _counting(spec, how), dict[Pair, int | VistokenError]()

    def take(self, items: Sequence[tuple[Name, Size]]) -> None:
        pairs = [(size.height, size.width) for _, size in items]  # which are hashed many times faster than a Size
        if len(self._known) > REMEMBERED:
            self._known.clear()
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._known]
        self._known.update(zip(new, self._count(new), strict=True))
        for (name, size), pair in zip(items, pairs, strict=True):
            tokens = self._known[pair]
            if isinstance(tokens, int):
                self.summary.add(tokens, name, size)
            else:
                self._refuse(tokens, name)

    def _refuse(self, error: VistokenError, name: Name) -> None:
        if isinstance(error, UsageError) and self.alone:
            raise error  # of several models, one that takes no video does not stop the others
        self.refused += 1
        if self.refused <= NAMED:
            self.failures.add(InputError(f"{self.spec.name}: {error}"), called(name))


def _counting(spec: ModelSpec, how: How) -> Callable[[Sequence[Pair]], Iterable[int | VistokenError]]:
    """A function of heights and widths that tells the tokens of each, or why they are refused."""
    from vistoken.counting.many import of_sequences
    from vistoken.geometry import Size

    fed, film, among = how
    if fed is not None or film is not None:
        return lambda pairs: [_one(spec, Size(*pair), how) for pair in pairs]
    spec = spec if among == 1 else spec.among(among)

    def count(pairs: Sequence[Pair]) -> Iterable[int | VistokenError]:
        tokens, errors = of_sequences(spec, [width for _, width in pairs], [height for height, _ in pairs])
        return [errors.get(index, each) for index, each in enumerate(tokens)] if errors else tokens

    return count


def _one(spec: ModelSpec, size: Size, how: How) -> int | VistokenError:
    from vistoken.counting import count_views

    try:
        return count_views(spec, size, *how).tokens
    except (InputError, UsageError) as error:
        return error


# ---------------------------------------------------------------- printing


def _print(takers: Sequence[tuple[str, Taker]], asked: Many, priced: Prices | None) -> None:
    notes([taker.spec for _, taker in takers])
    if not (takers := [(model, taker) for model, taker in takers if taker.summary.items]):
        return
    if priced:
        note(priced.unit)
    facts = [_facts(taker.summary, asked) for _, taker in takers]
    rows = [[name, *(each[name] for each in facts)] for name in facts[0]]
    if priced:
        rows.append(["price", *(priced.show(model, taker.summary.total) for model, taker in takers)])
    print_table(["tokens", *(taker.spec.name for _, taker in takers)], rows)
    for _, taker in takers:
        _print_items(taker)
    click.echo(
        "\npercentiles: nearest rank, a number that some item has\n"
        f"padding: batches of {asked.batch:,} in shuffled order, each padded to its longest item (arXiv 2307.06304)"
    )


def _print_items(taker: Taker) -> None:
    click.echo(f"\n{taker.spec.name}: items by tokens\n")
    for line in drawn(taker.summary.histogram(), *_terminal()):
        click.echo(line)
    worst = taker.summary.worst
    click.echo(f"\n{taker.spec.name}: the worst {len(worst)}\n")
    print_table(["source", "size", "tokens"], [[called(name), str(size), f"{n:,}"] for name, size, n in worst])


def _facts(summary: Summary, asked: Many) -> dict[str, str]:
    facts = {
        "items": f"{summary.items:,}",
        "total": f"{summary.total:,}",
        "mean": f"{summary.mean:,.1f}",
        "least": f"{min(summary.spread):,}",
        **{f"{percent} % have at most": f"{summary.percentile(percent):,}" for percent in PERCENTILES},
        "most": f"{max(summary.spread):,}",
        "wasted by padding": f"{summary.wasted(asked.batch):.1%}",
    }
    if asked.over is not None:
        over = summary.over(asked.over)
        facts[f"items over {asked.over:,}"] = f"{over:,} ({over / summary.items:.1%})"
    return facts


def _terminal() -> tuple[int, bool]:
    """Columns of the terminal, and whether its encoding has block characters."""
    try:
        "█▏".encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return shutil.get_terminal_size().columns, False
    return shutil.get_terminal_size().columns, True


def drawn(bins: Sequence[Bin], columns: int, blocks: bool) -> Iterator[str]:
    """A histogram in lines of at most `columns` characters: from, to, a bar, the number of items.

    >>> print(*drawn([Bin(0, 10, 4), Bin(10, 20, 1)], columns=30, blocks=False), sep=chr(10))
     0 to  9  #################  4
    10 to 19  ####               1
    """
    start, last = (len(f"{edge:,}") for edge in (bins[-1].start, bins[-1].stop - 1))
    number, most = max(len(f"{b.items:,}") for b in bins), max(b.items for b in bins)
    width = max(8, columns - start - last - number - len(" to     "))
    for b in bins:
        bar = _bar(b.items, most, width, blocks)
        yield f"{b.start:>{start},} to {b.stop - 1:>{last},}  {bar:<{width}}  {b.items:>{number},}"


def _bar(items: int, most: int, width: int, blocks: bool) -> str:
    """In eighths of a character, or in whole ones; whatever is there is seen."""
    if not blocks:
        return "#" * max(items > 0, round(items * width / most))
    whole, eighths = divmod(max(items > 0, round(items * width * 8 / most)), 8)
    return "█" * whole + " ▏▎▍▌▋▊▉"[eighths] * (eighths > 0)
