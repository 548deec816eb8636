"""The frozen description of an encoder: everything that planning, encoding and looking need to know of it.

Nothing that can be derived is stored: head width, sequence length and parameter counts follow from the fields. The
choices that it is made of stand in `vistoken.choices` and can be imported from here; those of the connector to an LLM,
which plain encoders do without, in `vistoken.connector`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vistoken.choices import Activation as Activation
from vistoken.choices import AttentionPool as AttentionPool
from vistoken.choices import BitStem as BitStem
from vistoken.choices import BlockNorms as BlockNorms
from vistoken.choices import Buckets as Buckets
from vistoken.choices import CentredRotary as CentredRotary
from vistoken.choices import ClassPool as ClassPool
from vistoken.choices import ClassRotary as ClassRotary
from vistoken.choices import ClassToken as ClassToken
from vistoken.choices import DistillationToken as DistillationToken
from vistoken.choices import EvenOddRotary as EvenOddRotary
from vistoken.choices import Factorised as Factorised
from vistoken.choices import FinalNorm as FinalNorm
from vistoken.choices import GatedMlp as GatedMlp
from vistoken.choices import HeadNorm as HeadNorm
from vistoken.choices import LayerNorm as LayerNorm
from vistoken.choices import LearnedTable as LearnedTable
from vistoken.choices import MeanPool as MeanPool
from vistoken.choices import Mlp as Mlp
from vistoken.choices import NoPool as NoPool
from vistoken.choices import NoPosition as NoPosition
from vistoken.choices import Norm as Norm
from vistoken.choices import PlainMlp as PlainMlp
from vistoken.choices import Pool as Pool
from vistoken.choices import Position as Position
from vistoken.choices import PrefixToken as PrefixToken
from vistoken.choices import ProjectedClass as ProjectedClass
from vistoken.choices import QkNorm as QkNorm
from vistoken.choices import QkvBias as QkvBias
from vistoken.choices import QkvNorm as QkvNorm
from vistoken.choices import QueryPool as QueryPool
from vistoken.choices import Registers as Registers
from vistoken.choices import RmsNorm as RmsNorm
from vistoken.choices import Rotary as Rotary
from vistoken.choices import RotaryPosition as RotaryPosition
from vistoken.choices import Sinusoidal as Sinusoidal
from vistoken.choices import Stem as Stem
from vistoken.choices import TableResize as TableResize
from vistoken.choices import WidthNorm as WidthNorm
from vistoken.choices import Windows as Windows
from vistoken.errors import UsageError, shown
from vistoken.frozen import frozen
from vistoken.geometry import Grid, Patch, offsets

if TYPE_CHECKING:
    from vistoken.connector import Connector

NO_POOL = NoPool()
# Far above any encoder (the largest published has dim 4096, MLP 16,384 and 64 blocks), far below what overflows.
MAX_WIDTH, MAX_DEPTH = 1_000_000, 10_000


@frozen(kw_only=True)
class EncoderSpec:
    """A vision transformer. `depth` 0 is the front end alone: patches, prefix tokens, positions.

    A `stem` stands in front of the projection: then a patch, still in pixels, is what becomes one token.

    Norms: `embed_norm` on the patches before positions are added (AIMv2), `pre_norm` on all tokens after that (CLIP);
    `block_norms` tells where blocks norm: "before" (pre-norm), "after" (EVA-02-CLIP-E's x + norm(f(x))) or "both"
    (Gemma 4). `attention_norm` norms what attention has gathered before its output matrix (EVA-02-CLIP). `clamps`
    bound what enters and leaves every matrix of the blocks to learned ranges. `kv_heads` are the heads of keys
    and values where they are fewer: each serves several of the queries (grouped-query attention, arXiv 2305.13245).
    `connector` makes image tokens for an LLM, and each of `deepstack` further vectors for the same positions, which the
    LLM adds in its first layers (Qwen3-VL).

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
    rotary: RotaryPosition | None = None
    prefix: tuple[PrefixToken, ...] = ()
    pool: Pool = NO_POOL
    channels: int = 3
    stem: Stem | None = None
    patch_bias: bool = True
    embed_norm: bool = False
    pre_norm: bool = False
    qkv_bias: QkvBias = "all"
    out_bias: bool = True
    qkv_norm: QkvNorm | None = None
    kv_heads: int | None = None
    windows: Windows | None = None
    clamps: bool = False
    block_norms: BlockNorms = "before"
    attention_norm: bool = False
    layer_scale: bool = False
    final_norm: FinalNorm = "all"
    mask_token: bool = False
    connector: Connector | None = None
    deepstack: tuple[Connector, ...] = ()

    def __post_init__(self) -> None:
        sizes = {"dim": self.dim, "heads": self.heads, "channels": self.channels, "MLP hidden size": self.mlp.hidden}
        sizes |= {"patch height": self.patch.height, "patch width": self.patch.width}
        for name, value in sizes.items():
            if type(value) is not int or not 1 <= value <= MAX_WIDTH:
                raise UsageError(f"{name} is {value!r}: it must be a whole number from 1 to {MAX_WIDTH:,}")
        if type(self.depth) is not int or not 0 <= self.depth <= MAX_DEPTH:
            raise UsageError(f"depth is {self.depth!r}: it must be a whole number from 0 to {MAX_DEPTH:,}")
        sides = (self.patch.height, self.patch.width)
        if self.stem and (any(side % self.stem.stride for side in sides) or self.patch.frames > 1):
            raise UsageError(f"a {self.patch} patch is no whole number of cells of a stem of stride {self.stem.stride}")
        if self.dim % self.heads:
            raise UsageError(f"{self.heads} heads do not divide dim {self.dim}: choose heads from its divisors")
        if self.kv_heads is not None:
            self._check_kv_heads(self.kv_heads)
        if isinstance(self.position, Buckets) and self.position.side < 1:
            raise UsageError(f"a position table of {self.position.side} cells a side holds nothing")
        if isinstance(self.position, LearnedTable | Factorised) and min(self.position.rows, self.position.cols) < 1:
            raise UsageError(f"a position table for {self.position.rows} x {self.position.cols} patches holds nothing")
        if isinstance(self.position, Sinusoidal) and self.dim % 4:
            raise UsageError(f"dim {self.dim} is not a multiple of 4, which sinusoidal positions need")
        if self.rotary is not None and self.head_dim % 4:
            raise UsageError(f"head width {self.head_dim} is not a multiple of 4, which rotary positions need")
        if isinstance(self.pool, AttentionPool | QueryPool) and self.dim % self.pool.heads:
            raise UsageError(f"{self.pool.heads} pooling heads do not divide dim {self.dim}")
        if self.windows is not None and (self.windows.side < 1 or self.prefix):
            raise UsageError("windows hold whole patches and no prefix: give a side of at least 1 and no prefix tokens")
        if isinstance(self.pool, ClassPool | ProjectedClass) and "cls" not in self.prefix_places:
            raise UsageError("pooling by class token needs a class token among the prefix tokens")
        if isinstance(self.rotary, ClassRotary) and self.prefix != (ClassToken(),):
            raise UsageError("learned angles of the class token need a class token, and no other prefix tokens")

    def _check_kv_heads(self, heads: int) -> None:
        if type(heads) is not int or heads < 1 or self.heads % heads:
            raise UsageError(f"{heads!r} heads of keys and values: they must divide the {self.heads} of queries")
        if self.clamps or self.qkv_norm or self.qkv_bias == "query and value":
            raise UsageError("fewer heads of keys and values go with one plain matrix: no clamps, no norms, one bias")

    @property
    def projected(self) -> tuple[Patch, int]:
        """What the projection maps to one token: pixels and channels, or those of the stem's map."""
        return (self.patch, self.channels) if self.stem is None else (self.stem.cell(self.patch), self.stem.channels)

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads

    @property
    def kv_dim(self) -> int:
        """Width of all keys, and of all values."""
        return self.head_dim * (self.kv_heads or self.heads)

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
            case ProjectedClass(dim) | QueryPool(_, int() as dim) | AttentionPool(_, _, int() as dim):
                return dim
            case _:
                return self.dim

    def tokens(self, grid: Grid) -> int:
        """Length of the sequence of one view: patches, and the prefix of each frame."""
        return grid.patches + self.prefix_tokens * grid.frames

    def lengths(self, frame: Grid, merge: int = 0) -> tuple[int, ...]:
        """Tokens of one frame that enter each block, and those that leave the last one.

        With `merge` above 0, up to so many become part of others between attention and MLP of every block.
        """
        left = [self.tokens(frame)]
        for _ in range(self.depth):
            left.append(left[-1] - joined_tokens(left[-1], self.prefix_tokens, merge))
        return tuple(left)

    def check_merge(self, merge: object) -> None:
        """Raise `UsageError` where `merge` is no number of tokens, and where those of this encoder cannot be joined."""
        if type(merge) is not int or merge < 0:
            raise UsageError(f"merge_tokens is {shown(merge)}: it must be a whole number of at least 0, 0 for none")
        if merge and self.windows is not None:
            raise UsageError(
                "merge_tokens joins tokens from anywhere in a picture, and this encoder attends within windows of "
                f"{self.windows.side} x {self.windows.side} patches, which would fall apart: leave merge_tokens out"
            )


def joined_tokens(tokens: int, prefix_tokens: int, merge: int) -> int:
    """How many tokens of a frame become part of others where `merge` are asked for: at most half of the patches.

    Source: arXiv 2210.09461, section 3: a token is merged into one of the other half at most once a block. The prefix
    takes no part (facebookresearch/ToMe, `tome/merge.py`, `bipartite_soft_matching`).
    """
    return min(merge, (tokens - prefix_tokens) // 2)
