"""Pixels without torch: decode, orient, bring to RGB, and carry out the steps of a view with Pillow.

On RGB pictures the result is bit-identical to transformers' PIL image processors: both call `PIL.Image.resize` on
8-bit RGB. What is not RGB is brought there without losing what can be seen: 16 bits are scaled, not clipped, and
alpha is laid on white, as those processors do.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, assert_never

from vistoken.errors import InputError
from vistoken.geometry import Size
from vistoken.sources import BROKEN, open_image, orientation, picture_name, shown_name
from vistoken.views import Crop, Pad, Resize, Step, View

if TYPE_CHECKING:
    from PIL import Image

    from vistoken.sources import Picture

# Decoded RGB of this size takes 200 MB. Pillow's own limit warns at 89 million and refuses at 179 million only.
MAX_PIXELS = 2**26
# TIFF 6.0, section 8: BitsPerSample, PhotometricInterpretation, SampleFormat.
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339


def load(picture: Picture, max_pixels: int = MAX_PIXELS, name: str = "") -> Image.Image:
    """Decode a picture: upright, RGB, 8 bits. Raises `InputError` that names it and what is wrong.

    Of several frames or pages it is the first. `max_pixels` bounds the area before anything is decoded; `name` is what
    messages call the picture, its path where none is given.
    """
    name = shown_name(name or picture_name(picture))
    image = open_image(picture, name)
    with nullcontext() if image is picture else image:  # which closes the files that were opened here alone
        _check_area(image, name, max_pixels)
        method = upright_by(orientation(image))
        rgb = _decoded(image, name)
    upright = rgb if method is None else rgb.transpose(method)
    upright.info = {}  # its orientation would turn it again
    return upright


def _check_area(image: Image.Image, name: str, max_pixels: int) -> None:
    pixels = image.width * image.height
    if not pixels:
        raise InputError(f"{name} is {image.width}x{image.height}: it has no pixels")
    if pixels > max_pixels:
        raise InputError(
            f"{name} is {image.width}x{image.height}: {pixels:,} pixels, more than the "
            f"{max_pixels:,} that are decoded at most: make it smaller, or allow more (max_image_pixels)"
        )


def _decoded(image: Image.Image, name: str) -> Image.Image:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what is wrong is an error below, or does not matter
            return _rgb(image)
    except (*BROKEN, Image.DecompressionBombError) as error:
        raise InputError(f"{name}: cannot be decoded: {error or type(error).__name__}") from None


def upright_by(orientation: int) -> Image.Transpose | None:
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

    clear = _transparent_colour(image)  # before decoding, after which nobody knows how many bits the file has
    image.load()
    if image.mode == "RGB" and clear is None:
        return image.copy()
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image, clear).convert("RGB")
    if clear is not None and clear != image.info["transparency"]:
        image = image.copy()  # the caller's keeps what it says
        image.info["transparency"] = clear
    if image.mode == "La":  # premultiplied: Pillow converts it to LA alone
        image = image.convert("LA")
    if "A" in image.getbands() or "a" in image.getbands() or clear is not None:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image).convert("RGB")
    return image.convert("RGB")


def _transparent_colour(image: Image.Image) -> Any:
    """The one colour or the palette entries that stand for transparency, as decoded pixels have them; None for none.

    PNG gives a colour in the file's own depth (its specification, section 11.3.2.1), and Pillow 13 compares that
    number with pixels of 8 bits: of 2 and 4 bits nothing matches, of 16 the wrong byte. 16-bit colours are told
    apart by their upper bytes here, which is all that Pillow decodes; 16-bit greys, whole.
    """
    clear = image.info.get("transparency")
    tile = getattr(image, "tile", None)
    packing = str(tile[0].args) if tile and image.format == "PNG" else ""
    if isinstance(clear, int):
        return clear * {"L;2": 85, "L;4": 17}.get(packing, 1)
    if isinstance(clear, tuple) and (packing == "RGB;16B" or max(clear) > 255):
        return tuple(value >> 8 for value in clear)
    return clear


def _eight_bits(image: Image.Image, clear: Any) -> Image.Image:
    """Grey of more than 8 bits, scaled: Pillow's own conversion clips at 255 and turns most of it white.

    16-bit pictures span 0-65535, 12-bit ones 0-4095; 32-bit and float ones have no fixed range: where all their values
    fit into 16 bits, integers are taken for those, and else what there is is scaled from its own extremes.
    """
    from PIL import ImageChops

    tags = getattr(image, "tag_v2", {})  # a TIFF's; Pillow 13 neither scales 12 bits nor inverts 16
    if image.mode.startswith("I;16"):
        grey = _from_sixteen_bits(image, tags.get(_BITS, (16,))[0], clear)
    elif image.mode == "I" and _fits_sixteen_bits(image, tags):
        grey = _from_sixteen_bits(image, 16, None)
    else:
        grey = _stretched(image)
    return ImageChops.invert(grey) if tags.get(_PHOTOMETRIC) == 0 else grey  # 0: white is zero


def _from_sixteen_bits(image: Image.Image, bits: int, clear: int | None) -> Image.Image:
    """By a look-up, in which the transparent grey is white."""
    table = list(_to_eight_bits(bits))
    if clear is not None:
        table[clear] = 255
    return image.convert("I").point(table, "L")


@cache
def _to_eight_bits(bits: int) -> tuple[int, ...]:
    """The nearest of 0-255 for every value of up to 16 bits: 0 stays 0, and the largest becomes 255."""
    top = 2**bits - 1
    return tuple(min(255, (value * 255 + top // 2) // top) for value in range(2**16))


def _fits_sixteen_bits(image: Image.Image, tags: Mapping[int, Any]) -> bool:
    low, high = image.getextrema()
    if tags.get(_BITS) == (32,) and tags.get(_SAMPLE_FORMAT, (1,)) == (1,) and low < 0:  # type: ignore[operator]
        raise ValueError("its 32-bit values go beyond 2,147,483,647, which Pillow reads as negative ones")
    return low >= 0 and high <= 65535  # type: ignore[operator]


def _stretched(image: Image.Image) -> Image.Image:
    """Scaled from its own darkest value to its own lightest."""
    from PIL import Image

    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    mean = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # finite unless one value is not
    if not math.isfinite(mean):  # type: ignore[arg-type]
        raise ValueError(f"values from {low} to {high}, some of them no numbers, cannot be scaled to 8 bits")
    if high <= low:
        return Image.new("L", image.size)
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
                    f"{max_pixels:,} that are made at most: crop the picture first, or choose a smaller input"
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
