"""The built wheel, installed into empty environments."""

import json
import os
import subprocess
import sys
import venv
import zipfile

import pytest
from conftest import IMAGES, ROOT

pytest.importorskip("build")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    [path] = out.glob("vistoken-*.whl")
    return path


def environment(folder, *requirements):
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--constraint",
        ROOT / "constraints.txt",
    ]
    for requirement in requirements:
        subprocess.run([*pip, requirement], check=True, capture_output=True)
    return folder / "bin"


def run(*command, cwd):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=cwd, env=clean)


def test_the_wheel_holds_what_it_must(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "vistoken/py.typed" in names
    assert "vistoken/families/clip.py" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert all(name.startswith("vistoken") for name in names)


def test_core_without_extras(wheel, tmp_path):
    bin = environment(tmp_path / "core", wheel)
    packages = json.loads(run(bin / "python", "-m", "pip", "list", "--format", "json", cwd=tmp_path).stdout)
    assert {package["name"].lower() for package in packages} <= {"vistoken", "pillow", "click", "pip", "setuptools"}
    done = run(bin / "vistoken", "count", "1280x720", IMAGES, "-m", "qwen2.5-vl-7b", "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[0])["tokens"] == 1196
    assert len(done.stdout.splitlines()) == 7
    assert "85,798,656" in run(bin / "vistoken", "plan", "-m", "vit-b16-224", cwd=tmp_path).stdout
    assert "vistoken/front-end" in run(bin / "vistoken", "models", cwd=tmp_path).stdout
    done = run(bin / "vistoken", "look", IMAGES / "rocket.jpg", "-m", "clip-b32", "-o", "look.png", cwd=tmp_path)
    assert (done.returncode, (tmp_path / "look.png").exists()) == (0, True)
    assert "pip install 'vistoken[encode]'" in done.stdout
    done = run(
        bin / "vistoken", "encode", IMAGES / "rocket.jpg", "-m", "vistoken/front-end", "-o", "t.npz", cwd=tmp_path
    )
    assert done.returncode == 2
    assert "pip install 'vistoken[encode]'" in done.stderr
    done = run(bin / "vistoken", "count", "5x5", "-m", "someone/model", cwd=tmp_path)
    assert done.returncode == 2
    assert "needs huggingface_hub" in done.stderr


def test_with_the_extra_encode(wheel, tmp_path):
    bin = environment(tmp_path / "encode", "torch", f"vistoken[encode] @ {wheel.as_uri()}")
    done = run(bin / "vistoken", "encode", IMAGES, "-m", "vistoken/front-end", "-o", "t.safetensors", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "6 pictures" in done.stdout
    done = run(
        bin / "vistoken", "look", IMAGES / "rocket.jpg", "-m", "vistoken/front-end", "-o", "look.png", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "(1, 197, 768)" in run(bin / "python", "-m", "vistoken.encoding.frontend", cwd=tmp_path).stdout
