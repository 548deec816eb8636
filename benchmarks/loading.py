"""Loading one gigabyte of weights beside transformers and timm: seconds, and memory at its highest.

    python benchmarks/loading.py [rounds] [threads]

ViT-L/16, 303 million random numbers in float32, written once to a temporary folder in the published format (and for
timm in its own names). Every load is a process of its own that has imported its library and loaded one tiny model
before; files are in the system's cache. Peak is what the resident memory grew by at its highest (VmHWM), pages of a
mapped file included, since they are taken from the machine as well while they are read. A library may map the file and
leave the reading to the first use, so one picture after loading is timed too, and what then stays is told apart: memory
of its own, and pages of the file, in which a change of the file would change the model.
Goal: peak at most 1.1 times the weights. timm needs torchvision; without it its row is left out.
"""

import json
import os
import subprocess
import sys
import tempfile
from statistics import median

import torch
import transformers as hf
from encoder import timm_or_none
from machine import heading, interleaved, ratio
from safetensors.torch import save_file

# What is timed in each child: import, tiny load, then the load, one picture, and the memory around them.
CHILD = """
import json, sys, time
import torch

kind, dtype, tiny, folder, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
library = torch.library.Library("torchvision", "FRAGMENT")  # its compiled part, which is not needed, may not be there
for operator in ("nms(Tensor a, Tensor b, float c) -> Tensor", "qnms(Tensor a, Tensor b, float c) -> Tensor"):
    library.define(operator)
{prepare}
def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name + ":")) / 1024

load(tiny)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # forget the peak so far
before, own, cpu, began = status("VmRSS"), status("RssAnon"), time.process_time(), time.perf_counter()
model = load(folder)
loaded, cpu = time.perf_counter() - began, time.process_time() - cpu
peak = status("VmHWM") - before
with torch.no_grad():
    first(model)
picture = time.perf_counter() - began
print(json.dumps({{"seconds": loaded, "cpu": cpu, "with_picture": picture, "peak": peak,
                   "own": status("RssAnon") - own, "mapped": status("RssFile")}}))
"""
PREPARE = {
    "vistoken": """
from vistoken.encoding import Encoder
def load(folder): return Encoder.from_pretrained(folder, dtype=dtype)
def first(model): model.encode_pixels([torch.zeros(3, 224, 224)])
""",
    "transformers": """
import transformers
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
def load(folder): return transformers.ViTModel.from_pretrained(folder, dtype=dtype, add_pooling_layer=False).eval()
def first(model): model(torch.zeros(1, 3, 224, 224, dtype=getattr(torch, dtype)))
""",
    "timm": """
import timm
def load(folder):
    with open(folder + "/timm.json") as file:
        sizes = json.load(file)
    model = timm.create_model("vit_large_patch16_224", num_classes=0, checkpoint_path=folder + "/timm.safetensors",
                              **sizes)
    return model.eval().to(getattr(torch, dtype))
def first(model): model(torch.zeros(1, 3, 224, 224, dtype=getattr(torch, dtype)))
""",
}


LARGE = {"num_hidden_layers": 24, "hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096}
TINY = {"num_hidden_layers": 1, "hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 256}
CASES = (("vistoken", "float32"), ("transformers", "float32"), ("timm", "float32"),
         ("vistoken", "bfloat16"), ("transformers", "bfloat16"))  # fmt: skip


def write(folder: str, sizes: dict[str, int], timm) -> float:
    """A random model in the published format and, if there is timm, in its form; returns the weights in MiB."""
    hf.ViTModel(hf.ViTConfig(**sizes), add_pooling_layer=False).save_pretrained(folder)
    hf.ViTImageProcessorPil(size={"height": 224, "width": 224}).save_pretrained(folder)
    if timm:
        named = {"embed_dim": sizes["hidden_size"], "depth": sizes["num_hidden_layers"],
                 "num_heads": sizes["num_attention_heads"]}  # fmt: skip
        model = timm.create_model("vit_large_patch16_224", num_classes=0, **named)
        save_file(model.state_dict(), f"{folder}/timm.safetensors")
        with open(f"{folder}/timm.json", "w") as file:
            json.dump(named, file)
    return os.path.getsize(f"{folder}/model.safetensors") / 2**20


def child(kind: str, dtype: str, tiny: str, folder: str, threads: int) -> dict[str, float]:
    code = CHILD.format(prepare=PREPARE[kind])
    command = [sys.executable, "-c", code, kind, dtype, tiny, folder, str(threads)]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"{kind} failed:\n{ran.stderr[-2000:]}")
    return json.loads(ran.stdout.splitlines()[-1])


def report(taken: dict[tuple[str, str], list[dict[str, float]]], size: float) -> None:
    def of(case: tuple[str, str], name: str) -> list[float]:
        return [one[name] for one in taken[case]]

    for dtype, share in (("float32", 1.0), ("bfloat16", 0.5)):
        ours, theirs = ("vistoken", dtype), ("transformers", dtype)
        speed, picture = (ratio(of(theirs, name), of(ours, name)) for name in ("seconds", "with_picture"))
        peak, other = (median(of(case, "peak")) / (share * size) for case in (ours, theirs))
        print(f"{dtype}: {speed:.2f} x the speed of transformers, with one picture {picture:.2f} x; peak {peak:.2f} x")
        print(f"the weights (goal: 1.1), transformers {other:.2f} x\n")
    print("| implementation | seconds | CPU seconds | with one picture | peak MiB | then own MiB | then mapped MiB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for case in taken:
        times = [f"{median(of(case, name)):.2f}" for name in ("seconds", "cpu", "with_picture")]
        memory = [f"{median(of(case, name)):,.0f}" for name in ("peak", "own", "mapped")]
        print(f"| {' | '.join([', '.join(case), *times, *memory])} |")


def main() -> None:
    numbers = list(map(int, sys.argv[1:]))
    rounds, threads = (numbers + [3, 1][len(numbers) :])[:2]
    hf.logging.set_verbosity_error()
    hf.logging.disable_progress_bar()
    torch.manual_seed(0)
    print(
        heading(f"Loading, {threads} thread{'s' * (threads > 1)}", "vistoken", "torch", "transformers", "safetensors")
    )
    timm = timm_or_none()
    with tempfile.TemporaryDirectory() as tiny, tempfile.TemporaryDirectory() as large:
        write(tiny, TINY, timm)
        size = write(large, LARGE, timm)
        print(f"{size:,.0f} MiB of weights in float32\n")
        cases = [case for case in CASES if timm or case[0] != "timm"]
        runs = {case: (lambda case=case: child(*case, tiny, large, threads)) for case in cases}
        report(interleaved(runs, rounds), size)
    print(f"\n{rounds} rounds, interleaved, after one that is not counted; medians, each load a process of its own")


if __name__ == "__main__":
    main()
