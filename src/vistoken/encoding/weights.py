"""Loading published weights: `model.safetensors`, whole or in shards, strictly.

Names, shapes and types in the files' headers are checked against the spec before anything is allocated; whatever is
missing, unknown or misshapen is listed in one error. Pickles are never opened.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Literal, assert_never

import torch
from torch import Tensor

from vistoken.configs import read_json
from vistoken.encoding.headers import Stored, read_header
from vistoken.encoding.model import VisionEncoder
from vistoken.encoding.reading import Values, open_values
from vistoken.errors import WeightsError, one_line, shown
from vistoken.files import model_file
from vistoken.weight_names import (
    AsIs,
    Cell,
    CellRows,
    ChannelsLast,
    DropOnes,
    Flattened,
    Ignore,
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
    Weight,
    WeightNames,
    WeightStep,
)

_BLOCK = re.compile(r"(?<=\.)\d+(?=\.)")
_CHUNK = re.compile(r"(?<=\.)\d+\.(\d+)(?=\.)")  # a block by its own number within a chunk of blocks
# The numbers that stand for {n} in the families' patterns: of blocks, also those of a resampler, of deepstack, and of a
# stem's stages. A stage of a connector has a number of its own.
_OUR_BLOCK = re.compile(r"(?:(?<=\bblocks\.)|(?<=\bdeepstack\.)|(?<=\bstem\.stages\.))\d+(?=\.)")
_SHARD = re.compile(r"[\w.-]+\.safetensors", re.ASCII)
_FLOATS = ("F64", "F32", "F16", "BF16")
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
OPEN_CLIP = "open_clip_model.safetensors"  # open_clip's `hf_hub` name; read where the others are missing
MAX_SHARDS = 1000
ALL = -1  # the place of a step that fills a whole parameter
# An index takes about 100 bytes a tensor; mixtures of experts have some 200,000.
MAX_INDEX_BYTES = 32 * 2**20
# Names that an error lists of each kind; of what is beyond them it gives the number.
MAX_LISTED = 32


@dataclass(slots=True)
class Match:
    """One tensor of a file and the parameter that it fills."""

    file: str
    name: str
    ours: str
    step: WeightStep


@dataclass(slots=True)
class Faults:
    """Everything that is wrong with a set of weights, so that one error can list it all."""

    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)

    def raise_if_any(self, source: str) -> None:
        kinds = {"missing": self.missing, "unknown": self.unknown, "of the wrong shape or type": self.misshapen}
        parts = [f"{len(names):,} {kind}: {_listed(names)}" for kind, names in kinds.items() if names]
        if parts:
            raise WeightsError(f"{source} does not fit the config.json beside it: {'; '.join(parts)}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_LISTED:,} more" * (len(names) > MAX_LISTED)
    return ", ".join(map(one_line, names[:MAX_LISTED])) + more


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of a folder, as far as their headers tell.

    Attributes:
        source: the whole file, or the index of its shards.
        files: of each file, the tensors that it holds.
    """

    source: str
    files: Mapping[str, Mapping[str, Stored]]


def load_weights(module: VisionEncoder, folder: str, names: WeightNames) -> None:
    """Fill `module`, built on the meta device, from the safetensors files of `folder`; dtypes are the module's.

    Raises `WeightsError` that lists every missing, unknown and misshapen tensor; the module is then left as it was.
    """
    weights = find_weights(folder)
    parameters = module.state_dict(keep_vars=True)  # parameters, and what is stored without being learned
    matches = _match(weights, parameters, names)
    filled = {name: torch.empty_like(parameter, device="cpu") for name, parameter in parameters.items()}
    something = not filled
    for path, of_file in groupby(matches, key=lambda match: match.file):
        with open_values(path, weights.files[path]) as values:
            for match in of_file:
                something |= _fill(filled[match.ours], values, match, module.spec.head_dim)
    if not something:
        raise WeightsError(f"{weights.source}: every value is zero, as after a copy that broke off; fetch it again")
    module.load_state_dict(filled, assign=True)


# ---------------------------------------------------------------- files


def find_weights(folder: str) -> Weights:
    """The safetensors files of a model folder, whole or by index. Raises `WeightsError` where there are none."""
    for name in (WHOLE, INDEX, OPEN_CLIP):
        path = os.path.join(folder, name)
        if not os.path.lexists(path):
            continue
        if name == INDEX:
            return _indexed(folder, path)
        return Weights(path, {path: read_header(model_file(folder, name, WeightsError))})
    try:
        pickles = sorted(name for name in os.listdir(folder) if name.endswith((".bin", ".pt", ".pth", ".ckpt")))
    except OSError as error:
        raise WeightsError(f"{folder} cannot be listed: {error.strerror}") from None
    hint = f"; {one_line(pickles[0])} is a pickle, which is never opened: convert it to safetensors" if pickles else ""
    raise WeightsError(f"{folder} holds no model.safetensors{hint}")


def _indexed(folder: str, index: str) -> Weights:
    """The shards that an index names, which hold what it says."""
    places = read_json(model_file(folder, INDEX, WeightsError), MAX_INDEX_BYTES).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(shard, str) for shard in places.values()):
        raise WeightsError(f"{index}: weight_map must map tensor names to file names")
    shards = sorted(set(places.values()))
    if len(shards) > MAX_SHARDS:
        raise WeightsError(f"{index}: weight_map names more than {MAX_SHARDS:,} files")
    if strange := [shard for shard in shards if not _SHARD.fullmatch(shard) or len(shard) > 255]:
        raise WeightsError(f"{index}: {shown(strange[0])} is no name of a safetensors file beside the index")
    files = {shard: read_header(model_file(folder, shard, WeightsError)) for shard in shards}
    if lost := [name for name, shard in places.items() if name not in files[shard]]:
        raise WeightsError(f"{index}: {len(lost):,} not in the file that it names: {_listed(lost)}")
    return Weights(index, {os.path.join(folder, shard): header for shard, header in files.items()})


# ---------------------------------------------------------------- names and shapes, from the headers alone


def _match(weights: Weights, parameters: Mapping[str, Tensor], names: WeightNames) -> list[Match]:
    """Pair every tensor of the files with a parameter, or raise one error that lists all faults."""
    faults, matches, taken, table = Faults(), [], dict[str, dict[int, str]](), _table(names)
    beside = bool(names.tower) and any(name.startswith(names.tower) for held in weights.files.values() for name in held)
    for path, header in weights.files.items():
        for name, tensor in header.items():
            if beside and not name.startswith(names.tower):
                continue
            fills = find_weight(name, names, parameters, table)
            # A known tensor without numbers fills nothing: DINOv3 without registers stores an empty one.
            if isinstance(fills, Ignore) or (0 in tensor.get_shape() and find_weight(name, names, table=table)):
                continue
            if not fills:
                faults.unknown.append(name)
                continue
            if rival := _rival(taken.get(fills[0].ours, {}), _filled(fills[0].step)):
                faults.unknown.append(f"{name} (the same as {rival})")
                continue
            for weight in fills:
                taken.setdefault(weight.ours, {}).update(dict.fromkeys(_filled(weight.step), name))
            if fault := _shape_fault(tensor, parameters[fills[0].ours].shape, fills[0].step):
                faults.misshapen.append(f"{name} {fault}")
            matches += [Match(path, name, weight.ours, weight.step) for weight in fills]
    faults.missing = list(_missing(weights, parameters, names, taken))
    faults.raise_if_any(weights.source)
    return matches


def _rival(taken: Mapping[int, str], places: Sequence[int]) -> str | None:
    """The tensor that fills a place of a parameter already, if there is one; `taken` is what fills it so far."""
    if ALL in places:
        return next(iter(taken.values()), None)
    return next((taken[place] for place in (*places, ALL) if place in taken), None)


def _filled(step: WeightStep) -> Sequence[int]:
    """Which parts of one of our tensors a step fills, or `ALL`."""
    match step:
        case Part(index, span=span):
            return range(index, index + span)
        case Cell(row, col):
            return (4 * row + col,)  # matrices of bounds have four columns
        case _:
            return (ALL,)


def find_weight(
    name: str,
    names: WeightNames,
    parameters: Container[str] | None = None,
    table: Mapping[str, Sequence[Weight]] | None = None,
) -> tuple[Weight, ...] | Ignore:
    """What the family says of the tensor `name`: what it fills, with the block's number filled in, or ignored.

    Several where it holds several of ours (see `Item`), or where its place depends on the spec: those count that are
    among the encoder's `parameters`, if these are given. None where nothing names it. `table` holds the family's
    weights by their names in files, for many look-ups.
    """
    ignored, table = None, _table(names) if table is None else table
    for root in sorted(names.roots, key=len, reverse=True):
        if not name.startswith(root):
            continue
        bare = name.removeprefix(root)
        block, chunk = _BLOCK.search(bare), _CHUNK.search(bare)
        numbered = _BLOCK.sub("{n}", bare, count=1)
        patterns = {bare: "", numbered: block[0] if block else ""}
        patterns |= {_CHUNK.sub("{chunk}.{n}", bare, count=1): chunk[1]} if chunk else {}
        for pattern, number in patterns.items():
            weights = (replace(each, file=name, ours=each.ours.replace("{n}", number))
                       for each in table.get(pattern, ()))  # fmt: skip
            if fills := tuple(each for each in weights if parameters is None or each.ours in parameters):
                return fills
        ignored = ignored or _ignored(bare, numbered, names)
    return ignored or ()


def _ignored(bare: str, numbered: str, names: WeightNames) -> Ignore | None:
    for pattern, ignore in names.ignored:
        if pattern in (bare, numbered) or (pattern.endswith("*") and bare.startswith(pattern[:-1])):
            return ignore
    return None


def _table(names: WeightNames) -> dict[str, list[Weight]]:
    table: dict[str, list[Weight]] = {}
    for weight in names.weights:
        table.setdefault(weight.file, []).append(weight)
    return table


def _missing(
    weights: Weights, parameters: Mapping[str, Tensor], names: WeightNames, taken: Mapping[str, Mapping[int, str]]
) -> Iterator[str]:
    """What the files should hold besides: of every parameter the whole, or the parts that are not `taken`.

    Where a family knows several spellings, that is told which begins as other tensors of the files do, or else its
    first.
    """
    words = {name.partition(".")[0] for header in weights.files.values() for name in header}
    sources: dict[str, list[Weight]] = {}
    for weight in sorted(names.weights, key=lambda weight: weight.file.partition(".")[0] not in words):
        sources.setdefault(weight.ours, []).append(weight)
    for ours in parameters:
        block = _OUR_BLOCK.search(ours)
        pattern = _OUR_BLOCK.sub("{n}", ours, count=1)
        assert pattern in sources, f"the family names no tensor for {ours}"
        filled = taken.get(ours, {}).keys()
        places = {place: weight for weight in reversed(sources[pattern]) for place in _filled(weight.step)}
        whole = not filled and ALL in _filled(sources[pattern][0].step)
        expected = {ALL} if whole or ALL in filled else places.keys() - {ALL}
        for place in sorted(expected - filled):
            yield places[place].file.replace("{n}", block[0] if block else "")


def _shape_fault(header: Any, ours: torch.Size, step: WeightStep) -> str:
    """What is wrong with a tensor's shape or type, or an empty string."""
    shape, dtype = tuple(header.get_shape()), header.get_dtype()
    if dtype not in _FLOATS:
        return f"is {dtype}, not a floating-point type"
    match step:
        case AsIs() | Paired() | PairedQk() | SwappedHalves() | PlusOne() | LastRowFirst():
            fits, wanted = shape == ours, str(tuple(ours))
        case Transposed():
            fits, wanted = shape == tuple(reversed(ours)), str(tuple(reversed(ours)))
        case Table(unused):
            fits = shape == (ours[1] + unused, ours[0])
            wanted = str((ours[1] + unused, ours[0]))
        case Item(_, of):
            fits, wanted = shape == (of, *ours), str((of, *ours))
        case Cell():
            fits, wanted = shape in ((), (1,)), "one number"
        case DropOnes() | Row():
            bare = tuple(ours[1:]) if ours[0] == 1 else tuple(ours)
            fits = _without_ones(shape) == bare or shape == ours
            wanted = f"{tuple(ours)}, with or without leading ones"
        case Part(_, of, span=span):
            part = (ours[0] // of * span, *ours[1:])
            fits, wanted = shape == part, str(part)
        case NoKeys():
            fits, wanted = shape == (ours[0] // 2 * 3,), str((ours[0] // 2 * 3,))
        case Flattened():
            fits = shape[:1] == ours[:1] and min(len(shape), len(ours)) == 2 and math.prod(shape) == math.prod(ours)
            wanted = f"{ours[0]} rows of {math.prod(ours[1:]):,} numbers"
        case CellRows():
            fits = shape[-1:] == ours[-1:] and math.prod(shape) == math.prod(ours)
            wanted = f"a grid of {ours[0]} cells of {ours[1]}"
        case ChannelsLast():
            flat = (ours[0], ours[1] * ours[2] * ours[3])
            fits, wanted = shape == flat, str(flat)
        case _:
            assert_never(step)
    return "" if fits else f"is {shape}, not {wanted}"


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return shape


# ---------------------------------------------------------------- tensors


def _fill(target: Tensor, values: Values, match: Match, head_dim: int) -> bool:
    """One tensor of a file into its parameter. Tells whether any value in the file is not zero."""
    step = match.step
    match step:  # what the file holds in our order is read to its place
        case AsIs() | DropOnes() | Row() | CellRows() | Flattened():
            return values.read(match.name, target)
        case Part(index, of, "half", span):
            return values.read(match.name, _parts(target, index, of, span))
        case NoKeys():  # whatever the file has where its mask hides it
            (q, v), width = target.chunk(2), len(target) // 2
            return values.read(match.name, q) | values.read(match.name, v, skip=2 * width)
        case Item(index):
            return values.read(match.name, target, skip=index * target.numel())
    dtype = torch.float32 if isinstance(step, PlusOne) else target.dtype
    tensor = torch.empty(values.tensors[match.name].shape, dtype=dtype)
    something = values.read(match.name, tensor, finite=not isinstance(step, Cell))  # an infinite bound is none
    _rearrange(target, tensor, step, head_dim)
    return something


def _parts(target: Tensor, index: int, of: int, span: int) -> Tensor:
    """`span` of the `of` parts of our rows, from `index` on."""
    rows = len(target) // of
    return target[index * rows : (index + span) * rows]


def _rearrange(target: Tensor, tensor: Tensor, step: WeightStep, head_dim: int) -> None:
    match step:
        case Part(index, of, pairs, span):
            _parts(target, index, of, span).copy_(_paired(tensor, pairs, head_dim))
        case Paired(pairs):
            target.copy_(_paired(tensor, pairs, head_dim))
        case PairedQk(pairs):
            for index, part in enumerate(tensor.chunk(3)):
                target.chunk(3)[index].copy_(part if index == 2 else _paired(part, pairs, head_dim))
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


def _paired(tensor: Tensor, pairs: Pairs, head_dim: int) -> Tensor:
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
