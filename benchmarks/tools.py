"""How far counters of FLOPs and memory are from the truth, ours beside others: `make bench-tools`.

Every number comes from a process of its own, with a limit of time and of memory. Tables follow on stdout as they are
kept in RESULTS.md. `python benchmarks/tools.py macs` or `bytes` makes one of them.
"""

import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from machine import heading
from tools_cases import TRUTHS

SECONDS, BYTES = 400, 14 * 2**30
CASES = Path(__file__).with_name("tools_cases.py")
PACKAGES = ("torch", "transformers", "fvcore", "calflops", "ptflops", "ultralytics-thop", "torchinfo", "accelerate")

# Tool, attention, device. Real tensors where the meta device does not do, or gives another answer.
COUNTERS = (
    ("vistoken", "", ""),
    ("FlopCounterMode", "eager", "meta"), ("FlopCounterMode", "eager", "cpu"),
    ("FlopCounterMode", "sdpa", "meta"), ("FlopCounterMode", "sdpa", "cpu"),
    ("calflops", "eager", "meta"), ("calflops", "sdpa", "cpu"),
    ("fvcore", "eager", "cpu"), ("fvcore", "sdpa", "cpu"),
    ("ptflops, aten", "eager", "meta"), ("ptflops, aten", "sdpa", "cpu"),
    ("ptflops, pytorch", "eager", "meta"), ("ptflops, pytorch", "eager", "cpu"), ("ptflops, pytorch", "sdpa", "cpu"),
    ("ultralytics-thop", "eager", "meta"), ("ultralytics-thop", "sdpa", "cpu"),
    ("torchinfo", "eager", "meta"), ("torchinfo", "sdpa", "cpu"),
)  # fmt: skip
# On real tensors its scores take minutes: left out there.
LARGEST = "Qwen2.5-VL"
ESTIMATES = ("vistoken", "accelerate", "weights x 1.2", "torchinfo")
MODES = (("inference", 1), ("inference", 64), ("training", 1), ("training", 8), ("training", 64))


def run(*arguments: str) -> int | str:
    """The number, or why there is none."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))

    command = [sys.executable, str(CASES), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, preexec_fn=limit, check=False)
    except subprocess.TimeoutExpired:
        return f"more than {SECONDS} s"
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        return lines[-1].split(": ", 1)[-1][:90]
    return int(done.stdout)


def run_macs(tool: str, attention: str, device: str, name: str) -> int | str:
    return run("macs", tool, name, attention, device)


def share(found: int | str, truth: int | str, reasons: list[str]) -> str:
    """The error in percent; a failure refers to its reason below the table."""
    reason = next((value for value in (found, truth) if isinstance(value, str)), None)
    if reason is not None:
        if reason not in reasons:
            reasons.append(reason)
        return f"fails ({reasons.index(reason) + 1})"
    assert isinstance(found, int)
    assert isinstance(truth, int)
    error = found / truth - 1
    if found == truth:
        return "0"
    if error >= 2:
        return f"x{found / truth:.1f}"
    return f"{error:+.4%}" if abs(error) < 0.0001 else f"{error:+.2%}"


def row(cells: list[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def macs() -> None:
    print("Multiply-adds of one picture: the error of each, in its own unit made multiply-adds\n")
    reasons: list[str] = []
    row(["counter", "attention", "device", *TRUTHS])
    row(["---", "---", "---", *["---:"] * len(TRUTHS)])
    row(["truth", "", "", *(f"{truth:,}" for truth in TRUTHS.values())])
    for tool, attention, device in COUNTERS:
        names = [name for name in TRUTHS if device != "cpu" or name != LARGEST]
        with ThreadPoolExecutor(2) as pool:
            found = dict(zip(names, pool.map(partial(run_macs, tool, attention, device), names), strict=True))
        shares = [share(found[name], truth, reasons) if name in found else "-" for name, truth in TRUTHS.items()]
        row([tool, attention, device, *shares])
    explain(reasons)


def peaks() -> None:
    print("Bytes at the peak, ViT-B/16 at 224 with 1000 classes, float32, fused attention: the error of each\n")
    reasons: list[str] = []
    truths = [run("bytes", "measured", mode, str(batch)) for mode, batch in MODES]
    row(["estimate", *(f"{mode}, batch {batch}" for mode, batch in MODES)])
    row(["---", *["---:"] * len(MODES)])
    row(["measured, bytes", *(f"{truth:,}" if isinstance(truth, int) else truth for truth in truths)])
    for tool in ESTIMATES:
        found = [run("bytes", tool, mode, str(batch)) for mode, batch in MODES]
        row([tool, *(share(value, truth, reasons) for value, truth in zip(found, truths, strict=True))])
    explain(reasons)


def explain(reasons: list[str]) -> None:
    for number, reason in enumerate(reasons, 1):
        print(f"{'' if number > 1 else chr(10)}({number}) {reason}")
    print()


def main() -> None:
    tables = {"macs": macs, "bytes": peaks}
    if unknown := set(sys.argv[1:]) - set(tables):
        sys.exit(f"{' '.join(sorted(unknown))}: no such table; there are {' and '.join(tables)}")
    print(heading("Counters of FLOPs and memory", *PACKAGES))
    for name in sys.argv[1:] or tables:
        tables[name]()


if __name__ == "__main__":
    main()
