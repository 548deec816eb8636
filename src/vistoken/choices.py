"""The choices of which an encoder is made: prefix tokens, positions, norms, MLPs, pools.

Each choice is one member of a closed union that carries only its own parameters, so that a meaningless combination
cannot be written and the type checker names every place that must handle a new member.
"""

from __future__ import annotations

from typing import Literal

from vistoken.errors import InputError, UsageError
from vistoken.frozen import frozen
from vistoken.geometry import Grid, Patch

# ---------------------------------------------------------------- prefix tokens


@frozen
class ClassToken:
    """A learned token in front of the patches, made to gather the picture (ViT); Pixio has several."""

    count: int = 1

    key = "cls"

    def __post_init__(self) -> None:
        if type(self.count) is not int or self.count < 1:
            raise UsageError(f"there are {self.count!r} class tokens: give a whole number of at least 1, or none")

    @property
    def label(self) -> str:
        return "class token" if self.count == 1 else "class tokens"


@frozen
class DistillationToken:
    """A second learned token that was trained on a teacher's answer (DeiT)."""

    key = "dist"
    label = "distillation token"
    count = 1


@frozen
class Registers:
    """Learned tokens without a meaning of their own, which keep artefacts out of the patches (arXiv 2309.16588)."""

    count: int

    key = "reg"
    label = "register tokens"

    def __post_init__(self) -> None:
        if type(self.count) is not int or self.count < 1:
            raise UsageError(f"there are {self.count!r} register tokens: give a whole number of at least 1, or none")


PrefixToken = ClassToken | DistillationToken | Registers

# ---------------------------------------------------------------- stems


@frozen
class BitStem:
    """A residual network in front of the transformer, whose map is cut into patches instead of the picture (hybrids).

    A 7 x 7 convolution to `width` channels and a maximum, each halving the picture; then stages of `depths` bottleneck
    blocks with 4, 8, 16 and 32 times as many channels, of which all but the first halve the map again. Weights are
    standardised, norms are over groups of channels (Big Transfer, arXiv 1912.11370; hybrids: arXiv 2010.11929).
    Source: timm 1.0.31, `models/vision_transformer_hybrid.py` and `models/resnetv2.py`.
    """

    depths: tuple[int, ...]
    width: int = 64

    def __post_init__(self) -> None:
        if len(self.depths) > 4 or any(depth < 1 for depth in self.depths):
            raise UsageError(f"stages of {self.depths} blocks: give up to four numbers of at least 1")
        if self.width < 1 or self.width % GROUPS:
            raise UsageError(f"a stem {self.width} channels wide does not divide into {GROUPS} groups")

    @property
    def channels(self) -> int:
        """Of the map."""
        return self.stages()[-1][2] if self.depths else self.width

    @property
    def stride(self) -> int:
        """Pixels along a side of one cell of the map."""
        return 4 << max(0, len(self.depths) - 1)

    def cell(self, patch: Patch) -> Patch:
        """What becomes one token, in cells of the map instead of pixels."""
        return Patch(patch.height // self.stride, patch.width // self.stride)

    def stages(self) -> tuple[tuple[int, int, int, int], ...]:
        """Of every stage: blocks, channels that come in, channels that go out, and its own stride."""
        return tuple(
            (depth, self.width << (number + 1 if number else 0), self.width << (number + 2), 2 if number else 1)
            for number, depth in enumerate(self.depths)
        )


# Channels are normed in so many groups, whatever their number (transformers 5.23.0, `BitConfig.num_groups`).
GROUPS = 32

Stem = BitStem

# ---------------------------------------------------------------- positions


@frozen
class TableResize:
    """How a learned table is brought to another grid: torch's `interpolate`.

    Pixel centres lie at halves, or with `align_corners` the corner cells of both grids coincide (Qwen3-VL). With an
    `offset` the two grids' ratio is taken as (n + offset) to the table's side, as DINO's first code did.
    """

    mode: Literal["bicubic", "bilinear"]
    antialias: bool
    align_corners: bool = False
    offset: float = 0.0


@frozen
class NoPosition:
    """Patches do not know where they are."""


@frozen
class LearnedTable:
    """One learned vector a cell of a `rows` x `cols` grid, resized to other grids.

    The first `prefix_rows` prefix tokens have rows of their own in the table, in front.
    """

    rows: int
    cols: int
    prefix_rows: int
    resize: TableResize


@frozen
class Buckets:
    """A learned `side` x `side` table without resizing: a patch looks up the cell that its place in the picture meets.

    Source: transformers 5.23.0, `models/idefics3/modeling_idefics3.py`, `Idefics3VisionEmbeddings`.
    """

    side: int


@frozen
class Sinusoidal:
    """Computed, nothing learned: half of dim for the row, half for the column, sine and cosine at many frequencies.

    `cols_first` puts the half of the column in front (AIMv2, as MAE's code did).
    """

    base: float = 10_000.0
    cols_first: bool = False


@frozen
class Factorised:
    """Two learned tables, one vector a row and one a column, added."""

    rows: int
    cols: int

    def check(self, grid: Grid) -> None:
        """Raise `InputError` for a grid with more rows or columns than the tables."""
        if grid.rows > self.rows or grid.cols > self.cols:
            raise InputError(
                f"a grid of {grid} patches does not fit position tables of {self.rows} rows and {self.cols} columns: "
                "make the picture smaller"
            )


Position = NoPosition | LearnedTable | Buckets | Sinusoidal | Factorised


@frozen
class Rotary:
    """Queries and keys are turned by angles that grow with row and column; tokens themselves are left alone.

    Half of the frequencies serve the row, half the column, in integer coordinates (Qwen2-VL's axial layout). In heads,
    dimension i always pairs with i + head_dim / 2: other layouts are brought to it when weights are loaded.

    Coordinates begin at `start` (1 in Llama 4). With `reference`, the rows and columns of the grid that the model was
    trained on, they are stretched so that every picture spans that grid (EVA-02, arXiv 2303.11331).
    """

    base: float = 10_000.0
    start: int = 0
    reference: tuple[int, int] | None = None


@frozen
class ClassRotary:
    """As `Rotary`, but the class token is turned too, by learned angles of its own (MLCD).

    Source: transformers 5.23.0, `models/mlcd/modeling_mlcd.py`, `class_pos_emb` of `MLCDVisionModel`.
    """

    base: float = 10_000.0


@frozen
class EvenOddRotary:
    """One ladder of frequencies over the whole head: the even ones serve the row, the odd ones the column (Pixtral).

    Source: transformers 5.23.0, `models/pixtral/modeling_pixtral.py`, `PixtralRotaryEmbedding`.
    """

    base: float = 10_000.0


@frozen
class CentredRotary:
    """Coordinates are patch centres from -1 to 1, whatever the grid; an angle is 2 pi times coordinate / period.

    Periods run from 1 towards `base` (DINOv3, arXiv 2508.10104).
    Source: transformers 5.23.0, `models/dinov3_vit/modeling_dinov3_vit.py`, `DINOv3ViTRopePositionEmbedding`.
    """

    base: float = 100.0


RotaryPosition = Rotary | ClassRotary | EvenOddRotary | CentredRotary

# ---------------------------------------------------------------- blocks

Activation = Literal["gelu", "gelu_tanh", "quick_gelu", "silu"]


@frozen
class LayerNorm:
    """Mean 0 and variance 1, then a weight and a bias."""

    eps: float


@frozen
class RmsNorm:
    """Root mean square 1, then a weight (arXiv 1910.07467)."""

    eps: float


Norm = LayerNorm | RmsNorm


@frozen
class PlainMlp:
    """dim -> hidden -> activation -> dim."""

    hidden: int
    activation: Activation
    bias: bool = True


@frozen
class GatedMlp:
    """activation(gate(x)) * up(x), then down (SwiGLU where the activation is SiLU).

    With `norm` the hidden vector is normed before it goes down (EVA-02's sub-LN, arXiv 2303.11331).
    """

    hidden: int
    activation: Activation
    bias: bool = True
    norm: Norm | None = None


Mlp = PlainMlp | GatedMlp


@frozen
class WidthNorm:
    """Queries and keys are normed over their whole width, before the heads are split (InternViT-6B)."""

    norm: RmsNorm


@frozen
class HeadNorm:
    """Queries and keys are normed head by head with a weight, values without one, and scores are not scaled (Gemma 4).

    Source: transformers 5.23.0, `models/gemma4/modeling_gemma4.py`, `Gemma4VisionAttention`.
    """

    norm: RmsNorm


@frozen
class QkNorm:
    """Queries and keys are normed head by head with a weight, values are not (GLM-OCR).

    Source: transformers 5.23.0, `models/glm_ocr/modeling_glm_ocr.py`, `GlmOcrVisionAttention`.
    """

    norm: RmsNorm


QkvNorm = WidthNorm | HeadNorm | QkNorm

# Where a block norms: what enters attention and MLP, what leaves them before it is added, or both (a sandwich).
BlockNorms = Literal["before", "after", "both"]

# Which of queries, keys and values have a bias. DINOv3's keys have none: it would not change a softmax.
QkvBias = Literal["all", "query and value", "none"]


@frozen
class Windows:
    """Attention within windows of `side` x `side` patches, ragged at the right and bottom; blocks in `full` see all.

    Source: transformers 5.23.0, `models/qwen2_5_vl/modeling_qwen2_5_vl.py`; arXiv 2502.13923, section 2.1.1.
    """

    side: int
    full: tuple[int, ...]


# ---------------------------------------------------------------- output side


@frozen
class NoPool:
    """The family has no pooled vector of its own."""


@frozen
class ClassPool:
    """The class token after the final norm (ViT, DINOv2, DeiT); of several their mean (Pixio)."""


@frozen
class MeanPool:
    """The mean over the patches after the final norm, prefix tokens left out; with `norm`, that is normed itself."""

    norm: bool = False


@frozen
class ProjectedClass:
    """The class token, normed, through a projection to `dim`: without bias in CLIP, with one in timm's EVA-CLIP."""

    dim: int
    bias: bool = False


@frozen
class AttentionPool:
    """A learned probe attends to all tokens; then y + MLP(norm(y)) (SigLIP's MAP head).

    Perception Encoder goes on to `projection` dimensions, without a bias or, in timm's files, with one.
    """

    heads: int
    hidden: int
    projection: int | None = None
    bias: bool = False


@frozen
class QueryPool:
    """A learned query, without a projection of its own, attends to all tokens; then one matrix (AIMv2's head).

    Where a text tower stands beside it, a projection without bias to `projection` dimensions follows.
    """

    heads: int
    projection: int | None = None


Pool = NoPool | ClassPool | MeanPool | ProjectedClass | AttentionPool | QueryPool

# What the last norm is applied to. CLIP norms the pooled token alone and hands out un-normed patches.
FinalNorm = Literal["all", "pooled", "none"]
