"""The header of a safetensors file, read and checked before anything else of the file is touched.

The format: eight bytes with the header's length, a JSON object of names with type, shape and place, then the tensors
one after another without gaps. (The format's own library maps the whole file into memory first, and keeps the last of
two tensors of one name.)
Source: safetensors, README.md, "Format".
"""

from __future__ import annotations

import math
import os
import struct
from collections import Counter
from collections.abc import Mapping
from typing import Any, BinaryIO

import torch

from vistoken.configs import LFS_ADVICE, LFS_POINTER, parse_object
from vistoken.errors import WeightsError, one_line
from vistoken.frozen import frozen

# A header takes about 100 bytes a tensor; the library's own limit is 100 MB.
MAX_HEADER_BYTES = 16 * 2**20
# A patch projection over frames has five axes, more than any other weight here.
MAX_AXES = 8
# The types that are read. Tensors of other types may stand in a file, unread.
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@frozen
class Stored:
    """What the header says of one tensor; `begin` and `end` count bytes from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@frozen
class Weights:
    """The weights of a folder, as far as their headers tell.

    Attributes:
        source: the whole file, or the index of its shards.
        files: of each file, the tensors that it holds.
    """

    source: str
    files: Mapping[str, Mapping[str, Stored]]


def read_header(path: str) -> dict[str, Stored]:
    """The tensors of the safetensors file `path`, by name. Raises `WeightsError` that says what is wrong with it."""
    try:
        with open(path, "rb") as file:
            text, rest = _read(file)
        entries = parse_object(text.decode("utf-8"), _without_twins)
        _check_about(entries.pop("__metadata__", {}))
        stored = {name: _stored(name, entry) for name, entry in entries.items()}
        _check_places(stored, rest)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # among them text that is not UTF-8
        raise WeightsError(f"{path} is not a valid safetensors file: its header {one_line(str(error))}") from None
    return stored


def _read(file: BinaryIO) -> tuple[bytes, int]:
    """The header, and how many bytes follow it."""
    there = os.fstat(file.fileno()).st_size - 8
    if there < 0:
        raise ValueError("is missing: the file has fewer than 8 bytes")
    start = file.read(8)
    if LFS_POINTER.encode().startswith(start):
        raise ValueError(LFS_ADVICE)
    [length] = struct.unpack("<Q", start)
    if length > min(there, MAX_HEADER_BYTES):
        raise ValueError(f"would have {length:,} bytes, of {there:,} in the file and {MAX_HEADER_BYTES:,} allowed")
    return file.read(length), there - length


def _check_about(metadata: object) -> None:
    """What a file says about itself is text under names."""
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError(f"holds metadata that is no text: {one_line(str(metadata))}")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        [(twin, times)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"holds {one_line(twin)} {times} times")
    return values


def _stored(name: str, entry: object) -> Stored:
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            pass
        case _:
            raise ValueError(f"lacks dtype, shape or data_offsets of {one_line(name)}")
    if len(shape) > MAX_AXES:
        raise ValueError(f"gives {one_line(name)} {len(shape):,} axes, more than {MAX_AXES}")
    if not all(type(side) is int and 0 <= side < 2**63 for side in shape):
        raise ValueError(f"gives {one_line(name)} a shape that is none: {one_line(str(shape))}")
    taken = math.prod(shape) * FLOATS[dtype].itemsize if dtype in FLOATS else end - begin
    if taken != end - begin:
        raise ValueError(f"gives {one_line(name)} {end - begin:,} bytes, and {dtype} of shape {shape} takes {taken:,}")
    return Stored(one_line(dtype, 20), tuple(shape), begin, end)


def _check_places(stored: Mapping[str, Stored], rest: int) -> None:
    """Tensors lie one after another, from the header to the end of the file."""
    at = 0
    for name, tensor in sorted(stored.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != at or tensor.end < at:
            raise ValueError(f"puts {one_line(name)} at bytes {tensor.begin:,} to {tensor.end:,}, and {at:,} is next")
        at = tensor.end
    if at != rest:
        raise ValueError(f"places {at:,} bytes of tensors, and {rest:,} follow it")
