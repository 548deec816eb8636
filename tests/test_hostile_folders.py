"""Broken and hostile model folders: an error that names file and field, in seconds and little memory; nothing runs,
nothing outside of the folder is opened, nothing is written."""

import ctypes
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import hostile_forms  # noqa: E402, F401  # its cases
import numpy as np  # noqa: E402
from conftest import PHOTOGRAPHS  # noqa: E402
from hostile import CASES, SECRET, World  # noqa: E402

if not sys.platform.startswith("linux"):
    pytest.skip("pipes, sparse files and what was opened are watched as Linux does it", allow_module_level=True)

pytestmark = pytest.mark.xdist_group("hostile")  # one worker: the folders are opened once, by all cores
CHILD = Path(__file__).parent / "hostile_child.py"
SOURCES = Path(__file__).parent.parent / "src"
SECONDS, BYTES, LETTERS = 20, 2**30, 3000
JOBS = [(verb, number) for number, case in enumerate(CASES) for verb in ("encode", "count")[: 1 + case.count]]
BROKEN = [number for number, case in enumerate(CASES) if case.says]
IN_ACCESS, IN_OPEN = 0x1, 0x20  # linux/inotify.h


class Watch:
    """Sees every opening and reading of files in a folder, by whatever process."""

    def __init__(self, folder):
        libc = ctypes.CDLL(None, use_errno=True)
        self.handle = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self.handle, os.fsencode(folder), IN_OPEN | IN_ACCESS) >= 0

    def seen(self):
        """Names of the files that were opened since the last call."""
        try:
            events = os.read(self.handle, 2**20)
        except BlockingIOError:
            return []
        names = []
        while events:
            length = struct.unpack("iIII", events[:16])[3]
            names.append(events[16 : 16 + length].rstrip(b"\0").decode())
            events = events[16 + length :]
        return names


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def folders(world):
    return [case.make(world, number) for number, case in enumerate(CASES)]


def load_all(world, folders, jobs, *options):
    """What became of every job in one child."""
    lines = "".join(f"{verb} {folders[number]}\n" for verb, number in jobs)
    command = [sys.executable, *options, str(CHILD), str(world.good("vit"))]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=300, env=environment())
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(outcomes) == len(jobs), f"{CASES[jobs[len(outcomes)][1]].id}: the process ended\n{done.stderr}"
    return dict(zip(jobs, outcomes, strict=True))


def environment():
    return {**os.environ, "PYTHONPATH": str(SOURCES)}


def folder_of(folders, name):
    return folders[next(number for number, case in enumerate(CASES) if case.id == name)]


@dataclass(frozen=True)
class Runs:
    """The outcomes of both children, what they opened outside, and the canaries that they left."""

    plain: dict
    optimised: dict
    opened: list
    canaries: list


@pytest.fixture(scope="module")
def runs(world, folders):
    watch = Watch(world.outside)
    encoding = [job for job in JOBS if job[0] == "encode"]
    with ThreadPoolExecutor(2) as pool:
        plain = pool.submit(load_all, world, folders, JOBS)
        optimised = pool.submit(load_all, world, folders, encoding, "-O")
    return Runs(plain.result(), optimised.result(), watch.seen(), os.listdir(world.canaries))


def check(case, outcome):
    """What is promised of every folder."""
    if not case.says:
        assert outcome["error"] is None, outcome["message"]
        assert outcome["result"]
    else:
        assert outcome["error"] is not None, "it loads"
        assert outcome["ours"], f"{outcome['error']}: {outcome['message']}"
        assert not [word for word in case.says if word not in outcome["message"]], outcome["message"][:500]
        assert len(outcome["message"]) < LETTERS
        assert outcome["message"].isprintable()
    assert SECRET not in outcome["message"]
    assert outcome["seconds"] < SECONDS
    assert outcome["peak"] - outcome["baseline"] < BYTES


@pytest.mark.parametrize(("verb", "number"), JOBS, ids=[f"{verb} {CASES[number].id}" for verb, number in JOBS])
def test_a_folder_loads_or_is_refused_with_file_and_field(runs, verb, number):
    check(CASES[number], runs.plain[verb, number])


def test_nothing_runs_and_nothing_outside_is_opened(runs):
    assert (runs.opened, runs.canaries) == ([], [])


def test_the_checks_are_no_asserts(runs):
    """`python -O` removes asserts; what is promised stays."""
    assert {outcome["debug"] for outcome in runs.plain.values()} == {True}
    assert {outcome["debug"] for outcome in runs.optimised.values()} == {False}
    for job, outcome in runs.optimised.items():
        check(CASES[job[1]], outcome)
        assert outcome["message"] == runs.plain[job]["message"]


def test_there_are_enough_kinds():
    groups = {case.group for case in CASES}
    assert groups == {"must load", "config.json", "preprocessor", "remote code", "pickle", "container", "weights",
                      "index", "file system", "timm", "open_clip", "towers"}  # fmt: skip
    assert len(BROKEN) >= 150
    assert len({case.id for case in CASES}) == len(CASES)


# ---------------------------------------------------------------- the real command

COMMANDS = (
    "config.json: model_type 'a\\nb\\x1b[2J'", "preprocessor: image_std [0, 0.5, 0.5]",
    "remote code: auto_map of an unknown type", "container: overlap", "weights: a name with line breaks",
    "index: upwards", "file system: config.json a link to a secret", "file system: model.safetensors a pipe",
)  # fmt: skip


def command(*arguments, cwd=None, script=("-m", "vistoken")):
    words = [sys.executable, *script, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=cwd, env=environment())


def test_the_command_refuses_in_one_line_and_writes_nothing(world, folders, tmp_path):
    numbers = {case.id: number for number, case in enumerate(CASES)}

    def attempt(name):
        output = tmp_path / f"{numbers[name]}.npz"
        folder = folders[numbers[name]]
        return name, command("encode", PHOTOGRAPHS[0], "-m", folder, "-o", output, cwd=world.outside)

    with ThreadPoolExecutor(2) as pool:
        for name, done in pool.map(attempt, COMMANDS):
            assert (done.returncode, done.stdout) == (5, ""), f"{name}: {done.stderr}"
            assert done.stderr.startswith("error: "), name
            assert done.stderr.count("\n") == 1, name
            assert "\x1b" not in done.stderr, name
            assert SECRET not in done.stderr, name
            assert not [word for word in CASES[numbers[name]].says if word not in done.stderr], done.stderr
    assert os.listdir(tmp_path) == []


def test_count_refuses_alike(folders):
    folder = folder_of(folders, "preprocessor: image_mean [0.5, 0.5, 0.5, 0.5]")
    done = command("count", "640x480", "-m", folder)
    assert (done.returncode, done.stdout) == (5, "")
    assert "preprocessor_config.json: image_mean is" in done.stderr


def test_modules_of_the_current_folder_are_not_imported(runs, world, folders, tmp_path):
    """Inside a model folder with numpy.py and torch.py: as the installed command, and as `python -m`."""
    entry = tmp_path / "vistoken-command"
    entry.write_text("from vistoken.cli import main\nmain()\n")
    inside = folder_of(folders, "remote code: auto_map in processor_config.json")
    (inside / "vistoken.py").unlink()  # `python -m vistoken` runs what bears that name itself, before any line of ours

    def attempt(script, folder):
        output = tmp_path / f"{folder.name}.npz"
        return output, command("encode", PHOTOGRAPHS[0], "-m", ".", "-o", output, cwd=folder, script=script)

    with ThreadPoolExecutor(2) as pool:
        known = folder_of(folders, "remote code: auto_map beside a known type")
        for output, done in pool.map(attempt, [(str(entry),), ("-m", "vistoken")], [known, inside]):
            assert done.returncode == 0, done.stderr
            assert output.exists()
    assert os.listdir(world.canaries) == []


# ---------------------------------------------------------------- the traps do spring, and the checks do fail


@pytest.fixture
def sprung(world):
    """The canaries that a test has let out; they are removed after it."""
    yield lambda: sorted(os.listdir(world.canaries))
    for name in os.listdir(world.canaries):
        (world.canaries / name).unlink()


def test_the_pickles_do_fire(runs, folders, sprung, tmp_path):
    pickle.loads((folder_of(folders, "pickle: pytorch_model.bin") / "pytorch_model.bin").read_bytes())
    pickle.loads((folder_of(folders, "pickle: renamed") / "model.safetensors").read_bytes())
    pickle.loads((folder_of(folders, "pickle: beside a good file") / "pytorch_model.bin").read_bytes())
    torch.load(folder_of(folders, "pickle: pytorch_model.bin, zipped") / "pytorch_model.bin", weights_only=False)
    # Under a name that torch does not hand on to safetensors.
    renamed = shutil.copy(folder_of(folders, "pickle: renamed, zipped") / "model.safetensors", tmp_path / "x.bin")
    torch.load(renamed, weights_only=False)
    np.load(folder_of(folders, "pickle: inside an .npz") / "model.npz", allow_pickle=True)["x"]
    assert sprung() == ["beside", "bin", "npz", "renamed", "renamed-zip", "zip"]


def test_the_modules_do_fire(runs, folders, sprung):
    folder = folder_of(folders, "remote code: auto_map of an unknown type")
    subprocess.run([sys.executable, "-c", "import configuration_x, numpy, torch, PIL"], cwd=folder, check=True)
    assert sprung() == ["unknown-PIL", "unknown-configuration_x", "unknown-numpy-package", "unknown-torch-package"]


def test_the_watch_sees_what_is_opened(world, tmp_path):
    watch = Watch(world.outside)
    os.path.realpath(world.outside / "secret.txt")
    (world.outside / "secret.txt").stat()
    assert watch.seen() == []
    (tmp_path / "link").symlink_to(world.outside / "secret.txt")
    assert (tmp_path / "link").read_text() == SECRET
    assert set(watch.seen()) == {"secret.txt"}


GOOD = {"error": None, "result": "(16, 24)", "message": "", "seconds": 0.1, "peak": 0, "baseline": 0}
FAULT = {**GOOD, "error": "ConfigError", "ours": True, "result": None, "message": "/x/config.json: hidden_size is '24'"}


@pytest.mark.parametrize(
    "outcome",
    [
        GOOD,
        {**FAULT, "ours": False},
        {**FAULT, "message": "/x/config.json: wrong"},
        {**FAULT, "message": FAULT["message"] + "\n"},
        {**FAULT, "message": FAULT["message"] + "x" * LETTERS},
        {**FAULT, "message": FAULT["message"] + SECRET},
        {**FAULT, "seconds": 21},
        {**FAULT, "peak": 2**31},
    ],
)
def test_the_promise_can_be_broken(outcome):
    case = next(case for case in CASES if case.id == "config.json: hidden_size '24'")
    check(case, FAULT)
    with pytest.raises(AssertionError):
        check(case, outcome)
