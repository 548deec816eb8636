"""One size a call: vistoken against transformers' own counting method, processor ready; and the memory of the process.

    python benchmarks/counting.py [rounds]

The peer is `_get_num_multimodal_tokens` of the model's processor, or `get_number_of_image_patches` of its image
processor where the processor has no such method. Every call gets another size, so that neither side's caches of one
size help. CPU seconds on one thread. Goal: at least as fast for every family that has a peer.
"""

import random
import subprocess
import sys
import time
from statistics import median

import transformers
from machine import heading, interleaved, ratio

from vistoken import count, registry
from vistoken.counting import count_views
from vistoken.geometry import Size
from vistoken.judge.reference import Judge

SIZES = [(random.Random(n).randint(64, 2500), random.Random(-n - 1).randint(64, 2500)) for n in range(200)]


def peer(judge: Judge):
    """A function of (height, width), and the name of the method that it calls; None where there is none."""
    if method := getattr(judge.processor, "_get_num_multimodal_tokens", None):
        try:
            if method(image_sizes=[(480, 640)]).num_image_tokens:
                return (lambda height, width: method(image_sizes=[(height, width)])), "processor"
        except (AttributeError, TypeError, ValueError, KeyError):
            pass  # some processors have the method and it fails; then the image processor's is tried
    if patches := getattr(judge.image, "get_number_of_image_patches", None):
        return (lambda height, width: patches(height, width, {})), "image processor"
    return None


def seconds(call) -> float:
    start = time.process_time()
    for width, height in SIZES:
        call(height, width)
    return (time.process_time() - start) / len(SIZES)


def memory(code: str) -> float:
    """The largest resident memory of a fresh Python that runs `code`, in MiB."""
    probe = f"{code}\nprint(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    out = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    return int(out.split()[-2]) / 1024


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    transformers.logging.set_verbosity_error()
    print(heading("Counting one size a call, CPU time, one thread", "vistoken", "transformers"))
    lines, slower = [], []
    for family in registry.families():
        if family.reference is None or (family.reference.torchvision and not _torchvision()):
            continue
        model = family.published[0]
        judge, spec = Judge(family, model, {}), registry.describe(model.name)
        found = peer(judge)
        if found is None:
            continue
        cases = {
            "theirs": lambda call=found[0]: seconds(call),
            "ours": lambda spec=spec: seconds(lambda h, w: count_views(spec, Size(height=h, width=w)).tokens),
            "by name": lambda name=model.name: seconds(lambda h, w: count(name, height=h, width=w).tokens),
        }
        taken = interleaved(cases, rounds)
        faster = ratio(taken["theirs"], taken["ours"])
        lines.append(
            (faster, model.name, found[1], *(1e6 * median(taken[name]) for name in ("ours", "by name", "theirs")))
        )
        if faster < 1:
            slower.append(model.name)
    print(f"{len(lines)} families with a peer; slower than it: {', '.join(slower) or 'none'}\n")
    print("| times faster | model | peer's method of the | ours, us | by name, us | theirs, us |")
    print("|---:|---|---|---:|---:|---:|")
    for faster, name, where, *micro in sorted(lines):
        print(f"| {faster:.1f} | {name} | {where} | " + " | ".join(f"{value:.1f}" for value in micro) + " |")
    print(f"\n{rounds} rounds of {len(SIZES)} sizes, interleaved, after one that is not counted.")
    ours = memory("import vistoken; vistoken.count('qwen2.5-vl-7b', width=1280, height=720).tokens")
    print(f"memory of the process: {memory('pass'):.0f} MiB for Python alone, {ours:.0f} MiB after a count, "
          f"{memory('from transformers import AutoProcessor'):.0f} MiB after importing AutoProcessor")  # fmt: skip


def _torchvision() -> bool:
    from transformers.utils.import_utils import is_torchvision_available

    return is_torchvision_available()


if __name__ == "__main__":
    main()
