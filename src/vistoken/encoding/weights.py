"""Loading published weights: `model.safetensors`, whole or in shards, strictly.

Names, shapes and types in the files' headers are checked against the spec before anything is allocated; whatever is
missing, unknown or misshapen is listed in one error. Pickles are never opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, assert_never

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vistoken.configs import read_json
from vistoken.encoding.model import VisionEncoder
from vistoken.errors import WeightsError
from vistoken.weight_names import (
    AsIs,
    Cell,
    ChannelsLast,
    DropOnes,
    Ignore,
    Item,
    Paired,
    Pairs,
    Part,
    PlusOne,
    Row,
    Transposed,
    Weight,
    WeightNames,
    WeightStep,
)

_BLOCK = re.compile(r"(?<=\.)\d+(?=\.)")
_SHARD = re.compile(r"[\w.-]+\.safetensors", re.ASCII)
_FLOATS = ("F64", "F32", "F16", "BF16")
MAX_SHARDS = 1000


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

    def raise_if_any(self, folder: str) -> None:
        kinds = {"missing": self.missing, "unknown": self.unknown, "of the wrong shape or type": self.misshapen}
        parts = [f"{len(names)} {kind}: {', '.join(names)}" for kind, names in kinds.items() if names]
        if parts:
            raise WeightsError(f"the weights in {folder} do not fit its config.json: {'; '.join(parts)}")


def load_weights(module: VisionEncoder, folder: str, names: WeightNames) -> None:
    """Fill `module`, built on the meta device, from the safetensors files of `folder`; dtypes are the module's.

    Raises `WeightsError` that lists every missing, unknown and misshapen tensor; the module is then left as it was.
    """
    with ExitStack() as stack:
        files = {path: stack.enter_context(_open(path)) for path in weight_files(folder)}
        parameters = module.state_dict(keep_vars=True)  # parameters, and what is stored without being learned
        matches = _match(files, parameters, names, folder)
        head_dim = module.spec.head_dim
        filled = {name: torch.empty_like(parameter, device="cpu") for name, parameter in parameters.items()}
        for match in matches:
            _fill(filled[match.ours], files[match.file].get_tensor(match.name), match, folder, head_dim)
    module.load_state_dict(filled, assign=True)


def weight_files(folder: str) -> list[str]:
    """The safetensors files of a model folder, whole or by index. Raises `WeightsError` where there are none."""
    whole, index = (os.path.join(folder, name) for name in ("model.safetensors", "model.safetensors.index.json"))
    if os.path.lexists(whole):
        return [_inside(folder, "model.safetensors")]
    if os.path.lexists(index):
        shards = read_json(index).get("weight_map")
        if not isinstance(shards, dict) or not all(isinstance(shard, str) for shard in shards.values()):
            raise WeightsError(f"{index}: weight_map must map tensor names to file names")
        if len(set(shards.values())) > MAX_SHARDS:
            raise WeightsError(f"{index}: weight_map names more than {MAX_SHARDS:,} files")
        return [_inside(folder, shard) for shard in sorted(set(shards.values()))]
    try:
        pickles = sorted(name for name in os.listdir(folder) if name.endswith((".bin", ".pt", ".pth", ".ckpt")))
    except OSError as error:
        raise WeightsError(f"{folder} cannot be listed: {error.strerror}") from None
    hint = f"; {pickles[0]} is a pickle, which is never opened: convert it to safetensors" if pickles else ""
    raise WeightsError(f"{folder} holds no model.safetensors{hint}")


def weights_used(folder: str, names: WeightNames) -> Iterator[tuple[str, Weight | Ignore | None]]:
    """Every tensor in the files of `folder` by its name there, with what the family says of it."""
    for path in weight_files(folder):
        with _open(path) as file:
            for name in file.keys():  # noqa: SIM118  # a file handle, not a mapping
                yield name, find_weight(name, names)


def _inside(folder: str, name: str) -> str:
    """The path of a weight file, which must lie in the folder, or where the hub's cache links its files to."""
    path = os.path.join(folder, name)
    if not _SHARD.fullmatch(name):
        raise WeightsError(f"{folder}: {name!r} is no name of a safetensors file beside the index")
    real, home = os.path.realpath(path), os.path.realpath(folder)
    # The cache keeps snapshots/<commit>/<file> as links into blobs/ of the same repository.
    blobs = os.path.realpath(os.path.join(home, "..", "..", "blobs"))
    if os.path.dirname(real) not in (home, blobs):
        raise WeightsError(f"{path} is a link that leaves the folder: put the file itself there")
    if not os.path.isfile(real):
        raise WeightsError(f"{path} is missing or not a regular file")
    return path


def _open(path: str) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a valid safetensors file: {error}") from None


# ---------------------------------------------------------------- names and shapes, from the headers alone


def _match(files: Mapping[str, Any], parameters: Mapping[str, Tensor], names: WeightNames, folder: str) -> list[Match]:
    """Pair every tensor of the files with a parameter, or raise one error that lists all faults."""
    faults, matches, taken = Faults(), [], dict[tuple[str, int], str]()
    for path, file in files.items():
        for name in file.keys():  # noqa: SIM118  # a file handle, not a mapping
            found = find_weight(name, names)
            if isinstance(found, Ignore):
                continue
            if found is None or found.ours not in parameters:
                faults.unknown.append(name)
                continue
            place = (found.ours, _place(found.step))
            if place in taken:
                faults.unknown.append(f"{name} (the same as {taken[place]})")
                continue
            taken[place] = name
            if fault := _shape_fault(file.get_slice(name), parameters[found.ours].shape, found.step):
                faults.misshapen.append(f"{name} {fault}")
            matches.append(Match(path, name, found.ours, found.step))
    faults.missing = [file_name for file_name, place in _expected(parameters, names) if place not in taken]
    faults.raise_if_any(folder)
    return matches


def _place(step: WeightStep) -> int:
    """Which part of one of our tensors a step fills."""
    match step:
        case Part(index):
            return index
        case Cell(row, col):
            return 4 * row + col  # matrices of bounds have four columns
        case _:
            return 0


def find_weight(name: str, names: WeightNames) -> Weight | Ignore | None:
    """What the family says of the tensor `name`: a weight with the block's number filled in, ignored, or nothing."""
    for root in sorted(names.roots, key=len, reverse=True):
        if not name.startswith(root):
            continue
        bare = name.removeprefix(root)
        for pattern, ignore in names.ignored:
            if bare == pattern or (pattern.endswith("*") and bare.startswith(pattern[:-1])):
                return ignore
        block = _BLOCK.search(bare)
        for pattern, number in ((bare, ""), (_BLOCK.sub("{n}", bare, count=1), block[0] if block else "")):
            if weight := _table(names).get(pattern):
                return Weight(name, weight.ours.replace("{n}", number), weight.step)
    return None


def _table(names: WeightNames) -> dict[str, Weight]:
    return {weight.file: weight for weight in names.weights}


def _expected(parameters: Mapping[str, Tensor], names: WeightNames) -> Iterator[tuple[str, tuple[str, int]]]:
    """Every place to fill, with the name under which a file would hold it."""
    sources: dict[str, list[Weight]] = {}
    for weight in names.weights:
        sources.setdefault(weight.ours, []).append(weight)
    for ours in parameters:
        block = _BLOCK.search(ours)
        pattern = _BLOCK.sub("{n}", ours, count=1) if block and ours.startswith(("blocks.", "deepstack.")) else ours
        assert pattern in sources, f"the family names no tensor for {ours}"
        for weight in {_place(weight.step): weight for weight in reversed(sources[pattern])}.values():
            yield weight.file.replace("{n}", block[0] if block else ""), (ours, _place(weight.step))


def _shape_fault(header: Any, ours: torch.Size, step: WeightStep) -> str:
    """What is wrong with a tensor's shape or type, or an empty string."""
    shape, dtype = tuple(header.get_shape()), header.get_dtype()
    if dtype not in _FLOATS:
        return f"is {dtype}, not a floating-point type"
    match step:
        case AsIs() | Paired() | PlusOne():
            fits, wanted = shape == ours, str(tuple(ours))
        case Transposed():
            fits, wanted = shape == tuple(reversed(ours)), str(tuple(reversed(ours)))
        case Item(_, of):
            fits, wanted = shape == (of, *ours), str((of, *ours))
        case Cell():
            fits, wanted = shape in ((), (1,)), "one number"
        case DropOnes() | Row():
            bare = tuple(ours[1:]) if ours[0] == 1 else tuple(ours)
            fits = _without_ones(shape) == bare or shape == ours
            wanted = f"{tuple(ours)}, with or without leading ones"
        case Part(_, of):
            part = (ours[0] // of, *ours[1:])
            fits, wanted = shape == part, str(part)
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


def _fill(target: Tensor, tensor: Tensor, match: Match, folder: str, head_dim: int) -> None:
    bound = isinstance(match.step, Cell) and not tensor.isnan().any()  # a bound may be infinite: there is none then
    if not bound and not tensor.to(target.dtype).isfinite().all():  # a float64 may also be too large for float32
        why = f"not finite: NaN, infinity, or too large for {target.dtype}"
        raise WeightsError(f"{match.name} in {folder} holds values that are {why}")
    match match.step:
        case AsIs() | DropOnes() | Row():
            target.copy_(tensor.reshape(target.shape))
        case Part(index, of, pairs):
            target.chunk(of)[index].copy_(_paired(tensor, pairs, head_dim))
        case Paired(pairs):
            target.copy_(_paired(tensor, pairs, head_dim))
        case Transposed():
            target.copy_(tensor.T)
        case PlusOne():
            target.copy_(1 + tensor.float())
        case Item(index):
            target.copy_(tensor[index])
        case Cell(row, col):
            target[row, col] = tensor.item()
        case ChannelsLast():
            _, channels, height, width = target.shape
            target.copy_(tensor.unflatten(1, (height, width, channels)).permute(0, 3, 1, 2))
        case _:
            assert_never(match.step)


def _paired(tensor: Tensor, pairs: Pairs, head_dim: int) -> Tensor:
    """Rows of every head in our order of rotary pairs, see `Pairs`."""
    if pairs == "half":
        return tensor
    quarter = torch.arange(head_dim).chunk(4)  # of the column: first and second of each pair; of the row: likewise
    order = torch.cat([quarter[2], quarter[0], quarter[3], quarter[1]])
    return tensor.unflatten(0, (-1, head_dim))[:, order].flatten(0, 1)
