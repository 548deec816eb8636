"""From the patches of a tower to the image tokens that an LLM receives: merger, projector, order.

A `Connector` is a short pipeline of stages, in the order of the paper's figure, each a small type with its own
parameters; `Arrangement` says in which order the tokens of several views stand, with learned newlines where the model
has them. Nothing here is torch: `vistoken.encoding.connecting` carries it out, and planning sums it up.
"""

from __future__ import annotations

from typing import Literal

from vistoken.choices import Activation, GatedMlp, Mlp, Norm, RmsNorm
from vistoken.errors import InputError, UsageError
from vistoken.frozen import frozen
from vistoken.geometry import Grid

# ---------------------------------------------------------------- stages


@frozen
class Normalise:
    """A norm over the current width; without `weight` it has no parameters."""

    norm: Norm
    weight: bool = True


@frozen
class MergeBlocks:
    """Each block of `side` x `side` tokens becomes one, its vectors one after another.

    `order` is that of the numbers: "cells", token by token in raster order of the block (pixel shuffle, space to
    depth); or "channels", channel by channel, each with its cells in raster order (torch's `unfold`, Mistral 3).
    `whole` tells that a grid must hold whole blocks; otherwise a last odd row or column is dropped (LightOnOCR).
    """

    side: int
    order: Literal["cells", "channels"] = "cells"
    whole: bool = True


@frozen
class AveragePool:
    """Each block of `side` x `side` tokens becomes their mean."""

    side: int


@frozen
class Downsample:
    """A convolution over 3 x 3 tokens at every second row and column, zeros around the grid, to `out` dimensions.

    Source: transformers 5.23.0, `models/step3p7/modeling_step3p7.py`, `downsampler1` of `Step3p7VisionModel`.
    """

    out: int

    side = 2


@frozen
class Linear:
    """To `out` dimensions."""

    out: int
    bias: bool = True


@frozen
class Activate:
    """An activation, without parameters."""

    activation: Activation


@frozen
class Scale:
    """Times a constant."""

    factor: float


@frozen
class Standardise:
    """(x - shift) * scale, a learned vector each (Gemma 4)."""


@frozen
class Softmax:
    """Exponentials over their sum: what a token shares out over a vocabulary (Ovis2)."""


@frozen
class Twice:
    """Each vector beside itself: a still picture, where two frames of a video would stand (ERNIE-4.5-VL)."""


@frozen
class MlpStage:
    """An MLP, plain or gated, that ends at `out` dimensions; None keeps the width."""

    mlp: Mlp
    out: int | None = None


@frozen
class Resample:
    """`latents` learned vectors ask all tokens of a view, block by block, and stand in their place (a perceiver).

    Keys and values are the tokens and the latents themselves, each normed; every one of the `key_heads` serves as many
    of the `heads`. Attention and, after it, an MLP are added to the latents, and a norm ends it all. There are no
    biases.
    Source: transformers 5.23.0, `models/idefics2/modeling_idefics2.py`, `Idefics2PerceiverResampler`; arXiv 2204.14198.
    """

    latents: int
    depth: int
    heads: int
    key_heads: int
    head_dim: int
    norm: RmsNorm
    mlp: GatedMlp

    def __post_init__(self) -> None:
        if self.key_heads < 1 or self.heads % self.key_heads:
            raise UsageError(f"{self.key_heads} heads of keys do not divide the {self.heads} of queries")


Stage = (
    Softmax
    | Twice
    | Normalise
    | MergeBlocks
    | AveragePool
    | Downsample
    | Linear
    | Activate
    | Scale
    | Standardise
    | MlpStage
    | Resample
)

# ---------------------------------------------------------------- the order of views


@frozen
class InOrder:
    """The views one after another, as the processor hands them over."""


@frozen
class Unpadded:
    """The overview, then the tiles as one picture without their padding, a learned newline behind each row.

    `most` bounds the tokens: above `most` tiles' worth the picture's tokens are shrunk with bilinear interpolation
    (LLaVA-OneVision's anyres_max). A picture of one view gets a newline at its end, too.
    Source: transformers 5.23.0, `models/llava_next/modeling_llava_next.py`, `pack_image_features`.
    """

    most: int | None = None


Arrangement = InOrder | Unpadded
IN_ORDER = InOrder()

# ---------------------------------------------------------------- the whole


@frozen
class TimedPositions:
    """The LLM numbers image tokens by time, row and column (M-RoPE); a second of a video moves the time `per_second`.

    Source: transformers 5.23.0, `models/qwen2_5_vl/modeling_qwen2_5_vl.py`, `get_rope_index`.
    """

    per_second: float


@frozen
class NumberedPositions:
    """The same where the time is the number of the frame group (Qwen2-VL; arXiv 2409.12191, section 2.1)."""


@frozen
class SeparatePositions:
    """The same where every frame group stands by itself, with its time in front of it as text (Qwen3-VL).

    Source: transformers 5.23.0, `models/qwen3_vl/modeling_qwen3_vl.py`, `get_rope_index`.
    """


@frozen
class SecondsPositions:
    """As `TimedPositions`, multiplied in another order; fractions are cut off only where `whole`.

    Source: transformers 5.23.0, `get_rope_index` of `models/qwen2_5_omni/modeling_qwen2_5_omni.py` and of
    `models/qwen3_omni_moe/modeling_qwen3_omni_moe.py`.
    """

    per_second: float
    whole: bool


TokenPositions = TimedPositions | SecondsPositions | NumberedPositions | SeparatePositions


@frozen(kw_only=True)
class Connector:
    """What stands between tower and LLM.

    `layers` are the hidden states that are read, side by side where there are several: 0 is what enters the first
    block, i what leaves block i, negative from the end, as in transformers; None is the tower's own output.
    `positions` is None where the LLM numbers all tokens in one dimension.
    """

    stages: tuple[Stage, ...]
    layers: tuple[int, ...] | None = None
    arrangement: Arrangement = IN_ORDER
    positions: TokenPositions | None = None

    def __post_init__(self) -> None:
        if self.layers == ():
            raise UsageError("a connector that reads no layer has nothing to do: name layers, or None for the output")

    def width(self, dim: int) -> int:
        """Dimensions of an image token."""
        width = dim * len(self.layers or (0,))
        for stage in self.stages:
            match stage:
                case Linear(out) | Downsample(out) | MlpStage(_, int() as out):
                    width = out
                case MergeBlocks(side):
                    width *= side * side
                case Twice():
                    width *= 2
                case _:
                    continue
        return width

    def check(self, grid: Grid) -> None:
        """Raise `InputError` for a grid of patches that is not made of whole image tokens."""
        if self.drops_borders:
            return
        if grid.rows % self.side or grid.cols % self.side:
            raise InputError(
                f"a grid of {grid} patches cannot be cut into blocks of {self.side} x {self.side}, which become one "
                "image token: give sides that are multiples, or leave image_tokens out of what"
            )

    @property
    def drops_borders(self) -> bool:
        """Whether patches that fill no block become no image token."""
        return any(isinstance(stage, MergeBlocks) and not stage.whole for stage in self.stages)

    @property
    def placed(self) -> bool:
        """Whether an image token has a place of its own in its view; a latent sees all of it."""
        return not any(isinstance(stage, Resample) for stage in self.stages)

    @property
    def side(self) -> int:
        """Patches along a side of what becomes one image token."""
        side = 1
        for stage in self.stages:
            if isinstance(stage, MergeBlocks | AveragePool | Downsample):
                side *= stage.side
        return side
