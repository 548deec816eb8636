"""What comes out of the encoder for one picture, and how it is written to a file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from vistoken._version import __version__
from vistoken.files import check_writable, whole_file
from vistoken.geometry import Box, Grid
from vistoken.views import View


@dataclass(frozen=True, eq=False, slots=True)
class ImageTokens:
    """The tokens of one picture.

    Attributes:
        patches: (n, dim), the views one after another, each in raster order.
        prefix: prefix tokens by name ("cls", "dist", "reg"), each (views * count, dim).
        pooled: (pooled dim,), or (views, pooled dim) where there are several; None where the family has none.
        views: what the encoder looked at.
        source: the picture's name.
        attention: the engine that ran.
    """

    patches: Tensor
    prefix: dict[str, Tensor]
    pooled: Tensor | None
    views: tuple[View, ...]
    source: str
    attention: str

    @property
    def grids(self) -> tuple[Grid, ...]:
        """One grid a view."""
        return tuple(view.grid for view in self.views)

    @property
    def image_tokens(self) -> Tensor | None:
        """What the LLM would receive: None, since no encoder here stands in front of one."""
        return None

    def boxes(self) -> Iterator[Box]:
        """The rectangle of each patch in the upright source picture, in the order of `patches`."""
        for view in self.views:
            yield from view.boxes()

    def arrays(self) -> dict[str, Tensor]:
        """All tensors by name, with the grids as (views, 3) integers: frames, rows, columns."""
        grids = torch.tensor([[grid.frames, grid.rows, grid.cols] for grid in self.grids])
        pooled = {} if self.pooled is None else {"pooled": self.pooled}
        prefix = {f"prefix.{name}": tokens for name, tokens in self.prefix.items()}
        return {"patches": self.patches, **prefix, **pooled, "grids": grids}

    def numpy(self) -> dict[str, np.ndarray]:
        """The same as numpy arrays; bfloat16, which numpy lacks, becomes float32."""
        return {name: to_numpy(tensor) for name, tensor in self.arrays().items()}


def to_numpy(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def write_tokens(path: str, results: Sequence[ImageTokens], model: str) -> None:
    """Write all tokens into one `.safetensors` or `.npz` file: tensor "0/patches" belongs to picture 0, and so on.

    The names of the pictures, the model and the version stand in the safetensors metadata, or in the array "metadata"
    of an npz. The file appears whole or not at all. Raises `OutputError`.
    """
    check_writable(path, FORMATS)
    tensors = {
        f"{index}/{name}": tensor for index, result in enumerate(results) for name, tensor in result.arrays().items()
    }
    metadata = {
        "vistoken": __version__,
        "model": model,
        "sources": json.dumps([result.source for result in results]),
        "attention": results[0].attention if results else "",
    }
    with whole_file(path, (SafetensorError,)) as temporary:
        WRITERS[os.path.splitext(path)[1].lower()](temporary, tensors, metadata)


def _write_safetensors(path: str, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path, metadata)


def _write_npz(path: str, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    arrays: dict[str, Any] = {name: to_numpy(tensor) for name, tensor in tensors.items()}
    with open(path, "wb") as file:
        np.savez(file, metadata=np.array(json.dumps(metadata)), **arrays)


WRITERS: dict[str, Callable[[str, dict[str, Tensor], dict[str, str]], None]] = {
    ".safetensors": _write_safetensors,
    ".npz": _write_npz,
}
FORMATS = tuple(WRITERS)
