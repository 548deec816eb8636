"""What timm's evaluation transforms are compared on: pictures, and values of a `pretrained_cfg`."""

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent
PIXELS, VALUES = ROOT / "data" / "timm" / "transforms.npz", ROOT / "data" / "timm" / "pretrained_cfgs.json"
CHELSEA = ROOT.parent / "examples" / "images" / "chelsea.png"
# Of `default_cfgs`: what tells how pictures are prepared, and the width of the head.
PREPROCESSING = ("input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std", "num_classes")
# Architectures whose published models are built in, by the beginning of their names.
BUILT_IN = ("eva_", "eva02_", "deit3_")
# Share of the picture, crop mode, filter, height and width. 28 / 0.9 is cut to 31 and 28 / 0.95 to 29: what is left
# over is odd, and the half pixel is rounded to even.
CASES = (
    (0.9, "center", "bicubic", 28, 28),
    (0.95, "center", "bicubic", 28, 28),
    (1.0, "center", "bicubic", 28, 28),
    (0.875, "center", "bilinear", 56, 56),
    (1.0, "squash", "bicubic", 28, 28),
    (0.9, "squash", "bicubic", 28, 42),
)


def pictures():
    """By name: a photograph that lies, one that stands, and one smaller than what is made of it."""
    whole = Image.open(CHELSEA).convert("RGB")
    return {
        "lying": whole,
        "standing": whole.transpose(Image.Transpose.ROTATE_90),
        "small": whole.crop((100, 60, 119, 85)),
    }
