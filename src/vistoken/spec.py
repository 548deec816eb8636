"""The frozen description of an encoder: everything that planning, encoding and looking need to know of it.

Each choice is one member of a closed union that carries only its own parameters, so that a meaningless combination
cannot be written and the type checker names every place that must handle a new member. Nothing that can be derived
is stored: head width, sequence length and parameter counts follow from the fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vistoken.errors import UsageError
from vistoken.geometry import Grid, Patch, offsets

# ---------------------------------------------------------------- prefix tokens


@dataclass(frozen=True, slots=True)
class ClassToken:
    """One learned token in front of the patches, made to gather the picture (ViT)."""

    key = "cls"
    label = "class token"
    count = 1


@dataclass(frozen=True, slots=True)
class DistillationToken:
    """A second learned token that was trained on a teacher's answer (DeiT)."""

    key = "dist"
    label = "distillation token"
    count = 1


@dataclass(frozen=True, slots=True)
class Registers:
    """Learned tokens without a meaning of their own, which keep artefacts out of the patches (arXiv 2309.16588)."""

    count: int

    key = "reg"
    label = "register tokens"

    def __post_init__(self) -> None:
        if type(self.count) is not int or self.count < 1:
            raise UsageError(f"there are {self.count!r} register tokens: give a whole number of at least 1, or none")


PrefixToken = ClassToken | DistillationToken | Registers

# ---------------------------------------------------------------- positions


@dataclass(frozen=True, slots=True)
class TableResize:
    """How a learned table is brought to another grid: torch's `interpolate`, half-pixel centres."""

    mode: Literal["bicubic", "bilinear"]
    antialias: bool


@dataclass(frozen=True, slots=True)
class NoPosition:
    """Patches do not know where they are."""


@dataclass(frozen=True, slots=True)
class LearnedTable:
    """One learned vector a cell of a `rows` x `cols` grid, resized to other grids.

    The first `prefix_rows` prefix tokens have rows of their own in the table, in front.
    """

    rows: int
    cols: int
    prefix_rows: int
    resize: TableResize


@dataclass(frozen=True, slots=True)
class Sinusoidal:
    """Computed, nothing learned: half of dim for the row, half for the column, sine and cosine at many frequencies."""

    base: float = 10_000.0


@dataclass(frozen=True, slots=True)
class Factorised:
    """Two learned tables, one vector a row and one a column, added."""

    rows: int
    cols: int


@dataclass(frozen=True, slots=True)
class Rotary:
    """Queries and keys are turned by angles that grow with row and column; tokens themselves are left alone.

    Half of the frequencies serve the row, half the column, in integer coordinates (Qwen2-VL's axial layout).
    """

    base: float = 10_000.0


Position = NoPosition | LearnedTable | Sinusoidal | Factorised | Rotary

# ---------------------------------------------------------------- blocks

Activation = Literal["gelu", "gelu_tanh", "quick_gelu", "silu"]


@dataclass(frozen=True, slots=True)
class LayerNorm:
    eps: float


Norm = LayerNorm


@dataclass(frozen=True, slots=True)
class PlainMlp:
    """dim -> hidden -> activation -> dim, with biases."""

    hidden: int
    activation: Activation


@dataclass(frozen=True, slots=True)
class GatedMlp:
    """activation(gate(x)) * up(x), then down, with biases (SwiGLU where the activation is SiLU)."""

    hidden: int
    activation: Activation


Mlp = PlainMlp | GatedMlp

# ---------------------------------------------------------------- output side


@dataclass(frozen=True, slots=True)
class NoPool:
    """The family has no pooled vector of its own."""


@dataclass(frozen=True, slots=True)
class ClassPool:
    """The class token after the final norm (ViT, DINOv2, DeiT)."""


@dataclass(frozen=True, slots=True)
class MeanPool:
    """The mean over the patches after the final norm, prefix tokens left out."""


@dataclass(frozen=True, slots=True)
class ProjectedClass:
    """The class token, normed, through a projection without bias to `dim` (CLIP)."""

    dim: int


@dataclass(frozen=True, slots=True)
class AttentionPool:
    """A learned probe attends to all tokens; then y + MLP(norm(y)) (SigLIP's MAP head)."""

    heads: int
    hidden: int


Pool = NoPool | ClassPool | MeanPool | ProjectedClass | AttentionPool

# What the last norm is applied to. CLIP norms the pooled token alone and hands out un-normed patches.
FinalNorm = Literal["all", "pooled", "none"]


# Far above any encoder (the largest published has dim 4096, MLP 16,384 and 64 blocks), far below what overflows.
MAX_WIDTH, MAX_DEPTH = 1_000_000, 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec:
    """A vision transformer. `depth` 0 is the front end alone: patches, prefix tokens, positions.

    >>> spec = EncoderSpec(patch=Patch.square(16), dim=768, depth=12, heads=12, norm=LayerNorm(1e-6),
    ...                    mlp=PlainMlp(3072, "gelu"), position=Sinusoidal(), prefix=(ClassToken(),), pool=ClassPool())
    >>> spec.head_dim, spec.prefix_tokens
    (64, 1)

    Raises `UsageError` where the numbers cannot be a transformer.
    """

    patch: Patch
    dim: int
    depth: int
    heads: int
    norm: Norm
    mlp: Mlp
    position: Position
    prefix: tuple[PrefixToken, ...] = ()
    pool: Pool = NoPool()
    channels: int = 3
    patch_bias: bool = True
    qkv_bias: bool = True
    pre_norm: bool = False
    layer_scale: bool = False
    final_norm: FinalNorm = "all"
    mask_token: bool = False

    def __post_init__(self) -> None:
        sizes = {"dim": self.dim, "heads": self.heads, "channels": self.channels, "MLP hidden size": self.mlp.hidden}
        sizes |= {"patch height": self.patch.height, "patch width": self.patch.width}
        for name, value in sizes.items():
            if type(value) is not int or not 1 <= value <= MAX_WIDTH:
                raise UsageError(f"{name} is {value!r}: it must be a whole number from 1 to {MAX_WIDTH:,}")
        if type(self.depth) is not int or not 0 <= self.depth <= MAX_DEPTH:
            raise UsageError(f"depth is {self.depth!r}: it must be a whole number from 0 to {MAX_DEPTH:,}")
        if self.dim % self.heads:
            raise UsageError(f"{self.heads} heads do not divide dim {self.dim}: choose heads from its divisors")
        if isinstance(self.position, LearnedTable | Factorised) and min(self.position.rows, self.position.cols) < 1:
            raise UsageError(f"a position table for {self.position.rows} x {self.position.cols} patches holds nothing")
        if isinstance(self.position, Sinusoidal) and self.dim % 4:
            raise UsageError(f"dim {self.dim} is not a multiple of 4, which sinusoidal positions need")
        if isinstance(self.position, Rotary) and self.head_dim % 4:
            raise UsageError(f"head width {self.head_dim} is not a multiple of 4, which rotary positions need")
        if isinstance(self.pool, AttentionPool) and self.dim % self.pool.heads:
            raise UsageError(f"{self.pool.heads} pooling heads do not divide dim {self.dim}")
        if isinstance(self.pool, ClassPool | ProjectedClass) and ClassToken() not in self.prefix:
            raise UsageError("pooling by class token needs a class token among the prefix tokens")

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads

    @property
    def prefix_tokens(self) -> int:
        return sum(token.count for token in self.prefix)

    @property
    def prefix_places(self) -> dict[str, slice]:
        """Where each kind of prefix token stands at the head of a sequence, by its key."""
        starts = offsets(token.count for token in self.prefix)
        return {
            token.key: slice(start, end) for token, start, end in zip(self.prefix, starts, starts[1:], strict=False)
        }

    @property
    def pooled_dim(self) -> int | None:
        """Width of the pooled vector, or None where there is none."""
        match self.pool:
            case NoPool():
                return None
            case ProjectedClass(dim):
                return dim
            case _:
                return self.dim

    def tokens(self, grid: Grid) -> int:
        """Length of the sequence of one view: patches plus prefix."""
        return grid.patches + self.prefix_tokens
