"""Options and printing that the verbs share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vistoken.errors import InputError, UsageError, printable
from vistoken.geometry import Size

if TYPE_CHECKING:
    from vistoken.sources import Source

F = TypeVar("F", bound=Callable[..., Any])


def complain(text: str) -> None:
    """A line on stderr; where stderr itself cannot be written, there is nobody left to tell."""
    with suppress(OSError):
        click.echo("\n".join(map(printable, text.split("\n"))), err=True)


def note(text: str) -> None:
    """A hint: on stderr, so that data on stdout stays clean."""
    complain(f"note: {text}")


def model_option(required: bool = True, multiple: bool = True) -> Callable[[F], F]:
    help = "A built-in name or alias, a hub id, or a folder with config.json." + " Repeatable." * multiple
    return click.option("-m", "--model", "models", required=required, multiple=multiple, metavar="MODEL", help=help)


def pixel_limit_option(command: F) -> F:
    """--max-image-pixels, for the verbs that decode."""
    from vistoken.pixels import MAX_PIXELS  # the others do without it

    option = click.option(
        "--max-image-pixels", type=click.IntRange(1), default=MAX_PIXELS, show_default=True,
        help="Largest picture to decode.",
    )  # fmt: skip
    return option(command)


def common_options(command: F) -> F:
    """--input, --set, --revision and --json, which every verb but `models` has."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout."),
        click.option("--revision", metavar="REV", help="Branch, tag or commit of a hub repository."),
        click.option(
            "--set", "settings", multiple=True, metavar="NAME=VALUE",
            help="Set a value of the model's own preprocessor, for example max_pixels=1003520. Repeatable.",
        ),
        click.option(
            "--input", "input_size", metavar="WxH",
            help="Feed the encoder this size directly, skipping the model's view rule.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def video_options(command: F) -> F:
    """--frames, --duration and --fps: each size is a video."""
    for option in (
        click.option("--fps", type=float, metavar="RATE", help="Frames a second of the video itself."),
        click.option(
            "--duration", type=float, metavar="SECONDS",
            help="Each size is a video; the model's own rule chooses frames.",
        ),
        click.option(
            "--frames", type=int, metavar="N", help="Each size is a video, of which these N frames are looked at."
        ),
    ):  # fmt: skip
        command = option(command)
    return command


# Arguments of the verbs themselves, which a setting must not overrule.
RESERVED = ("model", "revision", "width", "height", "image", "input", "frames", "duration", "fps", "images_in_prompt",
            "batch", "dtype", "head", "device", "attention",
            "pool", "cached", "merge_tokens", "mode", "llm", "kv_dtype", "reductions", "budgets", "memory", "latency",
            "sizes", "pack_tokens", "convention")  # fmt: skip


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE words; a value is JSON where it can be, else text."""
    parsed: dict[str, Any] = {}
    for word in settings:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise UsageError(f"--set {word!r}: write NAME=VALUE, for example --set max_pixels=1003520")
        if name in RESERVED:
            hint = "; for the rate at which a model takes frames write sampling_fps" if name == "fps" else ""
            raise UsageError(f"--set {word}: {name} is an argument of the command: see --help for its option{hint}")
        if name in parsed:
            raise UsageError(f"--set {name} is given twice")
        parsed[name] = _json_or_text(value)
    return parsed


def _json_or_text(value: str) -> Any:
    import json

    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def parse_input(text: str | None) -> Size | None:
    return None if text is None else Size.parse(text)


class Failures:
    """Inputs that could not be used: each is named on stderr at once, and the exit code tells that there were some."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, error: InputError, name: str = "") -> None:
        """`name` is put in front where the message does not hold it."""
        self.count += 1
        complain(f"failed: {error if printable(name) in str(error) else f'{name}: {error}'}")

    def expand(self, words: Iterable[str]) -> Iterator[Source]:
        """All sources of the words; what cannot be found is a failure, and the others go on."""
        from vistoken import sources

        for word in words:
            try:
                yield from sources.expand(word, note)
            except InputError as error:
                self.add(error)

    @property
    def exit_code(self) -> int:
        return InputError.exit_code if self.count else 0


class Table:
    """Columns as wide as they need, the first `left` ones flush left; the rest flush right.

    Of more rows than `HELD` these decide the widths, and the others are printed as they come: memory stays flat.
    Columns in `spare` are left out where no row has anything there but a dash or 0.
    """

    HELD = 1_000

    def __init__(self, header: Sequence[str], left: int = 1, spare: Collection[int] = ()) -> None:
        self._header, self._left, self._spare = header, left, spare
        self._held: list[Sequence[str]] | None = []
        self._kept: Sequence[int] = range(len(header))
        self._widths: list[int] = []

    def add(self, row: Sequence[str]) -> None:
        row = [printable(cell) for cell in row]
        if self._held is None:
            self._line(row)
            return
        self._held.append(row)
        if len(self._held) > self.HELD:
            self._begin()

    def end(self, total: Sequence[str] | None = None) -> None:
        """Print what is held; `total` is one more row, ruled off."""
        if self._held is not None:
            empty = [i for i in self._spare if all(row[i] in ("-", "0") for row in self._held)]
            self._kept = [i for i in self._kept if i not in empty]
            self._begin([total] if total else [])
        if total:
            self._rule()
            self._line(total)

    def _begin(self, more: Sequence[Sequence[str]] = ()) -> None:
        held, self._held = self._held or [], None
        self._widths = [max(len(row[i]) for row in (self._header, *held, *more)) for i in range(len(self._header))]
        self._line(self._header)
        self._rule()
        for row in held:
            self._line(row)

    def _line(self, row: Sequence[str]) -> None:
        cells = ((row[i].ljust if i < self._left else row[i].rjust)(self._widths[i]) for i in self._kept)
        click.echo("  ".join(cells).rstrip())

    def _rule(self) -> None:
        click.echo("-" * (sum(self._widths[i] for i in self._kept) + 2 * (len(self._kept) - 1)))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, total: bool = False) -> None:
    """All rows at once; `total` rules off the last one."""
    table = Table(header, left)
    for row in rows[:-1] if total else rows:
        table.add(row)
    table.end([printable(cell) for cell in rows[-1]] if total else None)


def echo_json(value: dict[str, Any]) -> None:
    """One object on one line, in ASCII: whatever bytes a file's name has, the line is valid JSON."""
    import json

    click.echo(json.dumps(value))


def dash(value: int | None) -> str:
    """A number with thousands separated, or a dash where there is none."""
    return "-" if value is None else f"{value:,}"
