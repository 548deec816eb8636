"""vistoken's own front end: patches, prefix tokens and positions without a block behind them. It needs no weights.

The picture keeps its own size. The projection starts from a seed, positions are sinusoidal as in the original
transformer (arXiv 1706.03762), half of dim for rows and half for columns as in MAE (arXiv 2111.06377).
"""

from __future__ import annotations

from vistoken.family import Example, Family, Files, Published, Reading
from vistoken.geometry import Grid
from vistoken.model_spec import Label
from vistoken.preprocessing import FILTERS, HALF, pixel_values
from vistoken.spec import (
    ClassToken,
    EncoderSpec,
    Factorised,
    LayerNorm,
    LearnedTable,
    NoPosition,
    PlainMlp,
    Position,
    PrefixToken,
    Registers,
    Rotary,
    Sinusoidal,
    TableResize,
)
from vistoken.views import Native
from vistoken.weight_names import Seeded

DEFAULTS = {
    "hidden_size": 768, "patch_size": 16, "image_size": 224, "num_attention_heads": 12, "num_register_tokens": 0,
    "position": "sinusoidal", "num_channels": 3,
}  # fmt: skip
PROCESSOR = {
    "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": HALF, "image_std": HALF,
    "resample": 3,
}  # fmt: skip


def read(files: Files) -> Reading:
    config = files.config.with_defaults(DEFAULTS, "vistoken's front end")
    patch, image = config.patch("patch_size"), config.size("image_size")
    dim, registers = config.integer("hidden_size", high=65_536), config.integer("num_register_tokens", 0, 1024)
    table = patch.grid(image)
    if not table.patches:
        raise config.error("image_size", str(image), f"it must hold at least one {patch} patch")
    position, rotary = config.choice("position", positions(table))
    prefix: tuple[PrefixToken, ...] = (ClassToken(), Registers(registers)) if registers else (ClassToken(),)
    encoder = EncoderSpec(
        patch=patch,
        dim=dim,
        depth=0,
        # Only rotary angles depend on the head width.
        heads=config.integer("num_attention_heads", high=1024) if rotary else 1,
        channels=config.integer("num_channels", low=3, high=3),
        norm=LayerNorm(1e-6),
        mlp=PlainMlp(4 * dim, "gelu"),
        prefix=prefix,
        position=position,
        rotary=rotary,
        final_norm="none",
    )
    if files.image is None:
        return Reading(encoder, None, None)
    processor = files.image.with_defaults(PROCESSOR, "vistoken's front end")
    return Reading(encoder, Native(image, processor.choice("resample", FILTERS), patch), pixel_values(processor))


def positions(table: Grid) -> dict[str, tuple[Position, Rotary | None]]:
    """The position schemes by name: what is added, and what turns; the learned ones get tables for the grid `table`."""
    learned = LearnedTable(table.rows, table.cols, prefix_rows=0, resize=TableResize("bicubic", antialias=True))
    return {
        "sinusoidal": (Sinusoidal(), None),
        "learned": (learned, None),
        "factorised": (Factorised(table.rows, table.cols), None),
        "rotary": (NoPosition(), Rotary()),
        "none": (NoPosition(), None),
    }


FAMILY = Family(
    name="front end",
    model_types=("vistoken_front_end",),
    read=read,
    published=(
        Published(
            ("vistoken/front-end", "front-end"), {"model_type": "vistoken_front_end"}, {}, Label("verified", "our own")
        ),
    ),
    rule=Label("verified", "our own: whole patches of the picture as it is"),
    settings=("resample", "image_mean", "image_std"),
    weights=Seeded(0),
    examples=(
        Example("vistoken/front-end", 224, 224, 196, 197, "14 x 14 patches of 16 pixels, one class token"),
        Example("vistoken/front-end", 451, 300, 504, 505, "28 x 18 whole patches of 16 pixels, one class token"),
    ),
)
