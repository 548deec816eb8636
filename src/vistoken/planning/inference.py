"""The moments of inference, implementation by implementation: constants here are properties of code, not of networks.

Followed line by line, and held against a count of live storages: transformers 5.23.0, `models/vit/modeling_vit.py`,
`clip/modeling_clip.py`, `dinov2/modeling_dinov2.py`, `siglip/modeling_siglip.py`, `qwen2_5_vl/modeling_qwen2_5_vl.py`;
torch 2.13.0 for what its operators allocate; `vistoken.encoding.model` for our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from vistoken.connector import AveragePool, Connector, MergeBlocks, MlpStage, Resample
from vistoken.frozen import frozen
from vistoken.planning.living import FLOAT, INDEX, Moment, Pass
from vistoken.spec import EncoderSpec, GatedMlp, LearnedTable, Mlp

Rows = dict[str, int]


def mlp_alive(mlp: Mlp) -> int:
    """Hidden vectors that live at once in an MLP, where the activation has just been computed.

    Plain: what goes in and what comes out, one kernel. Quick GELU is written out in both implementations: x, its
    sigmoid, their product. Gated: the activated gate, the other half, their product.
    """
    return 3 if isinstance(mlp, GatedMlp) or mlp.activation == "quick_gelu" else 2


# ---------------------------------------------------------------- transformers


@frozen
class BatchedTower:
    """Towers of transformers in which all views stand in one rectangular batch.

    `precise`: the softmax is asked for in float32. `places`: the numbers of all positions are kept as a buffer.
    """

    precise: bool = True
    places: bool = False

    def moments(self, run: Pass) -> Iterator[Moment]:
        """Of the last block, since all others are the same and autocast's copies grow; and of what stands around."""
        spec = run.spec
        yield Moment.of("positions, resized", self.around(run), {"tokens": run.dense}, resized_table(run))
        # The outermost call still holds what entered the first block; each block's caller what entered it.
        kept = self.around(run) | {"embedding output": run.dense * (spec.depth > 1), "block input": run.dense}
        yield from self._attention(run, kept)
        returned = {"attention weights": self.returned(run)}
        mlp = kept | {"residual": run.dense, "norm output": run.dense} | returned
        first, last = cast_weights(run, 3), cast_weights(run, 4)
        alive = {"MLP: hidden vectors": mlp_alive(spec.mlp) * run.hidden}
        yield Moment.of("MLP: activation", mlp, first, alive)
        yield Moment.of("MLP: last matrix", mlp, last, {"MLP: hidden vectors": run.hidden, "MLP: output": run.product})
        yield Moment.of("head", kept, cast_weights(run, 4, head=True), {"norm output": run.dense})

    def _attention(self, run: Pass, kept: Rows) -> Iterator[Moment]:
        inside = kept | {"norm output": run.dense, "queries, keys, values": 3 * run.product}
        made, asked = {"attention output": run.product}, inside | cast_weights(run, 1)
        if run.eager:
            yield from self._eager(run, asked)
        else:
            yield Moment.of("attention", asked, made, {"statistics of softmax": run.statistics})
        after = inside | cast_weights(run, 2) | {"attention weights": self.returned(run)}
        yield Moment.of("output matrix of attention", after, made, {"output of its matrix": run.product})

    def around(self, run: Pass) -> Rows:
        """What lives from beginning to end."""
        pixels = sum(size.pixels for size in run.sizes) * run.spec.channels * run.width
        places = self.places * INDEX * run.spec.tokens(run.grids[0])
        return {"weights": run.weights, "buffers": places, "pixels": pixels}

    def rounds(self, run: Pass) -> bool:
        """Whether softmax is computed in float32 and rounded: where the code asks, and under autocast.

        On CUDA, that is: there autocast casts softmax (torch 2.13.0, `ATen/autocast_mode.h`,
        `AT_FORALL_FP32_SET_OPT_DTYPE`); on a CPU it leaves it alone.
        """
        return (self.precise or run.autocast) and run.narrow != FLOAT

    def returned(self, run: Pass) -> int:
        """Attention weights, which the block's local variable `_` holds until the block ends."""
        return run.eager * run.scores * (run.narrow if self.precise or not run.autocast else FLOAT)

    def _eager(self, run: Pass, inside: Rows) -> Iterator[Moment]:
        """Products of batches copy their operands, unless one picture stands alone."""
        scores, made, copies = run.scores * run.narrow, run.product, len(run.frames) > 1
        folded = {"queries and keys, folded": 2 * made * copies}
        yield Moment.of("attention: scores", inside, folded, {"scores": scores})
        yield Moment.of("attention: scaling", inside, {"scores": scores, "scores, scaled": scores})
        yield from self._softmax(run, inside)
        weights = inside | {"attention weights": self.returned(run)}
        folded = {"values, folded": made * copies, "attention output": made}
        cast = {"attention weights in bfloat16": scores * (run.autocast and not self.precise)}
        yield Moment.of("attention: weighted sum", weights, folded, cast)

    def _softmax(self, run: Pass, inside: Rows) -> Iterator[Moment]:
        """In float32 where the code or autocast asks for it: then scores are copied before, and weights after."""
        scores, exact = run.scores * run.narrow, run.scores * FLOAT
        if not self.rounds(run):
            yield Moment.of("attention: softmax", inside, {"scores, scaled": scores, "attention weights": scores})
            return
        copied = {"scores, scaled": scores, "scores in float32": exact, "attention weights in float32": exact}
        yield Moment.of("attention: softmax", inside, copied)
        back = {"scores, scaled": scores, "attention weights in float32": exact, "attention weights": scores}
        yield Moment.of("attention: weights rounded", inside, back)


def resized_table(run: Pass) -> Rows:
    """A learned table that is brought to another grid, in float32, and with narrower weights a copy of it before."""
    table, grid = run.spec.position, run.grids[0]
    if not isinstance(table, LearnedTable) or (grid.rows, grid.cols) == (table.rows, table.cols):
        return {}
    copied = table.rows * table.cols * (run.width != FLOAT)
    return {"position table in float32": FLOAT * run.spec.dim * (copied + grid.rows * grid.cols)}


def cast_weights(run: Pass, steps: int, head: bool = False) -> Rows:
    """Copies in bfloat16 that autocast keeps of matrices and biases until it ends, with `steps` of the last block done.

    The steps are queries, keys and values; attention's output; the MLP's first and its last matrix.
    Source: torch 2.13.0, `ATen/autocast_mode.h`, `cached_cast`: of leaves that require gradients, also in `no_grad`.
    """
    if not run.autocast:
        return {}
    spec = run.spec
    patch, channels = spec.projected
    embedding = spec.dim * (patch.values(channels) + spec.patch_bias)
    block = block_matrices(spec)
    numbers = embedding + (spec.depth - 1) * sum(block) + sum(block[:steps]) + head * run.head
    return {"weights in bfloat16": 2 * numbers}


def block_matrices(spec: EncoderSpec) -> tuple[int, int, int, int]:
    """Numbers in matrices and biases: queries, keys, values; attention's output; into the MLP; out of it."""
    dim, hidden, ways = spec.dim, spec.mlp.hidden, 2 if isinstance(spec.mlp, GatedMlp) else 1
    biases = {"all": 3, "query and value": 2, "none": 0}[spec.qkv_bias] * dim
    bias = spec.mlp.bias
    return 3 * dim**2 + biases, dim * (dim + spec.out_bias), ways * hidden * (dim + bias), dim * (hidden + bias)


@frozen
class PackedTower:
    """Qwen2.5-VL's tower in transformers: one packed sequence, rotary angles in float32, attention frame by frame."""

    def moments(self, run: Pass) -> Iterator[Moment]:
        spec, wide = run.spec, run.tokens * run.spec.dim * FLOAT
        copied = wide * (run.width != FLOAT)
        kept = self.around(run) | {"block input": run.dense}
        yield Moment.of("norm", kept, {"in float32": copied, "squares": wide})
        yield Moment.of(
            "norm, rounded", kept, {"in float32": wide, "rounded": copied and run.dense, "norm output": run.dense}
        )
        inside = kept | {"norm output": run.dense, "queries, keys, values": 3 * run.dense}
        turned = {"queries and keys in float32": 2 * copied, "turned by rotary angles, float32": 4 * wide}
        yield Moment.of("attention: rotary", inside, turned)
        inside |= {"queries and keys, turned": 2 * run.dense}
        yield from self._attention(run, inside)
        made = {"attention output": 2 * run.dense, "output of its matrix": run.dense}
        yield Moment.of("output matrix of attention", inside, made)
        mlp = kept | {"residual": run.dense, "norm output": run.dense}
        yield Moment.of("MLP: activation", mlp, {"MLP: hidden vectors": mlp_alive(spec.mlp) * run.hidden})
        yield Moment.of("MLP: last matrix", mlp, {"MLP: hidden vectors": run.hidden, "MLP: output": run.dense})

    def around(self, run: Pass) -> Rows:
        """Places and windows of tokens are integers that live all the time; angles are given twice, in float32."""
        spec = run.spec
        pixels = run.patches * spec.patch.values(spec.channels) * run.width
        blocks = run.tokens // 4  # 2 x 2 patches become one image token, and windows are made of such blocks
        # Windows are padded before they are counted, by one more where whole ones fill the picture.
        side = spec.windows.side if spec.windows else 1
        windows = sum((frame.rows // side + 1) * (frame.cols // side + 1) for frame in run.frames)
        places = INDEX * (3 * len(run.grids) + 2 * run.tokens + blocks) + 4 * (len(run.frames) + 1 + windows + 1)
        frequencies = 2 * spec.head_dim // 4
        return {
            "weights": run.weights,
            "buffers": FLOAT * frequencies,
            "pixels": pixels,
            "places of tokens": places,
            "rotary angles": 2 * run.tokens * spec.head_dim * FLOAT,
        }

    def _attention(self, run: Pass, inside: dict[str, int]) -> Iterator[Moment]:
        """Segment by segment; what has been attended to waits to be joined."""
        spec, done = run.spec, 0
        number = spec.dim * run.width
        lengths = list(segments(run, windowed=spec.windows is not None and not spec.windows.full))
        inside |= {"places of tokens": inside["places of tokens"] + 4 * len(lengths)}
        for tokens in lengths:
            done += tokens * number
            if not run.eager:
                continue
            scores, exact = spec.heads * tokens**2 * run.width, spec.heads * tokens**2 * FLOAT
            before = {"attention output": done - tokens * number}
            yield Moment.of("attention: scaling", inside, before, {"scores": scores, "scores, scaled": scores})
            if run.width != FLOAT:
                copied = {"scores, scaled": scores, "scores in float32": exact, "attention weights in float32": exact}
                yield Moment.of("attention: softmax", inside, before, copied)
        yield Moment.of("attention: segments joined", inside, {"attention output": 2 * done})


def segments(run: Pass, windowed: bool) -> Iterator[int]:
    """Tokens of each segment of a block."""
    for frame in run.frames:
        if not windowed or run.spec.windows is None:
            yield run.spec.tokens(frame)
            continue
        side = run.spec.windows.side
        for top in range(0, frame.rows, side):
            for left in range(0, frame.cols, side):
                yield min(side, frame.rows - top) * min(side, frame.cols - left)


# ---------------------------------------------------------------- our own


@frozen
class OwnEncoder:
    """`vistoken.encoding.VisionEncoder`: bytes in, one packed sequence of mixed sizes, no copy of weights."""

    def moments(self, run: Pass) -> Iterator[Moment]:
        spec, around = run.spec, self.around(run)
        values = run.patches * self.values(run)
        projected = {"patches as float32": FLOAT * values, "patch vectors": FLOAT * run.patches * spec.dim}
        yield Moment.of("projection", around, projected)
        mixed = len(set(run.frames)) > 1
        yield Moment.of("prefix and positions", around, {"tokens": (2 + mixed) * run.dense})
        kept = around | {"hidden states kept": self.layers(spec) * run.dense, "block input": run.dense}
        yield from self._attention(run, kept)
        mlp = kept | {"residual": run.dense, "norm output": run.dense}
        # Gate and the other half are one matrix, whose whole output lives until their product is there.
        alive = 4 if isinstance(spec.mlp, GatedMlp) else mlp_alive(spec.mlp)
        yield Moment.of("MLP: activation", mlp, {"MLP: hidden vectors": alive * run.hidden})
        yield Moment.of("MLP: last matrix", mlp, {"MLP: hidden vectors": run.hidden, "MLP: output": run.dense})
        yield from self._connector(run, around | {"tokens": 2 * run.dense})

    def values(self, run: Pass) -> int:
        """Of a patch; where patches span frames, a still picture's frame is there once."""
        still = all(grid.frames == 1 for grid in run.grids)
        return run.spec.patch.values(run.spec.channels) // (run.spec.patch.frames if still else 1)

    def layers(self, spec: EncoderSpec) -> int:
        """Hidden states that connectors read."""
        connectors = [connector for connector in (spec.connector, *spec.deepstack) if connector]
        return len({number % (spec.depth + 1) for each in connectors for number in each.layers or ()})

    def around(self, run: Pass) -> Rows:
        spec, kinds = run.spec, set(run.frames)
        patch, channels = spec.projected
        table = spec.position
        resized = [
            grid
            for grid in kinds
            if isinstance(table, LearnedTable) and (grid.rows, grid.cols) != (table.rows, table.cols)
        ]
        turned = spec.rotary is not None
        return {
            "weights": run.weights,
            "weights that take bytes": FLOAT * spec.dim * (patch.values(channels) + 1),
            "patches in bytes": run.patches * self.values(run),
            "positions, resized": spec.dim * run.width * sum(grid.patches for grid in resized),
            "rotary angles": turned * FLOAT * run.tokens * spec.head_dim,
            "order of windows": INDEX * run.tokens * (spec.windows is not None),
        }

    def _attention(self, run: Pass, kept: Rows) -> Iterator[Moment]:
        spec, wide = run.spec, run.tokens * run.spec.dim * FLOAT
        keys = run.tokens * spec.kv_dim * run.width
        inside = kept | {"norm output": run.dense, "queries, keys, values": run.dense + 2 * keys}
        normed = {"queries and keys, normed": (run.dense + keys) * (spec.qkv_norm is not None)}
        inside |= normed
        if spec.rotary is not None:
            copied = wide * (run.width != FLOAT)
            yield Moment.of(
                "attention: rotary", inside, {"in float32": copied, "turned, float32": 2 * wide, "turned": run.dense}
            )
            inside |= {"queries and keys, turned": run.dense + keys}
        inside |= {"keys and values, repeated": 2 * run.dense * (spec.kv_dim < spec.dim)}
        if run.eager:
            yield from self._eager(run, inside)
        joined = self.largest_run(run)
        made = {"attention output": run.dense}
        yield Moment.of("attention", inside, made, {"attention of equal segments": joined})
        normed = {"attention output, normed": run.dense * spec.attention_norm}
        yield Moment.of("output matrix of attention", inside, made, normed, {"output of its matrix": run.dense})

    def _eager(self, run: Pass, inside: Rows) -> Iterator[Moment]:
        """All pairs of the pack are computed, with a mask over them."""
        pairs = run.tokens**2
        scores, exact = run.spec.heads * pairs * run.width, run.spec.heads * pairs * FLOAT
        masked = inside | {"mask": pairs}
        yield Moment.of("attention: mask", masked, {"mask, turned": pairs, "scores": 2 * scores})
        copied = exact * (run.width != FLOAT)
        yield Moment.of(
            "attention: softmax",
            masked,
            {"scores": scores, "in float32": copied, "attention weights in float32": exact},
        )

    def largest_run(self, run: Pass) -> int:
        """Neighbouring segments of one length are attended to together; several such runs are joined."""
        spec = run.spec
        windowed = spec.windows is not None and len(spec.windows.full) < spec.depth
        lengths = [list(group) for _, group in groupby(segments(run, windowed))]
        return max(map(sum, lengths)) * spec.dim * run.width if len(lengths) > 1 else 0

    def _connector(self, run: Pass, kept: Rows) -> Iterator[Moment]:
        """Stage by stage: what goes in, what comes out, and an MLP's hidden vectors between."""
        if run.spec.connector is None:
            return
        connector = run.spec.connector
        width, tokens = run.spec.dim * len(connector.layers or (0,)), run.patches
        for stage in connector.stages:
            into = tokens * width * run.width
            inner = 0
            match stage:
                case MlpStage(mlp):
                    inner = mlp_alive(mlp) * tokens * mlp.hidden * run.width
                case MergeBlocks(side) | AveragePool(side):
                    tokens //= side**2
                case Resample(latents):
                    tokens = latents * len(run.frames)
                case _:
                    pass
            width = Connector(stages=(stage,)).width(width)
            out = tokens * width * run.width
            yield Moment.of("connector", kept, {"connector: in, inside, out": into + inner + out})
