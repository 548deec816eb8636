"""The agent skill: the format's rules (agentskills.io specification), and that its commands print what it says."""

import json
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

SKILLS = sorted((ROOT / "skills").iterdir())
SKILL = ROOT / "skills" / "patch-geometry-reader"
TEXT = (SKILL / "SKILL.md").read_text(encoding="utf-8")
FIELDS = {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}


def front_matter(text):
    """Strictly: one `key: value` a line, plain scalars; what YAML would read otherwise is an error."""
    head, rule, _ = text.removeprefix("---\n").partition("\n---\n")
    assert text.startswith("---\n")
    assert rule
    fields = {}
    for line in head.split("\n"):
        key, colon, value = line.partition(": ")
        assert colon, line
        assert re.fullmatch(r"[a-z-]+", key), line
        assert key not in fields, line
        # A plain scalar: no indicator in front, no mapping and no comment within.
        assert value == value.strip(), line
        assert value[0] not in "&*!|>'\"%@`[]{},?-#:", line
        assert ": " not in value, line
        assert " #" not in value, line
        fields[key] = value
    return fields


@pytest.mark.parametrize("folder", SKILLS, ids=lambda path: path.name)
def test_front_matter_keeps_the_formats_rules(folder):
    fields = front_matter((folder / "SKILL.md").read_text(encoding="utf-8"))
    assert set(fields) <= FIELDS
    assert fields["name"] == folder.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", fields["name"])
    assert len(fields["name"]) <= 64
    assert 1 <= len(fields["description"]) <= 1024
    assert "Use when" in fields["description"]  # what it does, and when
    assert len(fields.get("compatibility", "")) <= 500


@pytest.mark.parametrize("folder", SKILLS, ids=lambda path: path.name)
def test_it_is_short_and_its_links_resolve_within_the_folder(folder):
    text = (folder / "SKILL.md").read_text(encoding="utf-8")
    assert text.count("\n") < 500
    # 5,000 tokens: English text has over 3.5 letters a token, tables of numbers fewer.
    assert len(text) / 3 < 5000
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("http")]
    assert links
    for link in links:
        target = (folder / link).resolve()
        assert target.is_file()
        assert target.is_relative_to(folder.resolve())
    for page in (folder / "references").iterdir():
        assert page.is_file()  # one level deep
        assert not re.search(r"\]\(", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("line", ["name: 'a'", "name: a: b", "name: a #b", "name", "name:  a", "Name: a", "name: [a]"])
def test_the_strict_reader_is_strict(line):
    with pytest.raises(AssertionError):
        front_matter(f"---\n{line}\n---\n")


# ---------------------------------------------------------------- examples

EXAMPLES = [part for block in re.findall(r"```console\n(.*?)```", TEXT, re.S)
            for part in re.split(r"^\$ ", block, flags=re.M)[1:]]  # fmt: skip


def executed(run, line):
    """What a shell prints of `vistoken ... [| python3 ... or jq ...] [; echo $?]`."""
    line, _, echoed = line.partition("; echo $?") if line.endswith("; echo $?") else (line, "", "no")
    command, _, filtering = line.partition(" | ")
    words = shlex.split(command)
    assert words[0] == "vistoken"
    code, out, err = run(*words[1:])
    if filtering:
        program, *arguments = shlex.split(filtering)
        if program == "jq" and not shutil.which("jq"):
            pytest.skip("jq is not installed")
        found = sys.executable if program == "python3" else program
        out = subprocess.run([found, *arguments], input=out, text=True, capture_output=True, check=True).stdout
    if echoed == "":
        return out + err + f"{code}\n"
    assert code == 0, err
    return out + err


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.split("\n")[0][:60])
def test_examples_print_what_the_skill_says(example, run, tmp_path, monkeypatch):
    line, _, shown = example.partition("\n")
    written = line.partition(" -o ")[2]
    if written:
        line = line.replace(f" -o {written}", f" -o {shlex.quote(str(tmp_path / written))}")
    printed = executed(run, line).replace(f"{tmp_path}/", "")
    pieces = re.split(r"(?<!\S)\.\.\.$|(?<=,)\.\.\.", shown.strip("\n"), flags=re.M)
    pattern = ".*".join(re.escape(piece.strip("\n")) for piece in pieces)
    assert re.search(pattern, printed, re.S), printed


def test_there_is_an_example_of_every_use():
    commands = "\n".join(example.split("\n")[0] for example in EXAMPLES)
    for word in (
        "models --match",
        "--explain",
        "--set",
        "--json",
        "--device",
        "--llm",
        "--within",
        "-o ",
        "jq",
        "assets/",
    ):
        assert word in commands


def test_commands_in_running_text_work(run):
    commands = re.findall(r"`vistoken (plan [^`]*)`", TEXT.replace("\n", " "))
    commands = [command for command in commands if command != "plan --calibrate"]
    assert len(commands) == 3
    for command in commands:
        assert run(*shlex.split(command))[0] == 0


def test_what_the_worked_answer_says_is_so(run):
    """Both fit, and both ranges lie above 10 pictures a second."""
    [command] = re.findall(r"`vistoken (plan -m clip-l14-336 [^`]*)`", TEXT)
    code, out, _ = run(*shlex.split(command), "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [each["tokens"] for each in found] == [577, 729]
    for each in found:
        [card] = each["devices"]
        assert card["memory"]["fits"]
        assert card["latency"]["images_per_second"]["low"] > 10


KEYS = re.findall(r"```keys\nvistoken (.*?)\n(.*?)```", (SKILL / "references" / "json.md").read_text(), re.S)


@pytest.mark.parametrize(("command", "paths"), KEYS)
def test_keys_of_the_reference_are_there(command, paths, run):
    code, out, _ = run(*shlex.split(command))
    assert code == 0
    for path in paths.split():
        value = json.loads(out)
        for step in re.findall(r"[a-z_]+|\d+", path):
            value = value[int(step) if step.isdigit() else step]


def test_keys_of_the_report_are_those_of_the_reference(run, tmp_path):
    told = (SKILL / "references" / "json.md").read_text().partition("-o report.json")[2]
    run("plan", "-m", "vit-b16-224", "-o", tmp_path / "r.json")
    found = json.loads((tmp_path / "r.json").read_text())
    for key in re.findall(r"`(\w+)`", told.replace("`plan`", "")):
        assert key in found or key in found["cases"][0], key


def test_the_skill_is_in_the_source_distribution():
    assert '"skills"' in re.search(r"targets\.sdist\]\ninclude = (.*)", (ROOT / "pyproject.toml").read_text())[1]
