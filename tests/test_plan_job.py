"""`vistoken plan` of a folder, a glob or a table, as a user types it."""

import io
import itertools
import json
import sys
import time

import pytest
from conftest import IMAGES, PHOTOGRAPHS

from vistoken import plan
from vistoken.cli import count_items
from vistoken.geometry import Size
from vistoken.planning.hardware import device
from vistoken.planning.jobs import plan_job
from vistoken.sources import image_size

CLIP, NAFLEX, QWEN = "clip-l14-336", "siglip2-b16-naflex", "qwen2.5-vl-7b"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "sizes.csv"
    path.write_text("width,height\n" + "640,480\n" * 20 + "1280,720\n" * 10)
    return str(path)


def as_json(result, count=1):
    code, out, err = result
    assert (code, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert len(rows) == count
    return rows[0] if count == 1 else rows


def test_folder_and_glob_are_one_job(run):
    sizes = [image_size(path) for path in PHOTOGRAPHS]
    code, out, err = run("plan", IMAGES, "-m", QWEN, "--json")
    assert (code, err.startswith("note: ")) == (0, True)  # one file is no picture
    row, job = json.loads(out), plan_job(QWEN, sizes)
    assert row == {"sources": [str(IMAGES)], "unread": 0, **job.as_dict()}
    pngs = [size for path, size in zip(PHOTOGRAPHS, sizes, strict=True) if path.suffix == ".png"]
    row = as_json(run("plan", "examples/images/*.png", "-m", QWEN, "--json"))
    assert (row["pictures"], row["macs"]["total"]) == (len(pngs), plan_job(QWEN, pngs).macs.total)


def test_table_in_all_units(run, table):
    one, two = (plan(QWEN, width=w, height=h) for w, h in ((640, 480), (1280, 720)))
    row = as_json(run("plan", table, "-m", QWEN, "--json", "--batch", "4", "--pack-tokens", "10000"))
    assert (row["pictures"], row["sizes"]) == (30, 2)
    assert row["tokens"] == 20 * one.tokens + 10 * two.tokens
    assert row["flops"]["total"] == 2 * (20 * one.macs.total + 10 * two.macs.total)
    # 1,564 tokens (34 x 46) six at a time in 10,000, and 4,784 (52 x 92) two at a time; two 1,564 wait at the change.
    assert row["packs"] == {"limit": 10_000, "count": 4 + 5, "fullest": 9568}
    assert row["padding"]["batch"] == 4


def test_what_is_printed(run, table):
    code, out, err = run("plan", table, "-m", QWEN, "-m", CLIP, "--device", "l4", "--dtype", "bfloat16", "--llm", "own")
    assert code == 2  # CLIP has no LLM
    code, out, err = run("plan", table, "-m", QWEN, "-m", CLIP, "--device", "l4", "--dtype", "bfloat16")
    assert (code, err) == (0, "")
    lines = {line.split("  ")[0]: line.split()[-2:] for line in out.splitlines() if line}
    assert lines["pictures"] == ["30", "30"]
    assert lines["packs"] == ["14", "3"]  # 5 of 1,564 in 8,192 and 4,784 alone; 14 of 577
    assert lines["FLOPs"][1] == "TFLOPs"
    macs = 30 * plan(CLIP).macs.total
    assert f"{2 * macs / 1e12:,.3f} TFLOPs" in out
    assert "l4" in out.split("pictures a second")[1]
    assert out.count("yes") == 2


def test_the_llm_behind(run, table):
    row = as_json(run("plan", table, "-m", QWEN, "--llm", "own", "--json"))
    from vistoken.planning.llm import llm_cost
    from vistoken.planning.llm_table import llm_of

    costs = [llm_cost(llm_of(QWEN), tokens) for tokens in (1564 // 4, 4784 // 4)]
    assert row["llm"]["macs"]["total"] == 20 * costs[0].macs.total + 10 * costs[1].macs.total
    assert row["llm"]["largest"]["kv"]["total"] == costs[1].kv.total
    code, out, _ = run("plan", table, "-m", QWEN, "--llm", "qwen2.5-7b")
    assert code == 0
    assert "1,196 tokens" in out


def test_devices_as_json(run, table):
    row = as_json(
        run(
            "plan",
            table,
            "-m",
            CLIP,
            "--dtype",
            "bfloat16",
            "--device",
            "l4",
            "--device",
            "t4",
            "--dtype",
            "float16",
            "--json",
        )
    )
    names = [each["device"] for each in row["devices"]]
    assert names == ["l4", "t4"]
    job = plan_job(CLIP, [Size(480, 640)] * 30, dtype="float16")
    for each in row["devices"]:
        took = job.latency(device(each["device"]))
        assert each["latency"]["seconds"] == pytest.approx(took.seconds.as_dict())
        assert each["memory"]["fits"] is True


def test_what_cannot_be_read_is_named_and_counted(run, tmp_path):
    (tmp_path / "bad.jpg").write_text("no picture")
    (tmp_path / "good.png").write_bytes((IMAGES / "chelsea.png").read_bytes())
    lines = ["width,height", *["x,480"] * 8, "640,480"]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    code, out, err = run("plan", tmp_path, tmp_path / "a.csv", "-m", CLIP, "--json")
    assert code == 3
    row = json.loads(out)
    assert (row["pictures"], row["unread"]) == (2, 9)
    assert "bad.jpg: not a picture" in err
    assert err.count("which is no whole number") == 5
    assert "line 2: width is 'x'" in err
    assert "3 more rows without a size" in err


def test_refused_sizes_are_named(run, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("width,height\n640,480\n" + "".join(f"{3000 + n},10\n" for n in range(7)))
    code, out, err = run("plan", path, "-m", QWEN, "-m", CLIP, "--json")
    assert code == 3
    qwen, clip = map(json.loads, out.splitlines())
    assert (qwen["pictures"], clip["pictures"]) == (1, 8)
    assert len(qwen["refused"]) == 7
    assert err.count("failed:") == 6
    assert "2 more sizes that are refused" in err


def test_sizes_and_single_pictures_are_planned_as_before(run):
    code, out, _ = run("plan", "640x480", "1280x720", str(PHOTOGRAPHS[0]), "-m", CLIP)
    assert code == 0
    assert "each size once" in out


@pytest.mark.parametrize(
    ("code", "words", "message"),
    [
        (2, ["T", "-m", CLIP, "--frames", "8"], "a folder, glob or table has no use for --frames"),
        (2, ["T", "-m", CLIP, "--head", "10"], "no use for --head"),
        (2, ["T", "--patch", "16", "--dim", "64", "--depth", "1", "--heads", "1"], "needs -m MODEL"),
        (2, ["T", "-m", CLIP, "--pack-tokens", "0"], "0 is not in the range"),
        (2, ["T", "-m", CLIP, "--pack-tokens", "9999999"], "from 1 to 1,048,576"),
        (2, ["T", "-m", CLIP, "--device", "l5"], "device 'l5' is unknown"),
        (2, ["T", "-m", CLIP, "--llm", "own"], "LLM"),
        (2, ["T", "-m", CLIP, "--batch", "0"], "batch is 0"),
        (2, ["T", "-m", CLIP, "--set", "pack_tokens=5"], "pack_tokens is an argument of the command"),
        (2, ["T", "-m", CLIP, "--width-column", "height"], "cannot be both width and height"),
        (3, ["no-such.csv", "-m", CLIP, "--width-column", "w"], "no-such.csv: no such file"),
        (2, ["640x480", "-m", CLIP, "--pack-tokens", "100"], "--pack-tokens: only a folder, glob or table"),
        (2, ["T", "-m", CLIP, "--within", "tokens<=99", "--pack-tokens", "100"], "--pack-tokens: only"),
        (2, ["640x480", "-m", CLIP, "--width-column", "w"], "--width-column and --height-column: only"),
        (
            3,
            ["T", "-m", CLIP, "--width-column", "widht"],
            "no column 'widht'; it has: width, height. Did you mean width?",
        ),
        (3, ["nowhere/*.csv", "-m", CLIP], "no file matches"),
        (3, ["tests", "-m", CLIP], "no pictures in this folder"),
        (5, ["T", "-m", "no-such-model"], "no-such-model"),
        (5, ["T", "-m", "gpt-4o"], "can be counted but not planned"),
    ],
)
def test_wrong_use(run, table, code, words, message):
    got, out, err = run("plan", *(table if word == "T" else word for word in words))
    assert (got, out) == (code, "")
    assert message in err


def test_a_time_that_is_not_known_is_a_dash_with_its_reason(run, table):
    words = ("plan", table, "-m", CLIP, "--dtype", "int8", "--device", "l4")
    code, out, _ = run(*words)
    assert code == 0
    assert "latency has no dtype 'int8'" in out
    [device] = json.loads(run(*words, "--json")[1])["devices"]
    assert device["latency"] is None
    assert "int8" in device["reasons"][0]


def test_an_empty_table(run, tmp_path):
    (tmp_path / "a.csv").write_text("width,height\n")
    code, _, err = run("plan", tmp_path / "a.csv", "-m", CLIP)
    assert code == 3
    assert "there is none in the source" in err


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_on_a_terminal_alone(monkeypatch, terminal):
    """A clock that runs fast stands for a long folder."""

    class Stderr(io.StringIO):
        def isatty(self):
            return terminal

    err, clock = Stderr(), itertools.count(step=0.6)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    assert list(count_items.progress(range(1100))) == list(range(1100))
    assert err.getvalue() == ("\r512 pictures\r1,024 pictures\r\033[K" if terminal else "")
