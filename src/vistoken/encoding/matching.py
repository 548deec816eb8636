"""Published tensors paired with our parameters, from the files' headers alone.

Names, shapes and types are checked against the spec before anything is allocated; whatever is missing, unknown or
misshapen is listed in one error.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from vistoken.encoding.headers import Stored, Weights
from vistoken.encoding.steps import ALL, places_filled, shape_fault
from vistoken.errors import WeightsError, one_line
from vistoken.weight_names import Ignore, Weight, WeightNames, WeightStep

_BLOCK = re.compile(r"(?<=\.)\d+(?=\.)")
_CHUNK = re.compile(r"(?<=\.)\d+\.(\d+)(?=\.)")  # a block by its own number within a chunk of blocks
# The numbers that stand for {n} in the families' patterns: of blocks, also those of a resampler, of deepstack, and of a
# stem's stages. A stage of a connector has a number of its own.
_OUR_BLOCK = re.compile(r"(?:(?<=\bblocks\.)|(?<=\bdeepstack\.)|(?<=\bstem\.stages\.))\d+(?=\.)")
# Names that an error lists of each kind; of what is beyond them it gives the number.
MAX_LISTED = 24


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
        parts = [f"{len(names):,} {kind}: {listed(names)}" for kind, names in kinds.items() if names]
        if parts:
            raise WeightsError(f"{source} does not fit the config beside it: {'; '.join(parts)}")


def listed(names: Sequence[str]) -> str:
    """Names in one line: the first `MAX_LISTED`, and how many more there are."""
    more = f" and {len(names) - MAX_LISTED:,} more" * (len(names) > MAX_LISTED)
    return ", ".join(map(one_line, names[:MAX_LISTED])) + more


def match_weights(weights: Weights, parameters: Mapping[str, Tensor], names: WeightNames) -> list[Match]:
    """Pair every tensor of the files with a parameter, or raise one error that lists all faults."""
    faults, matches, taken, table = Faults(), [], dict[str, dict[int, str]](), _table(names)
    for path, name, tensor in _of_tower(weights, names.tower):
        fills = find_weight(name, names, parameters, table)
        # A known tensor without numbers fills nothing: DINOv3 without registers stores an empty one.
        if isinstance(fills, Ignore) or (0 in tensor.shape and find_weight(name, names, table=table)):
            continue
        if not fills:
            faults.unknown.append(name)
            continue
        if rival := _rival(taken.get(fills[0].ours, {}), places_filled(fills[0].step)):
            faults.unknown.append(f"{name} (the same as {rival})")
            continue
        for weight in fills:
            taken.setdefault(weight.ours, {}).update(dict.fromkeys(places_filled(weight.step), name))
        if fault := shape_fault(tensor, parameters[fills[0].ours].shape, fills[0].step):
            faults.misshapen.append(f"{name} {fault}")
        matches += [Match(path, name, weight.ours, weight.step) for weight in fills]
    faults.missing = list(_missing(weights, parameters, names, taken))
    faults.raise_if_any(weights.source)
    return matches


def _of_tower(weights: Weights, tower: str) -> Iterator[tuple[str, str, Stored]]:
    """File, name and header of every tensor; where any name begins with `tower`, of those alone."""
    every = [(path, name, tensor) for path, held in weights.files.items() for name, tensor in held.items()]
    inside = [entry for entry in every if entry[1].startswith(tower)]
    return iter(inside or every)


def _rival(taken: Mapping[int, str], places: Sequence[int]) -> str | None:
    """The tensor that fills a place of a parameter already, if there is one; `taken` is what fills it so far."""
    if ALL in places:
        return next(iter(taken.values()), None)
    return next((taken[place] for place in (*places, ALL) if place in taken), None)


def find_weight(
    name: str,
    names: WeightNames,
    parameters: Container[str] | None = None,
    table: Mapping[str, Sequence[Weight]] | None = None,
) -> tuple[Weight, ...] | Ignore:
    """What the family says of the tensor `name`: what it fills, with the block's number filled in, or ignored.

    Several where it holds several of ours (see `Item`), or where its place depends on the spec: those count that are
    among the encoder's `parameters`, if these are given. An empty tuple where nothing names it. `table` holds the
    family's weights by their names in files, for many look-ups.
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
        places = {place: weight for weight in reversed(sources[pattern]) for place in places_filled(weight.step)}
        whole = not filled and ALL in places_filled(sources[pattern][0].step)
        expected = {ALL} if whole or ALL in filled else places.keys() - {ALL}
        for place in sorted(expected - filled):
            yield places[place].file.replace("{n}", block[0] if block else "")
