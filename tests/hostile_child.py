"""Loads the folders named on stdin, one a line, and reports of each what happened: a JSON object a line.

A process of its own: its peak of memory is measured, it may hang, and it may run under `python -O`.
"""

import json
import os
import re
import sys
import time
from pathlib import Path

import vistoken as vt

PICTURE = str(Path(__file__).parent.parent / "examples" / "images" / "chelsea.png")


def peak():
    """The most memory so far, in bytes. (`ru_maxrss` would count what the parent held when it forked.)"""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def encode(folder):
    [result] = vt.Encoder.from_pretrained(folder).encode([PICTURE])
    return f"{tuple(result.patches.shape)}"


def count(folder):
    return str(vt.count(folder, width=640, height=480).patches)


def attempt(verb, folder):
    """What `verb` says of `folder`: its result, or the class and the words of its error."""
    os.chdir(folder)
    start = time.monotonic()
    try:
        outcome = {"result": verb(folder), "error": None, "message": ""}
    except Exception as error:  # noqa: BLE001  # whatever comes, the test decides
        kind = type(error).__name__
        outcome = {"result": None, "error": kind, "ours": isinstance(error, vt.VistokenError), "message": str(error)}
    return outcome | {"seconds": time.monotonic() - start, "peak": peak()}


def main():
    good = sys.argv[1]
    encode(good), count(good)
    baseline = peak()
    for line in sys.stdin:
        verb, folder = line.rstrip("\n").split(" ", 1)
        outcome = attempt({"encode": encode, "count": count}[verb], folder)
        print(
            json.dumps(outcome | {"verb": verb, "folder": folder, "baseline": baseline, "debug": __debug__}), flush=True
        )


if __name__ == "__main__":
    main()
