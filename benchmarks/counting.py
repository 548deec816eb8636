"""One size a call: vistoken against transformers' own counting method, processor ready; and the memory of the process.

    python benchmarks/counting.py [rounds]

The peer is `_get_num_multimodal_tokens` of the model's processor. Where the processor has no such method,
`get_number_of_image_patches` of its image processor stands in a table of its own: it counts patches or tiles, and no
tokens, so it answers less. Ours is `counter(model)`, processor ready as it were, and beside it `count(model, ...)`,
which finds the model and builds the whole result. Every call gets another size. CPU seconds on one thread.
Goal: at least as fast for every family whose processor counts tokens.
"""

import random
import subprocess
import sys
import time
from statistics import median

import transformers
from machine import heading, interleaved, ratio

from vistoken import count, counter, registry
from vistoken.judge.reference import Judge

SIZES = [(random.Random(n).randint(64, 2500), random.Random(-n - 1).randint(64, 2500)) for n in range(200)]


def works(method) -> bool:
    """Whether a processor's method counts pictures; some have it and it fails, which is told."""
    try:
        return bool(method(image_sizes=[(480, 640)]).num_image_tokens)
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        print(f"{method.__self__.__class__.__name__}.{method.__name__} fails: {error!r}", file=sys.stderr)
        return False


def peer(judge: Judge):
    """A function of (height, width), and the name of the method that it calls; None where there is none."""
    method = getattr(judge.processor, "_get_num_multimodal_tokens", None)
    if method and works(method):
        return (lambda height, width: method(image_sizes=[(height, width)])), "processor"
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


def report(where: str, lines: list) -> None:
    slower = [name for faster, name, *_ in lines if faster < 1]
    print(f"peer: the method of the {where}: {len(lines)} families; slower than it: {', '.join(slower) or 'none'}\n")
    print("| times faster | model | counter, us | count, us | theirs, us |")
    print("|---:|---|---:|---:|---:|")
    for faster, name, *micro in lines:
        print(f"| {faster:.1f} | {name} | " + " | ".join(f"{value:.2f}" for value in micro) + " |")
    print()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    transformers.logging.set_verbosity_error()
    print(heading("Counting one size a call, CPU time, one thread", "vistoken", "transformers"))
    tables = {"processor": [], "image processor": []}
    for family in registry.families():
        if family.reference is None or (family.reference.torchvision and not _torchvision()):
            continue
        model = family.published[0]
        found = peer(Judge(family, model, {}))
        if found is None:
            continue
        theirs, where = found
        tokens = counter(model.name)
        cases = {
            "theirs": lambda theirs=theirs: seconds(theirs),
            "counter": lambda tokens=tokens: seconds(lambda h, w: tokens(width=w, height=h)),
            "count": lambda name=model.name: seconds(lambda h, w: count(name, height=h, width=w).tokens),
        }
        taken = interleaved(cases, rounds)
        faster = ratio(taken["theirs"], taken["counter"])
        tables[where].append((faster, model.name, *(1e6 * median(taken[n]) for n in ("counter", "count", "theirs"))))
    for where, lines in tables.items():
        report(where, sorted(lines))
    print(f"{rounds} rounds of {len(SIZES)} sizes, interleaved, after one that is not counted.")
    ours = memory("import vistoken; vistoken.count('qwen2.5-vl-7b', width=1280, height=720).tokens")
    print(f"memory of the process: {memory('pass'):.0f} MiB for Python alone, {ours:.0f} MiB after a count, "
          f"{memory('from transformers import AutoProcessor'):.0f} MiB after importing AutoProcessor")  # fmt: skip


def _torchvision() -> bool:
    from transformers.utils.import_utils import is_torchvision_available

    return is_torchvision_available()


if __name__ == "__main__":
    main()
