"""The command: `vistoken VERB [SOURCE ...] -m MODEL [-m MODEL ...] [options]`. One file a verb, loaded when it is used.

Exit codes, mapped here and nowhere else:
    0 all done · 1 a bug of ours · 2 wrong use · 3 finished, but some inputs failed, or the answer is "no" ·
    4 output cannot be written · 5 bad model or config · 130 / 143 interrupted
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

import click

from vistoken._version import __version__
from vistoken.cli.shared import complain
from vistoken.errors import VistokenError

VERBS = ("count", "plan", "encode", "look", "models")


class Verbs(click.Group):
    """A group whose commands are modules of this package, imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = import_module(f"vistoken.cli.{name}").command
        return command


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  vistoken count 1280x720 -m qwen2.5-vl-7b
  vistoken count photos/ -m clip-l14-336 -m siglip2-naflex --json
  vistoken plan -m dinov2-g14 -m siglip-so400m14-384
  vistoken encode photo.jpg -m vistoken/front-end -o tokens.safetensors
  vistoken look photo.jpg -m dinov2-b14 -o look.png
  vistoken models clip-b32""",
)
@click.version_option(__version__, prog_name="vistoken")
def cli() -> None:
    """Count, plan, make and look at the visual tokens of vision transformers and vision-language models."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command and leave with the exit code of what happened."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where the stream is closed
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show stops nothing
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """The exit code of one run; every message has been printed."""
    try:
        # Not `cli.main`, which has exit codes of its own for a closed pipe and for interruption.
        with cli.make_context("vistoken", list(sys.argv[1:] if arguments is None else arguments)) as context:
            code = cli.invoke(context)
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leaving:  # --help, --version
        return leaving.exit_code
    except VistokenError as error:
        complain(f"error: {error}")
        return error.exit_code
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted: run the same command again")
        return 130
    except BrokenPipeError:
        # The reader went away (`| head`): nothing more can be written, not even by the interpreter's last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 4
    except OSError as error:
        complain(f"error: the output cannot be written: {error.strerror}")
        return 4
    except Exception:  # noqa: BLE001  # whatever else arrives here is a bug of ours, and is shown in full
        import traceback

        words = " ".join(sys.argv[1:] if arguments is None else arguments)
        complain(traceback.format_exc())
        complain(f"This is a bug in vistoken {__version__}. Please report it with the lines above and the command:")
        complain(f"vistoken {words}")
        return 1
