"""Time of one plan in process, of every built-in model whose encoder is known; and of a process's first plan.

    python benchmarks/planning.py [rounds]

A plan is `plan(model, width=, height=)` with the totals of parameters, multiply-adds and weight bytes; `memory` is the
peak of inference on top, `latency` that on a device. Sizes are all different. CPU seconds on one thread. Goal: under
5 ms a plan.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median, quantiles

from machine import heading

from vistoken import plan, registry
from vistoken.errors import VistokenError
from vistoken.planning import Plan

SIZES = [(random.Random(n).randint(64, 2500), random.Random(-n - 1).randint(64, 2500)) for n in range(20)]
GOAL = 5.0  # milliseconds
FIRST = ("vit-b16-224", "siglip2-b16-naflex", "qwen2.5-vl-7b", "internvl3-8b", "llava-onevision-7b")


def totals(result: Plan) -> None:
    assert result.params.total
    assert result.macs.total
    assert result.memory.total


STEPS: dict[str, Callable[[Plan], object]] = {
    "totals": totals,
    "memory": lambda result: result.memory.inference().total,
    "latency": lambda result: result.latency.seconds,
}


def milliseconds(name: str) -> dict[str, float]:
    """Of one size, on average over sizes: the plan with its totals, and what is asked for on top."""
    taken = dict.fromkeys(STEPS, 0.0)
    for width, height in SIZES:
        start = time.process_time()
        result = plan(name, width=width, height=height, dtype="bfloat16", device="l4")
        for step, ask in STEPS.items():
            ask(result)
            now = time.process_time()
            taken[step] += now - start
            start = now
    return {step: 1000 * seconds / len(SIZES) for step, seconds in taken.items()}


def models() -> list[str]:
    """Those that can be planned at all sizes: a few rules refuse some, and the memory of hybrids is not known."""
    found = []
    for name in (model.name for family in registry.families() for model in family.published):
        try:
            for width, height in SIZES:
                plan(name, width=width, height=height).memory.inference()
        except VistokenError:
            continue
        found.append(name)
    return found


def first(name: str, rounds: int) -> tuple[float, float]:
    """Milliseconds of the import and of the first plan, in fresh processes; byte code is cached by one before."""
    code = (
        "import time; a = time.process_time(); import vistoken; b = time.process_time(); "
        f"vistoken.plan({name!r}, width=1280, height=720).macs.total; "
        "print(1000 * (b - a), 1000 * (time.process_time() - b))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.split()
        for _ in range(rounds + 1)
    ][1:]
    return median(float(run[0]) for run in runs), median(float(run[1]) for run in runs)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(heading("Time of one plan, CPU time, one thread", "vistoken"))
    names = models()
    taken = {name: [milliseconds(name) for _ in range(rounds)] for name in names}
    medians = {name: {step: median(run[step] for run in runs) for step in STEPS} for name, runs in taken.items()}
    print("| ms | median of models | 90 % of models | worst | |\n|---|---:|---:|---:|---|")
    for step in STEPS:
        values = {name: medians[name][step] for name in names}
        slowest = max(values, key=values.__getitem__)
        high = quantiles(values.values(), n=10)[-1]
        print(f"| {step} | {median(values.values()):.3f} | {high:.3f} | {values[slowest]:.3f} | {slowest} |")
    met = sum(values["totals"] < GOAL for values in medians.values())
    print(f"\n{met} of {len(names)} models under {GOAL:g} ms; {rounds} rounds of {len(SIZES)} sizes\n")
    print("| first plan of a process | import, ms | plan, ms |\n|---|---:|---:|")
    for name in FIRST:
        imported, planned = first(name, rounds)
        print(f"| {name} | {imported:.1f} | {planned:.1f} |")


if __name__ == "__main__":
    main()
