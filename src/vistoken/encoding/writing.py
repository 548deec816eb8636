"""Tokens to a file, picture by picture: `.safetensors`, `.npz`, or `.parquet` for pooled vectors.

Nothing but the names of what was written stays in memory. The file appears whole or not at all.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
from typing import IO, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from vistoken._version import __version__
from vistoken.encoding.output import ImageTokens, to_numpy
from vistoken.errors import InputError, MissingExtra, OutputError, UsageError
from vistoken.files import check_writable, whole_file

FORMATS = (".safetensors", ".npz", ".parquet")
# What safetensors calls the types that encoders return (safetensors 0.8, `safetensors/src/tensor.rs`, `Dtype`).
_TYPES = {torch.int64: "I64", torch.float32: "F32", torch.bfloat16: "BF16"}
# A longer header is refused by its readers (the same file, `MAX_HEADER_SIZE`).
_MAX_HEADER = 100_000_000
# Rows that wait in memory: of vectors of 1,024 numbers, 16 MiB.
ROW_GROUP = 4096


class Writer(Protocol):
    """Takes the tokens of one picture after another."""

    def add(self, result: ImageTokens) -> None:
        """Write one picture. Raises `UsageError` for what the format cannot hold."""

    def close(self) -> None:
        """Finish the file."""


@contextmanager
def open_writer(path: str, model: str, pooled_dim: int | None = None) -> Iterator[Writer]:
    """The writer that the ending of `path` asks for; an error before the end leaves no file, and what was there stays.

    Args:
        path: ends in one of `FORMATS`. In `.safetensors` and `.npz`, tensor "0/patches" belongs to picture 0, and so
            on; the names of the pictures stand in the metadata of the former, in the array "metadata" of the latter.
        model: named in the file.
        pooled_dim: width of a pooled vector, which a table has to know before it begins.

    Raises `OutputError`, `UsageError` for another ending, `MissingExtra` where a table needs pyarrow.
    """
    check_writable(path, FORMATS)
    about = {"vistoken": __version__, "model": model}
    with ExitStack() as stack:
        writer: Writer
        match os.path.splitext(path)[1].lower():
            case ".parquet":
                temporary = stack.enter_context(whole_file(path, (_pyarrow().ArrowException,)))
                writer = ParquetWriter(temporary, about, pooled_dim)
            case ".npz":
                writer = stack.enter_context(NpzWriter(stack.enter_context(whole_file(path)), about))
            case _:
                writer = stack.enter_context(SafetensorsWriter(stack.enter_context(whole_file(path)), about))
        yield writer
        writer.close()


class _Tensors:
    """What the two formats for any tensors share: a number for each picture, and what is said of all of them."""

    def __init__(self, path: str, about: Mapping[str, str]) -> None:
        self.path, self.about, self.sources, self.attention = path, about, list[str](), ""

    def named(self, result: ImageTokens) -> dict[str, Tensor]:
        """The tensors of the next picture under their names in the file."""
        index = len(self.sources)
        self.sources.append(result.source)
        self.attention = result.attention
        return {f"{index}/{name}": tensor for name, tensor in result.arrays().items()}

    @property
    def metadata(self) -> dict[str, str]:
        return {**self.about, "sources": json.dumps(self.sources), "attention": self.attention}


class SafetensorsWriter(_Tensors):
    """The header, which stands first, is known last: until then numbers wait on disk.

    They wait by type, and stand in the file with the widest type first, so that each tensor is aligned to its own
    width, as readers that map the file need it (safetensors 0.8, `prepare`, sorts for the same reason).
    """

    def __init__(self, path: str, about: Mapping[str, str]) -> None:
        super().__init__(path, about)
        self.files, self.waiting = ExitStack(), dict[torch.dtype, IO[bytes]]()
        self.places: dict[torch.dtype, list[tuple[str, list[int], int, int]]] = {}

    def __enter__(self) -> SafetensorsWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.files.close()

    def add(self, result: ImageTokens) -> None:
        for name, tensor in self.named(result).items():
            tensor = tensor.detach().cpu().contiguous()
            if tensor.dtype not in self.waiting:
                waiting = self.files.enter_context(TemporaryFile(dir=os.path.dirname(self.path)))  # noqa: SIM115
                self.waiting[tensor.dtype] = waiting
                self.places[tensor.dtype] = []
            file = self.waiting[tensor.dtype]
            start = file.tell()
            file.write(tensor.view(-1).view(torch.uint8).numpy().data)
            self.places[tensor.dtype].append((name, list(tensor.shape), start, file.tell()))

    def close(self) -> None:
        order = sorted(self.waiting, key=lambda dtype: -dtype.itemsize)
        header = self._header(order)
        with open(self.path, "wb") as out:
            out.write(struct.pack("<Q", len(header)) + header)
            for dtype in order:
                self.waiting[dtype].seek(0)
                shutil.copyfileobj(self.waiting[dtype], out, 2**20)

    def _header(self, order: list[torch.dtype]) -> bytes:
        entries: dict[str, Any] = {"__metadata__": self.metadata}
        base = 0
        for dtype in order:
            for name, shape, start, end in self.places[dtype]:
                entries[name] = {"dtype": _TYPES[dtype], "shape": shape, "data_offsets": [base + start, base + end]}
            base += self.waiting[dtype].tell()
        header = json.dumps(entries, separators=(",", ":")).encode()
        header += b" " * (-len(header) % 8)
        if len(header) > _MAX_HEADER:
            raise OutputError(
                f"the names of {len(self.sources):,} pictures' tensors do not fit into one safetensors file, whose "
                f"header may have {_MAX_HEADER:,} bytes: encode in several runs, or pooled vectors alone to .parquet"
            )
        return header


class NpzWriter(_Tensors):
    """A zip of `.npy` files, uncompressed, as `numpy.savez` writes it."""

    def __init__(self, path: str, about: Mapping[str, str]) -> None:
        super().__init__(path, about)
        self.zip = zipfile.ZipFile(path, "w")

    def __enter__(self) -> NpzWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.zip.close()

    def add(self, result: ImageTokens) -> None:
        for name, tensor in self.named(result).items():
            self._write(name, to_numpy(tensor))

    def close(self) -> None:
        self._write("metadata", np.array(json.dumps(self.metadata)))
        self.zip.close()

    def _write(self, name: str, array: np.ndarray) -> None:
        with self.zip.open(f"{name}.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array(file, array, allow_pickle=False)


class ParquetWriter:
    """A row a picture: source, width and height of the upright picture, and its pooled vector in float32."""

    def __init__(self, path: str, about: Mapping[str, str], pooled_dim: int | None) -> None:
        if pooled_dim is None:
            raise UsageError("a table holds pooled vectors, and this model has none of its own: choose pool mean")
        self.arrow, self.path, self.about = _pyarrow(), path, about
        vector = self.arrow.list_(self.arrow.field("element", self.arrow.float32(), nullable=False), pooled_dim)
        columns = {"source": self.arrow.string(), "width": self.arrow.int32(), "height": self.arrow.int32()}
        self.schema = self.arrow.schema(
            [self.arrow.field(name, kind, nullable=False) for name, kind in (columns | {"pooled": vector}).items()]
        )
        self.rows: list[tuple[str, int, int, np.ndarray]] = []
        self.file: Any = None

    def add(self, result: ImageTokens) -> None:
        if result.pooled is None or result.pooled.ndim != 1:
            seen = "no pooled vector" if result.pooled is None else f"{len(result.pooled)} views, each with a vector"
            raise InputError(f"{result.source} has {seen}: a row of a table holds one; write to .safetensors instead")
        if self.file is None:
            self._open(result.attention)
        source = result.source.encode("utf-8", "backslashreplace").decode()  # a file's name may be no text at all
        size = result.scene.size
        self.rows.append((source, size.width, size.height, to_numpy(result.pooled.float())))
        if len(self.rows) == ROW_GROUP:
            self._flush()

    def close(self) -> None:
        if self.file is None:
            self._open("")
        self._flush()
        self.file.close()

    def _open(self, attention: str) -> None:
        from pyarrow import parquet

        schema = self.schema.with_metadata({**self.about, "attention": attention})
        self.file = parquet.ParquetWriter(self.path, schema)

    def _flush(self) -> None:
        if not self.rows:
            return
        sources, widths, heights, vectors = zip(*self.rows, strict=True)
        pooled = self.arrow.FixedSizeListArray.from_arrays(
            np.concatenate(vectors), type=self.schema.field("pooled").type
        )
        columns = [self.arrow.array(values, kind.type) for values, kind in
                   zip((sources, widths, heights), self.schema, strict=False)]  # fmt: skip
        self.file.write_table(self.arrow.Table.from_arrays([*columns, pooled], schema=self.schema))
        self.rows.clear()


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "bulk", "writing a .parquet file") from None
    return pyarrow
