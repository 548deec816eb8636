"""A video made ready for the encoder: the frames that the model looks at, as patches that span frames."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vistoken.connector import InOrder
from vistoken.encoding.frames import Film, check_numbers
from vistoken.encoding.packing import cut_frames
from vistoken.encoding.prepared import Prepared, known_pixels, normalise
from vistoken.errors import InputError, UsageError
from vistoken.geometry import Grid, Size
from vistoken.model_spec import ModelSpec
from vistoken.pixels import carry_out, size_of
from vistoken.video import Clip
from vistoken.views import View


def choose(film: Film, spec: ModelSpec, frames: Iterable[int] | None) -> Clip:
    """The frames that are looked at: the caller's, all of a list without a rate, or those of the model's own rule."""
    video, source = spec.known_video(), film.source
    if frames is not None:
        return Clip(check_numbers(frames, source), source)
    if source.fps is None:
        return Clip.whole(source)
    if video.sampling is None:
        raise UsageError(f"{spec.name} has no rule of its own for choosing frames: give frames, those it is to look at")
    return video.sampling.clip(source)


def of_film(film: Film, clip: Clip, spec: ModelSpec, image_tokens: bool) -> Prepared:
    """Carry out the view rule on the frames of `clip`. Raises `InputError` that names the video.

    With `image_tokens` it is made sure that the LLM's tokens of a video are made as those of a picture are.
    """
    if spec.known_video().pixels is None:
        known_pixels(spec)
    pictures = film.pictures(clip.indices)
    first = next(pictures)
    size = size_of(first)
    try:
        view, tokens = _view(spec, size, clip)
    except InputError as error:
        raise InputError(f"{film.name}: {error}") from None
    if image_tokens:
        _check_tokens(spec, view.grid, tokens)
    seen = [_seen(picture, number, view, spec) for number, picture in enumerate(chain([first], pictures))]
    seen += seen[-1:] * (view.grid.frames * view.patch.frames - len(seen))  # the last one fills its group
    return Prepared(film.name, size, (view,), (cut_frames(torch.stack(seen), view.patch),), None, clip)


def _view(spec: ModelSpec, size: Size, clip: Clip) -> tuple[View, int]:
    """What is looked at in every frame, and how many image tokens the LLM receives of all."""
    video = spec.known_video()
    views, tiling = video.rule.views(size, clip.frames), video.rule.tiling(size, clip.frames)
    if not video.encoded or len(views) != 1 or views[0].grid.frames * views[0].patch.frames < clip.frames:
        raise UsageError(f"videos of {spec.name} are counted, not encoded: give its frames to encode as pictures")
    return views[0], video.prompt.sequence(tiling, size, clip).image_tokens


def _check_tokens(spec: ModelSpec, grid: Grid, tokens: int) -> None:
    """Some models merge the tokens of videos in another way than those of pictures."""
    connector = spec.encoder.connector if spec.encoder else None
    if connector is None:
        return
    made = grid.frames * (grid.rows // connector.side) * (grid.cols // connector.side)
    if connector.arrangement != InOrder() or made != tokens:
        raise UsageError(
            f"the LLM of {spec.name} receives {tokens:,} tokens of this video, which are merged in another way than "
            "those of pictures: ask for the tower's output alone, with what=['patches']"
        )


def _seen(picture: Image.Image, number: int, view: View, spec: ModelSpec) -> Tensor:
    """(3, H, W) of one frame: bytes; normalised floats where videos are normalised in another way than pictures."""
    if (size := size_of(picture)) != view.source:
        raise InputError(f"frame {number} is {size} and the first one {view.source}: all must have one size")
    image = np.array(carry_out(picture, view))
    own = spec.known_video().pixels
    if own is not None and own != spec.pixels:
        return normalise(image, own)
    return torch.from_numpy(image).movedim(2, 0)
