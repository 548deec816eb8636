"""Pixels without torch: decode, orient, bring to RGB, and carry out the steps of a view with Pillow.

On RGB pictures the result is bit-identical to transformers' PIL image processors: both call `PIL.Image.resize` on
8-bit RGB. What is not RGB is brought there without losing what can be seen: 16 bits are scaled, not clipped, and
alpha is laid on white, as those processors do.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, assert_never

from vistoken.errors import InputError
from vistoken.geometry import Size
from vistoken.sources import BROKEN, open_image, orientation, picture_name
from vistoken.views import Crop, Pad, Resize, Step, View

if TYPE_CHECKING:
    from PIL import Image

    from vistoken.sources import Picture

# Decoded RGB of this size takes 200 MB. Pillow's own limit warns at 89 million and refuses at 179 million only.
MAX_PIXELS = 2**26


def load(picture: Picture, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a picture: upright, RGB, 8 bits. Raises `InputError` that names it and what is wrong.

    `max_pixels` bounds the area before anything is decoded.
    """
    from PIL import Image

    name = picture_name(picture)
    image = open_image(picture)
    try:
        if image.width * image.height > max_pixels:
            raise InputError(
                f"{name} is {image.width}x{image.height}: {image.width * image.height:,} pixels, more than the "
                f"{max_pixels:,} that are decoded at most: make it smaller, or allow more with --max-image-pixels"
            )
        turn = orientation(image)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # what is wrong is an error below, or does not matter
                rgb = _rgb(image)
        except (*BROKEN, Image.DecompressionBombError) as error:
            raise InputError(f"{name}: cannot be decoded: {error or type(error).__name__}") from None
    finally:
        if image is not picture:
            image.close()
    method = _upright(turn)
    upright = rgb if method is None else rgb.transpose(method)
    upright.info = {}  # its orientation would turn it again
    return upright


def _upright(orientation: int) -> Image.Transpose | None:
    """What turns a picture of this EXIF orientation upright (EXIF 2.32, tag 0x0112)."""
    from PIL.Image import Transpose

    return {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)


def _rgb(image: Image.Image) -> Image.Image:
    """RGB with 8 bits a channel. Transparency is laid on white (transformers 5.23.0, `convert_to_rgb`)."""
    from PIL import Image

    image.load()
    if image.mode == "RGB" and "transparency" not in image.info:
        return image.copy()
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits, scaled: Pillow's own conversion clips at 255 and turns most of it white.

    16-bit pictures span 0-65535; 32-bit and float ones have no fixed range and are scaled from their own extremes.
    """
    if image.mode.startswith("I;16"):
        image, low, high = image.convert("I"), 0.0, 65535.0
    else:
        extremes = image.getextrema()
        low, high = (float(value) for value in extremes)  # type: ignore[arg-type]
        if low >= 0 and high <= 65535 and image.mode == "I":
            low, high = 0.0, 65535.0
        if not high - low < float("inf"):  # also NaN
            raise ValueError(f"values from {low} to {high} cannot be scaled to 8 bits")
    if high <= low:
        return image.point(lambda value: value * 0.0 + 0.0).convert("L")
    factor = 255.0 / (high - low)
    return image.point(lambda value: value * factor + (0.5 - low * factor)).convert("L")


def carry_out(image: Image.Image, view: View, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture after the steps of `view`. Raises `InputError` where a step would need more than `max_pixels`."""
    (made,) = carry_out_all(image, (view,), max_pixels)
    return made


def carry_out_all(image: Image.Image, views: Iterable[View], max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """As `carry_out`, view by view: what several views begin with, as the tiles of one canvas do, is done once."""
    made: dict[tuple[Step, ...], Image.Image] = {(): image}
    for view in views:
        steps = view.steps
        for done, step in enumerate(steps):
            if step.size.pixels > max_pixels:
                raise InputError(
                    f"{view.source} would be scaled to {step.size}: {step.size.pixels:,} pixels, more than the "
                    f"{max_pixels:,} that are made at most: crop the picture first, or choose a smaller --input"
                )
            if steps[: done + 1] not in made:
                made[steps[: done + 1]] = _after(made[steps[:done]], step)
        yield made.pop(steps) if steps else image


def _after(image: Image.Image, step: Step) -> Image.Image:
    """The picture after one step."""
    from PIL import Image

    match step:
        case Resize():
            return _resized(image, step)
        case Crop():
            return image.crop((step.left, step.top, step.left + step.size.width, step.top + step.size.height))
        case Pad():
            canvas = Image.new("RGB", (step.size.width, step.size.height), step.fill)
            canvas.paste(image, (step.left, step.top))
            return canvas
        case _:
            assert_never(step)


def _resized(image: Image.Image, step: Resize) -> Image.Image:
    """One resize. Without antialiasing it is an affine map, which Pillow samples point by point."""
    from PIL import Image

    size, filter = (step.size.width, step.size.height), Image.Resampling[step.filter.upper()]
    if step.antialias:
        return image.resize(size, filter)
    across, down = image.width / step.size.width, image.height / step.size.height
    return image.transform(size, Image.Transform.AFFINE, (across, 0, 0, 0, down, 0), filter)


def size_of(image: Image.Image) -> Size:
    """The size of a decoded, upright picture."""
    return Size(height=image.height, width=image.width)
