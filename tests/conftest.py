"""Fixtures that need no torch; what does lives in tests/twins.py."""

import os
from pathlib import Path

import pytest
import rooms
from hypothesis import settings

# Nothing in the tests may reach a network.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
# Nor may devices that were measured on this machine change what is planned: a folder that is not there.
os.environ["XDG_CONFIG_HOME"] = str(Path(__file__).parent / "no-such-configuration")

settings.register_profile("vistoken", deadline=None, derandomize=True)  # a failure comes back
settings.load_profile("vistoken")

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "examples" / "images"
PHOTOGRAPHS = sorted(path for path in IMAGES.iterdir() if path.suffix in (".png", ".jpg"))


# These take a minute each, most of it waiting or in processes of their own: last, they would let a worker idle.
FIRST = ("test_wheel.py", "test_hostile_folders.py")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in FIRST)


def pytest_unconfigure():
    rooms.clear()


@pytest.fixture
def run(capfd, monkeypatch):
    """Run the command in this process: returns (exit code, stdout, stderr)."""
    from vistoken.cli import run as run_command

    def runner(*arguments):
        monkeypatch.chdir(ROOT)
        capfd.readouterr()
        code = run_command([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return runner
