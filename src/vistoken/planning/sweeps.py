"""Sweeps: every combination of some values of geometry, size, batch, dtype or a model's own settings, as choices.

A combination that cannot be (a dim that the heads do not divide, a picture smaller than a patch) becomes a row without
values and with the reason; the others go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from vistoken.errors import InputError, UsageError, did_you_mean, shown
from vistoken.frozen import frozen
from vistoken.geometry import Patch, Size
from vistoken.planning.choosing import Choice, Setting, choices, refused

if TYPE_CHECKING:
    from vistoken.planning.hardware import Device
    from vistoken.planning.plans import Plan
    from vistoken.spec import EncoderSpec

GEOMETRY = ("patch", "dim", "depth", "heads", "mlp")
COMMON = ("input", "batch", "dtype")  # what every model has
REQUIRED = ("patch", "dim", "depth")
MOST = 10_000
HEAD_DIM = 64  # of ViT's sizes Ti to L (arXiv 2010.11929, table 1; arXiv 2012.12877, table 1)
BARE = "bare geometry"


@frozen
class Sweep:
    """Names, and the values that each takes; patches and sizes as text, or as a number where they are square."""

    axes: tuple[tuple[str, tuple[Setting, ...]], ...]

    def __len__(self) -> int:
        return prod(len(values) for _, values in self.axes)

    def __iter__(self) -> Iterator[dict[str, Setting]]:
        names = [name for name, _ in self.axes]
        for values in product(*(values for _, values in self.axes)):
            yield dict(zip(names, values, strict=True))


def parse_sweep(text: str, *, bare: bool) -> Sweep:
    """Read "patch=14,16 input=224,640x480": names apart by spaces, values by commas.

    `bare` is for geometry; otherwise names that are not `input`, `batch` or `dtype` are settings of the model.

    >>> len(parse_sweep("patch=14,16 input=224,384,512 dim=768,1024 depth=12,24", bare=True))
    24

    Raises `UsageError` for what cannot be read, an unknown name, and a name or value that is given twice.
    """
    axes: dict[str, tuple[Setting, ...]] = {}
    for word in text.split():
        name, equals, values = word.partition("=")
        if not equals or not name or not all(values.split(",")):
            raise UsageError(f"sweep {shown(word)}: write NAME=VALUE,VALUE, for example input=224,384")
        if name in axes:
            raise UsageError(f"sweep {shown(word)}: {name} is given twice")
        _check_name(name, bare)
        axes[name] = tuple(_value(name, value) for value in values.split(","))
        if len(set(axes[name])) < len(axes[name]):
            raise UsageError(f"sweep {shown(word)}: a value is given twice")
    if not axes:
        raise UsageError("an empty sweep: write NAME=VALUE,VALUE, for example input=224,384")
    return Sweep(tuple(axes.items()))


def sweep_plans(
    sweep: Sweep,
    *,
    model: str | None = None,
    size: Size | None = None,
    geometry: Mapping[str, Setting] | None = None,
    devices: Sequence[Device] = (),
    mode: str = "eager",
    prices: Mapping[str, float] | None = None,
    **common: Any,
) -> list[Choice]:
    """A row for every combination and device.

    Args:
        sweep: from `parse_sweep`.
        model: a name or folder; bare geometry if not given.
        size: of the picture, where the sweep has no `input`.
        geometry: of what the sweep leaves out: patch, dim, depth, heads, mlp. Heads are dim / 64 where nothing says.
        devices: as in `choices`.
        mode: as in `choices`.
        prices: as in `choices`.
        common: further arguments of `plan`.

    >>> rows = sweep_plans(parse_sweep("input=224,384 dim=768,100", bare=True), geometry={"patch": 16, "depth": 12})
    >>> [row.params for row in rows], rows[1].reasons[0][:28]
    ([85798656, None, 86090496, None], 'dim 100 is no multiple of 64')

    Raises `UsageError` for a sweep beyond 10,000 combinations, geometry that lacks something, and where no combination
    can be planned the first error; `ModelError` for an unknown model.
    """
    check_most(len(sweep))
    _check_once(sweep, {**common, **(geometry or {})})
    if model is None:
        _check_whole(sweep, geometry or {}, size or common.get("input"))
    rows: list[Choice] = []
    errors: list[UsageError | InputError] = []
    for combination in sweep:
        own = tuple((name, value) for name, value in combination.items() if name not in COMMON)
        try:
            planned = _plan(model, size, {**(geometry or {}), **combination}, common)
            if model is None and "heads" not in combination:
                own = (*own, ("heads", planned.encoder.heads))
        except (InputError, UsageError) as error:
            errors.append(error)
            rows.append(refused(_empty(model, size, own, {**common, **combination}), error))
            continue
        rows += choices(planned, devices, mode=mode, prices=prices, model=model or BARE, settings=own)
    if len(errors) == len(sweep):
        raise errors[0]
    return rows


def check_most(combinations: int) -> None:
    """Raises `UsageError` where a sweep has too many combinations."""
    if combinations > MOST:
        raise UsageError(f"a sweep of {combinations:,} combinations: at most {MOST:,} are planned at once")


def _check_once(sweep: Sweep, given: Mapping[str, Any]) -> None:
    """Batch and dtype have defaults, which a sweep replaces; anything else is swept or given."""
    for name, _ in sweep.axes:
        if given.get(name) is not None and name not in ("batch", "dtype"):
            raise UsageError(f"sweep of {name}: it is given as well, as {given[name]}; leave one of them out")


def _check_name(name: str, bare: bool) -> None:
    known = (*GEOMETRY, *COMMON)
    if bare and name not in known:
        raise UsageError(
            f"sweep of {shown(name)}: bare geometry has {', '.join(known)}.{did_you_mean(name, known)} "
            "A model's own settings are swept with -m MODEL"
        )
    if not bare and name in GEOMETRY:
        raise UsageError(f"sweep of {name}: a model has its own; leave out -m MODEL to sweep bare geometry")


def _value(name: str, text: str) -> Setting:
    from vistoken.planning.plans import check_dtype

    if name in ("patch", "input"):
        size = _size(text)
        return size.width if size.width == size.height else str(size)
    if name == "dtype":
        check_dtype(text)
        return text
    if name in (*GEOMETRY, *COMMON):
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
            raise UsageError(f"sweep of {name}: {shown(text)} is not a whole number above 0")
        return int(text)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, int | float | str | bool | None) else text


def _check_whole(sweep: Sweep, geometry: Mapping[str, Setting], size: object) -> None:
    there = {name for name, _ in sweep.axes} | {name for name, value in geometry.items() if value is not None}
    missing = [name for name in REQUIRED if name not in there]
    if missing:
        raise UsageError(f"bare geometry lacks {', '.join(missing)}: add it to the sweep, for example patch=14,16")
    if size is None and "input" not in there:
        raise UsageError("bare geometry needs a size: add input=224,384 to the sweep, or give WIDTHxHEIGHT")


def _plan(model: str | None, size: Size | None, values: Mapping[str, Setting], common: Mapping[str, Any]) -> Plan:
    from vistoken.planning.plans import plan

    asked = {**common, **{name: value for name, value in values.items() if name not in GEOMETRY}}
    if "input" in values:
        asked["input"] = _size(values["input"])
    width, height = (None, None) if size is None else (size.width, size.height)
    if model is not None:
        return plan(model, width=width, height=height, **asked)
    table: Any = asked.get("input") or size
    return plan(_encoder(values, table), width=width, height=height, **asked)


def _encoder(values: Mapping[str, Any], table: Size) -> EncoderSpec:
    from vistoken.planning.plans import bare_encoder

    cell, dim, heads = _size(values["patch"]), values["dim"], values.get("heads")
    if heads is None:
        if dim % HEAD_DIM:
            raise UsageError(f"dim {dim} is no multiple of {HEAD_DIM}, the width of a head where heads are not given")
        heads = dim // HEAD_DIM
    return bare_encoder(
        patch=Patch(height=cell.height, width=cell.width),
        dim=dim,
        depth=values["depth"],
        heads=heads,
        table=table,
        mlp=values.get("mlp"),
    )


def _size(value: Setting) -> Size:
    """A number, or text: a side or WIDTHxHEIGHT."""
    text = str(value)
    if text.strip("0123456789xX"):
        raise UsageError(f"{shown(text)} is not a size: write a side in pixels, or WIDTHxHEIGHT, for example 224")
    return Size.parse(text if "x" in text.lower() else f"{text}x{text}")


def _empty(
    model: str | None, size: Size | None, settings: tuple[tuple[str, Setting], ...], asked: Mapping[str, Any]
) -> Choice:
    fed = asked.get("input")
    where = _size(fed) if isinstance(fed, int | str) else fed or size
    return Choice(
        model=model or BARE,
        size=where,
        settings=settings,
        batch=asked.get("batch", 1),
        dtype=asked.get("dtype", "float32"),
    )
