"""Rotary layouts of files against ours: each is written out as its own reference has it, and scores must agree."""

import pytest
import torch

from vistoken.encoding.attention import turn
from vistoken.encoding.positions import rotary_angles
from vistoken.encoding.steps import paired
from vistoken.geometry import Grid
from vistoken.spec import Rotary

HEAD, GRID = 24, Grid(3, 5)
LADDER = 10_000.0 ** (-torch.arange(HEAD // 4, dtype=torch.float64) / (HEAD // 4))


def neighbours(x, angles):
    """Dimensions 2i and 2i + 1 are the real and the imaginary part of a number that is turned by angle i."""
    turned = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2)) * torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flatten(-2)


def halves(x, angles):
    """Dimension i of the whole pairs with i + half of the width."""
    first, second = x.chunk(2, -1)
    return torch.cat([first * angles.cos() - second * angles.sin(), second * angles.cos() + first * angles.sin()], -1)


def alternating(row, col):
    return torch.stack([col * LADDER, row * LADDER], -1).flatten()


WAYS = {
    # transformers 5.23.0, models/gemma4/modeling_gemma4.py: x in the first half of the head, each half by itself.
    "axes": lambda x, row, col: torch.cat([halves(x[: HEAD // 2], col * LADDER), halves(x[HEAD // 2 :], row * LADDER)]),
    # timm 1.0.31, layers/pos_embed_sincos.py, "ij": rows, then columns, neighbours in pairs.
    "rows first": lambda x, row, col: neighbours(x, torch.cat([row * LADDER, col * LADDER])),
    # The same, "xy"; transformers 5.23.0, models/llama4/modeling_llama4.py.
    "cols first": lambda x, row, col: neighbours(x, torch.cat([col * LADDER, row * LADDER])),
    # transformers 5.23.0, models/kimi_k25/: x and y by turns.
    "alternating": lambda x, row, col: neighbours(x, alternating(row, col)),
    "half": lambda x, row, col: halves(x, torch.cat([row * LADDER, col * LADDER])),
}


@pytest.mark.parametrize("pairs", WAYS)
def test_scores_are_those_of_the_files_layout(pairs):
    generator = torch.Generator().manual_seed(5)
    q, k = torch.randn(2, GRID.patches, HEAD, generator=generator, dtype=torch.float64)
    cells = [(row, col) for row in range(GRID.rows) for col in range(GRID.cols)]
    theirs_q, theirs_k = (
        torch.stack([WAYS[pairs](x, row, col) for x, (row, col) in zip(part, cells, strict=True)]) for part in (q, k)
    )
    angles = rotary_angles(Rotary(), GRID, HEAD)[:, None]
    by = (angles.cos(), angles.sin())
    # The rows of a matrix are brought into order, and with them what it makes of any input.
    ours_q, ours_k = (turn(paired(part.T, pairs, HEAD).T[:, None].float(), by)[:, 0] for part in (q, k))
    assert torch.allclose(theirs_q @ theirs_k.T, (ours_q @ ours_k.T).double(), atol=1e-4)


def test_every_layout_is_an_order_of_its_own():
    orders = {pairs: tuple(paired(torch.arange(HEAD), pairs, HEAD).tolist()) for pairs in WAYS}
    assert len(set(orders.values())) == len(WAYS)
    assert all(sorted(order) == list(range(HEAD)) for order in orders.values())
