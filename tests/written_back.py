"""Weights written back under their published names equal the file, tensor by tensor."""

import torch
from safetensors.torch import load_file

from vistoken import registry
from vistoken.encoding import Encoder
from vistoken.encoding.weights import find_weight
from vistoken.weight_names import AsIs, DropOnes, Ignore, PairedQk, Part, Row, Transposed


def written_back(folder):
    """Fill every tensor of the file from the module that was loaded from it; no parameter may be left over."""
    module, names = Encoder.from_pretrained(folder).module, registry.find(folder).family.weight_names()
    parameters, written = module.state_dict(), 0
    for name, tensor in load_file(f"{folder}/model.safetensors").items():
        weights = find_weight(name, names)
        assert weights, name
        if isinstance(weights, Ignore) or not tensor.numel():
            continue
        [weight] = [weight for weight in weights if weight.ours in parameters]
        theirs = as_stored(parameters[weight.ours], weight.step, tensor.shape, module.spec.head_dim)
        assert torch.equal(theirs, tensor), name
        written += tensor.numel()
    assert written == sum(map(torch.numel, parameters.values()))


def as_stored(ours, step, shape, head_dim):
    """One of our parameters as the file holds it, or the part of it that the tensor is."""
    match step:
        case Part(index, of, pairs):
            return unpaired(ours.chunk(of)[index], pairs, head_dim)
        case PairedQk(pairs):
            q, k, v = ours.chunk(3)
            return torch.cat([unpaired(q, pairs, head_dim), unpaired(k, pairs, head_dim), v])
        case Transposed():
            return ours.T
        case AsIs() | DropOnes() | Row():
            return ours.reshape(shape)
        case other:
            raise AssertionError(other)


def unpaired(rows, pairs, head_dim):
    """Rows of heads in the file's order of rotary pairs: place by place, as `Pairs` tells it in words."""
    if pairs == "half":
        return rows
    quarter = head_dim // 4  # pairs of one axis
    first = {"row": 0, "col": quarter}  # where the first members of an axis's pairs stand with us; seconds lie half on
    axes = {"rows first": ("row", "col"), "cols first": ("col", "row")}[pairs]
    order = [first[axis] + pair + half for axis in axes for pair in range(quarter) for half in (0, 2 * quarter)]
    return rows.unflatten(0, (-1, head_dim))[:, order].flatten(0, 1)
