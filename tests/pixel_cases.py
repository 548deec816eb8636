"""Pictures of awkward sizes, and the pixels of their views as the reference and as we make them."""

import warnings
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vistoken.encoding.prepared import normalise
from vistoken.geometry import Size
from vistoken.judge.reference import Judge
from vistoken.judge.unpacked import UNPACKERS
from vistoken.pixels import carry_out, carry_out_all

ROOT = Path(__file__).parent.parent
GOLDENS = ROOT / "tests" / "data" / "pixels" / "torchvision.npz"
# Width and height: as photographs are, prime, tiny, thin both ways, square, larger than most canvases.
SIZES = ((640, 427), (97, 211), (7, 5), (1009, 53), (31, 331), (300, 300), (1500, 1100))
# PNG alone, since decoders of JPEG differ by a step.
NAMES = ("astronaut.png", "chelsea.png", "coffee.png")


@cache
def picture(width, height):
    """A photograph's middle, cut to the aspect ratio as far as that goes, then resized to exactly this size."""
    photograph = Image.open(ROOT / "examples" / "images" / NAMES[(width + height) % len(NAMES)]).convert("RGB")
    across, down = photograph.size
    scale = min(across / width, down / height)
    box = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (across - box[0]) // 2, (down - box[1]) // 2
    middle = photograph.crop((left, top, left + box[0], top + box[1]))
    return middle.resize((width, height), Image.Resampling.BICUBIC)


# What a model does to pixels before anything else; our pixels are those after it.
INSIDE = {"Gemma 4": lambda view: 2 * (view - 0.5)}  # Gemma4VisionPatchEmbedder.forward


@dataclass(frozen=True)
class Reference:
    """The reference's image processor of one built-in model, put together from our values."""

    judge: Judge
    sees: str
    name: str

    @classmethod
    def of(cls, family, model, settings=None):
        if family.reference.processor == "PixtralProcessor":
            # It needs torchvision; all that it adds is this side (`processing_pixtral.py`, `_process_images`).
            side = model.processor["patch_size"] * model.processor.get("spatial_merge_size", 1)
            alone = replace(family.reference, processor="", call={**family.reference.call, "patch_size": side})
            family = replace(family, reference=alone)
        return cls(Judge(family, model, settings or {}), family.reference.sees, family.name)

    def views(self, image):
        """Normalised pixels (3, H, W) of every view, in the processor's order."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outputs, _ = self.judge.seen(image)
            views = UNPACKERS[self.sees](outputs, self.judge.image)
        return list(map(INSIDE.get(self.name, lambda view: view), views))

    def values(self):
        """Mean, deviation and scale, as the processor itself applies them."""
        processor = self.judge.image
        mean, std = (processor.image_mean, processor.image_std) if processor.do_normalize else ((0.0,), (1.0,))
        mean, std = (np.broadcast_to(np.array(value, dtype=np.float64), 3) for value in (mean, std))
        return mean, std, processor.rescale_factor if processor.do_rescale else 1.0


def as_bytes(view, mean, std, scale):
    """The bytes that a normalised view (3, H, W) was made of."""
    whole = np.rint((view.astype(np.float64) * std[:, None, None] + mean[:, None, None]) / scale)
    return whole.astype(np.int64)


def samples(view, most=18):
    """A golden file's part of a view (3, H, W): up to `most` rows and columns, both ends among them."""
    rows, cols = (np.unique(np.linspace(0, side - 1, most).round().astype(int)) for side in view.shape[1:])
    return view[:, rows][:, :, cols]


def our_bytes(image, view):
    """(3, H, W): what our steps make of a picture."""
    return np.asarray(carry_out(image, view)).transpose(2, 0, 1)


def our_pixels(image, views, pixels):
    """(3, H, W) of every view, normalised as the encoder does it, as far as the grid of patches reaches."""
    for view, made in zip(views, carry_out_all(image, views), strict=True):
        values = normalise(np.asarray(made), pixels)
        yield values[:, : view.grid.rows * view.patch.height, : view.grid.cols * view.patch.width]


def our_views(spec, image):
    return spec.views(Size(height=image.height, width=image.width))


def differing(spec, reference, image):
    """What differs between ours and the reference's views of one picture, in words; empty where every bit is equal."""
    ours, theirs = our_views(spec, image), reference.views(image)
    if len(ours) != len(theirs):
        return [f"{len(ours)} views, the reference has {len(theirs)}"]
    said = []
    for place, (got, wanted) in enumerate(zip(our_pixels(image, ours, spec.pixels), theirs, strict=True)):
        wanted = torch.from_numpy(np.ascontiguousarray(wanted))[:, : got.shape[1], : got.shape[2]]
        if got.shape != wanted.shape:
            said.append(f"view {place} is {tuple(got.shape)}, the reference's {tuple(wanted.shape)}")
        elif not torch.equal(got, wanted):
            part = (got != wanted).float().mean().item()
            said.append(f"view {place} differs in {part:.2%} of its values, by {(got - wanted).abs().max().item():.3g}")
    return said
