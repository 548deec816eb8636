"""Weights are read piece by piece: every value arrives, every bad one is noticed, and no tensor is held twice."""

import json
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from vistoken.encoding.headers import read_header  # noqa: E402
from vistoken.encoding.reading import PIECE, open_values  # noqa: E402
from vistoken.errors import WeightsError  # noqa: E402

LENGTHS = (1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 5)


@pytest.mark.parametrize("stored", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("wanted", [torch.float32, torch.bfloat16])
def test_every_value_arrives(tmp_path, stored, wanted):
    path = str(tmp_path / "t.safetensors")
    tensors = {f"{length}": torch.randn(length).to(stored) for length in LENGTHS} | {
        "one": torch.ones((), dtype=stored)
    }
    save_file(tensors, path)
    with open_values(path, read_header(path)) as values:
        for name, tensor in tensors.items():
            target = torch.empty(tensor.shape, dtype=wanted)
            assert values.read(name, target)
            assert torch.equal(target, tensor.to(wanted))
        part = torch.empty(PIECE, dtype=wanted)
        values.read(f"{LENGTHS[-1]}", part, skip=PIECE + 2)
        assert torch.equal(part, tensors[f"{LENGTHS[-1]}"][PIECE + 2 : 2 * PIECE + 2].to(wanted))


@pytest.mark.parametrize("place", [0, PIECE - 1, PIECE, 2 * PIECE + 4])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e300])
def test_one_bad_value_anywhere_is_noticed(tmp_path, place, value):
    path = str(tmp_path / "t.safetensors")
    tensor = torch.randn(2 * PIECE + 5, dtype=torch.float64)
    tensor[place] = value
    save_file({"t": tensor}, path)
    with open_values(path, read_header(path)) as values:
        with pytest.raises(WeightsError, match=r"t in .* not finite"):
            values.read("t", torch.empty(len(tensor)))
        if value != value:
            with pytest.raises(WeightsError, match="not finite"):
                values.read("t", torch.empty(len(tensor)), finite=False)
        else:
            assert values.read("t", torch.empty(len(tensor)), finite=False)


@pytest.mark.parametrize("place", [None, 0, PIECE, 2 * PIECE + 4])
def test_zeros_are_told_from_anything_else(tmp_path, place):
    path = str(tmp_path / "t.safetensors")
    tensor = torch.zeros(2 * PIECE + 5)
    if place is not None:
        tensor[place] = -1e-40
    save_file({"t": tensor}, path)
    with open_values(path, read_header(path)) as values:
        assert values.read("t", torch.empty(len(tensor))) is (place is not None)


def test_a_file_that_changes_meanwhile_is_refused(tmp_path):
    path = tmp_path / "t.safetensors"
    save_file({"t": torch.randn(5000)}, str(path))
    header = read_header(str(path))
    with open_values(str(path), header) as values:
        path.write_bytes(path.read_bytes()[:-4000])
        with pytest.raises(WeightsError, match="cut short while it was read"):
            values.read("t", torch.empty(5000))
    with pytest.raises(WeightsError, match="changed while it was read"), open_values(str(path), header):
        pass
    path.unlink()
    with pytest.raises(WeightsError, match="cannot be read: No such file"), open_values(str(path), header):
        pass


# Prints by how many bytes the process grew at its highest, and the bytes of the weights.
LOAD = """
import json, sys
import torch
from vistoken.encoding import Encoder

torch.set_num_threads(1)

def resident(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) * 1024

Encoder.from_pretrained("vistoken/front-end")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = resident("VmRSS")
encoder = Encoder.from_pretrained(sys.argv[1], dtype=sys.argv[2])
kept = [tensor.clone() for tensor in encoder.module.parameters()] if sys.argv[3] == "twice" else []
print(json.dumps([resident("VmHWM") - before, sum(p.numel() * p.element_size() for p in encoder.module.parameters())]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A ViT of 38 million parameters, 151 MB in float32; values do not matter here."""
    hf = pytest.importorskip("transformers")
    path = str(tmp_path_factory.mktemp("large"))
    sizes = {"hidden_size": 1024, "num_hidden_layers": 3, "num_attention_heads": 16, "intermediate_size": 4096}
    with torch.device("meta"):
        model = hf.ViTModel(hf.ViTConfig(**sizes), add_pooling_layer=False)
    model = model.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.5)
    model.save_pretrained(path)
    hf.ViTImageProcessorPil(size={"height": 224, "width": 224}).save_pretrained(path)
    return path


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(("dtype", "kept", "fits"), [
    ("float32", "once", True), ("bfloat16", "once", True), ("float32", "twice", False),
])  # fmt: skip
def test_loading_takes_little_more_than_the_weights(folder, dtype, kept, fits):
    """Tables and the interpreter's own growth take some MiB more; a second copy would be noticed."""
    ran = subprocess.run([sys.executable, "-c", LOAD, folder, dtype, kept], capture_output=True, text=True, check=True)
    peak, weights = json.loads(ran.stdout)
    assert (peak <= 1.1 * weights + 10 * 2**20) is fits, (
        f"{peak / 2**20:.0f} MiB for {weights / 2**20:.0f} MiB of weights"
    )
