"""Sweeps: every combination, those that cannot be, and what is drawn of them."""

import json
import struct
from itertools import product

import pytest

from vistoken.errors import MissingExtra, UsageError
from vistoken.geometry import Patch, Size
from vistoken.looking.chart import MOST, Point, chart, draw
from vistoken.planning import bare_encoder, plan
from vistoken.planning.hardware import device
from vistoken.planning.sweeps import parse_sweep, sweep_plans

ISSUES = "patch=14,16 input=224,384,512 dim=768,1024 depth=12,24 heads=12,16"


def swept(text, model=None, **others):
    return sweep_plans(parse_sweep(text, bare=model is None), model=model, **others)


def test_every_combination_is_the_plan_of_its_geometry():
    rows = iter(swept(ISSUES))
    for patch, side, dim, depth, heads in product((14, 16), (224, 384, 512), (768, 1024), (12, 24), (12, 16)):
        row = next(rows)
        assert dict(row.settings) == {"patch": patch, "dim": dim, "depth": depth, "heads": heads}
        assert row.size == Size(side, side)
        if dim % heads:
            assert row.tokens is row.macs is row.memory is None
            assert str(dim) in row.reasons[0]
            continue
        tokens = (side // patch) ** 2 + 1
        # Of a block: q, k, v and output 4 D^2, the MLP 8 D^2, scores and sum 2 N D, for each of N tokens.
        blocks = depth * tokens * (12 * dim**2 + 2 * tokens * dim)
        assert (row.tokens, row.macs) == (tokens, (tokens - 1) * 3 * patch**2 * dim + blocks)
    assert next(rows, None) is None


def test_heads_are_64_wide_where_nothing_says():
    row, wide = swept("patch=32x16 input=640x480 dim=512 depth=2,3 mlp=100")
    assert dict(row.settings) == {"patch": "32x16", "dim": 512, "depth": 2, "mlp": 100, "heads": 8}
    assert row.size == Size(width=640, height=480)
    spec = bare_encoder(patch=Patch(height=16, width=32), dim=512, depth=2, heads=8, table=row.size, mlp=100)
    assert (row.tokens, row.macs) == (20 * 30 + 1, plan(spec).macs.total)
    assert wide.params > row.params
    [impossible, _] = swept("dim=100,128", geometry={"patch": "16", "depth": 1}, size=Size(64, 64))
    assert "dim 100 is no multiple of 64" in impossible.reasons[0]


def test_batches_dtypes_and_settings_of_a_model():
    rows = swept("max_num_patches=256,1024 batch=1,8 dtype=float32,bfloat16", "siglip2-b16-naflex", size=Size(480, 640))
    assert [(dict(r.settings)["max_num_patches"], r.batch, r.dtype) for r in rows] == list(
        product((256, 1024), (1, 8), ("float32", "bfloat16"))
    )
    for row in rows:
        wanted = plan(
            "siglip2-b16-naflex", width=640, height=480, batch=row.batch, dtype=row.dtype, **dict(row.settings)
        )
        assert (row.tokens, row.macs * row.batch, row.weights) == (
            wanted.tokens,
            wanted.macs.total,
            wanted.memory.total,
        )


@pytest.mark.parametrize(
    ("text", "bare", "message"),
    [
        ("", True, "an empty sweep"),
        ("patch", True, "write NAME=VALUE"),
        ("patch=", True, "write NAME=VALUE"),
        ("patch=14,,16", True, "write NAME=VALUE"),
        ("patch=14 patch=16", True, "patch is given twice"),
        ("patch=14,14", True, "a value is given twice"),
        ("depht=12", True, "Did you mean depth"),
        ("dim=1.5", True, "'1.5' is not a whole number above 0"),
        ("heads=0", True, "'0' is not a whole number above 0"),
        ("input=22a", True, "'22a' is not a size"),
        ("dtype=fp32", True, "dtype 'fp32' is unknown"),
        ("dim=768", False, "leave out -m MODEL"),
    ],
)
def test_sweeps_that_cannot_be_read(text, bare, message):
    with pytest.raises(UsageError) as error:
        parse_sweep(text, bare=bare)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "others", "message"),
    [
        ("patch=16 dim=768 depth=12", {}, "bare geometry needs a size"),
        ("patch=16 input=224", {}, "bare geometry lacks dim, depth"),
        ("input=224 dim=768,1024 patch=16 depth=1", {"geometry": {"dim": 3}}, "it is given as well, as 3"),
        ("patch=16 input=8,9 dim=64 depth=1", {}, "holds no 16x16 patch"),  # nothing is left
        ("depth=" + ",".join(map(str, range(1, 10_002))), {}, "10,001 combinations: at most 10,000"),
        ("batch=1,2 no_such_setting=3", {"model": "vit-b16-224"}, "no_such_setting"),
    ],
)
def test_sweeps_that_cannot_be_planned(text, others, message):
    with pytest.raises(UsageError) as error:
        swept(text, **others)
    assert message in str(error.value)


def test_the_command_goes_on_and_ends_in_3(run):
    code, out, err = run(
        "plan", "--sweep", "input=224,8 dim=768", "--patch", "16", "--depth", "12", "--sort", "-macs", "--json"
    )
    first, second = map(json.loads, out.splitlines())
    assert code == 3
    assert (first["settings"], first["width"], first["macs"]) == ({"dim": 768, "heads": 12}, 224, 17_563_060_224)
    assert (second["width"], second["macs"]) == (8, None)
    assert "8x8 holds no 16x16 patch" in second["reasons"][0]
    assert "failed: 1 of 2 rows" in err


def test_a_model_that_takes_no_combination_leaves_the_others(run):
    code, out, err = run(
        "plan",
        "640x480",
        "-m",
        "vit-b16-224",
        "-m",
        "siglip2-b16-naflex",
        "--sweep",
        "max_num_patches=256,512",
        "--csv",
    )
    assert code == 3
    assert [line.split(",")[:2] for line in out.splitlines()[1:]] == [
        ["siglip2-b16-naflex", "256"],
        ["siglip2-b16-naflex", "512"],
    ]
    assert "max_num_patches" in err


def test_lines_of_a_chart_are_sorted_by_where_they_end():
    drawn = chart(swept("patch=14,16 input=224,448 dim=768 depth=12"))
    assert (drawn.title, drawn.x) == ("bare geometry, dim 768, depth 12, heads 12", "side of the picture, pixels")
    assert "GMACs" in drawn.y
    assert [line.label for line in drawn.lines] == ["patch 14", "patch 16"]
    assert drawn.lines[1].points[0] == Point(224, 17.563060224, 17.563060224)


def test_times_are_drawn_with_their_bounds():
    cards = [device("rtx4090"), device("l4")]
    rows = swept("input=224,448", "vit-b16-224", devices=cards, mode="compiled", batch=64, dtype="bfloat16")
    drawn = chart(rows)
    assert (drawn.title, drawn.y) == ("vit-b16-224, batch 64, bfloat16", "milliseconds a picture")
    assert [line.label for line in drawn.lines] == ["l4, compiled", "rtx4090, compiled"]
    slow, fast = (line.points for line in drawn.lines)
    assert [point.x for point in slow] == [224, 448]
    assert slow[0].high * 64 / 1000 == pytest.approx(rows[1].seconds.high)
    assert fast[0].high is None  # a short step has a lower bound alone


def test_charts_that_cannot_be_read_are_refused():
    with pytest.raises(UsageError, match=f"of which {MOST} can be told apart"):
        chart(swept("patch=16 input=224 dim=64 depth=" + ",".join(map(str, range(1, MOST + 2)))))
    with pytest.raises(UsageError, match="nothing to draw"):
        chart([])


def test_a_chart_is_a_png(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "chart.png"
    draw(swept("input=224,448", "vit-b16-224", devices=[device("l4")], batch=64, dtype="bfloat16"), str(path))
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (1350, 750)


def test_without_matplotlib_nothing_is_planned(run, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    code, out, err = run("plan", "-m", "vit-b16-224", "--chart", tmp_path / "chart.png")
    assert (code, out) == (MissingExtra.exit_code, "")
    assert "pip install 'vistoken[look]'" in err
