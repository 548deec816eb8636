"""The moments of training with AdamW: weights, its two states a weight, gradients, and what forward keeps for backward.

Blocks are alike, so what they keep is counted once and multiplied; on the way back it goes block by block while
gradients come. The peak is therefore at the last block, where all is kept, or at the first, where all gradients are
there, or in the optimizer's step. Constants are those of transformers 5.23.0 and torch 2.13.0, as in `inference`.
"""

from __future__ import annotations

from collections.abc import Iterator

from vistoken.planning.inference import BatchedTower, block_matrices, mlp_alive
from vistoken.planning.living import FLOAT, Moment, Pass
from vistoken.spec import GatedMlp

Rows = dict[str, int]


def training(tower: BatchedTower, run: Pass, checkpointing: bool = False) -> Iterator[Moment]:
    """Forward, backward and step of a batch, gradients dropped after the step.

    The optimizer's step works in place (`AdamW(fused=True)`); torch's default one takes as much again as the
    gradients for a moment. With `checkpointing` a block keeps its input alone, and computes the rest once more.
    """
    around = {**tower.around(run), "optimizer states": 2 * run.weights}
    block, depth = kept_by_block(tower, run), run.spec.depth
    waiting = {"block inputs": run.dense} if checkpointing else block
    for name, before, gradients in (("last", depth - 1, 0), ("first", 0, behind_first(run))):
        others = times(waiting, before)
        for step, kept, made in backward(tower, run, block):
            rows = (around, {"gradients": gradients}, others, kept, made)
            yield Moment.of(f"backward of the {name} block: {step}", *rows)
    yield Moment.of("optimizer step", around, {"gradients": run.weights})


def behind_first(run: Pass) -> int:
    """Gradients that are there when the way back comes to the first block: not its own, nor those before it."""
    patch, channels = run.spec.projected
    before = run.spec.dim * (patch.values(channels) + run.spec.tokens(run.grids[0]))
    return run.weights - run.width * (before + sum(block_matrices(run.spec)))


def times(rows: Rows, number: int) -> Rows:
    return {name: number * value for name, value in rows.items()}


def kept_by_block(tower: BatchedTower, run: Pass) -> Rows:
    """What one block keeps: the inputs of products, norms and activations, and what softmax gave."""
    return {**kept_by_attention(tower, run), **kept_by_mlp(run)}


def kept_by_attention(tower: BatchedTower, run: Pass) -> Rows:
    spec = run.spec
    casts = 3 if run.autocast else 1  # queries, keys and values each cast the norm's output
    return {
        "block inputs": run.dense,
        "statistics of norms": 4 * FLOAT * run.tokens,
        "norm outputs": casts * run.product,
        "queries, keys, values": 3 * run.product,
        "attention outputs": run.product,
        "attention weights": run.eager * run.scores * weights_kept(tower, run),
        "statistics of softmax": (not run.eager) * run.statistics,
        "outputs before layer scale": 2 * spec.layer_scale * run.product,
        "weights in bfloat16": run.autocast * 2 * (4 * spec.dim**2),
    }


def weights_kept(tower: BatchedTower, run: Pass) -> int:
    """Bytes a score: what softmax gave, and where that is rounded afterwards, the rounded too."""
    return FLOAT + run.narrow if tower.rounds(run) else run.narrow


def kept_by_mlp(run: Pass) -> Rows:
    """Around the activation; quick GELU's sigmoid too; of gated MLPs both gates, the other half, the product."""
    spec, gated = run.spec, isinstance(run.spec.mlp, GatedMlp)
    casts = 2 if run.autocast and gated else 1
    return {
        "residuals": run.dense,
        "MLP: norm outputs": casts * run.product,
        "MLP: hidden vectors": (4 if gated else mlp_alive(spec.mlp)) * run.hidden,
        "MLP: weights in bfloat16": run.autocast * 2 * (2 + gated) * spec.dim * spec.mlp.hidden,
    }


def backward(tower: BatchedTower, run: Pass, block: Rows) -> Iterator[tuple[str, Rows, Rows]]:
    """Steps of one block's way back: what is still kept of it, and what is made."""
    spec = run.spec
    matrix = spec.dim * spec.mlp.hidden * run.narrow
    # Quick GELU is written out: its gradient is a sum over two ways.
    ways = 2 if spec.mlp.activation == "quick_gelu" else 1
    gradient = {"gradient of the residual": run.dense}
    cast = {"gradient in bfloat16": run.autocast * run.product}
    made = {"gradient of hidden vectors": ways * run.hidden, "gradient of a matrix": matrix}
    yield "MLP", block, gradient | cast | made
    kept = kept_by_attention(tower, run)
    made = {"gradients of queries, keys, values": 3 * run.product, "gradient of attention output": run.product}
    if run.eager:
        exact = run.scores * (FLOAT if tower.rounds(run) else run.narrow)
        # Rounded weights are let go of before the gradient of the exact ones is there.
        made["gradients of scores"] = 2 * exact - tower.rounds(run) * run.scores * run.narrow
    yield "attention", kept, gradient | made
