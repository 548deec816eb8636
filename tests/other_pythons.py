"""Run the torch-free tests on other Pythons: python tests/other_pythons.py python3.12 python3.13

Each gets an environment of its own with the core package, pytest and hypothesis, and nothing else. An interpreter that
is not installed is an error, not a skip.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = ("test_geometry.py", "test_planning.py", "test_registry.py", "test_pixels.py", "test_cli.py", "test_imports.py",
         "test_looking.py")  # fmt: skip


def check(interpreter: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([interpreter, "-m", "venv", folder], check=True)
        python = f"{folder}/bin/python"
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--constraint", ROOT / "constraints.txt", "pytest", "hypothesis", ROOT], check=True)
        print(f"--- {interpreter}: {subprocess.check_output([python, '--version'], text=True).strip()}", flush=True)
        tests = [str(ROOT / "tests" / name) for name in TESTS]
        return subprocess.run([python, "-m", "pytest", "-m", "not slow and not gpu", *tests], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(max(map(check, sys.argv[1:])))
