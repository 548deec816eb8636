"""docs/planning.md says what was measured: its tables against plans, and a few of them measured again."""

import re

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import planning_page as page

from vistoken.planning import plan

TEXT = page.PAGE.read_text()
# What the docstrings promise: largest errors of autocast, training, and training with checkpointing.
PROMISED = (0.005, 0.02, 0.08)
AGAIN = "measure it again: make planning-page TABLES="


def rows(name, text=TEXT):
    """Cells of the table of this name."""
    [block] = [found[0] for found in page.BLOCK.finditer(text) if found[2] == name]
    lines = [line.strip("| ").split(" | ") for line in block.splitlines() if line.startswith("| ")]
    return lines[2:]


def share(cell):
    return float(cell.removeprefix("under ").rstrip("%")) / 100


def test_every_table_is_there_with_its_date():
    assert {found[2] for found in page.BLOCK.finditer(TEXT)} == set(page.TABLES)
    for name in page.TABLES:
        assert rows(name), AGAIN + name
        assert len(re.findall(rf"^Measured 20\d\d-\d\d-\d\d with .* TABLES={name}`\.$", TEXT, re.MULTILINE)) == 1


def test_what_is_exact():
    import test_planning

    parameters, multiply_adds = rows("exact")
    assert parameters[-2:] == [str(len(test_planning.ENCODERS)), "0"], AGAIN + "exact"
    assert int(multiply_adds[-2]) == 4 * len(page.SIZES)
    assert multiply_adds[-1] == "0"


def test_planned_peaks_are_those_of_the_page():
    """Its bytes were measured; what is planned today comes to the same."""
    import test_plan_memory

    cases = page.inference_cases()
    assert [tuple(row[:2]) for row in rows("inference")] == cases
    for (family, dtype), row in zip(cases, rows("inference"), strict=True):
        name, options = test_plan_memory.MODELS.get(family, ("qwen2.5-vl-7b", {"input": "1288x728"}))
        planned = [
            plan(name, batch=batch, dtype=dtype, **options).memory.inference("transformers", engine).total
            for engine in page.ENGINES
            for batch in page.BATCHES
        ]
        assert [*map(page.mebibytes, planned), "0"] == row[2:], AGAIN + "inference"


def test_a_peak_is_measured_again():
    pair = page.inference_pair("ViT", "bfloat16", "eager", 8)
    [row] = [row for row in rows("inference") if row[:2] == ["ViT", "bfloat16"]]
    assert page.mebibytes(pair.measured) == row[2 + 3 + 1]


def test_errors_of_memory_are_within_what_is_promised():
    for _, *cells in rows("training"):
        for median, largest, promised in zip(cells[::2], cells[1::2], PROMISED, strict=True):
            assert share(median) <= abs(share(largest)) <= promised
    assert all(abs(share(largest)) <= 0.03 for *_, largest in rows("own"))


def test_latency_rows_are_computed_again():
    import test_latency

    assert [tuple(row[:2]) for row in rows("latency")] == list(test_latency.FILES)
    for card, mode, _, compute, traffic, *_ in (found := rows("latency")):
        again = page.latency_row(card, mode, float(compute), float(traffic))
        assert list(map(str, again)) in found, AGAIN + "latency"
    # The constants are fits to the other card.
    [row] = [row for row in found if row[:2] == ["rtx5090", "compiled"]]
    assert test_latency.fitted(test_latency.terms("rtx4090", "compiled")) == (float(row[3]), float(row[4]))


def test_the_machine_was_forecast_within_the_promised_15_percent():
    found = rows("calibration")
    assert len(found) == 3
    assert all(abs(share(error)) <= 0.15 for row in found for error in row[2::2])


def test_a_table_is_written_in_its_place_alone():
    """And the checks above would notice a wrong one."""
    changed = page.written(TEXT, "exact", page.table("a | #b", [("x", 1)]))
    assert rows("exact", changed) == [["x", "1"]]
    assert rows("latency", changed) == rows("latency")
    assert (
        page.written(changed, "exact", TEXT.partition("<!-- measured: exact -->\n")[2].partition("<!-- end -->")[0])
        == TEXT
    )
    with pytest.raises(AssertionError):
        page.written(TEXT, "exakt", "")
