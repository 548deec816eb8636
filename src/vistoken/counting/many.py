"""One model, millions of sizes: arrays and sequences of widths and heights in, tokens out."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from vistoken import registry
from vistoken.counting.ready import Counter, counter_of
from vistoken.errors import InputError, UsageError, VistokenError, shown
from vistoken.frozen import frozen
from vistoken.geometry import MAX_SIDE
from vistoken.model_spec import ModelSpec

if TYPE_CHECKING:
    from numpy import int64
    from numpy.typing import NDArray

    Integers = NDArray[int64]

# Distinct sizes of a sequence that are remembered, so that pictures of one size are counted once.
REMEMBERED = 100_000
# Sequences of at least so many sizes take the array form, where there is one and numpy is installed.
MANY = 10_000


@frozen(repr=False)
class TokenCounts:
    """The tokens of many pictures, in the order of their sizes.

    `tokens` is a numpy array of int64 where one of the sides came as an array, else `array.array("q")`. `refused` names
    the sizes that the model refuses, or that are none, by their index, with the reason: there `tokens` is 0, which no
    counted picture has.
    """

    model: str
    tokens: Integers | array[int]
    refused: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def total(self) -> int:
        """Tokens of all pictures that are counted."""
        return int(self.tokens.sum()) if not isinstance(self.tokens, array) else sum(self.tokens)

    def __repr__(self) -> str:
        return f"TokenCounts(model={self.model!r}, {len(self):,} sizes, {len(self.refused):,} refused)"


def count_many(
    model: str,
    widths: Iterable[int],
    heights: Iterable[int],
    *,
    errors: Literal["raise", "mask"] = "raise",
    images_in_prompt: int = 1,
    revision: str | None = None,
    **settings: Any,
) -> TokenCounts:
    """Count pictures of many sizes: each number equals that of `count` for this size.

    Args:
        model: a built-in name or alias, a hub id, or a folder with `config.json`.
        widths: of the pictures in pixels: a sequence of integers, or whatever numpy takes for an array of integers.
        heights: likewise, as many.
        errors: what becomes of a size that is refused: "raise", or "mask", which names it in `refused` and goes on.
        images_in_prompt: pictures that share the prompt with each, itself included: it changes some rules.
        revision: of the hub repository.
        settings: values of the model's own preprocessor under their own names, for example `max_pixels`.

    >>> counts = count_many("qwen2.5-vl-7b", [1280, 640, 1], [720, 480, 500], errors="mask")
    >>> counts.tokens, counts.total, list(counts.refused)
    (array('q', [1196, 391, 0]), 1587, [2])

    Raises what `count` raises, with the index of the size; `UsageError` for sides that are no whole numbers or differ
    in number.
    """
    if errors not in ("raise", "mask"):
        raise UsageError(f'errors is {shown(errors)}: it must be "raise" or "mask"')
    spec = registry.describe(model, settings=settings, revision=revision)
    if images_in_prompt != 1:
        spec = spec.among(images_in_prompt)
    tokens: Integers | array[int]
    if any(hasattr(sides, "__array__") for sides in (widths, heights)):
        tokens, refused = _of_arrays(spec, _array("widths", widths), _array("heights", heights))
    else:
        tokens, refused = of_sequences(spec, _sequence("widths", widths), _sequence("heights", heights))
    if refused and errors == "raise":
        index, error = next(iter(refused.items()))
        raise type(error)(f"the size at index {index:,}: {error}")
    return TokenCounts(spec.name, tokens, {index: str(error) for index, error in refused.items()})


Errors = dict[int, VistokenError]


def of_sequences(spec: ModelSpec, widths: Sequence[Any], heights: Sequence[Any]) -> tuple[array[int], Errors]:
    """The tokens for a model that is already described, and by index what is wrong with a size: there they are 0."""
    _check_lengths(widths, heights)
    if len(widths) >= MANY and (arrays := _as_arrays(spec, widths, heights)):
        tokens, errors = _of_arrays(spec, *arrays)
        return array("q", tokens.tobytes()), errors
    return _one_by_one(counter_of(spec), widths, heights)


def _one_by_one(count: Counter, widths: Sequence[Any], heights: Sequence[Any]) -> tuple[array[int], Errors]:
    found, errors, known = array("q"), Errors(), dict[tuple[int, int], int]()
    for index, (width, height) in enumerate(zip(widths, heights, strict=True)):
        plain = type(width) is int and type(height) is int  # True and 640.0 would be found in place of 1 and 640
        tokens = known.get((width, height)) if plain else None
        if tokens is None:
            try:
                tokens = count(width=width, height=height)
            except (InputError, UsageError) as error:
                errors[index], tokens = error, 0
            if plain and tokens and len(known) < REMEMBERED:
                known[width, height] = tokens
        found.append(tokens)
    return found, errors


def _as_arrays(spec: ModelSpec, *sides: Sequence[Any]) -> list[Integers] | None:
    """The sides as numpy arrays; None where nothing is gained by it, or where some side is no plain integer."""
    from vistoken.counting.arrays import has_form

    if not has_form(spec) or any(set(map(type, side)) != {int} for side in sides):
        return None
    try:
        import numpy as np

        return [np.array(array("q", side)) for side in sides]
    except (ImportError, OverflowError):  # numpy is an extra; the scalar form says what is wrong with such a side
        return None


def _of_arrays(spec: ModelSpec, widths: Integers, heights: Integers) -> tuple[Integers, Errors]:
    """Distinct sizes are counted once: in array form where there is one, and by the scalar form otherwise."""
    import numpy as np

    from vistoken.counting.arrays import array_form

    _check_lengths(widths, heights)
    possible = (widths > 0) & (widths <= MAX_SIDE) & (heights > 0) & (heights <= MAX_SIDE)
    # One number a size, 27 bits a side; 0 for what is none.
    keys = np.where(possible, heights.astype(np.int64) << 27 | widths.astype(np.int64), 0)
    distinct, places = np.unique(keys, return_inverse=True)
    down, across = distinct >> 27, distinct & 2**27 - 1
    form, count, tokens = array_form(spec), counter_of(spec), np.zeros(len(distinct), np.int64)
    if form:
        tokens[across > 0] = form(down[across > 0], across[across > 0])
    refused = _fill(tokens, count, across, down)
    errors = Errors()
    for index in np.nonzero(tokens[places] == 0)[0].tolist():
        errors[index] = refused.get(int(places[index])) or _refusal(count, int(widths[index]), int(heights[index]))
    return tokens[places], errors


def _fill(tokens: Integers, count: Counter, widths: Integers, heights: Integers) -> Errors:
    """Count what is still 0, but for sides of 0, which stand for what is no size."""
    import numpy as np

    (left,) = np.nonzero((tokens == 0) & (widths > 0))
    errors = Errors()
    for index, width, height in zip(left.tolist(), widths[left].tolist(), heights[left].tolist(), strict=True):
        try:
            tokens[index] = count(width=width, height=height)
        except (InputError, UsageError) as error:
            errors[index] = error
    return errors


def _refusal(count: Counter, width: int, height: int) -> VistokenError:
    """What the scalar form says of sides that no picture has."""
    try:
        raise AssertionError(f"{count(width=width, height=height)} tokens for {width}x{height}")
    except (InputError, UsageError) as error:
        return error


# ---------------------------------------------------------------- what is given


def _check_lengths(widths: Sequence[Any] | Integers, heights: Sequence[Any] | Integers) -> None:
    if len(widths) != len(heights):
        raise UsageError(f"{len(widths):,} widths and {len(heights):,} heights: give one of each for every picture")


def _sequence(name: str, sides: Iterable[Any]) -> Sequence[Any]:
    if isinstance(sides, str | bytes) or not isinstance(sides, Iterable):
        raise UsageError(f"{name} is {shown(sides)}: give a sequence of whole numbers of pixels, or an array")
    return sides if isinstance(sides, Sequence | array) else list(sides)


def _array(name: str, sides: Any) -> Integers:
    """An array of integers of one dimension. Raises `UsageError` for others, floats among them: 640.5 is no side."""
    import numpy as np

    if not hasattr(sides, "__array__"):  # the other side's partner; a list may hold True, or nothing
        sides = _sequence(name, sides)
        if kinds := set(map(type, sides)) - {int}:
            raise UsageError(f"{name} has values of type {kinds.pop().__name__}: give whole numbers of pixels")
        try:
            return np.array(sides, np.int64)
        except OverflowError:
            raise UsageError(f"{name} has an enormous integer: a side has from 1 to {MAX_SIDE:,} pixels") from None
    try:
        found = np.asarray(sides)
    except (TypeError, ValueError, RuntimeError) as error:  # a tensor on a GPU, one that has a gradient
        raise UsageError(f"{name} cannot be read as an array: {error}") from None
    if found.ndim != 1 or found.dtype.kind not in "iu":
        what = f"{found.ndim} dimensions" if found.ndim != 1 else f"values of type {found.dtype}"
        raise UsageError(f"{name} has {what}: give one dimension of integers, for example {name}.astype('int64')")
    if np.ma.isMaskedArray(sides) and np.ma.is_masked(sides):
        raise UsageError(f"{name} has masked values: leave them out")
    return found
