"""Before a fine-tuning run: which examples of a data set overflow the context, and which pictures are missing.

    python examples/preflight.py train.jsonl -m qwen2.5-vl-7b --context 8192
    python examples/preflight.py train.jsonl -m ./checkpoint --context 8192 --text-tokenizer ./checkpoint/tokenizer.json

Reads JSON Lines, one line at a time, in the shapes of LLaVA (`conversations` and `image`), of ms-swift and
LLaMA-Factory (`messages` or `conversations`, and `images`), where `<image>` in the text or a bare image block is the
place of a picture, and of OpenAI's vision fine-tuning (`messages` with `image_url` blocks). Of pictures only headers
are read, and nothing is fetched. What a chat template writes around the turns is not counted: leave room for it.
Exit code 3 says that examples overflow or cannot be counted; each is named by its line.

Shapes: LLaVA, docs/Finetune_Custom_Data.md; ms-swift, docs/source_en/Customization/Custom-dataset.md; LLaMA-Factory,
data/README.md; OpenAI's guide "Vision fine-tuning".
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import IO, Any

import click

import vistoken as vt
from vistoken.cli.shared import parse_settings
from vistoken.errors import InputError, UsageError, one_line, printable

TAG = "<image>"
ROLES = {"human": "user", "gpt": "assistant"}  # LLaVA's words
UNCOUNTED = ("video", "videos", "audio", "audios")  # columns; what they hold would be missing from the sum
LONGEST_PATH = 4096  # Linux's PATH_MAX


# ---------------------------------------------------------------- a line -> what `count_messages` takes


def read_lines(file: IO[bytes]) -> Iterator[tuple[int, Any]]:
    """The number of each line that is not empty, with its object, or with the error that it is none."""
    if file.peek(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"[":  # type: ignore[attr-defined]
        raise UsageError("a JSON array, and not JSON Lines: jq -c '.[]' train.json > train.jsonl makes them of it")
    for number, line in enumerate(file, 1):
        if not line.isspace():
            yield number, _parsed(line)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, a number of thousands of digits, too deep
        return InputError(f"not valid JSON: {error}")


def prompt_of(record: Any) -> tuple[list[Any], list[Any] | None]:
    """The messages of one example, and the pictures of their bare image blocks; None where blocks hold their own."""
    if not isinstance(record, dict):
        raise record if isinstance(record, InputError) else InputError("not an object of JSON")
    turns = next((record[name] for name in ("messages", "conversations") if name in record), None)
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise InputError("neither messages nor conversations holds a list of turns")
    if told := [name for name in UNCOUNTED if record.get(name)]:
        raise InputError(f"{', '.join(told)}: not counted here")
    messages = [_message(turn) for turn in turns]
    if isinstance(record.get("system"), str):
        messages.insert(0, {"role": "system", "content": record["system"]})
    if any(isinstance(message["content"], list) for message in messages):
        return messages, _pictures(record) or None
    return [_with_blocks(message) for message in messages], _pictures(record)


def _message(turn: dict[str, Any]) -> dict[str, Any]:
    role, content = turn.get("role", turn.get("from", "")), turn.get("content", turn.get("value"))
    return {**turn, "role": ROLES.get(role, role) if isinstance(role, str) else role, "content": content}


def _with_blocks(message: dict[str, Any]) -> dict[str, Any]:
    """Text in which `<image>` stands for a picture, as blocks."""
    if not isinstance(message["content"], str) or TAG not in message["content"]:
        return message
    blocks: list[dict[str, str]] = []
    for number, text in enumerate(message["content"].split(TAG)):
        blocks += [{"type": "image"}] * (number > 0) + [{"type": "text", "text": text}] * bool(text)
    return {**message, "content": blocks}


def _pictures(record: dict[str, Any]) -> list[Any]:
    given = next((record[name] for name in ("images", "image") if record.get(name)), [])
    return given if isinstance(given, list) else [given]


# ---------------------------------------------------------------- one example


@dataclass(frozen=True)
class Checked:
    """One example: its tokens, those of its pictures (`visual`) and of its text (None without a tokenizer)."""

    line: int
    tokens: int
    visual: int
    text: int | None
    images: int
    over: int = 0


@dataclass(frozen=True)
class Check:
    """What every example is counted with."""

    model: str
    context: int
    folder: str
    settings: dict[str, Any]
    assume: str | None = None
    text_tokens: Callable[[str], int] | None = None

    def __call__(self, line: int, record: Any) -> Checked:
        """Raises `InputError` or `UsageError` where the example cannot be counted."""
        messages, images = prompt_of(record)
        self._check_pictures(messages, images)
        counted = vt.count_messages(messages, model=self.model, images=images, assume=self.assume,
                                    text_tokens=self.text_tokens, folder=self.folder, **self.settings)  # fmt: skip
        if counted.unknown:
            raise InputError("; ".join(f"{block.where}: {block.name}: {block.reason}" for block in counted.unknown))
        text = counted.text_tokens if self.text_tokens else None
        tokens = counted.tokens + (text or 0)
        return Checked(line, tokens, counted.tokens, text, counted.images, max(0, tokens - self.context))

    def _check_pictures(self, messages: list[Any], images: list[Any] | None) -> None:
        """All that are missing are named at once."""
        if images is None:
            return
        tags = sum(block == {"type": "image"} for message in messages for block in _blocks(message))
        if tags != len(images):
            raise InputError(f"{len(images)} pictures, but {tags} {TAG} in the text")
        if missing := [path for path in images if self._is_missing(path)]:
            raise InputError(f"missing: {', '.join(one_line(path) or 'a path without a name' for path in missing)}")

    def _is_missing(self, path: Any) -> bool:
        if not isinstance(path, str) or len(path) > LONGEST_PATH or "\0" in path or path.startswith(("data:", "file:")):
            return False  # whatever it is, the counter says what is wrong with it
        return not path or ("://" not in path and not os.path.lexists(os.path.join(self.folder, path)))


def _blocks(message: dict[str, Any]) -> list[Any]:
    return message["content"] if isinstance(message["content"], list) else []


# ---------------------------------------------------------------- all of them


@dataclass
class Summary:
    """What is kept of all examples: a few numbers, however many there are."""

    examples: int = 0
    over: int = 0
    failed: int = 0
    tokens: int = 0
    visual: int = 0
    longest: int = 0
    longest_line: int | None = None

    def add(self, checked: Checked) -> None:
        self.over += checked.over > 0
        self.tokens += checked.tokens
        self.visual += checked.visual
        if checked.tokens > self.longest:
            self.longest, self.longest_line = checked.tokens, checked.line


def run(records: Iterator[tuple[int, Any]], check: Check, as_json: bool) -> Summary:
    """Print what overflows and what fails as it comes."""
    summary = Summary()
    for line, record in records:
        summary.examples += 1
        try:
            checked = check(line, record)
        except (InputError, UsageError) as error:
            summary.failed += 1
            _say({"line": line, "problem": str(error)}, f"line {line}: {error}", as_json)
            continue
        summary.add(checked)
        if checked.over:
            _say(asdict(checked), _words(checked, check.context), as_json)
    _say(asdict(summary), _closing(summary, check), as_json)
    return summary


def _say(value: dict[str, Any], words: str, as_json: bool) -> None:
    click.echo(json.dumps(value) if as_json else printable(words))


def _words(checked: Checked, context: int) -> str:
    pictures = f"{checked.visual:,} of {checked.images} picture{'s' * (checked.images != 1)}"
    text = "" if checked.text is None else f" and {checked.text:,} of text"
    return f"line {checked.line}: {checked.tokens:,} tokens ({pictures}{text}): {checked.over:,} over {context:,}"


def _closing(summary: Summary, check: Check) -> str:
    fit = summary.examples - summary.failed - summary.over
    longest = f"; the longest is line {summary.longest_line} with {summary.longest:,}" if summary.longest_line else ""
    return (
        f"{summary.examples:,} example{'s' * (summary.examples != 1)}: {fit:,} fit into {check.context:,}, "
        f"{summary.over:,} do not, {summary.failed:,} could not be counted; {summary.tokens:,} tokens, "
        f"{summary.visual:,} of pictures{longest}"
    )


def tokenizer(name: str) -> Callable[[str], int]:
    """A counter of text: a tokenizer.json, or the tokenizer of a hub id. Needs the package tokenizers."""
    from tokenizers import Tokenizer

    try:
        loaded = Tokenizer.from_file(name) if os.path.isfile(name) else Tokenizer.from_pretrained(name)
    except Exception as error:  # noqa: BLE001  # the package raises Exception itself
        raise UsageError(f"--text-tokenizer {name}: neither a tokenizer.json nor a hub id at hand: {error}") from None
    return lambda text: len(loaded.encode(text, add_special_tokens=False).ids)


@click.command(epilog="Exit codes: 0 all fit; 3 some overflow or could not be counted; 2 wrong use; 5 no such model.")
@click.argument("path", metavar="TRAIN.jsonl")
@click.option("-m", "--model", required=True, help="A name, a hub id, or a folder with config.json.")
@click.option("--context", type=click.IntRange(1), required=True, help="Tokens that one example may have.")
@click.option("--text-tokenizer", metavar="NAME|FILE", help="Count text too: a hub id or a tokenizer.json.")
@click.option("--folder", help="Where relative paths of pictures begin. [default: the folder of the file]")
@click.option("--assume", metavar="WxH", help="The size of pictures that are not at hand (URLs).")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A value of its preprocessor. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    path: str, model: str, context: int, text_tokenizer: str | None, folder: str | None, assume: str | None,
    settings: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """List the examples of a fine-tuning set (JSON Lines; - is stdin) that overflow the context."""
    try:
        given = parse_settings(settings)
        vt.counter(model, **given)  # a wrong model or setting is no fault of the first example
        if assume is not None:
            vt.Size.parse(assume)
        text_tokens = tokenizer(text_tokenizer) if text_tokenizer else None
        base = folder if folder is not None else "" if path == "-" else os.path.dirname(path)
        if folder is not None and not os.path.isdir(folder):
            raise UsageError(f"--folder {folder}: no such folder")
        check = Check(model, context, base, given, assume, text_tokens)
        with opened(path) as file:
            if text_tokens is None:
                click.echo("note: text is not counted: --text-tokenizer NAME counts it", err=True)
            summary = run(read_lines(file), check, as_json)
        if not summary.examples:
            raise InputError(f"{path} holds no example")
    except vt.VistokenError as error:
        click.echo(f"error: {printable(str(error))}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        raise  # click knows what to do
    except OSError as error:
        click.echo(f"error: the output cannot be written: {error.strerror}", err=True)
        sys.exit(4)
    sys.exit(3 if summary.over or summary.failed else 0)


def opened(path: str) -> AbstractContextManager[IO[bytes]]:
    if path == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return open(path, "rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


if __name__ == "__main__":
    main()
