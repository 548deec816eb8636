"""Rebuild the conformance set and the page of supported models from the installed transformers, and report changes.

Run by `make conformance`, in an environment that has torchvision besides: several processors of transformers, and all
of its video processors, exist only with it. What the reference did is written down; where vistoken differs, the case
is reported and the run fails.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path

import torch

# The CPU build of torch has no torchvision build of its own; the pure Python part imports once these are declared.
_LIBRARY = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _LIBRARY.define(f"{_name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")

import transformers
from transformers.utils.import_utils import is_torchvision_available

from vistoken import registry
from vistoken.judge.compare import Case, Film
from vistoken.judge.reference import Refused
from vistoken.judge.verify import VERSION, Verdict, chosen, verdict

HERE = Path(__file__).parent
FILE = HERE / "counts.jsonl.gz"
PAGE = HERE.parent / "docs" / "supported-models.md"


def record(case: Case, spec, reference) -> dict:
    """One line of the file. Keys are explained in README.md beside this file."""
    film = isinstance(case.given, Film)
    classes = (reference.processor, reference.video if film else reference.image)
    source = f"{VERSION}: {', '.join(filter(None, classes))}"
    size = case.given.size if film else case.given
    line = {"model": case.model, "width": size.width, "height": size.height}
    if case.settings:
        line["settings"] = dict(case.settings)
    if film:
        line |= {"frames": case.given.source.frames, "fps": case.given.source.fps, "sampled": case.given.sampled}
    if isinstance(case.theirs, Refused):
        return line | {"refused": case.theirs.error.split("\n")[0][:120], "source": source}
    if case.theirs.views is not None:
        patch = (spec.video.rule.rule(size, 8) if film else spec.known_rule()).patch
        grids = [[frames, height // patch.height, width // patch.width] for frames, height, width in case.theirs.views]
        line |= {"resized": runs([[w, h] for _, h, w in case.theirs.views]), "grids": runs(grids)}
        line["patches"] = sum(frames * rows * cols for frames, rows, cols in grids)
    if case.theirs.text is not None:
        token = spec.video.prompt.video_token if film else spec.prompt.image_token
        line["prompt"] = prompt(case.theirs.text, token)
        line["image_tokens"] = sum(part for part in line["prompt"] if isinstance(part, int))
        # Which strings are special tokens is our list; that it renders to the same text is part of the comparison.
        line["markers"] = None if case.differs else case.ours.markers
    return line | {"source": source}


def runs(items: list) -> list:
    """Equal neighbours as [item, times]."""
    packed: list = []
    for item in items:
        if packed and packed[-1][0] == item:
            packed[-1][1] += 1
        else:
            packed.append([item, 1])
    return packed


def prompt(text: str, token: str) -> list:
    """The text with every run of image tokens as its length."""
    parts: list = []
    for run, other in re.findall(f"((?:{re.escape(token)})+)|((?:(?!{re.escape(token)}).)+)", text, re.S):
        parts.append(len(run) // len(token) if run else other)
    return parts


def main() -> int:
    if not is_torchvision_available():
        sys.exit("torchvision is not installed: run `make conformance`")
    transformers.logging.set_verbosity_error()
    old = read()
    new, verdicts = {}, []
    for family, model in chosen([]):
        first = model is family.published[0]
        count = 48 if not first else 300 if family.reference and family.reference.torchvision else 100
        found = verdict(family, model, count, keep=True)
        verdicts.append(found)
        for case in found.cases:
            add(new, record(case, registry.describe(model.name, settings=case.settings), family.reference))
        differ = len(found.different)
        print(f"{model.name}: {found.pictures} pictures, {found.films} videos, {differ} differ {found.skipped}")
        for case in found.different[:5]:
            print(f"  {case}")
    changes = report(old, new)
    write(new)
    PAGE.write_text(page(verdicts))
    print(f"{len(new)} cases, {changes} changed; wrote {FILE.name} and {PAGE.name}")
    return 3 if any(v.different for v in verdicts) else 0


def add(lines: dict, line: dict) -> None:
    given = {key: line.get(key) for key in ("model", "width", "height", "settings", "frames", "fps", "sampled")}
    lines[json.dumps(given, sort_keys=True)] = line


def read() -> dict:
    lines: dict = {}
    if FILE.exists():
        with gzip.open(FILE, "rt", encoding="utf-8") as file:
            for line in file:
                add(lines, json.loads(line))
    return lines


def write(lines: dict) -> None:
    with open(FILE, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as file:
        for line in lines.values():
            file.write(json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")


def report(old: dict, new: dict) -> int:
    """Print what is different from the file as it was; at most fifty lines of it."""
    changes = [f"gone: {key}" for key in old if key not in new]
    changes += [f"changed: {key}: {old[key]} -> {line}" for key, line in new.items() if key in old and old[key] != line]
    added = sum(key not in old for key in new)
    for change in changes[:50]:
        print(change)
    print(f"{added} new, {len(changes)} gone or changed")
    return len(changes)


def page(verdicts: list[Verdict]) -> str:
    """The page of supported models."""
    rows = [
        f"| {v.model} | {v.family} | {v.kind} | {v.pictures or '-'} | {v.films or '-'} | {v.refused or '-'} | "
        f"{len(v.different) if v.pictures else '-'} | {v.trust} |"
        for v in verdicts
    ]
    return "\n".join([
        "# Supported models", "",
        f"Generated by `make conformance` with {VERSION}: every built-in model that is brought to size in a way of its",
        "own, compared with the reference on seeded sizes under three settings: the size of every view, and the text",
        "that the processor writes for the picture, character by character. `refused` are sizes that both refuse.",
        "Models without numbers have no reference there; `vistoken models NAME` tells what theirs rests on.", "",
        "| model | family | view rule | pictures | videos | refused | differences | trust |",
        "|---|---|---|---:|---:|---:|---:|---|", *rows, "",
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
