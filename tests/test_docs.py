"""Documents that cannot go stale: docstring examples run, commands in the README print what it says."""

import doctest
import importlib
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import vistoken

TORCH_FREE = ("vistoken.encoding",)
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(vistoken.__path__, "vistoken.")
    if not module.name.endswith("__main__")
)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name, monkeypatch):
    if name.startswith("vistoken.encoding"):
        pytest.importorskip("torch")
    monkeypatch.chdir(ROOT)
    module = importlib.import_module(name)
    globs = {**vars(module)}
    if name.startswith("vistoken.encoding"):
        from vistoken.geometry import Patch

        globs |= {"torch": importlib.import_module("torch"), "Patch": Patch}
    results = doctest.testmod(module, extraglobs=globs, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.S)


CONSOLE = [(page, block) for page in PAGES for block in blocks(page, "console")]
SCRIPTS = [(page, block) for page in PAGES for block in blocks(page, "python") if not block.startswith(">>>")]


def carry_out(command, run, folder):
    """Run a command of ours or an example: (exit code, stdout, stderr). What the page writes to /tmp/out is in `folder`."""
    words = shlex.split(command.replace("/tmp/out", str(folder)), comments=True)
    if words[:1] == ["vistoken"]:
        return run(*words[1:])
    assert words[0] == "python", command
    done = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, cwd=ROOT)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("page", "block"), CONSOLE, ids=lambda x: x.name if isinstance(x, Path) else "")
def test_commands_print_what_the_page_says(page, block, run, tmp_path):
    """`$ command`, then its output; a line of `...` stands for anything, and `# exit code 3` for that."""
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, shown = part.partition("\n")
        if "vistoken encode" in command:
            pytest.importorskip("torch")
        code, out, err = carry_out(command, run, tmp_path)
        assert code == int((re.findall(r"# exit code (\d)$", command) or [0])[0]), err
        pattern = ".*".join(re.escape(piece.strip("\n")) for piece in re.split(r"^\s*\.\.\.$", shown, flags=re.M))
        assert re.search(pattern, out + err, re.S), f"{command}\nprinted\n{out}{err}\nbut the page says\n{shown}"


@pytest.mark.parametrize(("page", "block"), SCRIPTS, ids=lambda x: x.name if isinstance(x, Path) else "")
def test_scripts_of_the_pages_run(page, block, monkeypatch, run):
    if "Encoder" in block or "safetensors" in block or "torch" in block:
        pytest.importorskip("torch")
    for library in ("litellm", "langchain_core"):  # in an environment of their own: tests/examples
        if library in block:
            pytest.importorskip(library)
    for command in re.findall(r"^\$ vistoken (encode .*)$", page.read_text(), re.M):
        if command.split()[-1] in block:  # a script that reads what the page's command wrote
            assert run(*shlex.split(command))[0] == 0
    monkeypatch.chdir(ROOT)
    exec(compile(block, str(page), "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sessions_of_the_pages_hold(page, monkeypatch):
    """All `>>>` blocks of a page are one session."""
    session = "\n".join(block for block in blocks(page, "python") if block.startswith(">>>"))
    if "torch" in session:
        pytest.importorskip("torch")
    monkeypatch.chdir(ROOT)
    test = doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)
    results = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    assert results.failed == 0
    assert results.attempted == session.count(">>> ")


def test_the_readme_shows_the_comparison_as_it_is(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import compare_backbones

    assert compare_backbones.table() in (ROOT / "README.md").read_text()


def test_pages_link_to_what_exists():
    for page in [*PAGES, ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


MANY = ("views", "prompts", "sampling", "processors", "towers")


def test_architecture_names_every_file():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    package = Path(vistoken.__file__).parent
    for path in package.rglob("*.py"):
        relative = path.relative_to(package)
        if relative.name == "__init__.py" or relative.parts[0] == "families":
            continue
        if relative.parts[0] in MANY and f"`{relative}`" not in text:  # one line for all of them; theirs says which
            assert f"`{relative.parts[0]}/...`" in text
            assert len(path.read_text().splitlines()[0]) > 30, relative
            continue
        assert f"`{relative}`" in text, relative


def test_changelog_has_the_version():
    assert f"## {vistoken.__version__}" in (ROOT / "CHANGELOG.md").read_text()
