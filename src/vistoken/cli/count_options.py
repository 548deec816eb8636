"""Options of `vistoken count` with an output of their own: declared here, so that a plain count loads nothing more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

price_option = click.option(
    "--price", "prices", multiple=True, metavar="[MODEL=]PRICE",
    help="Of a million input tokens, for example 3.00, or MODEL=3.00 for one of several. Repeatable.",
)  # fmt: skip


def within_options(command: F) -> F:
    """--within, --context, --write and --max-image-pixels."""
    for option in (
        click.option(
            "--max-image-pixels", type=click.IntRange(1),
            help="Largest picture that --write decodes.  [default: 67108864]",
        ),
        click.option(
            "--write", metavar="FOLDER",
            help="Write the pictures, resized to fit (Lanczos, upright), to FOLDER; those that fit already are copied.",
        ),
        click.option("--context", type=int, metavar="N", help="How many such pictures fit into a context of N tokens."),
        click.option(
            "--within", type=int, metavar="N",
            help="What fits N tokens: the largest size, the settings; of a video the most frames.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def document_options(command: F) -> F:
    """--pages, --dpi and --all-frames."""
    for option in (
        click.option("--all-frames", is_flag=True, help="Of an animation: every frame.  [default: the first one]"),
        click.option(
            "--dpi", type=float, metavar="N",
            help="Of a PDF: dots per inch at which pages become pictures.  [default: 200]",
        ),
        click.option("--pages", metavar="1-5,9", help="Of a document: these pages alone."),
    ):  # fmt: skip
        command = option(command)
    return command
