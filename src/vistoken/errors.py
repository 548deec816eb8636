"""The exception tree.

    VistokenError
    |- UsageError      wrong use: an option, a size, an argument           exit 2
    |  '- SettingError    a value set for the model's preprocessor
    |- InputError      one input could not be read or cut into patches     exit 3
    |- NothingFits     the answer is no: nothing stays within the budgets  exit 3
    |- OutputError     the result could not be written                     exit 4
    |- ModelError      a model is unknown, or its files are wrong          exit 5
    |  |- NotAtHand       the files of a hub model cannot be had
    |  |- ConfigError      config.json and its companions
    |  '- WeightsError     the safetensors files
    '- MissingExtra    an optional library is not installed                exit 2

Every message says what was given, which rule it broke, and what would work. All of them are
`ValueError`s, so that a caller who knows nothing of vistoken can catch what a user did wrong.
"""

from __future__ import annotations

from collections.abc import Iterable


class VistokenError(ValueError):
    """Something that was given to vistoken is wrong."""

    exit_code = 2


class UsageError(VistokenError):
    """An argument has no meaning or contradicts another one."""


class SettingError(UsageError):
    """A value that the caller set for the model's preprocessor is wrong."""


class InputError(VistokenError):
    """One input (an image, a size) cannot be used; others may still be fine."""

    exit_code = 3


class NothingFits(VistokenError):
    """Nothing stays within the budgets; the message says by how much."""

    exit_code = 3


class OutputError(VistokenError):
    """The result cannot be written."""

    exit_code = 4


class ModelError(VistokenError):
    """A model is unknown or its description is wrong."""

    exit_code = 5


class NotAtHand(ModelError):
    """The files of a hub model are neither in the cache nor to be fetched."""


class ConfigError(ModelError):
    """A configuration file is missing, unreadable, or has an impossible value."""


class WeightsError(ModelError):
    """The weights do not fit the model's description."""


class MissingExtra(VistokenError):
    """A library of an optional extra is not installed."""

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {library}, which is not installed: pip install 'vistoken[{extra}]'")


def did_you_mean(given: object, known: Iterable[str], limit: int = 3) -> str:
    """A hint with the closest known names, or an empty string.

    >>> did_you_mean("dinov2-bse", ["dinov2-base", "vit-b16-224"])
    ' Did you mean dinov2-base?'
    """
    import difflib  # only on the way to an error message

    if len(str(given)) > 100:  # no misspelt name, and slow to compare
        return ""
    names = list(known)
    # A hub id is also meant by what stands behind its organisation.
    by_word = {name.lower().rpartition("/")[2]: name for name in names} | {name.lower(): name for name in names}
    close = difflib.get_close_matches(str(given).lower(), list(by_word), n=limit, cutoff=0.6)
    meant = dict.fromkeys(by_word[word] for word in close)
    return f" Did you mean {' or '.join(meant)}?" if meant else ""


def one_line(text: str, limit: int = 200) -> str:
    r"""Foreign words as they may stand in a message: short, and without anything that steers a terminal.

    >>> print(one_line("two" + chr(10) + "lines"), one_line("x" * 1000, limit=3))
    two\nlines xxx...
    """
    cut = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:limit])
    return cut + "..." * (len(text) > limit)


def shown(value: object) -> str:
    """A value as it stands in a message: short, whatever it is.

    >>> shown(None), shown("x" * 100)[-5:]
    ('null', 'xx...')
    """
    try:
        text = "null" if value is None else repr(value)
    except ValueError:  # an integer of thousands of digits
        text = "an enormous integer"
    except RecursionError:
        text = "something nested too deeply"
    return text if len(text) <= 80 else text[:77] + "..."


def printable(text: str) -> str:
    r"""The text with control characters and broken bytes written out: a file's name must not steer a terminal.

    >>> printable("two\nlines")
    'two\\nlines'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
