"""Families by the names of their models, by `model_type`, and by timm's `architecture`.

Family files are found by scanning: the folder `families` for ours, the entry point group `vistoken.families` for
others'. A family file is imported only if its text mentions the name that is asked for, which keeps start-up short
without a second list of names that could go stale.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import chain

from vistoken.errors import ModelError
from vistoken.family import Family, Published

ENTRY_POINTS = "vistoken.families"
_FOLDER = os.path.join(os.path.dirname(__file__), "families")


def families() -> Iterator[Family]:
    """Every family, built in or registered by another package. Raises `ModelError` if two claim one name."""
    owners: dict[str, str] = {}
    for module, family in [*((name, load(name)) for name in _built_in_modules()), *_registered()]:
        claims = {*map(str.lower, family.names()), *(f"model_type {word}" for word in family.model_types)}
        claims |= {f"architecture {word}" for word in (family.timm.architectures if family.timm else ())}
        for word in claims:
            if word in owners:
                raise ModelError(f"{module} and {owners[word]} both define {word!r}: remove one of them")
            owners[word] = module
        yield family


@cache
def load(module: str) -> Family:
    """The family that `module` defines."""
    family = getattr(import_module(module), "FAMILY", None)
    if not isinstance(family, Family):
        raise ModelError(f"{module} is no family file: it must define FAMILY = Family(...)")
    return family


def published(name: str) -> tuple[Family, Published] | None:
    """The family and the entry of a built-in name, alias or series; letter case does not matter."""
    wanted = name.lower()
    if not wanted:
        return None
    for family in chain(_mentioning(wanted), every()):  # all of them only for a name that no file's text holds
        for model in family.published:
            if wanted in map(str.lower, (*model.names, model.series)):
                return family, model
    return None


def reader(model_type: str) -> Family | None:
    """The family that reads configs of `model_type`, or timm's of that `architecture`."""
    return next((family for family in chain(_mentioning(model_type), every()) if family.reads(model_type)), None)


def every() -> Iterator[Family]:
    """All families, ours first, whatever they claim."""
    yield from map(load, _built_in_modules())
    for _, family in _registered():
        yield family


def _built_in_modules() -> list[str]:
    files = sorted(entry for entry in os.listdir(_FOLDER) if entry.endswith(".py") and entry != "__init__.py")
    return [f"vistoken.families.{file[:-3]}" for file in files]


def _mentioning(word: str) -> Iterator[Family]:
    """Our families whose file holds `word` in quotes; those whose file is named alike come first, to read few files."""
    word = word.lower()
    quoted = f'"{word}"'.encode(errors="replace")  # a lone surrogate is no letter of UTF-8
    for module in sorted(_built_in_modules(), key=lambda module: module.rpartition(".")[2][:3] not in word):
        path = os.path.join(_FOLDER, module.rpartition(".")[2] + ".py")
        with open(path, "rb") as file:
            if quoted in file.read().lower():
                yield load(module)


@cache
def _registered() -> tuple[tuple[str, Family], ...]:
    from importlib.metadata import entry_points  # slow to import, and not needed for a built-in name

    found = []
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            found.append((entry.module, load(entry.module)))
        except ModelError:
            raise
        except Exception as error:  # whatever another package's module raises
            raise ModelError(
                f"the family {entry.module}, which another package registers, cannot be imported: {error!r}; "
                "repair or uninstall that package"
            ) from error
    return tuple(found)


def all_names() -> list[str]:
    """All names of all families' models."""
    return [name for family in every() for name in family.names()]
