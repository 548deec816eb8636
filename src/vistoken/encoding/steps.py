"""What each step of `vistoken.weight_names` asks of a tensor's shape, and what it does with its values.

What the file holds in our order is read straight to its place; all else is read beside it, then rearranged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, assert_never

import torch
from torch import Tensor

from vistoken.encoding.headers import FLOATS, Stored
from vistoken.encoding.reading import Values
from vistoken.weight_names import (
    AsIs,
    Cell,
    CellRows,
    ChannelsLast,
    DropOnes,
    Flattened,
    Item,
    LastRowFirst,
    NoKeys,
    Paired,
    PairedQk,
    Pairs,
    Part,
    PlusOne,
    Row,
    SwappedHalves,
    Table,
    Transposed,
    WeightStep,
)

ALL = -1  # the place of a step that fills a whole parameter


def places_filled(step: WeightStep) -> Sequence[int]:
    """Which parts of one of our tensors a step fills, or `ALL`."""
    match step:
        case Part(index, span=span):
            return range(index, index + span)
        case Cell(row, col):
            return (4 * row + col,)  # matrices of bounds have four columns
        case _:
            return (ALL,)


def shape_fault(stored: Stored, ours: torch.Size, step: WeightStep) -> str:
    """What is wrong with a tensor's shape or type, or an empty string."""
    if stored.dtype not in FLOATS:
        return f"is {stored.dtype}, not a floating-point type"
    fits, wanted = _fits(stored.shape, tuple(ours), step)
    return "" if fits else f"is {stored.shape}, not {wanted}"


def _fits(shape: tuple[int, ...], ours: tuple[int, ...], step: WeightStep) -> tuple[bool, str]:
    """Whether a tensor of `shape` can fill one of ours, and in words what could."""
    match step:
        case Cell():
            return shape in ((), (1,)), "one number"
        case DropOnes() | Row():
            bare = ours[1:] if ours[0] == 1 else ours
            return _without_ones(shape) == bare or shape == ours, f"{ours}, with or without leading ones"
        case Flattened():
            fits = shape[:1] == ours[:1] and min(len(shape), len(ours)) == 2 and math.prod(shape) == math.prod(ours)
            return fits, f"{ours[0]} rows of {math.prod(ours[1:]):,} numbers"
        case CellRows():
            fits = shape[-1:] == ours[-1:] and math.prod(shape) == math.prod(ours)
            return fits, f"a grid of {ours[0]} cells of {ours[1]}"
        case _:
            wanted = _shape_in_file(ours, step)
            return shape == wanted, str(wanted)


_OneShape = (
    AsIs | Paired | PairedQk | SwappedHalves | PlusOne | LastRowFirst | Transposed | Table | Item | Part | NoKeys
    | ChannelsLast
)  # fmt: skip


def _shape_in_file(ours: tuple[int, ...], step: _OneShape) -> tuple[int, ...]:
    """The shape of what fills one of our tensors, where there is but one."""
    match step:
        case AsIs() | Paired() | PairedQk() | SwappedHalves() | PlusOne() | LastRowFirst():
            return ours
        case Transposed():
            return ours[::-1]
        case Table(unused):
            return ours[1] + unused, ours[0]
        case Item(_, of):
            return of, *ours
        case Part(_, of, span=span):
            return ours[0] // of * span, *ours[1:]
        case NoKeys():
            return (ours[0] // 2 * 3,)
        case ChannelsLast():
            return ours[0], math.prod(ours[1:])
        case _:
            assert_never(step)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return shape


def fill(target: Tensor, values: Values, name: str, step: WeightStep, head_dim: int) -> bool:
    """Tensor `name` of a file into its parameter. Tells whether any value in the file is not zero."""
    match step:  # what the file holds in our order is read to its place
        case AsIs() | DropOnes() | Row() | CellRows() | Flattened():
            return values.read(name, target)
        case Part(index, of, "half", span):
            return values.read(name, _parts(target, index, of, span))
        case NoKeys():  # whatever the file has where its mask hides it
            (q, v), width = target.chunk(2), len(target) // 2
            return values.read(name, q) | values.read(name, v, skip=2 * width)
        case Item(index):
            return values.read(name, target, skip=index * target.numel())
    dtype = torch.float32 if isinstance(step, PlusOne) else target.dtype
    tensor = torch.empty(values.tensors[name].shape, dtype=dtype)
    something = values.read(name, tensor, finite=not isinstance(step, Cell))  # an infinite bound is none
    _rearrange(target, tensor, step, head_dim)
    return something


def _parts(target: Tensor, index: int, of: int, span: int) -> Tensor:
    """`span` of the `of` parts of our rows, from `index` on."""
    rows = len(target) // of
    return target[index * rows : (index + span) * rows]


def _rearrange(target: Tensor, tensor: Tensor, step: WeightStep, head_dim: int) -> None:
    match step:
        case Part(index, of, pairs, span):
            _parts(target, index, of, span).copy_(paired(tensor, pairs, head_dim))
        case Paired(pairs):
            target.copy_(paired(tensor, pairs, head_dim))
        case PairedQk(pairs):
            for index, part in enumerate(tensor.chunk(3)):
                target.chunk(3)[index].copy_(part if index == 2 else paired(part, pairs, head_dim))
        case Transposed():
            target.copy_(tensor.T)
        case LastRowFirst():
            target.copy_(tensor.roll(1, dims=0))
        case Table():
            target.copy_(tensor[: target.shape[1]].T)
        case SwappedHalves():
            target.copy_(torch.cat(tensor.chunk(2)[::-1]))
        case PlusOne():
            target.copy_(1 + tensor)
        case Cell(row, col):
            target[row, col] = tensor.item()
        case ChannelsLast():
            _, channels, height, width = target.shape
            target.copy_(tensor.unflatten(1, (height, width, channels)).permute(0, 3, 1, 2))
        case AsIs() | DropOnes() | Row() | Item() | NoKeys() | CellRows() | Flattened():
            raise AssertionError(f"{step} is read to its place")
        case _:
            assert_never(step)


def paired(tensor: Tensor, pairs: Pairs, head_dim: int) -> Tensor:
    """Rows of every head in our order of rotary pairs, see `Pairs`."""
    if pairs == "half":
        return tensor
    order = torch.cat(_places(torch.arange(head_dim), pairs))
    return tensor.unflatten(0, (-1, head_dim))[:, order].flatten(0, 1)


def _places(places: Tensor, pairs: Literal["axes", "rows first", "cols first", "alternating"]) -> tuple[Tensor, ...]:
    """Where the file holds what stands in our four quarters: first of the row's pairs, of the column's; seconds."""
    match pairs:
        case "axes":
            col, col2, row, row2 = places.chunk(4)
        case "rows first":
            (row, row2), (col, col2) = (half.unflatten(0, (-1, 2)).unbind(1) for half in places.chunk(2))
        case "cols first":
            (col, col2), (row, row2) = (half.unflatten(0, (-1, 2)).unbind(1) for half in places.chunk(2))
        case "alternating":
            col, col2, row, row2 = places.unflatten(0, (-1, 4)).unbind(1)
        case _:
            assert_never(pairs)
    return row, col, row2, col2
