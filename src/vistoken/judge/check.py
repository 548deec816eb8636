"""A folder's weights through vistoken and through the installed transformers, on one picture, layer by layer.

`check` makes a `Record` that says which tensors of the files are used, and how far each hidden state, the output, the
pooled vector and the image tokens lie from the reference's. It holds no path, so that it can be published.
"""

from __future__ import annotations

import hashlib
import math
import os
import platform
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor

from vistoken import registry
from vistoken._version import __version__
from vistoken.encoding import Encoder, ImageTokens, synthesize_image
from vistoken.encoding.matching import find_weight
from vistoken.encoding.output import Layer
from vistoken.encoding.weights import find_weights
from vistoken.errors import ModelError, UsageError
from vistoken.frozen import frozen
from vistoken.geometry import Grid
from vistoken.judge import running
from vistoken.pixels import load, size_of
from vistoken.spec import EncoderSpec
from vistoken.weight_names import Ignore, WeightNames

if TYPE_CHECKING:
    from PIL import Image

# |difference| <= TOLERANCE x max(1, largest |reference|), in float32.
TOLERANCE = 1e-4


@frozen
class State:
    """How far ours lies from the reference's; where the two cannot be compared, `fault` says why."""

    name: str
    difference: float = math.nan
    largest: float = math.nan
    fault: str = ""

    @property
    def ok(self) -> bool:
        return not self.fault and self.difference <= TOLERANCE * max(1.0, self.largest)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which has no NaN."""
        numbers = {name: getattr(self, name) for name in ("difference", "largest")}
        numbers = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        return {"name": self.name, **numbers, "ok": self.ok} | ({"fault": self.fault} if self.fault else {})


@frozen
class Record:
    """What a check found.

    Attributes:
        model: the hub id, or the folder's own name.
        revision: the commit, for a model of the hub.
        weights: SHA-256 of each file.
        used: how many tensors of the files are used.
        ignored: names of those that are not, by the reason.
        reference: the class in transformers; empty where there is none.
        picture: its name and size.
        states: what was compared.
        missing: what was not, with the reason.
    """

    model: str
    revision: str | None
    weights: dict[str, str]
    used: int
    ignored: dict[str, list[str]]
    reference: str
    picture: str
    states: tuple[State, ...]
    missing: tuple[str, ...]

    @property
    def tolerance(self) -> float:
        return TOLERANCE

    @property
    def versions(self) -> dict[str, str]:
        """What it was compared with, and by."""
        return {"vistoken": __version__, "torch": torch.__version__, "transformers": transformers.__version__,
                "python": platform.python_version()}  # fmt: skip

    @property
    def first(self) -> State | None:
        """The first state that differs."""
        return next((state for state in self.states if not state.ok), None)

    @property
    def verdict(self) -> str:
        """What came out: "agrees" only where all there is was compared."""
        return "differs" if self.first else "not compared" if self.missing or not self.states else "agrees"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        fields = ("model", "revision", "weights", "used", "ignored", "reference", "versions", "picture", "tolerance")
        return {
            **{name: getattr(self, name) for name in fields},
            "states": [state.as_dict() for state in self.states],
            "missing": list(self.missing),
            "first": self.first.name if self.first else None,
            "verdict": self.verdict,
        }


def check(model: str, revision: str | None = None, image: str | None = None) -> Record:
    """Compare the model `model`, a folder or hub id, on the picture `image`, or on a synthetic one.

    Raises `ModelError` and its kin for files that vistoken cannot load, `UsageError` for a model without files.
    """
    picture, shown = picture_of(image)
    encoder = Encoder.from_pretrained(model, revision)
    folder, names = _files(model, revision)
    files = find_weights(folder).files
    parameters = encoder.module.state_dict()
    stored, ignored = [name for header in files.values() for name in header], dict[str, list[str]]()
    for name in stored:
        if isinstance(use := find_weight(name, names, parameters), Ignore):  # all others were used: loading is strict
            ignored.setdefault(use.why, []).append(name)
    name, commit = _published(folder)
    reference, states, missing = compare(encoder, folder, picture)
    return Record(
        model=name,
        revision=commit,
        weights={os.path.basename(path): _hash(path) for path in files},
        used=len(stored) - sum(map(len, ignored.values())),
        ignored=ignored,
        reference=reference,
        picture=shown,
        states=states,
        missing=tuple(text.replace(folder, name) for text in missing),
    )


def _files(model: str, revision: str | None) -> tuple[str, WeightNames]:
    """Where the files of a model lie, and what the tensors in them are called."""
    found = registry.find(model, revision=revision)
    names = found.family.weight_names()
    if not isinstance(names, WeightNames):
        raise UsageError(f"{model} has no weights in files, so there is nothing to check")
    folder = found.folder or registry.find(model, revision=revision, files=True).folder
    assert folder, f"{model} was loaded from files"
    return folder, names


def _published(folder: str) -> tuple[str, str | None]:
    """Hub id and commit of a snapshot, which the hub's cache keeps as models--OWNER--NAME/snapshots/COMMIT.

    Of any other folder its own name, without the path to it, and None.
    """
    above, last = os.path.split(os.path.abspath(folder))
    repository, snapshots = os.path.split(above)
    if snapshots != "snapshots":
        return last, None
    return os.path.basename(repository).removeprefix("models--").replace("--", "/"), last


def _hash(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def picture_of(path: str | None) -> tuple[Image.Image, str]:
    """The picture, and what it is called in a record: never by its whole path."""
    from PIL import Image

    # Not square, so that a swap of rows and columns shows; and noisy, so that no two patches are alike.
    picture = load(path) if path else Image.fromarray(synthesize_image(0)[:160])
    name = os.path.basename(path) if path else "synthesize_image(0)[:160]"
    return picture, f"{name}, {size_of(picture)}"


def compare(encoder: Encoder, folder: str, picture: Image.Image) -> tuple[str, tuple[State, ...], tuple[str, ...]]:
    """The reference's class, all states that both have, and what could not be compared."""
    spec = encoder.module.spec
    [ours] = encoder.encode([picture], layers=range(spec.depth + 1))
    try:
        module = running.load(folder)
    except ModelError as error:
        return "", (), (str(error),)
    name = type(module).__name__
    try:
        theirs = running.run(module, running.prepare(folder, picture), spec)
    except ModelError as error:
        return name, (), (str(error),)
    return name, tuple(_states(ours, theirs, spec)), tuple(_missing(theirs, spec, name))


def _missing(theirs: running.Seen, spec: EncoderSpec, name: str) -> Iterator[str]:
    if spec.depth and not theirs.layers:
        yield f"hidden states: {name} ran no list of {spec.depth} blocks"
    if theirs.last is None and spec.final_norm == "all" and not _through_connector(theirs, spec):
        yield f"last output: {name} does not return it"
    if spec.pooled_dim is not None and theirs.pooled is None:
        yield f"pooled: {name} returns none"
    if spec.connector is not None and theirs.image is None:
        yield f"image tokens: {name} returns none"
    if len(theirs.deepstack) != len(spec.deepstack):
        yield f"deepstack: {name} returns {len(theirs.deepstack)}, not {len(spec.deepstack)}"


def _through_connector(theirs: running.Seen, spec: EncoderSpec) -> bool:
    """Whether the last output shows in the image tokens: GLM's tower merges it and hands out nothing before."""
    return spec.connector is not None and spec.connector.layers is None and theirs.image is not None


def _states(ours: ImageTokens, theirs: running.Seen, spec: EncoderSpec) -> Iterator[State]:
    states = [(_sequence(ours.layers[number], ours.grids), state) for number, state in enumerate(theirs.layers)]
    order = _order(states, [torch.tensor(order) for order in token_orders(ours.grids, spec)])
    for number, (mine, reference) in enumerate(states):
        yield difference(f"hidden state {number}", mine[order], reference)
    assert ours.patches is not None
    if theirs.last is not None:
        last = Layer(ours.patches, ours.prefix)
        yield difference("last output", _sequence(last, ours.grids)[order], theirs.last)
    if theirs.pooled is not None and ours.pooled is not None:
        yield difference("pooled", ours.pooled.reshape(-1, ours.pooled.shape[-1]), theirs.pooled)
    if theirs.image is not None and ours.image_tokens is not None:
        yield difference("image tokens", ours.image_tokens, theirs.image)
    for index, (mine, reference) in enumerate(zip(ours.deepstack, theirs.deepstack, strict=False)):
        yield difference(f"deepstack {index}", mine, reference)


def _sequence(layer: Layer, grids: Sequence[Grid]) -> Tensor:
    """(T, D): the prefix and the patches of one view after another, as the reference runs them."""
    prefix = [tokens.unflatten(0, (len(grids), -1)) for tokens in layer.prefix.values()]
    patches = layer.patches.split([grid.patches for grid in grids])
    return torch.cat([part for view, rows in enumerate(patches) for part in (*(p[view] for p in prefix), rows)])


def token_orders(grids: Sequence[Grid], spec: EncoderSpec) -> Iterator[list[int]]:
    """The orders in which towers run the tokens of their views, as places in ours: prefix, then patches row by row.

    References put patches as they stand, or by blocks that become one token of the LLM, or by windows of such blocks
    (transformers 5.23.0, `models/qwen2_vl/image_processing_pil_qwen2_vl.py`; `get_vision_window_index`).
    """
    block, window = spec.connector.side if spec.connector else 1, spec.windows.side if spec.windows else 0
    for side, outer in dict.fromkeys(((1, 0), (block, 0), (block, window))):
        order, start = list[int](), 0
        for grid in grids:
            order += range(start, start + spec.prefix_tokens)
            start += spec.prefix_tokens
            cells = [(row, col) for row in range(grid.rows) for col in range(grid.cols)]
            order += sorted(
                range(start, start + grid.patches), key=lambda place: _key(cells[place - start], side, outer)
            )
            start += grid.patches
        yield order


def _key(cell: tuple[int, int], block: int, window: int) -> tuple[int, ...]:
    row, col = cell
    within = (row // window, col // window) if window else (0, 0)
    return (*within, row // block, col // block, row, col)


def _order(states: Sequence[tuple[Tensor, Tensor]], orders: Sequence[Tensor]) -> Tensor:
    """The order of our tokens in which all states together come closest: a tower keeps one from block to block."""

    def apart(order: Tensor) -> float:
        return sum(
            state.difference for mine, theirs in states if not (state := difference("", mine[order], theirs)).fault
        )

    return min(orders, key=apart)


def difference(name: str, ours: Tensor, theirs: Tensor) -> State:
    """How far the two lie apart."""
    theirs = theirs.float()
    padded = theirs.ndim == 3 and len(theirs) == 1  # one view, perhaps with padding behind its tokens
    theirs = theirs.reshape(-1, theirs.shape[-1])
    if padded:
        theirs = theirs[: len(ours)]
    if ours.shape != theirs.shape:
        return State(name, fault=f"ours is {tuple(ours.shape)}, the reference's {tuple(theirs.shape)}")
    if not theirs.isfinite().all() or not ours.isfinite().all():
        return State(name, fault="not finite")
    return State(name, (ours - theirs).abs().max().item(), theirs.abs().max().item())
