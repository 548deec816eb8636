"""What may be handed to `encode`: files, bytes, PIL images, arrays and tensors become upright 8-bit RGB pictures.

An array is a picture if nothing about it has to be guessed. Its numbers are bytes (uint8), or 16 bits that are scaled
to bytes. Floats have no scale of their own (0-1, 0-255, and normalised ones are all in use) and are refused. Two
dimensions are a grey picture, of three one holds the channels: grey, RGB, or RGB with alpha, which is laid on white.
That they stand last, as in NumPy and Pillow, is taken for granted only where they cannot stand first.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image
from torch import Tensor

from vistoken import pixels
from vistoken.errors import InputError, UsageError, VistokenError, did_you_mean
from vistoken.frozen import frozen
from vistoken.sources import picture_name, shown_name

if TYPE_CHECKING:
    from vistoken.sources import Picture

    Channels = Literal["first", "last"]
    Input = Picture | bytes | bytearray | memoryview | np.ndarray | Tensor

_CHANNELS = (1, 3, 4)  # grey, RGB, RGB and alpha
_KINDS = "a path, an open binary file, bytes, a PIL image, or an array or tensor of uint8"


@frozen
class Failed:
    """One picture of many that cannot be used: where it stood, what it is called, and what is wrong with it."""

    index: int
    name: str
    error: VistokenError

    @classmethod
    def at(cls, index: int, name: str, error: VistokenError) -> Failed:
        """The failure with the position and the name in front of the error's text."""
        return cls(index, name, _placed(error, index, name))


def read_picture(
    image: Input, channels: Channels | None = None, max_pixels: int = pixels.MAX_PIXELS
) -> tuple[str, Image.Image]:
    """The name of a picture, and the picture: upright, RGB, 8 bits.

    Args:
        image: a path, an open binary file (read from its start and left open), the bytes of a file, a PIL image (left
            as it is), a uint8 or uint16 array of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or such a tensor.
        channels: "first" for arrays and tensors of shape (C, H, W), "last" for (H, W, C). Needed where the shape
            allows the former.
        max_pixels: what is larger is refused before it is decoded.

    Raises `InputError` for a picture that cannot be used, `UsageError` for what is none or could be read in two ways.

    >>> name, picture = read_picture(np.zeros((3, 20, 30), np.uint8), channels="first")
    >>> name, picture.size
    ('picture in memory (ndarray)', (30, 20))
    """
    name = picture_name(image)
    return name, pixels.load(_as_picture(image, name, channels), max_pixels, name)


def read_all(
    images: Iterable[Input],
    channels: Channels | None = None,
    max_pixels: int = pixels.MAX_PIXELS,
    on_error: Literal["raise", "return"] = "raise",
) -> Iterator[tuple[str, Image.Image] | Failed]:
    """`read_picture` of each, one at a time, when it is asked for.

    A picture that cannot be used raises an error that tells its position and name; with `on_error="return"` a `Failed`
    stands in its place, and the others go on. What the iterable itself raises goes through in either case.
    """
    _check_choice("channels", channels, (None, "first", "last"))
    _check_choice("on_error", on_error, ("raise", "return"))
    return _read(_many(images), channels, max_pixels, on_error == "return")


def _read(
    images: Iterator[Input], channels: Channels | None, max_pixels: int, keep_going: bool
) -> Iterator[tuple[str, Image.Image] | Failed]:
    for index, image in enumerate(images):
        try:
            read: tuple[str, Image.Image] | Failed = read_picture(image, channels, max_pixels)
        except VistokenError as error:
            read = Failed.at(index, picture_name(image), error)
            if not keep_going:
                raise read.error from None
        yield read


def _placed(error: VistokenError, index: int, name: str) -> VistokenError:
    """The same error with the position and the name in front."""
    name = shown_name(name)
    kind = UsageError if isinstance(error, UsageError) else InputError
    text = str(error).removeprefix(f"{name}: ")
    return kind(f"picture {index} ({name}): {'it' + text.removeprefix(name) if text.startswith(f'{name} ') else text}")


def _many(images: Iterable[Input]) -> Iterator[Input]:
    """An iterator over several pictures. Raises `UsageError` for one picture, whose parts are no pictures."""
    if _is_one(images):
        kind = type(images).__name__
        raise UsageError(f"images is one {kind}: give a list of pictures, for example encode(['photo.jpg'])")
    return iter(images)


def _is_one(images: object) -> bool:
    match images:
        case np.ndarray():  # a batch of four dimensions is many, and so are names or objects
            return images.ndim < 4 and (images.ndim != 1 or images.dtype.kind not in "OU")
        case Tensor():
            return images.ndim < 4
        case str() | bytes() | bytearray() | memoryview() | os.PathLike() | Image.Image():
            return True
    return hasattr(images, "read") or not (hasattr(images, "__iter__") or hasattr(images, "__getitem__"))


def _as_picture(image: Input, name: str, channels: Channels | None) -> Picture:
    """What Pillow can open."""
    if isinstance(image, str | os.PathLike | Image.Image):
        return image
    if isinstance(image, bytes | bytearray | memoryview):
        return io.BytesIO(bytes(image))
    if isinstance(image, Tensor):
        return _from_array(_numpy(image, name), name, channels)
    if isinstance(image, np.ndarray):
        return _from_array(image, name, channels)
    if isinstance(image, io.TextIOBase):
        raise UsageError(f"{shown_name(name)} is open as text: open it with mode 'rb'")
    if not hasattr(image, "read"):
        raise UsageError(f"{shown_name(name)} is no picture: give {_KINDS}")
    return image


def _from_array(array: np.ndarray, name: str, channels: Channels | None) -> Image.Image:
    _check_type(array.dtype.name, name)
    array = _channels_last(array, name, channels)
    if array.dtype.itemsize == 2:
        array = (array.astype(np.uint32) * 255 + 32767) // 65535
    return Image.fromarray(np.ascontiguousarray(array, dtype=np.uint8))


def _check_type(dtype: str, name: str) -> None:
    if dtype not in ("uint8", "uint16"):
        raise InputError(
            f"{name} has values of type {dtype}: they must be uint8 or uint16. Floats from 0 to 1 become that by "
            "(values * 255).round() and a cast to uint8; what is resized and normalised already goes to encode_pixels"
        )


def _channels_last(array: np.ndarray, name: str, channels: Channels | None) -> np.ndarray:
    """(H, W) grey, (H, W, 3) or (H, W, 4). Raises `UsageError` where the layout would have to be guessed."""
    shape = array.shape
    if 0 in shape:
        raise InputError(f"{name} has shape {shape}: it has no pixels")
    if array.ndim == 2:
        return array
    if array.ndim != 3:
        several = ": give its pictures one by one, for example list(batch)" if array.ndim == 4 else ""
        raise InputError(f"{name} has shape {shape}: it must be (H, W), (H, W, C) or (C, H, W){several}")
    if channels is None:
        channels = _layout(shape, name)
    array = np.moveaxis(array, 0, 2) if channels == "first" else array
    if array.shape[2] not in _CHANNELS:
        raise InputError(
            f"{name} has shape {shape}: with channels {channels} it has {array.shape[2]}, and must have 1, 3 or 4"
        )
    return array[:, :, 0] if array.shape[2] == 1 else array


def _layout(shape: tuple[int, ...], name: str) -> Channels:
    """Where the channels stand: last, unless they could stand first."""
    if shape[0] in _CHANNELS:
        raise UsageError(
            f"{name} has shape {shape}: its channels could stand first, so say where they are, with channels='first' "
            "for (C, H, W) or channels='last' for (H, W, C)"
        )
    return "last"


def _numpy(tensor: Tensor, name: str) -> np.ndarray:
    """The values of a tensor, wherever they are."""
    _check_type(str(tensor.dtype).removeprefix("torch."), name)
    try:
        return tensor.detach().cpu().numpy()
    except (RuntimeError, TypeError) as error:  # sparse tensors, and those on the meta device
        reason = str(error).splitlines()[0]
        raise InputError(f"{name} ({tensor.layout}, on {tensor.device}) cannot be read: {reason}") from None


def _check_choice(name: str, given: object, known: tuple[str | None, ...]) -> None:
    if given not in known:
        words = [word for word in known if word is not None]
        raise UsageError(f"{name}={given!r}: choose {' or '.join(map(repr, words))}.{did_you_mean(given, words)}")
