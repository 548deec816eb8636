"""Start-up of the command as a whole process, in CPU seconds (user and system), byte code cached.

    python benchmarks/startup.py [rounds]

Beside it: `python -c "import click"`, the library that the command stands on (goal: at most 2 times its CPU time), and
`from transformers import AutoProcessor`, what one otherwise starts to learn this number (goal: at least 50 times
faster).
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

from machine import heading, interleaved, ratio

COUNT = ["count", "1280x720", "-m", "qwen2.5-vl-7b"]
PLAN = ["plan", "-m", "vit-b16-224"]
SCRIPT = str(Path(sys.executable).with_name("vistoken"))
COMMANDS = {
    "vistoken count 1280x720": [SCRIPT, *COUNT],
    "vistoken plan -m vit-b16-224": [SCRIPT, *PLAN],
    "import click": [sys.executable, "-c", "import click"],
    "pass": [sys.executable, "-c", "pass"],
    "import AutoProcessor": [sys.executable, "-c", "from transformers import AutoProcessor"],
}


def cpu_seconds(command: list[str]) -> Callable[[], float]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1"}

    def run() -> float:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(command)} left with {process.returncode}")
        return usage.ru_utime + usage.ru_stime

    return run


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    print(heading("Start-up of whole processes, CPU time, byte code cached", "vistoken", "click", "transformers"))
    seconds = interleaved({name: cpu_seconds(command) for name, command in COMMANDS.items()}, rounds)
    counted = seconds["vistoken count 1280x720"]
    planned = seconds["vistoken plan -m vit-b16-224"]
    for verb, values in (("count", counted), ("plan", planned)):
        print(
            f"{ratio(values, seconds['import click']):.2f} x the CPU time of `import click`: {verb} (goal: at most 2)"
        )
    faster = ratio(seconds["import AutoProcessor"], counted)
    print(f"{faster:.0f} times faster than importing AutoProcessor (goal: at least 50)\n")
    print("| process | CPU ms, median | min | max |\n|---|---|---|---|")
    for name, values in seconds.items():
        print(f"| {name} | {1e3 * median(values):.1f} | {1e3 * min(values):.1f} | {1e3 * max(values):.1f} |")
    print(f"\n{rounds} rounds, interleaved, after one that is not counted.")


if __name__ == "__main__":
    main()
