"""Run the torch-free tests on other Pythons: python tests/other_pythons.py [--if-present] python3.12 python3.13

Each gets an environment of its own with the core package, numpy for the drawings, pytest and hypothesis, and no torch.
All of them run side by side, and what each prints comes when it is done. An interpreter that is not installed is an
error, or with --if-present a line that says so.
"""

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
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


def check(interpreter: str) -> tuple[str, int]:
    """What the tests print, and their exit code."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([interpreter, "-m", "venv", folder], check=True)
        python = f"{folder}/bin/python"
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        requirements = ["pytest", "hypothesis", "numpy", str(ROOT)]
        subprocess.run([*pip, "--constraint", str(ROOT / "constraints.txt"), *requirements], check=True)
        version = subprocess.check_output([python, "--version"], text=True).strip()
        tests = [str(ROOT / "tests" / name) for name in TESTS]
        # No cache: two runs would write the same files.
        command = [python, "-m", "pytest", "-p", "no:cacheprovider", "-m", "not gpu", *tests]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return f"--- {version}\n{done.stdout}", done.returncode


def main(names: list[str]) -> int:
    optional = "--if-present" in names
    found = {name: find(name) for name in names if name != "--if-present"}
    missing = [name for name, interpreter in found.items() if interpreter is None]
    for name in missing:
        print(f"--- {name} is not on this machine", flush=True)
    codes = [int(bool(missing) and not optional)]
    with ThreadPoolExecutor() as pool:
        for future in as_completed(pool.submit(check, interpreter) for interpreter in found.values() if interpreter):
            text, code = future.result()
            print(text, flush=True)
            codes.append(code)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
