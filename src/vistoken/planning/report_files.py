"""Reports as files: the ending of the name decides what is written."""

from __future__ import annotations

import json
from collections.abc import Sequence

from vistoken.files import check_writable, whole_file
from vistoken.planning.report_cases import Case

ENDINGS = (".md", ".html", ".json")


def check_report(path: str) -> None:
    """Refuse a name or a place that a report cannot be written to, before anything is planned."""
    check_writable(path, ENDINGS)


def write_report(cases: Sequence[Case], path: str) -> None:
    """Write the report of `cases` to `path`, whole or not at all; the same cases give the same bytes.

    >>> import pathlib, tempfile
    >>> from vistoken.planning import plan
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report([Case(plan("vit-b16-224"))], f"{folder}/report.json")
    ...     json.loads(pathlib.Path(folder, "report.json").read_text())["cases"][0]["params"]["total"]
    85798656

    Raises `UsageError` for another ending than .md, .html and .json, `OutputError` where nothing can be written.
    """
    check_report(path)
    text = _text(cases, path)
    with whole_file(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _text(cases: Sequence[Case], path: str) -> str:
    from vistoken.planning.reports import as_dict, report

    ending = path.lower().rpartition(".")[2]
    if ending == "json":
        return json.dumps(as_dict(cases), indent=1) + "\n"
    if ending == "html":
        from vistoken.planning.report_html import html

        return html(report(cases))
    from vistoken.planning.report_markdown import markdown

    return markdown(report(cases))
