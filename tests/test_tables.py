"""Tables of sizes: what is read, what is named as a problem, and what nobody should send."""

import csv
import json
import sys
import tracemalloc
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vistoken import tables
from vistoken.errors import InputError, MissingExtra, UsageError
from vistoken.geometry import Size
from vistoken.sizes import Sizes
from vistoken.tables import Problem, is_table, read_sizes

NEEDS_PYARROW = pytest.mark.skipif(find_spec("pyarrow") is None, reason="needs the extra bulk")


def written(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def rows(path, **columns):
    """Numbers of rows with (width, height), or the reason why not."""
    return [
        (number, found.reason if isinstance(found, Problem) else (found.width, found.height))
        for number, found in read_sizes(path, **columns)
    ]


WIDE = [(2, (640, 480)), (3, (1280, 720))]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain.csv", "width,height\n640,480\n1280,720\n"),
        ("order.csv", "file,height,width\na,480,640\nb,720,1280"),
        ("bom.csv", b"\xef\xbb\xbfwidth,height\r\n640,480\r\n1280,720\r\n"),
        ("semicolons.csv", "width;height;caption\n640;480;a, b\n1280;720;c\n"),
        ("tabs.tsv", "caption\twidth\theight\na, b\t640\t480\nc;d\t1280\t720\n"),
        ("spaces.csv", "width , height\n 640 , 480\n1280,720\n"),
        ("floats.csv", "width,height\n640.0,480.\n1280.00,720\n"),
        ("latin.csv", b"width,height,name\n640,480,caf\xe9\n1280,720,\x00\n"),
        ("NAME.CSV", "width,height\n640,480\n1280,720\n"),
    ],
)
def test_tables_as_people_write_them(tmp_path, name, text):
    assert is_table(name)
    assert rows(written(tmp_path, name, text)) == WIDE


def test_lines_are_counted_as_an_editor_does(tmp_path):
    path = written(tmp_path, "a.csv", 'caption,width,height\n"two\nlines",640,480\n\nx,1280,720\n')
    assert rows(path) == [(2, (640, 480)), (5, (1280, 720))]


def test_json_lines(tmp_path):
    lines = [
        '{"w": 640, "h": 480}',
        "",
        '{"w": 1280.0, "h": "720"}',
        '{"w": null}',
        "[1, 2]",
        "{",
        '{"w": true, "h": 9}',
    ]
    assert rows(written(tmp_path, "a.jsonl", "\n".join(lines)), width="w", height="h") == [
        (1, (640, 480)),
        (3, (1280, 720)),
        (4, "w is missing"),
        (5, "no JSON object but [1, 2]"),
        (6, "no JSON: Expecting property name enclosed in double quotes, at character 3"),
        (7, "w is True, which is no whole number of pixels"),
    ]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "missing"), ("NaN", "missing"), ("NULL", "missing"), (r"\N", "missing"),
        ("wide", "is 'wide', which is no whole number"), ("0", "a side has from 1 to 100,000,000 pixels"),
        ("-5", "no whole number"), ("640.5", "no whole number"), ("1e3", "no whole number"), ("٦٤٠", "no whole number"),
        ("100000001", "a side has from 1"), ("9" * 5000, "no whole number"), ("1\0", "no whole number"),
    ],
)  # fmt: skip
def test_cells_that_are_no_side(tmp_path, cell, reason):
    [(number, text), good] = rows(written(tmp_path, "a.csv", f"width,height\n{cell},480\n640,480\n"))
    assert number == 2
    assert text.startswith("width is")
    assert reason in text
    assert len(text) < 150
    assert good == (3, (640, 480))


@pytest.mark.parametrize(
    "value", ["null", "NaN", "Infinity", "-1", "0", "1.5", "1e400", "[640]", '{"a": 1}', "true", "9" * 4000, "9" * 5000]
)
def test_json_values_that_are_no_side(tmp_path, value):
    path = written(tmp_path, "a.jsonl", f'{{"width": 1, "height": 2}}\n{{"width": 640, "height": {value}}}')
    [_, (number, text)] = rows(path)
    assert number == 2
    assert text.startswith("height is") or text == "a number of thousands of digits"
    assert len(text) < 150


def test_rows_that_are_too_short_or_broken(tmp_path):
    text = 'width,height\n640\n"640"x,480\n640,480\n'
    [short, broken, good] = rows(written(tmp_path, "a.csv", text))
    assert short == (2, "the row has 1 of 2 columns")
    assert broken[0] == 3
    assert "no row of a table" in broken[1]
    assert good == (4, (640, 480))


def test_a_quote_that_is_never_closed_costs_little(tmp_path):
    body = "".join(f"{n + 100},480,x\n" for n in range(30_000))
    found = rows(written(tmp_path, "a.csv", f'width,height,name\n640,480,"oops\n{body}'))
    [(number, text)] = [row for row in found if isinstance(row[1], str)]
    assert number == 2
    assert "field larger than field limit" in text
    last = int(text.rpartition(" ")[2].replace(",", ""))
    # All lines after those that are named as lost are there.
    assert [row[0] for row in found[1:]] == list(range(last + 1, 30_003))
    end = rows(written(tmp_path, "b.csv", 'width,height\n640,480\n1,"2\n3,4\n'))
    assert end[0] == (2, (640, 480))
    assert (end[1][0], end[1][1].endswith("lines 3 to 4")) == (3, True)


def test_lines_that_are_too_long_are_named_and_passed(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_LINE", 1000)
    long = "x" * 3500
    path = written(tmp_path, "a.csv", f"width,height,c\n640,480,a\n1,2,{long}\n1280,720,b\n1,2,{long}")
    found = rows(path)
    assert sorted(found, key=lambda row: row[0])[0::2] == [(2, (640, 480)), (4, (1280, 720))]
    assert [number for number, what in found if "longer than" in str(what)] == [3, 5]
    path = written(tmp_path, "a.jsonl", f'{{"width": 1, "height": 2}}\n{{"a": "{long}"}}\n{{"width": 3, "height": 4}}')
    assert [number for number, _ in rows(path)] == [1, 2, 3]
    assert "longer than" in rows(path)[1][1]


def test_a_line_without_end_is_not_held(tmp_path):
    path = tmp_path / "a.jsonl"
    with open(path, "wb") as file:
        file.write(b'{"width": 1, "height": 2}\n{"a": "')
        file.truncate(2**27)  # zeros that take no room on disk
    tracemalloc.start()
    try:
        assert rows(str(path)) == [(1, (1, 2)), (2, "the line is longer than 16 MiB")]
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()


def test_deep_json_is_a_row_that_cannot_be_read(tmp_path):
    deep = '{"a":' * 100_000
    assert rows(written(tmp_path, "a.jsonl", f'{{"width": 1, "height": 2}}\n{deep}\n'))[1] == (
        2, "JSON that is nested too deeply",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "it has: none"),
        ("a.csv", "\n640,480\n", "it has: none"),
        (
            "a.csv",
            "img_width,img_height\n1,2\n",
            "no column 'width'; it has: img_width, img_height. Did you mean img_width?",
        ),
        ("a.csv", "width,width,height\n1,2,3\n", "has 2 columns named 'width'"),
        ("a.csv", "640,480\n", "it has: 640, 480"),
        ("a.csv", '"width,height\n', "its header, cannot be read"),
        ("a.csv", ",".join(f"c{n}" for n in range(5000)), "c29 and 4,970 more"),
        ("a.csv", "wid\x1b[31mth,h\n", r"wid\x1b[31mth"),
        ("a.csv", "width,height\n".encode("utf-16"), "the text is UTF-16"),
        ("a.jsonl", '{"w": 1}\n', "no column 'width'; it has: w"),
        ("a.jsonl", "no json\n", "it has: none"),
        pytest.param("a.parquet", "no parquet", "cannot be read as Parquet", marks=NEEDS_PYARROW),
    ],
)
def test_tables_without_the_columns(tmp_path, name, text, message):
    with pytest.raises(InputError) as caught:
        rows(written(tmp_path, name, text))
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert len(str(caught.value)) < 1200


def test_what_is_no_table_at_all(tmp_path):
    for path, error, message in (
        (str(tmp_path / "a.csv"), InputError, "no such file"), ("/dev/null.csv", InputError, "no such file"),
        (str(tmp_path), UsageError, "a table ends in .csv"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            rows(path)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="not a regular file"):
        rows(str(tmp_path / "folder.csv"))


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path, many = str(tmp_path / "a.parquet"), 70_000
    widths = [640, None, 0, *range(1, many + 1)]
    parquet.write_table(
        pyarrow.table({"url": ["x"] * len(widths), "height": [480.0] * len(widths), "width": widths}), path
    )
    found = rows(path)
    assert found[:3] == [
        (1, (640, 480)),
        (2, "width is missing"),
        (3, "width is 0: a side has from 1 to 100,000,000 pixels"),
    ]
    assert found[3:] == [(n + 3, (n, 480)) for n in range(1, many + 1)]
    with pytest.raises(InputError, match="no column 'w'; it has: url, height, width"):
        rows(path, width="w")


def test_parquet_without_its_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"vistoken\[bulk\]"):
        rows(written(tmp_path, "a.parquet", "x"))


@given(st.lists(st.tuples(st.integers(1, 10**8), st.integers(1, 10**8), st.text(max_size=20))))
def test_what_csv_and_json_write_is_read_again(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("tables")
    with open(folder / "a.csv", "w", newline="", encoding="utf-8", errors="replace") as file:
        csv.writer(file).writerows([("name", "height", "width"), *((text, h, w) for w, h, text in table)])
    with open(folder / "a.jsonl", "w") as file:
        file.writelines(json.dumps({"width": w, "height": h, "name": text}) + "\n" for w, h, text in table)
    expected = [(w, h) for w, h, _ in table]
    assert [size for _, size in rows(str(folder / "a.csv"))] == expected
    if table:
        assert [size for _, size in rows(str(folder / "a.jsonl"))] == expected


@given(st.binary(max_size=400))
def test_any_bytes_are_rows_problems_or_an_error(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("bytes")
    for name, head in (
        ("a.csv", b"width,height\n"),
        ("a.tsv", b"width\theight\n"),
        ("a.jsonl", b'{"width":1,"height":2}\n'),
    ):
        numbers = [number for number, found in read_sizes(written(folder, name, head + data))]
        assert len(set(numbers)) == len(numbers)


def test_sizes_are_kept_once_and_in_order():
    given = [Size(1, 2), Size(2, 1), Size(1, 2), Size(3, 3)]
    sizes = Sizes(given)
    assert list(sizes) == given
    assert len(sizes) == 4
    assert sizes.distinct == (Size(1, 2), Size(2, 1), Size(3, 3))
    assert sizes.counter == {Size(1, 2): 2, Size(2, 1): 1, Size(3, 3): 1}
