"""Pictures written at the size that fits: upright, in their own format, with their colour profile and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from vistoken import files, pixels
from vistoken.errors import InputError, OutputError
from vistoken.geometry import Size
from vistoken.sources import BROKEN, open_image, orientation, shown_name

if TYPE_CHECKING:
    from PIL import Image

# Formats that are kept, by Pillow's names; whatever else is read is written as PNG, which loses nothing. A camera's MPO
# is a JPEG that holds further pictures of the same scene.
KEPT = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WEBP", "TIFF": "TIFF", "BMP": "BMP"}
# Pillow's documentation calls a quality above 95 a waste; at 4:4:4 text keeps its coloured edges.
_OPTIONS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": "4:4:4"}, "WEBP": {"quality": 95}}
# Modes that Pillow resizes as they are. A palette's pixels it would not mix, and others are no plain colours.
_PLAIN = ("L", "LA", "RGB", "RGBA", "CMYK")


class Written(NamedTuple):
    """A picture to write: the file `source`, the name within the folder, and the size; None to copy it as it is."""

    source: str
    name: str
    size: Size | None
    format: str = ""

    @classmethod
    def of(cls, source: str, name: str, size: Size | None) -> Written:
        """With the format that is kept. Raises `InputError` for several pictures in one file."""
        if size is None:
            return cls(source, name, None)
        with open_image(source) as image:
            held, frames = image.format or "", _frames(image)
        if frames > 1 and held != "MPO":
            raise InputError(f"{shown_name(source)} holds {frames:,} pictures, of which one would be left: split it")
        kept = KEPT.get(held)
        return cls(source, name if kept else os.path.splitext(name)[0] + ".png", size, kept or "PNG")


def _frames(image: Image.Image) -> int:
    try:
        return getattr(image, "n_frames", 1)
    except BROKEN:  # decoding will say what is wrong
        return 1


def relative_name(word: str, name: str) -> str:
    """The name that a file keeps: below the folder that was named, below a glob's fixed part, or its own.

    >>> relative_name("photos/*/a.jpg", "photos/2024/a.jpg"), relative_name("photos/2024/a.jpg", "photos/2024/a.jpg")
    ('2024/a.jpg', 'a.jpg')
    """
    if os.path.isdir(word):
        return os.path.relpath(name, word)
    if word == name or os.path.lexists(word):
        return os.path.basename(name)
    fixed = list[str]()
    for part in os.path.normpath(word).split(os.sep)[:-1]:
        if any(mark in part for mark in "*?["):
            break
        fixed.append(part)
    return os.path.relpath(name, os.sep.join(fixed) or (os.sep if os.path.isabs(word) else os.curdir))


def place(folder: str, jobs: Sequence[Written]) -> Iterator[tuple[Written, str]]:
    """Each picture with its path. Raises `OutputError`, before the first one, where a name is taken or leads out."""
    root, taken, places = os.path.realpath(folder), dict[str, str](), list[tuple[Written, str]]()
    for job in jobs:
        path = os.path.join(folder, job.name)
        real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if os.path.commonpath((root, real)) != root or real == root:
            raise OutputError(f"{shown_name(job.source)} would be written to {shown_name(real)}, outside of {folder}")
        if real in taken:
            raise OutputError(
                f"{shown_name(job.source)} and {shown_name(taken[real])} would both be {shown_name(path)}: "
                "write them to different folders"
            )
        _refuse_taken(path)
        taken[real] = job.source
        places.append((job, path))
    yield from places


def _refuse_taken(path: str) -> None:
    if os.path.lexists(path):
        raise OutputError(f"{shown_name(path)} is there already: nothing is overwritten; choose another folder")


def write_picture(job: Written, path: str, max_pixels: int = pixels.MAX_PIXELS) -> None:
    """Write one picture, whole or not at all. Raises `InputError` where it cannot be decoded, else `OutputError`."""
    made = job.size and _resized(job.source, job.size, max_pixels)
    try:
        os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{shown_name(path)} cannot be written: {error.strerror}") from None
    _refuse_taken(path)  # a file system that ignores case has fewer names
    with files.whole_file(path, (ValueError,)) as temporary:
        if made:
            image, profile = made
            image.save(temporary, job.format, icc_profile=profile, **_OPTIONS.get(job.format, {}))
        else:
            shutil.copyfile(job.source, temporary)


def _resized(source: str, size: Size, max_pixels: int) -> tuple[Image.Image, bytes | None]:
    """The picture upright at `size`, by Lanczos' filter, and its colour profile where its colours are still its own."""
    from PIL import Image

    with open_image(source) as image:
        if image.width * image.height > max_pixels or not _as_it_is(image):
            upright, profile = pixels.load(source, max_pixels), None
        else:
            upright, profile = _upright(image, source), image.info.get("icc_profile")
    return upright.resize((size.width, size.height), Image.Resampling.LANCZOS), profile


def _as_it_is(image: Image.Image) -> bool:
    return (image.mode in _PLAIN and "transparency" not in image.info) or image.mode == "P"


def _upright(image: Image.Image, source: str) -> Image.Image:
    method = pixels.upright_by(orientation(image))
    try:
        image.load()
    except BROKEN as error:
        raise InputError(f"{shown_name(source)}: cannot be decoded: {error or type(error).__name__}") from None
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    return image if method is None else image.transpose(method)
