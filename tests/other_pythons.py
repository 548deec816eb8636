"""Run the torch-free tests on other Pythons: python tests/other_pythons.py [--if-present] python3.12 python3.13

Each gets an environment of its own with the core package, numpy for the drawings, pytest and hypothesis, and no torch.
An interpreter that is not installed is an error, or with --if-present a line that says so.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = ("test_geometry.py", "test_planning.py", "test_registry.py", "test_pixels.py", "test_cli.py", "test_imports.py",
         "test_looking.py", "test_counting.py", "test_count_laws.py", "test_conformance.py",
         "test_frozen.py", "test_headers.py", "test_tables.py", "test_shape.py", "test_choosing.py")  # fmt: skip


def find(name: str) -> str | None:
    """An interpreter that runs: on the path, or among pyenv's, whose shims do not run unless their version is chosen."""
    version = name.removeprefix("python")
    pyenv = sorted(map(str, Path.home().glob(f".pyenv/versions/{version}*/bin/python")))
    for candidate in (name, *pyenv):
        try:
            subprocess.run([candidate, "-c", ""], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    return None


def check(interpreter: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([interpreter, "-m", "venv", folder], check=True)
        python = f"{folder}/bin/python"
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        requirements = ["pytest", "hypothesis", "numpy", str(ROOT)]
        subprocess.run([*pip, "--constraint", str(ROOT / "constraints.txt"), *requirements], check=True)
        print(f"--- {subprocess.check_output([python, '--version'], text=True).strip()}", flush=True)
        tests = [str(ROOT / "tests" / name) for name in TESTS]
        return subprocess.run([python, "-m", "pytest", "-m", "not gpu", *tests], cwd=ROOT).returncode


def main(names: list[str]) -> int:
    optional = "--if-present" in names
    codes = [0]
    for name in names:
        if name == "--if-present":
            continue
        interpreter = find(name)
        if interpreter is None:
            print(f"--- {name} is not on this machine")
            codes.append(0 if optional else 1)
        else:
            codes.append(check(interpreter))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
