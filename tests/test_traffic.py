"""What every operation reads and writes, against torch's own operators on transformers' models; by hand elsewhere."""

from collections import Counter

import pytest

from vistoken import registry
from vistoken.geometry import Grid
from vistoken.planning import operations

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
import transformers
from torch.utils._python_dispatch import TorchDispatchMode


class Elements(TorchDispatchMode):
    """Elements of activations that each operator reads and writes; vectors (weights of norms and biases) left out."""

    def __init__(self):
        super().__init__()
        self.of = Counter()

    def __torch_dispatch__(self, operator, types, arguments=(), options=None):
        result = operator(*arguments, **(options or {}))
        first = result[0] if isinstance(result, tuple) else result
        matrices = [x for x in (*arguments, first) if isinstance(x, torch.Tensor) and x.dim() > 1]
        self.of[operator.overloadpacket.__name__] += sum(x.numel() for x in matrices)
        return result


def seen(module, side):
    with torch.no_grad(), Elements() as elements:
        module(torch.empty(3, 3, side, side, device="meta"))
    return elements.of


def moved(name, side):
    grid = Grid(side // 16, side // 16) if "16" in name else Grid(side // 14, side // 14)
    steps = operations(registry.describe(name).encoder, [grid] * 3)
    return Counter({f"{step.part}: {step.name}": step.moved for step in steps})


@pytest.mark.parametrize("side", [224, 384])
def test_norms_activations_and_additions_of_vit(side):
    with torch.device("meta"):
        module = transformers.ViTModel(transformers.ViTConfig(image_size=side), add_pooling_layer=False)
    judge, ours = seen(module, side), moved("vit-b16-224", side)
    assert ours["blocks: norms"] + ours["final norm: norm"] == judge["native_layer_norm"]
    assert ours["blocks: MLP: activation"] == judge["gelu"]
    # Positions are added to the class token too there, and their table (one picture's worth) is an operand.
    tokens = (side // 16) ** 2 + 1
    assert ours["blocks: residual additions"] == judge["add"] - (2 * 3 + 1) * tokens * 768


def test_norms_and_additions_of_dinov2_with_its_layer_scale():
    config = transformers.Dinov2Config(
        hidden_size=1536, num_hidden_layers=40, num_attention_heads=24, image_size=518, use_swiglu_ffn=True
    )
    with torch.device("meta"):
        module = transformers.Dinov2Model(config)
    judge, ours = seen(module, 518), moved("dinov2-g14", 518)
    tokens, dim, hidden = 3 * (37 * 37 + 1), 1536, 4096
    assert ours["blocks: norms"] + ours["final norm: norm"] == judge["native_layer_norm"]
    assert ours["blocks: residual additions"] == judge["add"] - (2 * 3 + 1) * (37 * 37 + 1) * dim
    # There the gate is two kernels: SiLU, which reads and writes once, and a product; fused, they move 3 instead of 5.
    assert judge["silu"] == 2 * 40 * tokens * hidden
    assert ours["blocks: MLP: activation"] == 3 * 40 * tokens * hidden
    assert ours["blocks: layer scale"] == 2 * 40 * 2 * tokens * dim


def test_matrices_by_hand():
    """ViT-B/16 at 224: 197 tokens of 768; q, k and v come from one matrix, and scores stay on the chip."""
    rows = {
        f"{row.part}: {row.name}": row for row in operations(registry.describe("vit-b16-224").encoder, [Grid(14, 14)])
    }
    tokens, dim = 12 * 197, 768
    for name, reads, writes in (
        ("attention: q, k, v", dim, 3 * dim), ("attention: scores and sum", 3 * dim, dim), ("attention: output", dim, dim), ("MLP", 5 * dim, 5 * dim),
    ):  # fmt: skip
        row = rows[f"blocks: {name}"]
        assert (row.reads, row.writes) == (tokens * reads, tokens * writes), name
    row = rows["patch embedding: projection"]
    assert (row.reads, row.writes) == (3 * 224 * 224, 196 * dim)


def test_rotary_turning_moves_queries_and_keys():
    steps = operations(registry.describe("dinov3-b16").encoder, [Grid(14, 14)])
    row = next(step for step in steps if step.name == "attention: rotary turning")
    tokens = 196 + 5  # a class token and four registers
    assert (row.params, row.macs, row.reads, row.writes) == (0, 0, 12 * tokens * 2 * 768, 12 * tokens * 2 * 768)


def test_traffic_is_of_all_views_and_follows_merging():
    spec = registry.describe("vit-b16-224").encoder
    one, three = (sum(step.moved for step in operations(spec, [Grid(14, 14)] * views)) for views in (1, 3))
    assert three == 3 * one
    merged = {step.name: step.moved for step in operations(spec, [Grid(14, 14)], merge=8)}
    left = [197 - 8 * block for block in range(13)]
    assert merged["MLP: activation"] == 2 * 3072 * sum(left[1:])
    assert merged["norms"] == 2 * 768 * (sum(left[:-1]) + sum(left[1:]))
