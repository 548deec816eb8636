"""Reading JSON from a model folder: hostile until checked, and every value remembered with its source."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from vistoken.errors import ConfigError, SettingError, UsageError, did_you_mean, shown
from vistoken.geometry import Patch, Size

T = TypeVar("T")

# The source of a value that the caller set.
SETTING = "setting of the call"

# Sides that a model may resize to, cut or be made for. The largest published one is 4,096.
MAX_MODEL_SIDE = 65_536

# Published configuration files are a few kilobytes; the largest (with label names of ImageNet-21k) are about 1 MB.
MAX_JSON_BYTES = 16 * 2**20
# What stands instead of a large file where a repository was cloned without it.
LFS_POINTER = "version https://git-lfs"
LFS_ADVICE = "is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`"
# Objects and lists, which take up to 40 times their bytes of memory. A header of weights has three for each tensor.
MAX_JSON_PARTS = 1_000_000


def read_json(path: str, max_bytes: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """The JSON object in the file `path`. Raises `ConfigError` that names the file for whatever is wrong with it."""
    text = _read_text(path, max_bytes)
    try:
        if text.startswith(LFS_POINTER):
            raise ValueError(LFS_ADVICE)
        return parse_object(text)
    except ValueError as error:
        raise ConfigError(f"{path} {error}") from None


def parse_object(text: str, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> dict[str, Any]:
    """The JSON object that `text` is; `pairs`, if given, makes every object of its names and values.

    Raises `ValueError` that says what the text is instead: malformed, nested too deeply, too bushy, no object.
    """
    import json

    if text.count("{") + text.count("[") > MAX_JSON_PARTS:
        raise ValueError(f"holds more than {MAX_JSON_PARTS:,} objects and lists")
    try:
        values = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=pairs)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError as error:  # malformed JSON, NaN, or an integer of thousands of digits
        raise ValueError(f"is not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"holds a JSON {type(values).__name__}, not an object")  # noqa: TRY004  # about the text
    return values


def _read_text(path: str, max_bytes: int) -> str:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device would block or never end
            raise ConfigError(f"{path} is not a regular file")
        if status.st_size > max_bytes:
            raise ConfigError(f"{path} has {status.st_size:,} bytes, more than the {max_bytes:,} allowed")
        with open(path, "rb") as file:
            return file.read(max_bytes).decode("utf-8")  # no more, should it grow meanwhile
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


class Config:
    """One JSON object, read value by value.

    `values` win over `defaults`, the defaults of the library class that wrote the file: the format leaves such values
    out. `origins` collects what was read as (field, value, source).

    >>> config = Config({"hidden_size": 768}, "config.json", defaults={"patch_size": 16}, defaults_source="ViTConfig")
    >>> config.integer("hidden_size"), config.integer("patch_size")
    (768, 16)
    >>> config.origins[1]
    ('patch_size', 16, 'default of ViTConfig')
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        where: str,
        *,
        defaults: Mapping[str, Any] | None = None,
        defaults_source: str = "",
        path: str = "",
        overrides: Mapping[str, Any] | None = None,
        origins: list[tuple[str, object, str]] | None = None,
    ) -> None:
        self.values = values
        self.where = where
        self.path = path
        self.defaults = defaults or {}
        self.defaults_source = defaults_source
        self.overrides = overrides or {}
        self.origins: list[tuple[str, object, str]] = [] if origins is None else origins

    def with_defaults(self, defaults: Mapping[str, Any], source: str) -> Config:
        """The same object, completed by the defaults of the class `source`."""
        return Config(
            self.values, self.where, defaults=defaults, defaults_source=source, path=self.path,
            overrides=self.overrides, origins=self.origins,
        )  # fmt: skip

    def replaced(self, **values: Any) -> Config:
        """The same object with what its class makes of some values in their place."""
        return Config(
            {**self.values, **values}, self.where, defaults=self.defaults, defaults_source=self.defaults_source,
            path=self.path, overrides=self.overrides, origins=self.origins,
        )  # fmt: skip

    def child(self, name: str) -> Config:
        """The object below `name`; empty where it is missing, since the format may leave out all of it."""
        values = self.values.get(name)
        if values is None:
            values = {}
        if not isinstance(values, Mapping):
            raise self.error(name, values, "it must be an object")
        return Config(values, self.where, path=f"{self.path}{name}.", origins=self.origins)

    def has(self, name: str) -> bool:
        """Whether the file itself, or a setting of the caller, gives `name`."""
        return name in self.overrides or self.values.get(name) is not None

    def raw(self, name: str) -> Any:
        """The value of `name` as it stands. Raises `ConfigError` where there is none."""
        for values, source in (
            (self.overrides, SETTING),
            (self.values, self.where),
            (self.defaults, f"default of {self.defaults_source}"),
        ):
            if name in values:
                self.origins.append((self.path + name, values[name], source))
                return values[name]
        raise ConfigError(f"{self.where}: {self.path}{name} is missing")

    def integer(self, name: str, low: int = 1, high: int = 1_000_000) -> int:
        value = self.raw(name)
        if type(value) is not int or not low <= value <= high:
            raise self.error(name, value, f"it must be a whole number from {low:,} to {high:,}")
        return value

    def number(self, name: str, low: float, high: float) -> float:
        return self._number(name, self.raw(name), low, high)

    def flag(self, name: str) -> bool:
        """True or false; null is false, as it is where the library asks `if value`."""
        value = self.raw(name)
        if value is None:
            return False
        if type(value) is not bool:
            raise self.error(name, value, "it must be true or false")
        return value

    def choice(self, name: str, options: Mapping[Any, T]) -> T:
        """What `options` holds for the value: the translation of a foreign word into ours."""
        value = self.raw(name)
        if type(value) is bool or not isinstance(value, str | int) or value not in options:
            words = [str(option) or "''" for option in options]  # timm's word for no pool is empty
            hint = did_you_mean(value, words) if isinstance(value, str) else ""
            raise self.error(name, value, f"known are {', '.join(words)}.{hint}")
        return options[value]

    def numbers(self, name: str, length: int, low: float, high: float) -> tuple[float, ...]:
        """A list of `length` numbers; one number stands for all."""
        value = self.raw(name)
        if not isinstance(value, list | tuple):
            value = [value] * length
        if len(value) != length:
            raise self.error(name, value, f"it must hold {length} numbers")
        return tuple(self._number(name, item, low, high) for item in value)

    def size(self, name: str) -> Size:
        """A size: one side of a square, [height, width], or {"height": ..., "width": ...}."""
        value = self.raw(name)
        match value:
            case int():
                sides = [value, value]
            case [height, width]:
                sides = [height, width]
            case {"height": height, "width": width}:
                sides = [height, width]
            case _:
                raise self.error(name, value, 'it must be a side, [height, width] or {"height": ..., "width": ...}')
        return self._size(name, value, sides)

    def patch(self, name: str, frames: int = 1) -> Patch:
        """A patch: one side of a square, or [height, width]."""
        size = self.size(name)
        return Patch(size.height, size.width, frames)

    def error(self, name: str, value: object, rule: str) -> ConfigError | SettingError:
        """An error that names the file, the field and its value; or the setting, where the caller set it."""
        if name in self.overrides:
            return SettingError(f"setting {name} is {shown(value)}: {rule}")
        return ConfigError(f"{self.where}: {self.path}{name} is {shown(value)}: {rule}")

    def _number(self, name: str, value: object, low: float, high: float) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:  # NaN is not
            return float(value)
        raise self.error(name, value, f"it must be a number from {low:g} to {high:g}")

    def _size(self, name: str, value: object, sides: list[Any]) -> Size:
        try:
            size = Size(height=sides[0], width=sides[1])
        except UsageError as error:
            raise self.error(name, value, str(error)) from None
        if max(size.height, size.width) > MAX_MODEL_SIDE:
            raise self.error(name, value, f"a side must be at most {MAX_MODEL_SIDE:,} pixels")
        return size
