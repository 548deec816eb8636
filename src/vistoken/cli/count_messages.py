"""`vistoken count --messages`: a prompt in a JSON file, block by block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vistoken.cli.shared import Failures, dash, echo_json, note, print_table
from vistoken.errors import InputError, UsageError, printable

if TYPE_CHECKING:
    from vistoken.cli.count_price import Prices
    from vistoken.counting.messages import BlockCount, PromptCount

F = TypeVar("F", bound=Callable[..., Any])


def messages_options(command: F) -> F:
    """--messages and --assume."""
    for option in (
        click.option(
            "--assume", metavar="WxH", help="With --messages: the size of pictures that are not at hand (URLs)."
        ),
        click.option(
            "--messages", metavar="FILE",
            help="A prompt as JSON instead of sources (OpenAI, Anthropic, Gemini, transformers); - is stdin.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def print_messages(
    path: str | None,
    models: Sequence[str],
    settings: Mapping[str, Any],
    revision: str | None,
    assume: str | None,
    others: bool,
    as_json: bool,
    explain: bool,
    priced: Prices | None,
) -> int:
    """Count the prompt for every model and print it; blocks that are not counted are named, and the exit code is 3."""
    if path is None or others:
        wrong = "--assume is for --messages" if path is None else "--messages takes no sources, size or video options"
        raise UsageError(wrong)
    from vistoken.counting.messages import Models, count_prompt

    prompt, failures = _read(path), Failures()
    results = [count_prompt(prompt, Models(prompt, model, settings, revision), assume) for model in models]
    for model, result in zip(models, results, strict=True):
        for block in result.unknown:
            failures.add(InputError(f"{block.where}: {block.kind}, {block.name}: not counted: {block.reason}"))
        if as_json:
            cost = priced.twin(model, result.tokens) if priced else {}
            explanation = {"explanation": result.explain()} if explain else {}
            echo_json({"source": path, **result.as_dict(), **cost, **explanation})
        elif explain:
            click.echo(result.explain())
            if priced:
                click.echo(f"  price: {priced.show(model, result.tokens)}")
        else:
            for text in result.notes:
                note(f"{result.model}: {text}")
            _print(result, model, priced)
    if priced and not as_json:
        note(priced.unit)
    return failures.exit_code


def _print(result: PromptCount, model: str, priced: Prices | None) -> None:
    """A row for every block that is not text, and the sum."""
    shown = [block for block in result.blocks if block.kind != "text"]
    cells = [
        [block.where, block.place.role, block.kind, block.name, _size(block), dash(block.tokens)] for block in shown
    ]
    cells.append([f"{len(shown)} block{'s' * (len(shown) != 1)}", "", "", "", "", dash(result.tokens)])
    click.echo(printable(result.model) + f", a prompt in the format of {result.format}" * bool(result.format) + "\n")
    header = ["block", "role", "kind", "source", "size", "visual tokens"]
    if priced:
        header.append("price")
        for row, tokens in zip(cells, (*(block.tokens for block in shown), result.tokens), strict=True):
            row.append(priced.show(model, tokens))
    print_table(header, cells, left=4, total=True)


def _size(block: BlockCount) -> str:
    return f"{block.count.size}{' assumed' if block.assumed else ''}" if block.count else "-"


def _read(path: str) -> Any:
    """The prompt in a file; relative paths in it begin at its folder, those on stdin at the working directory."""
    import json
    import os

    from vistoken.counting.prompts import read_prompt

    text = _text(path)
    try:
        messages = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise InputError(f"{path} is nested too deeply") from None
    except ValueError as error:  # malformed, NaN, an integer of thousands of digits
        name = "stdin" if path == "-" else path
        raise InputError(f"{name} is not valid JSON: {error}; of JSON Lines give one line at a time") from None
    return read_prompt(messages, folder="" if path == "-" else os.path.dirname(path))


def _text(path: str) -> str:
    import os
    import sys

    try:
        if path == "-":
            data = sys.stdin.buffer.read()
        elif not os.path.isfile(path):  # a pipe or a device would block or never end
            raise InputError(f"{path} is {'no regular file' if os.path.exists(path) else 'not there'}; - reads stdin")
        else:
            with open(path, "rb") as file:
                data = file.read()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")
