"""Who imports whom, and what stays unloaded."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vistoken

PACKAGE = Path(vistoken.__file__).parent
ROOT = Path(__file__).parent.parent

# The import table of ARCHITECTURE.md: a module imports only from rows below its own, or from its own package.
ROWS = {
    "_version": 0, "errors": 0,
    "geometry": 1, "files": 1, "unread": 1, "single": 1, "lists": 1, "padding": 1, "turning": 1,
    "configs": 2, "sequence": 2, "headers": 2, "video": 2, "views": 2, "packs": 2, "sizes": 2,
    "prompts": 3, "sampling": 3, "paging": 3,
    "choices": 3, "connector": 4, "model_spec": 4, "weight_names": 4, "spec": 5,
    "family": 5, "preprocessing": 6, "formats": 7,
    "processors": 7, "towers": 7,
    "families": 8, "lookup": 8,
    "registry": 9, "sources": 9, "addresses": 10, "tables": 9, "pixels": 10,
    "documents": 10, "films": 10,
    "counting": 11, "catalogue": 11,
    "planning": 12,
    "encoding": 13, "looking": 13,
    "judge": 14, "calibration": 14,
    "cli": 15,
    "__main__": 16,
}  # fmt: skip
# Rows that may import less than all that stands below them.
FORBIDDEN = {"encoding": {"counting", "planning", "catalogue"}}
LIBRARIES = {
    "torch": {"encoding", "judge", "calibration"}, "numpy": {"encoding", "judge"}, "safetensors": {"encoding"},
    "transformers": {"judge"}, "tokenizers": {"judge"},
}  # fmt: skip


def imports(path):
    """Modules that a file imports at module level; what stands under TYPE_CHECKING or in a function does not load."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module if node.module != "vistoken" else f"vistoken.{node.names[0].name}"


def part(path):
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def violations(files):
    found = []
    for path in files:
        here = part(path)
        for module in imports(path):
            root = module.split(".")[0]
            if root in LIBRARIES and here not in LIBRARIES[root]:
                found.append(f"{path.name} imports {root}")
            if root != "vistoken" or module == "vistoken":
                continue
            there = module.split(".")[1]
            if there == here:
                if here == "families":
                    found.append(f"{path.name} imports another family")
            elif ROWS[there] >= ROWS[here] or there in FORBIDDEN.get(here, ()):
                found.append(f"{path.name} ({here}, row {ROWS[here]}) imports {there} (row {ROWS[there]})")
    return found


def test_modules_import_only_from_rows_below():
    files = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]
    assert len(files) > 40
    assert {part(path) for path in files} == set(ROWS)
    assert violations(files) == []


def test_the_walk_would_notice(tmp_path, monkeypatch):
    for name, text in (("geometry.py", "from vistoken.spec import EncoderSpec"), ("families/vit.py", "from vistoken.families.deit import FAMILY"),
                       ("planning/x.py", "import torch"), ("encoding/x.py", "from vistoken import counting")):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    assert len(violations(tmp_path.rglob("*.py"))) == 4


def test_architecture_shows_this_table():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for name, row in ROWS.items():
        if not name.startswith("_"):
            line = next(line for line in text.splitlines() if line.startswith(f"| {row} |"))
            assert f"`{name}`" in line, name


def loaded(code):
    """Which of the heavy libraries, and of our modules, a fresh interpreter has after running `code`."""
    script = f"{code}\nimport sys; print(' '.join(sys.modules))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(out.stdout.splitlines()[-1].split())


def test_importing_loads_nearly_nothing():
    modules = loaded("import vistoken")
    assert {name for name in modules if name.startswith("vistoken")} == {"vistoken", "vistoken._version"}
    assert not modules & {"torch", "numpy", "PIL", "click"}


COUNT_AND_PLAN = """
import vistoken as vt
vt.count("qwen2.5-vl-7b", width=1280, height=720).explain()
vt.count("siglip2-naflex", image="examples/images/rocket.jpg")
vt.plan("dinov2-g14", width=500, height=400).macs.total
vt.models()
from vistoken.cli import run
run(["count", "examples/images", "-m", "clip-b32"])
run(["plan", "-m", "clip-b32", "-m", "vit-b16-224"])
"""


def test_counting_and_planning_load_neither_torch_nor_numpy():
    assert not loaded(COUNT_AND_PLAN) & {"torch", "numpy", "safetensors", "huggingface_hub", "transformers"}


def test_looking_without_weights_loads_no_numpy():
    code = """
import vistoken as vt
from PIL import Image
from vistoken.looking import draw
picture = Image.open("examples/images/rocket.jpg")
draw(picture, vt.count("clip-b32", image=picture))
"""
    assert not loaded(code) & {"torch", "numpy"}


def test_the_check_would_notice():
    """The negative control."""
    pytest.importorskip("numpy")
    assert "numpy" in loaded(COUNT_AND_PLAN + "\nimport numpy")


def test_only_the_family_asked_for_is_imported():
    modules = loaded("import vistoken as vt; vt.count('qwen2.5-vl-7b', width=64, height=64)")
    assert {name for name in modules if name.startswith("vistoken.families.")} == {"vistoken.families.qwen2_5_vl"}
    assert "importlib.metadata" not in modules


def test_public_names_resolve_and_no_submodule_hides_one():
    pytest.importorskip("torch")
    for name in vistoken.__all__:
        assert getattr(vistoken, name) is not None
        assert name in dir(vistoken)
    assert not {path.stem for path in PACKAGE.iterdir()} & set(vistoken.__all__)
    with pytest.raises(AttributeError, match="no attribute 'cuont'"):
        vistoken.cuont  # noqa: B018


def test_without_torch_the_error_names_the_extra():
    code = """
import sys
sys.modules["torch"] = None
import vistoken as vt
try:
    vt.Encoder
except vt.VistokenError as error:
    assert "pip install 'vistoken[encode]'" in str(error), error
else:
    raise SystemExit("no error")
from vistoken.cli import run
assert run(["encode", "examples/images/rocket.jpg", "-m", "vistoken/front-end", "-o", "/tmp/never.npz"]) == 2
assert run(["plan", "--calibrate"]) == 2
"""
    loaded(code)
