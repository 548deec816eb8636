"""Many sizes: count_many against transformers' own counting method, and a table of ten million rows in flat memory.

    python benchmarks/many.py [rounds] [rows]

A million random sizes, nearly all different, go through `count_many` as numpy arrays and as lists; CPU seconds on one
thread, model found by name in each call. The peer is `_get_num_multimodal_tokens` of the model's processor, processor
ready, on the first 5,000 of them: called in a loop, and once with the list of all of them, which is its quickest use.
Goals, against the loop: at least 20 times for pixel budgets, 40 times for LLaVA-OneVision, 8 times for InternVL.

Then `vistoken count sizes.csv --summary`: whole processes, with their largest resident memory. Goal: under 300 MiB.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from statistics import median

import numpy as np
import transformers
from machine import heading, interleaved, ratio

from vistoken import count_many, registry
from vistoken.judge.reference import Judge

SIZES, THEIRS = 1_000_000, 5_000
MODELS = {
    "Qwen/Qwen2.5-VL-7B-Instruct": 20, "Qwen/Qwen3-VL-8B-Instruct": 20, "llava-hf/llava-onevision-qwen2-7b-ov-hf": 40,
    "llava-hf/llava-v1.6-mistral-7b-hf": None, "OpenGVLab/InternVL3-8B-hf": 8,
}  # fmt: skip


def seconds(call, sizes: int) -> float:
    """CPU seconds a size."""
    start = time.process_time()
    call()
    return (time.process_time() - start) / sizes


def peer(name: str):
    family = next(family for family in registry.families() if name in family.names())
    model = next(model for model in family.published if name in model.names)
    return Judge(family, model, {}).processor._get_num_multimodal_tokens


def compare(rounds: int) -> None:
    widths, heights = np.random.default_rng(1).integers(64, 2501, (2, SIZES))
    lists = widths.tolist(), heights.tolist()
    pairs = list(zip(*(side[:THEIRS] for side in lists[::-1]), strict=True))
    print("| model | times the loop | goal | times one call | arrays, us | lists, us | loop, us | one call, us |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, goal in MODELS.items():
        theirs = peer(name)
        ours = count_many(name, widths[:THEIRS], heights[:THEIRS]).tokens.tolist()
        assert ours == list(theirs(image_sizes=pairs).num_image_tokens)
        taken = interleaved({
            "arrays": lambda name=name: seconds(lambda: count_many(name, widths, heights), SIZES),
            "lists": lambda name=name: seconds(lambda: count_many(name, *lists), SIZES),
            "loop": lambda theirs=theirs: seconds(lambda: [theirs(image_sizes=[pair]) for pair in pairs], THEIRS),
            "call": lambda theirs=theirs: seconds(lambda: theirs(image_sizes=pairs), THEIRS),
        }, rounds)  # fmt: skip
        micro = " | ".join(f"{1e6 * median(taken[case]):.2f}" for case in taken)
        loop, call = (ratio(taken[case], taken["arrays"]) for case in ("loop", "call"))
        print(f"| {name} | **{loop:.0f}** | {goal or '-'} | {call:.0f} | {micro} |", flush=True)


def write(path: str, rows: int, distinct: int | None) -> None:
    source = random.Random(2)
    known = [(source.randint(64, 2500), source.randint(64, 2500)) for _ in range(distinct or 0)]
    with open(path, "w") as file:
        file.write("width,height\n")
        for _ in range(rows):
            width, height = source.choice(known) if known else (source.randint(64, 2500), source.randint(64, 2500))
            file.write(f"{width},{height}\n")


def table(rows: int) -> None:
    print("\n| table | model | rows a second | CPU s | wall s | largest resident memory, MiB |")
    print("|---|---|---:|---:|---:|---:|")
    for distinct in (10_000, None):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "sizes.csv")
            write(path, rows, distinct)
            what = f"{rows:,} rows, {f'{distinct:,} sizes' if distinct else 'nearly all sizes different'}"
            for model in ("qwen2.5-vl-7b", "llava-hf/llava-onevision-qwen2-7b-ov-hf"):
                print(f"| {what} | {model} | {summed(path, model, rows)} |", flush=True)


# VmHWM and not ru_maxrss, into which the memory of the process that starts it goes.
PROBE = """
import resource, sys
from vistoken.cli import run
code = run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
most = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(code, used.ru_utime + used.ru_stime, int(most) / 1024, file=sys.stderr)
"""


def summed(path: str, model: str, rows: int) -> str:
    command = [sys.executable, "-c", PROBE, "count", path, "-m", model, "--summary", "--json"]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - start
    code, cpu, memory = map(float, done.stderr.splitlines()[-1].split())
    assert (code, json.loads(done.stdout)["items"]) == (0, rows)
    return f"{rows / cpu:,.0f} | {cpu:.1f} | {wall:.1f} | {memory:.0f}"


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000
    transformers.logging.set_verbosity_error()
    print(heading("Many sizes, CPU time, one thread", "vistoken", "transformers", "numpy"))
    compare(rounds)
    print(f"\n{rounds} rounds, interleaved, after one that is not counted.")
    table(rows)


if __name__ == "__main__":
    main()
