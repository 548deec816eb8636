"""Choices: one row a model and device, what is not known, order, and the table as CSV, Markdown and JSON."""

import csv
import io
import json
from dataclasses import replace

import pytest

from vistoken.errors import UsageError
from vistoken.planning import plan
from vistoken.planning.choosing import choices, parse_prices
from vistoken.planning.hardware import device
from vistoken.planning.latency import latency
from vistoken.planning.memory import allowance
from vistoken.planning.tables import as_csv, as_markdown, columns, for_people, ordered, reasons

L4, H100, RTX = device("l4"), device("h100"), device("rtx4090")


@pytest.fixture(scope="module")
def siglip():
    return plan("siglip-so400m14-384", batch=64, dtype="bfloat16")


def test_a_row_is_what_the_functions_say(siglip):
    [row] = choices(siglip, [RTX], mode="compiled", prices={"rtx4090": 0.4})
    peak, wanted = (
        siglip.memory.inference(),
        latency(siglip.operations, RTX, dtype="bfloat16", batch=64, mode="compiled"),
    )
    assert (row.tokens, row.params, row.macs) == (729, siglip.params.total, 335_173_224_960)
    assert row.memory == peak.total + allowance(peak).total
    assert (row.has, row.spare, row.fits) == (24 * 10**9, 24 * 10**9 - row.memory, True)
    assert row.seconds == wanted.seconds
    assert row.images_per_second == wanted.images_per_second
    # An hour costs 0.4: a million pictures at r a second take 10^6 / r / 3600 hours.
    assert row.cost_per_million.low == pytest.approx(0.4 * 1e6 / row.images_per_second.high / 3600)
    assert row.cost_per_million.high == pytest.approx(0.4 * 1e6 / row.images_per_second.low / 3600)
    assert row.reasons == ()


def test_pictures_per_gb_is_what_a_gb_more_holds(siglip):
    [row] = choices(siglip)
    many = int(row.images_per_gb)
    needed = [replace(siglip, batch=batch).memory.inference().total for batch in (64, 64 + many, 64 + many + 1)]
    assert needed[1] - needed[0] <= 10**9 < needed[2] - needed[0]
    assert (row.device, row.has, row.fits, row.seconds) == (None, None, None, None)
    assert row.memory == needed[0]  # no allowance where no GPU was asked for


def test_what_is_not_known_stops_nothing():
    hybrid = plan("vit-r50-b16-384", batch=64, dtype="bfloat16")
    unknown, timed = choices(hybrid, [device("t4"), RTX])
    assert (unknown.memory, unknown.fits, unknown.images_per_gb, unknown.seconds) == (None, None, None, None)
    assert (timed.memory, timed.fits) == (None, None)
    assert timed.seconds is not None
    assert unknown.macs == timed.macs > 0
    assert len(unknown.reasons) == 2
    assert "no rate for dtype 'bfloat16'" in unknown.reasons[1]
    assert timed.reasons == unknown.reasons[:1]
    lines = reasons([unknown, timed])
    assert len(lines) == 2
    assert all(line.startswith(f"{hybrid.model}: ") for line in lines)


def test_what_does_not_fit_has_no_time(siglip):
    short, fits = choices(replace(siglip, batch=4096), [L4, H100], prices={"l4": 1.0})
    assert short.fits is False
    assert short.spare == 24 * 10**9 - short.memory < 0
    assert (short.seconds, short.images_per_second, short.cost_per_million) == (None, None, None)
    assert fits.fits
    assert fits.seconds is not None
    assert fits.cost_per_million is None  # it has no price


@pytest.fixture(scope="module")
def rows():
    named = [("b", "vit-b16-224"), ("r", "vit-r50-b16-384"), ("a", "vit-b16-224"), ("l", "vit-l16-224")]
    return [row for label, name in named for row in choices(plan(name, batch=64, dtype="bfloat16"), [RTX], model=label)]


@pytest.mark.parametrize(
    ("column", "models"),
    [
        ("macs", "balr"), ("-macs", "rlba"), ("model", "ablr"), ("-model", "rlba"),
        ("memory", "balr"), ("-memory", "lbar"), ("rate", "rlba"), ("-rate", "balr"), ("ms", "balr"), ("cost", "bral"),  # no prices
    ],
)  # fmt: skip
def test_rows_are_sorted_unknown_last_and_ties_as_they_stood(rows, column, models):
    assert "".join(row.model for row in ordered(rows, column)) == models


def test_an_unknown_column_is_refused(rows):
    with pytest.raises(UsageError, match=r"no column 'memroy': columns are model, .*Did you mean memory"):
        ordered(rows, "-memroy")


def test_csv_is_read_back_as_plain_numbers(rows):
    odd = replace(rows[0], model='a "b", c\nd')
    table = list(csv.DictReader(io.StringIO(as_csv([odd, rows[1]]), newline="")))
    assert as_csv([odd]).count("\r\n") == 2
    assert table[0]["model"] == odd.model
    assert int(table[0]["macs_per_picture"]) == odd.macs == 17_563_060_224
    assert int(table[0]["spare_bytes"]) == odd.has - odd.memory
    assert float(table[0]["pictures_per_second_low"]) == odd.images_per_second.low
    assert table[0]["pictures_per_second_high"] == str(odd.images_per_second.high)
    assert table[1]["memory_bytes"] == table[1]["cost_per_million_pictures_low"] == ""
    assert set(table[0]) == {
        name
        for c in columns(rows)
        for name in ([f"{c.key}_low", f"{c.key}_high"] if c.name in ("ms", "rate", "cost") else [c.key])
    }


def test_markdown_has_one_cell_a_column_whatever_the_name(rows):
    lines = as_markdown([replace(rows[0], model="a|b\\|c\nd"), rows[1]]).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith(r"| a\|b\\\|c d | 224x224 |")
    width = len(for_people(rows))
    assert {line.replace("\\\\", "").replace("\\|", "").count("|") for line in lines} == {width + 1}


def test_prices_are_those_of_the_devices():
    assert parse_prices(["0.8"], [L4]) == {"l4": 0.8}
    assert parse_prices(["h100=3.5", "l4=.8"], [L4, H100]) == {"h100-sxm": 3.5, "l4": 0.8}
    assert parse_prices([], [L4]) == {}


@pytest.mark.parametrize(
    ("words", "devices", "message"),
    [
        (["0.8"], [], "Add --device NAME"),
        (["0.8"], [L4, H100], "say of which device, for example l4=0.8"),
        (["h10=1"], [L4, H100], "'h10' is not among the devices asked for"),
        (["l4=1", "l4=2"], [L4, H100], "l4 has a price already"),
        (["l4=0"], [L4], "write a number above 0"),
        (["-1"], [L4], "write a number above 0"),
        (["l4=nan"], [L4], "write a number above 0"),
        (["l4=inf"], [L4], "write a number above 0"),
        (["l4=a dollar"], [L4], "write a number above 0"),
        (["=1"], [L4], "'' is not among"),
    ],
)
def test_wrong_prices_are_refused(words, devices, message):
    with pytest.raises(UsageError) as error:
        parse_prices(words, devices)
    assert message in str(error.value)


MODELS = ("plan", "-m", "vit-b16-224", "-m", "vit-r50-b16-384", "--batch", "64", "--dtype", "bfloat16")


def test_several_models_on_devices_are_one_table(run):
    code, out, _ = run(*MODELS, "--device", "l4", "--device", "rtx4090")
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "batch 64, bfloat16"
    assert [line.split()[2] for line in lines[4:8]] == ["l4", "rtx4090", "l4", "rtx4090"]
    assert any(line.startswith("vit-r50-b16-384: the memory of convolutions in front") for line in lines[8:])


def test_the_json_twin_has_the_same_rows_in_the_same_order(run):
    code, out, _ = run(*MODELS, "--device", "l4", "--gpu-price", "0.8", "--sort", "-cost", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["model"] for row in rows] == ["vit-r50-b16-384", "vit-b16-224"]
    assert rows[0]["memory"] is None
    assert "convolutions in front" in rows[0]["reasons"][0]
    assert rows[1]["fits"] is True
    assert rows[0]["cost_per_million"]["low"] > rows[1]["cost_per_million"]["low"] > 0


def test_a_refused_size_is_a_row_of_dashes_and_exit_code_3(run):
    code, out, err = run("plan", "-m", "vit-b16-224", "-m", "vit-b32-224", "--input", "24x24", "--sort", "macs")
    assert code == 3
    assert out.splitlines()[-1].startswith("vit-b32-224: ")
    assert out.splitlines()[5].split() == ["vit-b32-224", "24x24", *"-" * 5]
    assert "failed: 1 of 2 rows" in err


def test_csv_has_its_reasons_on_stderr(run):
    code, out, err = run(*MODELS, "--csv")
    assert code == 0
    assert len(list(csv.reader(io.StringIO(out)))) == 3
    assert "vit-r50-b16-384: the memory of convolutions in front" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sort", "speed"), "no column 'speed'"),
        (("--csv", "--markdown"), "--csv and --markdown: choose one"),
        (("--csv", "--json"), "--json and --csv: choose one"),
        (("--gpu-price", "1"), "Add --device NAME"),
        (("--chart", "a.jpg"), "must end in .png"),
        (("--sort", "macs", "--within", "tokens<=9"), "--within has no use for --sort"),
        (("--sweep", "input=224", "--within", "tokens<=9"), "--within has no use for --sweep"),
        (("--sort", "macs", "--llm", "own"), "a table has no use for --llm"),
        (("--convention", "tim"), "Did you mean timm"),
    ],
)
def test_wrong_use_is_refused(run, arguments, message):
    code, out, err = run("plan", "-m", "vit-b16-224", *arguments)
    assert code == 2
    assert out == ""
    assert message in err


def test_the_convention_is_printed(run):
    code, out, _ = run("plan", "-m", "vit-b16-224", "--convention", "timm", "--head", "1000")
    assert code == 0
    assert "as timm's tables" in out
    assert "17.583 GMACs = 35.165 GFLOPs" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--reduce", "all", "--csv"), "--reduce has no use for --csv"),
        (("--shape", "so400m:2x", "--sort", "macs"), "--shape has no use for --sort"),
        (("examples/images", "--csv"), "a whole job has no use for --csv"),
        (("examples/images", "--sweep", "batch=1"), "a whole job has no use for --sweep"),
    ],
)
def test_other_forms_have_no_table(run, arguments, message):
    code, out, err = run("plan", *arguments, "-m", "vit-b16-224")
    assert (code, out) == (2, "")
    assert message in err
