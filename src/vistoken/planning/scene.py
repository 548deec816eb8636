"""A model in front of one picture or video: the tokens and operations that reductions change.

Blocks of tokens are formed in front of the first matrix that follows the model's own merging: behind the norm and the
merger of Qwen2.5-VL, in front of LLaVA's MLP. A plain encoder hands on its patches, without prefix tokens; in front of
an LLM one matrix projects them (LLaVA, arXiv 2304.08485).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vistoken.connector import AveragePool, Connector, Downsample, Linear, MergeBlocks, MlpStage, Resample
from vistoken.counting.tokens import TokenCount
from vistoken.errors import InputError, UsageError
from vistoken.frozen import frozen
from vistoken.geometry import Grid
from vistoken.model_spec import ModelSpec
from vistoken.planning.ends import connector_rows
from vistoken.planning.llm import LlmCost, LlmSpec, llm_cost
from vistoken.planning.operations import Operation, operations
from vistoken.planning.reductions import PoolBlocks, ShuffleBlocks
from vistoken.prompts.unpad import Unpadded, UnpaddedUnderCap
from vistoken.sequence import Sequence as Pieces
from vistoken.spec import EncoderSpec

_PARTS = ("connector", "deepstack")


@frozen
class Scene:
    """`count` holds the picture or video; `llm` is None where none is known, `kv_dtype` that of its cache."""

    spec: ModelSpec
    encoder: EncoderSpec
    count: TokenCount
    llm: LlmSpec | None
    kv_dtype: str

    # ---------------------------------------------------------------- tokens

    @property
    def frames(self) -> list[Grid]:
        """The grid of patches of every frame of every view."""
        grids = [view.grid for view in self.count.views]
        return [Grid(grid.rows, grid.cols) for grid in grids for _ in range(grid.frames)]

    @property
    def image_tokens(self) -> int:
        """What is handed on: the model's image tokens, or a plain encoder's patches."""
        image = self.count.image_tokens
        return sum(grid.patches for grid in self.frames) if image is None else image

    @property
    def markers(self) -> int:
        return self.count.marker_tokens or 0

    @property
    def dim(self) -> int | None:
        """Width of the tokens that are handed on; None where the projector is not described."""
        return self.connectors[0].width(self.encoder.dim) if self.described else None

    def in_llm(self, image_tokens: int, markers: int) -> tuple[LlmCost, ...]:
        """What they cost there; nothing without an LLM."""
        if self.llm is None:
            return ()
        return (llm_cost(self.llm, image_tokens + markers, image_tokens=image_tokens, dtype=self.kv_dtype),)

    def in_blocks(self, side: int) -> tuple[int, int]:
        """Image and marker tokens, where blocks of `side` x `side` tokens become one.

        Raises `UsageError` where tokens have no place in a grid, `InputError` where the blocks are larger than it.
        """
        self._check_placed()
        grids = [_whole(frame, self.connectors[0].side) for frame in self.frames]
        if any(side > max(grid.rows, grid.cols) for grid in grids):
            raise InputError(f"blocks of {side} x {side} are larger than a grid of {grids[0]} tokens: choose a smaller")
        image = sum(blocks(grid, side).patches for grid in grids)
        if self.spec.prompt is None:
            return image, 0
        if isinstance(self.spec.prompt, Unpadded | UnpaddedUnderCap) and self.count.clip is None:
            return self._pieces(side).counts
        if sum(grid.patches for grid in grids) != self.image_tokens:
            raise UsageError(f"{self.spec.name} does not make one image token of each cell of a grid here")
        return image, self._pieces(side).marker_tokens

    def _check_placed(self) -> None:
        self.check_described()
        if not self.connectors[0].placed:
            raise UsageError(f"the image tokens of {self.spec.name} are latents, which have no place in the picture")

    def _pieces(self, side: int) -> Pieces:
        """What the layout writes where grids have become smaller: fewer rows also bring fewer markers."""
        own = self.connectors[0].side

        def smaller(grid: Grid) -> Grid:
            fewer = blocks(_whole(grid, own), side)
            return Grid(fewer.rows * own, fewer.cols * own, grid.frames)

        tiling, size = self.count.tiling, self.count.size
        whole = smaller(tiling.overview) if tiling.overview else None
        tiling = tiling._replace(tile=smaller(tiling.tile), overview=whole, ragged=tuple(map(smaller, tiling.ragged)))
        if self.count.clip is not None:
            return self.spec.known_video().prompt.sequence(tiling, size, self.count.clip)
        layout = self.spec.prompt
        assert layout is not None
        if isinstance(layout, Unpadded):
            fewer = blocks(layout.cells, side)
            layout = replace(layout, cells=fewer, base=layout.base - layout.cells.patches + fewer.patches)
        elif isinstance(layout, UnpaddedUnderCap):
            layout = replace(layout, tokens=tiling.tile.patches)
        return layout.sequence(tiling, size)

    # ---------------------------------------------------------------- operations

    @property
    def described(self) -> bool:
        """Whether the way from patches to image tokens is."""
        return self.spec.prompt is None or self.encoder.connector is not None

    def check_described(self) -> None:
        if not self.described:
            raise UsageError(f"how {self.spec.name} makes image tokens of patches is not described")

    def check_plain(self) -> None:
        """Raise `UsageError` where tokens cannot become fewer inside the tower."""
        if self.encoder.windows is not None:
            raise UsageError(
                f"{self.spec.name} attends within windows of {self.encoder.windows.side} x {self.encoder.windows.side} "
                "patches, which would fall apart if tokens became fewer in the tower"
            )
        if self.spec.prompt:
            raise UsageError(
                f"{self.spec.name} makes its image tokens of a grid of patches, which tokens that become fewer in the "
                "tower leave: this is for plain encoders"
            )

    @property
    def connectors(self) -> tuple[Connector, ...]:
        """The model's own, and those of further vectors; of a plain encoder in front of an LLM one matrix."""
        if self.encoder.connector:
            return (self.encoder.connector, *self.encoder.deepstack)
        return (Connector(stages=(Linear(self.llm.width),) if self.llm and self.described else ()),)

    def tower(self, merge: int = 0) -> tuple[Operation, ...]:
        """All that runs in front of the projector; `merge` tokens a frame and block are joined."""
        steps = operations(self.encoder, [view.grid for view in self.count.views], 0, merge)
        return tuple(step for step in steps if step.part not in _PARTS)

    def tower_of_two(self, block: int, left: Sequence[Grid]) -> tuple[Operation, ...]:
        """The same where from block `block` on, counted from 1, each frame has as many patches as `left` says."""
        encoder, ends = self.encoder, ("final norm", "pool and head", "mask token")
        first = operations(replace(encoder, depth=block - 1), self.frames)
        rest = operations(replace(encoder, depth=encoder.depth - block + 1), left)
        return (
            *(step for step in first if step.part not in ends),
            *(step for step in rest if step.part in ("blocks", *ends)),
        )

    def projector(self, *, main: Connector | None = None, frames: Sequence[Grid] | None = None) -> Iterator[Operation]:
        """As the plan has it; with `main` instead of the model's own, or other grids that enter."""
        grids = self.frames if frames is None else frames
        for number, connector in enumerate(self.connectors):
            connector = connector if number or main is None else main
            yield from connector_rows(_PARTS[number > 0], connector, self.encoder.dim, grids, _mark(number))

    def projector_in_blocks(self, reduction: PoolBlocks | ShuffleBlocks) -> Iterator[Operation]:
        """The same with blocks of tokens that become one on the way."""
        for number, connector in enumerate(self.connectors):
            part, mark, dim = _PARTS[number > 0], _mark(number), self.encoder.dim
            before, after = cut(connector)
            yield from connector_rows(part, before, dim, self.frames, mark)
            grids, width = [_whole(frame, before.side) for frame in self.frames], before.width(dim)
            fewer, wider = [blocks(grid, reduction.side) for grid in grids], width * reduction.widening
            reads, writes = (sum(grid.patches for grid in some) for some in (grids, fewer))
            yield Operation(part, f"{mark}{reduction}", 0, 0, reads * width, writes * wider)
            yield from connector_rows(part, after, wider, fewer, mark)

    def dim_in_blocks(self, reduction: PoolBlocks | ShuffleBlocks) -> int:
        """Width of a token then. Raises `UsageError` where nothing takes the wider ones."""
        before, after = cut(self.connectors[0])
        if reduction.widening > 1 and self.spec.prompt and not after.stages:
            raise UsageError(f"no matrix of {self.spec.name} follows its own pooling, so none could take wider tokens")
        return after.width(before.width(self.encoder.dim) * reduction.widening)


def blocks(grid: Grid, side: int) -> Grid:
    """The grid of `side` x `side` blocks, ragged ones included."""
    return Grid(-(-grid.rows // side), -(-grid.cols // side))


def cut(connector: Connector) -> tuple[Connector, Connector]:
    """The stages in front of the first matrix that follows the last merging, and those from it on."""
    merges = [n for n, s in enumerate(connector.stages) if isinstance(s, MergeBlocks | AveragePool | Downsample)]
    behind = merges[-1] + 1 if merges else 0
    matrices = [n for n, s in enumerate(connector.stages) if isinstance(s, Linear | MlpStage | Resample)]
    place = next((n for n in matrices if n >= behind), len(connector.stages))
    before = Connector(stages=connector.stages[:place], layers=connector.layers)
    return before, Connector(stages=connector.stages[place:], arrangement=connector.arrangement)


def _whole(frame: Grid, side: int) -> Grid:
    """The model's own blocks of `side` x `side` patches."""
    return Grid(frame.rows // side, frame.cols // side)


def _mark(number: int) -> str:
    return f"{number}: " if number else ""
