"""`vistoken count` of many: tables, lists on stdin, summaries, limits, CSV."""

import csv
import io
import json
import os
import random
import statistics
import subprocess
import sys

import pytest
from conftest import IMAGES, ROOT
from hypothesis import given
from hypothesis import strategies as st

from vistoken.cli import count_print, count_summary
from vistoken.cli.shared import Table
from vistoken.counting.summary import Bin, Summary
from vistoken.errors import InputError, UsageError
from vistoken.geometry import Size
from vistoken.lists import LONGEST, read_words

QWEN, CLIP, INTERN = "qwen2.5-vl-7b", "clip-l14-336", "internvl3-8b"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def vistoken(*words, stdin=b"", cwd=ROOT, **environment):
    command = [sys.executable, "-m", "vistoken", *words]
    done = subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, env={**ENVIRONMENT, **environment})
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def listed(monkeypatch):
    """Bytes on stdin."""

    def give(words):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(words)))

    return give


@pytest.fixture
def table(tmp_path):
    """300 rows of random sizes."""
    source, path = random.Random(1), tmp_path / "sizes.csv"
    rows = [(source.randint(30, 2000), source.randint(30, 2000)) for _ in range(300)]
    path.write_text("width,height\n" + "".join(f"{width},{height}\n" for width, height in rows))
    return path


def objects(out):
    return [json.loads(line) for line in out.splitlines()]


# ---------------------------------------------------------------- laws


def test_the_summary_equals_the_sum_of_the_rows(run, table):
    code, out, _ = run("count", table, IMAGES, "-m", QWEN, "-m", INTERN, "--json")
    assert code == 0
    rows = objects(out)
    code, out, _ = run(
        "count", table, IMAGES, "-m", QWEN, "-m", INTERN, "--summary", "--json", "--over", 1000, "--batch", 4
    )
    summaries = objects(out)
    assert [summary["model"] for summary in summaries] == [row["model"] for row in rows[:2]]
    for summary in summaries:
        mine = [row for row in rows if row["model"] == summary["model"]]
        tokens = [row["tokens"] for row in mine]
        assert (summary["items"], summary["total"]) == (306, sum(tokens))
        assert summary["mean"] == pytest.approx(statistics.mean(tokens), rel=1e-12)
        assert (summary["min"], summary["max"]) == (min(tokens), max(tokens))
        assert summary["percentiles"] == {str(p): sorted(tokens)[-(-p * 306 // 100) - 1] for p in (50, 90, 95, 99)}
        assert summary["over"] == {"limit": 1000, "items": sum(value > 1000 for value in tokens)}
        assert sum(each["items"] for each in summary["histogram"]) == 306
        for each in summary["histogram"]:
            assert each["items"] == sum(each["start"] <= value < each["stop"] for value in tokens)
        worst = sorted(mine, key=lambda row: -row["tokens"])[:10]  # a stable sort: of equal ones the earlier
        assert summary["worst"] == [
            {name: row[name] for name in ("source", "width", "height", "tokens")} for row in worst
        ]
    assert code == 3  # some are over the limit


def test_csv_read_back_equals_json(run, table):
    asked = ("count", table, IMAGES / "rocket.jpg", "-m", "llama-3.2-11b-vision", "-m", QWEN)
    _, out, _ = run(*asked, "--csv")
    read = list(csv.DictReader(io.StringIO(out)))
    rows = objects(run(*asked, "--json")[1])
    assert len(read) == len(rows) == 602
    for mine, row in zip(read, rows, strict=True):
        assert mine == {name: "" if row[name] is None else str(row[name]) for name in mine}
    assert set(read[0]) == {"source", *count_print.COLUMNS}
    assert len({row["cross_tokens"] for row in read}) > 1


def test_prices_in_rows_and_in_the_summary(run, table):
    """3 for a million tokens, in whatever currency."""
    asked = ("count", table, "-m", QWEN, "--price", "3.00")
    read = list(csv.DictReader(io.StringIO(run(*asked, "--csv")[1])))
    rows = objects(run(*asked, "--json")[1])
    assert [float(row["price"]) for row in read] == [row["price"] for row in rows]
    assert rows[0]["price"] == pytest.approx(rows[0]["tokens"] * 3e-6)
    (summary,) = objects(run(*asked, "--summary", "--json")[1])
    assert summary["price"] == pytest.approx(sum(row["price"] for row in rows))
    assert f"{summary['price']:.6f}".rstrip("0") in run(*asked, "--summary")[1]


def test_a_list_on_stdin_equals_arguments(run, listed, table):
    words = ["640x480", str(IMAGES / "rocket.jpg"), str(table), str(IMAGES), "examples/images/c*.png"]
    asked = ("-m", QWEN, "--json")
    expected = run("count", *words, *asked)
    for text, more in (
        ("\n".join(words), ()),
        ("\r\n".join(words) + "\r\n", ()),
        ("\0".join(words) + "\0", ("--null",)),
        ("\0".join(words), ("-0",)),
    ):
        listed(text.encode())
        assert run("count", "-", *more, *asked) == expected
    listed(f"{words[1]}\n\n\n{words[2]}\n".encode())
    assert run("count", words[0], "-", *words[3:], *asked) == expected


def test_plan_reads_a_list_too(run, listed, table):
    _, out, _ = run("plan", table, IMAGES, "-m", CLIP, "--json")
    listed(f"{table}\n{IMAGES}\n".encode())
    code, other, _ = run("plan", "-", "-m", CLIP, "--json")
    assert code == 0
    assert {**objects(other)[0], "sources": 0} == {**objects(out)[0], "sources": 0}


def test_over_lists_what_is_over(run, table):
    rows = objects(run("count", table, "-m", QWEN, "-m", CLIP, "--json")[1])
    code, out, _ = run("count", table, "-m", QWEN, "-m", CLIP, "--json", "--over", 577)
    assert (code, objects(out)) == (3, [row for row in rows if row["tokens"] > 577])
    assert 0 < len(objects(out)) < 300
    limit = max(row["tokens"] for row in rows)
    code, out, err = run("count", table, "-m", QWEN, "--over", limit)
    assert (code, out, err) == (0, "", f"note: none of 300 is over {limit:,} tokens\n")
    assert run("count", table, "-m", QWEN, "--over", limit - 1)[0] == 3
    assert run("count", table, "-m", QWEN, "--over", limit, "--summary")[0] == 0


@given(st.lists(st.integers(0, 300), min_size=1, max_size=200))
def test_percentiles_by_nearest_rank(values):
    np = pytest.importorskip("numpy")
    summary = Summary()
    for value in values:
        summary.add(value, "", Size(1, 1))
    # 0, 25 ... 100 are exact in binary, so that numpy's rank is, too.
    for percent in (0, 25, 50, 75, 100):
        assert summary.percentile(percent) == np.percentile(values, percent, method="inverted_cdf")
    assert summary.percentile(50) == statistics.median_low(values)
    assert (summary.total, summary.over(150)) == (sum(values), sum(value > 150 for value in values))
    assert summary.mean == pytest.approx(statistics.mean(values))
    worst = [tokens for _, _, tokens in summary.worst]
    assert worst == sorted(values, reverse=True)[:10]
    bins = summary.histogram()
    assert len(bins) <= 12
    assert [b.items for b in bins] == [sum(b.start <= value < b.stop for value in values) for b in bins]
    assert bins[0].items
    assert bins[-1].items
    assert [b.stop for b in bins[:-1]] == [b.start for b in bins[1:]]


def test_the_waste_of_padding():
    """Two pictures of 200 and 400 tokens in one batch: 800 are computed for 600."""
    summary = Summary()
    summary.add(200, "a", Size(1, 1))
    summary.add(400, "b", Size(1, 1))
    assert (summary.wasted(2), summary.wasted(1)) == (0.25, 0)


def test_no_items_have_no_mean():
    assert Summary().as_dict() == {"items": 0, "total": 0}
    for ask in (lambda s: s.mean, lambda s: s.percentile(50), lambda s: s.histogram(), lambda s: s.wasted(8)):
        with pytest.raises(InputError, match="nothing was counted"):
            ask(Summary())
    with pytest.raises(UsageError, match="percentile 101"):
        Summary().percentile(101)


# ---------------------------------------------------------------- drawing


def test_a_histogram_fills_the_terminal():
    bins = [Bin(0, 1000, 1), Bin(1000, 2000, 0), Bin(2000, 3000, 16_000)]
    for columns in (40, 80, 200):
        for blocks in (True, False):
            lines = list(count_summary.drawn(bins, columns, blocks))
            assert {len(line) for line in lines} == {columns}
            assert lines[2].split()[3] == ("█" if blocks else "#") * (columns - 24)
    lines = list(count_summary.drawn(bins, 80, True))
    assert lines[0].split()[3:] == ["▏", "1"]  # little is not nothing
    assert lines[1].split() == ["1,000", "to", "1,999", "0"]


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", "█"), ("ascii", "#"), ("latin-1", "#")])
def test_the_terminal_decides_what_bars_are_made_of(encoding, mark):
    code, out, _ = vistoken(
        "count", "640x480", "1280x720", "-m", QWEN, "--summary", PYTHONIOENCODING=encoding, COLUMNS="60"
    )
    bars = [line for line in out.decode(encoding).splitlines() if " to " in line and line.lstrip()[0].isdigit()]
    assert code == 0
    assert all(mark in line and len(line) == 60 for line in (bars[0], bars[-1]))


@pytest.mark.parametrize("option", ["--summary", "--csv"])
def test_a_closed_stdout_is_an_error_of_writing(option):
    command = f"exec {sys.executable} -m vistoken count 640x480 -m {QWEN} {option} >&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, cwd=ROOT, env=ENVIRONMENT)
    assert done.returncode == 4
    assert b"the output cannot be written" in done.stderr


def test_long_tables_are_printed_as_they_come(capsys, monkeypatch):
    monkeypatch.setattr(Table, "HELD", 2)
    table = Table(["name", "a", "spare"], spare=(2,))
    for row in (["x", "1", "0"], ["yyyyyy", "22", "-"], ["z", "3", "0"]):
        table.add(row)
    assert capsys.readouterr().out.splitlines() == [
        "name     a  spare",
        "-" * 17,
        "x        1      0",
        "yyyyyy  22      -",
        "z        3      0",
    ]
    table.add(["longer than others", "4", "5"])
    assert capsys.readouterr().out == "longer than others   4      5\n"
    table.end(["sum", "30", "5"])
    assert capsys.readouterr().out.splitlines() == ["-" * 17, "sum     30      5"]


# ---------------------------------------------------------------- what may be wrong


def test_rows_without_a_size_are_counted_apart_and_named(run, tmp_path):
    path = tmp_path / "mixed.csv"
    path.write_text("width,height\n640,480\n,480\nwide,480\n640,\n0,5\n640,480.5\n-3,2\nnull,1\n1280,720\n")
    code, out, err = run("count", path, "-m", QWEN, "--summary", "--json")
    (summary,) = objects(out)
    assert (code, summary["items"], summary["unread"], summary["total"]) == (3, 2, 7, 391 + 1196)
    assert f"{path}: line 3: width is missing" in err
    assert f"{path}: line 4: width is 'wide', which is no whole number of pixels" in err
    assert "2 more rows without a size" in err
    code, out, _ = run("count", path, "-m", QWEN, "--csv")
    assert (code, len(out.splitlines())) == (3, 3)


@pytest.mark.parametrize("options", [(), ("--summary",), ("--csv",), ("--json",)])
def test_a_table_without_the_columns(run, tmp_path, options):
    path = tmp_path / "other.csv"
    path.write_text("w,h\n640,480\n")
    code, _, err = run("count", path, "-m", QWEN, *options)
    assert code == 3
    assert "has no column 'width'; it has: w, h" in err
    code, _, err = run("count", path, "-m", QWEN, *options, "--width-column", "w", "--height-column", "h")
    assert (code, err) == (0, "")


def test_sizes_that_a_model_refuses(run, tmp_path):
    path = tmp_path / "thin.csv"
    path.write_text("width,height\n" + "".join(f"{3000 + n},10\n" for n in range(8)) + "640,480\n")
    code, out, err = run("count", path, "-m", QWEN, "-m", CLIP, "--summary", "--json")
    one, other = objects(out)
    assert (code, one["refused"], one["items"], one["unread"]) == (3, 8, 1, 0)
    assert (other["refused"], other["items"]) == (0, 9)
    assert "thin.csv:2: Qwen/Qwen2.5-VL-7B-Instruct: 3000x10 is longer than 200 times" in err
    assert "Qwen/Qwen2.5-VL-7B-Instruct: 3 more items that it refuses" in err


def test_names_with_line_breaks_and_broken_bytes_survive(tmp_path):
    names = [
        b"two\nlines.jpg",
        b"caf\xe9.jpg",
        b"carriage\rreturn.jpg",
        "snow \N{SNOWMAN}.jpg".encode(),
        b'quote",comma.jpg',
    ]
    for name in names:
        (path := os.path.join(os.fsencode(tmp_path), name))
        with open(path, "wb") as file:
            file.write((IMAGES / "rocket.jpg").read_bytes())
    given = b"\0".join(names)
    code, out, err = vistoken("count", "-", "-0", "-m", QWEN, "--json", stdin=given, cwd=tmp_path)
    assert (code, err) == (0, b"")
    assert [os.fsencode(row["source"]) for row in objects(out)] == names
    code, out, _ = vistoken("count", "-", "-0", "-m", QWEN, "--csv", stdin=given, cwd=tmp_path)
    rows = list(csv.DictReader(io.StringIO(out.decode("utf-8", "surrogateescape"), newline="")))
    assert [os.fsencode(row["source"]) for row in rows] == names
    for more in ((), ("--summary",)):
        code, out, _ = vistoken("count", ".", "-m", QWEN, *more, cwd=tmp_path)
        assert code == 0
        assert rb"two\nlines.jpg" in out
        assert b"\r" not in out
    code, _, err = vistoken("count", "-", "-m", QWEN, stdin=b"no\xff\x1bne.jpg\n", cwd=tmp_path)
    assert code == 3
    assert b"\x1b" not in err
    assert b"no such file" in err


def test_loops_of_folders_end(run, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").symlink_to(tmp_path)
    (tmp_path / "a" / "p.jpg").symlink_to(IMAGES / "rocket.jpg")
    code, out, _ = run("count", tmp_path, str(tmp_path) + "/**/*.jpg", "-m", QWEN, "--summary", "--json")
    assert (code, objects(out)[0]["items"]) == (0, 2)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("640x480", "--null"), 2, "--null goes with -"),
        (("-", "-"), 2, "- is given twice"),
        (("640x480", "--batch", "4"), 2, "--batch goes with --summary"),
        (("640x480", "--batch", "0", "--summary"), 2, "0 is not in the range"),
        (("640x480", "--over", "-1"), 2, "-1 is not in the range"),
        (("640x480", "--over", "many"), 2, "'many' is not a valid integer"),
        (("640x480", "--within", "100", "--summary"), 2, "have no use for --summary"),
        (("640x480", "--csv", "--json"), 2, "leave out --json"),
        (("640x480", "--csv", "--summary"), 2, "leave out --summary"),
        (("640x480", "--csv", "--explain"), 2, "leave out --explain"),
        (("640x480", "--summary", "--explain"), 2, "--explain tells of single items"),
        (("tests/data/sizes.csv", "--width-column", "height"), 2, "cannot be both"),
        (("a**b.jpg", "--json"), 3, "a**b.jpg: no"),
        (("no.csv", "--summary"), 3, "no.csv: no such file"),
        (("640x48O", "--summary"), 3, "no such file or folder, and no size either"),
        (("s3x://bucket/a.png",), 2, "s3x"),
        (("memory://no.csv",), 3, "tables are read from files of this machine"),
    ],
)  # fmt: skip
def test_wrong_words(run, words, code, says):
    found, out, err = run("count", *words, "-m", QWEN)
    assert says in err
    assert (found, out) == (code, "")


def test_lists_that_are_wrong(run, listed, monkeypatch):
    listed(b"x" * (LONGEST + 1) + b"\n-\n640x480\n")
    code, out, err = run("count", "-", "-m", QWEN, "--json")
    assert (code, [row["source"] for row in objects(out)]) == (3, ["640x480"])
    assert "-: word 1 has more than 65,536 bytes" in err
    assert "a list cannot name stdin" in err
    listed(b"")
    assert run("count", "-", "-m", QWEN)[:2] == (3, "")
    monkeypatch.setattr(sys, "stdin", None)
    assert run("count", "-", "-m", QWEN)[0] == 3


class Chopped(io.BytesIO):
    """A stream that gives a few bytes at a time."""

    def read1(self, size=-1):
        return self.read(3)


@given(st.lists(st.binary(max_size=12).map(lambda word: word.replace(b"\0", b"")), max_size=8))
def test_words_are_read_whatever_the_blocks(words):
    expected = [os.fsdecode(word) for word in words if word]
    for stream in (io.BytesIO, Chopped):
        assert list(read_words(stream(b"\0".join(words)), null=True)) == expected
    long = b"y" * LONGEST
    assert list(read_words(io.BytesIO(b"\n".join([long, long + b"y", b"z" * 10**6, b"end"])))) == [
        long.decode(),
        None,
        None,
        "end",
    ]
