"""Memory stays flat, however many pictures are streamed: measured in a process of its own."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("torch")

# A tiny encoder whose grids keep changing, so that every table that is kept has to let go of old ones. What it reports
# is the resident memory after the first hundred pictures, and its most thereafter, in MiB.
STREAM = """
import json, sys
from dataclasses import replace
import torch
from PIL import Image
from vistoken import registry
from vistoken.encoding import Encoder
from vistoken.encoding.frontend import seed_parameters
from vistoken.encoding.model import VisionEncoder
from vistoken.model_spec import Later

torch.set_num_threads(1)
count, keep = int(sys.argv[1]), sys.argv[2] == "keep"
described = registry.describe("google/siglip2-base-patch16-naflex")
encoder = described.encoder
small = replace(encoder, dim=32, heads=2, depth=1, mlp=replace(encoder.mlp, hidden=32),
                pool=replace(encoder.pool, heads=2, hidden=32))
module = VisionEncoder(small)
seed_parameters(module, 0)
encoder = Encoder(replace(described, tower=Later(lambda: small)), module)

def resident():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

def pictures():
    for number in range(count):
        color = (number % 256, number // 256 % 256, 80)
        yield Image.new("RGB", (16 + number * 7 % 90, 16 + number * 13 % 70), color)

kept, start, most, done = [], 0.0, 0.0, 0
for result in encoder.stream(pictures(), max_tokens=1024, layers=[0]):
    done += 1
    if keep:
        kept.append(result)
    if done == 100:
        start = resident()
    elif done > 100 and done % 50 == 0:
        most = max(most, resident())
print(json.dumps({"done": done, "start": start, "most": most}))
"""


def growth(count, keep="drop"):
    """By how many MiB the process grew after the first hundred of `count` pictures."""
    command = [sys.executable, "-c", STREAM, str(count), keep]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    measured = json.loads(ran.stdout)
    assert measured["done"] == count
    return measured["most"] - measured["start"]


needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@needs_proc
def test_memory_is_flat_over_two_thousand_pictures():
    assert growth(2000) < 50


@needs_proc
@pytest.mark.slow
def test_memory_is_flat_over_ten_thousand_pictures():
    assert growth(10_000) < 50


@needs_proc
def test_memory_that_grows_would_be_noticed():
    """A negative control: results that the caller keeps take room."""
    assert growth(2000, "keep") > 50


def test_failures_do_not_pile_up():
    """Pictures that cannot be read come out again soon, also where no good one follows."""
    from vistoken.encoding import Encoder

    encoder, read = Encoder.from_pretrained("vistoken/front-end"), []

    def broken():
        for number in range(1000):
            read.append(number)
            yield b"no picture"

    next(encoder.stream(broken(), on_error="return", max_tokens=20))
    assert len(read) <= 21
