"""Reports: the numbers of the plan in all three forms, pages that need nothing else, names that are never markup."""

import json
import os
import re
from html.parser import HTMLParser

import pytest

from vistoken.errors import OutputError, UsageError
from vistoken.planning import plan
from vistoken.planning.hardware import device
from vistoken.planning.memory import allowance
from vistoken.planning.report_cases import Case
from vistoken.planning.report_files import write_report
from vistoken.planning.report_html import html
from vistoken.planning.report_markdown import escaped, markdown
from vistoken.planning.report_parts import Bar, Bars, Lines, Paragraph, Report, Section, Span, Spans, Table
from vistoken.planning.reports import report

QWEN = ("plan", "1280x720", "-m", "qwen2.5-vl-7b", "--llm", "own", "--dtype", "bfloat16", "--batch", "4",
        "--device", "l4", "--device", "rtx4090")  # fmt: skip
SIGLIP = ("plan", "-m", "siglip-so400m14-384", "-m", "vit-b16-224")
VOID = {"meta"}


def written(run, tmp_path, ending, arguments):
    path = tmp_path / f"report{ending}"
    code, out, err = run(*arguments, "-o", path)
    assert (code, err) == (0, "")
    assert str(path) in out
    return path.read_text(encoding="utf-8")


def tables(text):
    """Of a Markdown page: the heading above each table, its header and its rows, without emphasis and escapes."""
    found, heading, rows = [], "", []
    for line in [*text.split("\n"), ""]:
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if line.startswith("|"):
            cells = re.split(r"(?<!\\) \| ", line.removeprefix("| ").removesuffix(" |"))
            rows.append([cell.strip("*").replace("\\", "") for cell in cells])
        elif rows:
            found.append((heading, rows[0], rows[2:]))
            rows = []
    return found


def number(cell):
    return int(cell.replace(",", ""))


# ---------------------------------------------------------------- numbers


def test_markdown_says_the_numbers_of_the_plan_and_its_tables_sum(run, tmp_path):
    planned = plan("qwen2.5-vl-7b", width=1280, height=720, dtype="bfloat16", batch=4)
    found = tables(written(run, tmp_path, ".md", QWEN))
    sums = {}
    for heading, header, rows in found:
        if rows[-1][0] != "total":
            continue
        for column, name in enumerate(header):
            if name in ("parameters", "multiply-adds", "FLOPs", "bytes"):
                values = [number(row[column]) for row in rows]
                assert sum(values[:-1]) == values[-1], (heading, name)
                sums.setdefault((heading, name), []).append(values[-1])
    memory = planned.memory
    codes = [("vistoken", "fused"), ("vistoken", "eager"), ("transformers", "fused"), ("transformers", "eager")]
    assert sums["Parameters", "parameters"] == [676_550_144]
    # 3,329,255,178,240 a picture: what torch's counter says of transformers' own tower at 1288x728.
    assert sums["Multiply-adds and FLOPs", "multiply-adds"] == [4 * 3_329_255_178_240]
    assert sums["Multiply-adds and FLOPs", "FLOPs"] == [8 * 3_329_255_178_240]
    assert sums["Inference", "bytes"] == [memory.inference(code, engine).total for code, engine in codes]
    assert sums["Allowance on a GPU", "bytes"] == [allowance(memory.inference()).total]
    assert sums["The LLM behind", "multiply-adds"] == [7_947_910_111_232]


def test_weights_in_every_dtype_and_multiples_are_what_they_say(run, tmp_path):
    found = tables(written(run, tmp_path, ".md", SIGLIP))
    [weights] = [rows for heading, _, rows in found if heading == "Weights"][:1]
    params = 428_225_600  # of transformers' SiglipVisionModel with its head
    assert [(row[0], number(row[1])) for row in weights[:2]] == [("float32", 4 * params), ("bfloat16", 2 * params)]
    assert weights[0][3] == "428,225,600 × 4"
    tokens, dim = 729, 1152
    [peak] = [rows for heading, header, rows in found if heading == "Inference" and header[0] != "code"][:1]
    rows = {row[0]: (number(row[1]), row[3]) for row in peak}
    assert rows["block input"] == (4 * tokens * dim, "1 × E")
    assert rows["MLP: hidden vectors"] == (2 * 4 * tokens * 4304, "2 × H")


def test_json_is_the_twin_of_the_plan(run, tmp_path):
    found = json.loads(written(run, tmp_path, ".json", QWEN))
    planned = plan("qwen2.5-vl-7b", width=1280, height=720, dtype="bfloat16", batch=4)
    [case] = found["cases"]
    assert case["params"] == planned.params.as_dict()
    assert case["macs"] == planned.macs.as_dict()
    assert sum(step["macs"] for step in case["operations"]) * 4 == case["macs"]["total"]
    assert sum(step["params"] for step in case["operations"]) == case["params"]["total"]
    assert case["inference"][0]["total"] == sum(case["inference"][0]["rows"].values())
    assert case["training"][0]["total"] is None
    assert "ViT, CLIP" in case["training"][0]["reason"]
    assert case["count"]["tokens"] == case["llm"]["tokens"] == 1196
    assert [each["device"] for each in case["devices"]] == ["l4", "rtx4090"]
    needed = case["inference"][0]["total"] + case["allowance"]["total"]
    assert case["devices"][0]["memory"] == {"needed": needed, "has": 24_000_000_000, "fits": True}
    assert case["devices"][0]["figures"]["rate"]["value"] == 121


def test_html_has_the_numbers_of_markdown(run, tmp_path):
    """Every cell of every table."""
    page = Page(written(run, tmp_path, ".html", QWEN))
    wanted = [[header, *rows] for _, header, rows in tables(written(run, tmp_path, ".md", QWEN))]
    shown = [[[cell.replace("<", "&lt;") for cell in row] for row in table] for table in page.tables]
    assert shown == wanted


def test_training_is_told_where_it_is_known(run, tmp_path):
    memory = plan("vit-b16-224").memory
    found = json.loads(written(run, tmp_path, ".json", SIGLIP))["cases"][1]["training"]
    assert [each["total"] for each in found] == [memory.training(checkpointing=kept).total for kept in (False, True)]


def test_the_same_plan_gives_the_same_bytes(run, tmp_path):
    assert written(run, tmp_path, ".html", SIGLIP) == written(run, tmp_path, ".html", SIGLIP)


def test_videos_bare_geometry_and_what_is_not_measured_have_reports(run, tmp_path):
    text = written(run, tmp_path, ".md", ("plan", "640x480", "-m", "qwen2.5-vl-7b", "--frames", "4"))
    assert "at 640x480, 4 frames" in text
    bare = ("plan", "224x224", "--patch", "16", "--dim", "384", "--depth", "2", "--heads", "6")
    assert "224 // 16 = 14 columns" in written(run, tmp_path, ".md", bare)
    merged = ("plan", "-m", "vit-b16-224", "--merge-tokens", "8", "--dtype", "float16", "--device", "l4")
    text = written(run, tmp_path, ".md", merged)
    assert "l4: not known" in text
    assert "a sum over layers" in text
    assert written(run, tmp_path, ".html", merged).count("<figure>") == 3  # no chart of memory that is not known


# ---------------------------------------------------------------- the page


class Page(HTMLParser):
    """Checks that tags close in order; collects what refers elsewhere, text alternatives and tables."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.refers, self.ids, self.tables, self.labelled = [], [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.refers += [value for name, value in attributes if name in ("src", "href", "action", "data", "xlink:href")]
        self.refers += [name for name, _ in attributes if name.startswith("on")]
        self.ids += [values["id"]] if "id" in values else []
        self.labelled += values.get("aria-labelledby", "").split() if tag == "svg" else []
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data


def test_the_page_is_well_formed_and_needs_nothing_else(run, tmp_path):
    text = written(run, tmp_path, ".html", (*QWEN, "-m", "internvl3-8b"))
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
    assert all(target.startswith("#s") and target[1:] in page.ids for target in page.refers)
    assert not re.search(r"https?:|url\(|@import", text)
    assert len(page.ids) == len(set(page.ids))
    assert 'name="viewport"' in text
    assert "@media print" in text
    assert "prefers-color-scheme:dark" in text
    # Two that compare; for each model parameters, multiply-adds, inference, what fits, latency and prefill.
    assert page.tags.count("svg") == 2 + 2 * 6
    assert len(page.labelled) == 2 * page.tags.count("svg")  # a title and a description each
    assert set(page.labelled) <= set(page.ids)


def test_bars_have_their_lengths_and_ranges_their_whiskers():
    charts = (
        Bars("b", (Bar("one", "1", (("x", 30), ("y", 60)), whole=120), Bar("two", "2", (("x", 10),), whole=5))),
        Spans("s", (Span("known", "1 to 4", 1, 2, 4), Span("bound", "at least 2", 2, None, None))),
    )
    text = html(Report("t", charts, (), "f"))
    wide = [float(value) for value in re.findall(r'<rect class="c\d+"[^>]* width="([\d.]+)"', text)]
    # 360 are the whole: 30 and 60 of 120; 10 where only 5 are there; 2 of 5 (1.25 x 4) and 2 of 5.
    assert wide == [90, 180, 360, 144, 144]
    assert text.count('class="mark open"') == 1


# ---------------------------------------------------------------- hostile names

HOSTILE = '<script>alert(1)</script>|`x` **b** & "q" \'\n\x1b[31m'


def without_code(text):
    """A Markdown page without its fenced blocks, in which nothing is markup."""
    return re.sub(r"^(```+)text\n.*?^\1$", "", text, flags=re.S | re.M)


def test_names_are_never_markup():
    nasty = Report(
        HOSTILE,
        (Paragraph(HOSTILE), Lines(HOSTILE), Bars(HOSTILE, (Bar(HOSTILE, HOSTILE, ((HOSTILE, 1), ("b", 2))),))),
        (Section(HOSTILE, (Table((HOSTILE, "n"), ((HOSTILE, "1"),)), Spans(HOSTILE, (Span(HOSTILE, "", 1, 1, 1),)))),),
        HOSTILE,
    )
    text = html(nasty)
    page = Page(text)
    assert "script" not in page.tags
    assert "\x1b" not in text
    assert page.tables[0][1][0].startswith("<script>alert(1)</script>|`x`")
    flat = markdown(nasty)
    assert "<" not in without_code(flat)
    assert "\x1b" not in flat
    [(_, header, rows)] = tables(flat)
    assert (len(header), len(rows)) == (2, 1)


def test_a_folder_with_a_hostile_name_is_planned_and_does_not_inject(run, tmp_path):
    folder = tmp_path / "<script>alert(1)<"
    folder.mkdir()
    config = {"model_type": "vit", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
              "intermediate_size": 64, "image_size": 32, "patch_size": 8, "num_channels": 3, "hidden_act": "gelu",
              "layer_norm_eps": 1e-6, "qkv_bias": True, "architectures": ["ViTModel"]}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    processor = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": 32, "width": 32},
                 "resample": 2, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
                 "image_mean": [0.5] * 3, "image_std": [0.5] * 3}  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    text = written(run, tmp_path, ".html", ("plan", "-m", folder))
    assert "alert(1)" in text
    assert "script" not in Page(text).tags
    assert "<script" not in without_code(written(run, tmp_path, ".md", ("plan", "-m", folder)))


def test_a_fence_within_does_not_end_the_block():
    """CommonMark, "fenced code blocks": only a fence at least as long closes one."""
    text = markdown(Report("t", (Lines("a\n````\n<script>"),), (), "f"))
    assert "`````text\na\n````\n<script>\n`````\n" in text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("# no heading", "\\# no heading"), ("- no item", "\\- no item"), ("1. no list", "\\1. no list"),
     ("max_num_patches", "max_num_patches"), ("_x_", "\\_x\\_"), ("a|b", "a\\|b")],
)  # fmt: skip
def test_markdown_is_escaped(text, wanted):
    assert escaped(text) == wanted


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("-o", "report.pdf"), 2, "must end in .md or .html or .json"),
        (("-o", "report"), 2, "must end in .md"),
        (("-o", ""), 2, "must end in .md"),
        (("-o", "no/such/folder/r.md"), 4, "there is no folder"),
        (("-o", "r.md", "--within", "tokens<=5"), 2, "--within has no use for --output"),
        (("-o", "r.md", "--reduce", "pool=2"), 2, "--reduce has no use for --output"),
        (("-o", "r.md", "--shape", "so400m:2x"), 2, "--shape has no use for --output"),
        (("-o", "r.md", "--dtype", "float99"), 2, "dtype 'float99' is unknown"),
        (("-o", "r.md", "--device", "l4"), 2, "l4 has no rate for dtype 'float32'"),
        (("-o", "r.md", "-m", "vit-b16-225"), 5, "Did you mean"),
    ],
)
def test_what_cannot_be_written_is_said_and_nothing_is_left(run, tmp_path, arguments, code, message):
    given = [str(tmp_path / word) if word in ("r.md", "no/such/folder/r.md") else word for word in arguments]
    found, out, err = run("plan", "-m", "vit-b16-224", *given)
    assert (found, out) == (code, "")
    assert message in err
    assert os.listdir(tmp_path) == []


def test_a_calibration_is_no_report(run, tmp_path):
    code, out, err = run("plan", "--calibrate", "-o", tmp_path / "r.md")
    assert (code, out) == (2, "")
    assert "--calibrate has no use for --output" in err


def test_a_folder_in_the_way_is_an_error_and_a_file_is_kept_until_the_new_one_is_whole(run, tmp_path):
    (tmp_path / "r.md").mkdir()
    code, _, err = run("plan", "-m", "vit-b16-224", "-o", tmp_path / "r.md")
    assert (code, "it is a folder" in err) == (4, True)
    kept = tmp_path / "kept.html"
    kept.write_text("old")
    with pytest.raises(UsageError, match="no rate"):  # found out while the report is made
        write_report([Case(plan("vit-b16-224"), devices=(device("l4"),))], str(kept))
    assert kept.read_text() == "old"
    with pytest.raises(OutputError, match="there is no folder"):
        write_report([Case(plan("vit-b16-224"))], str(tmp_path / "no" / "r.md"))


def test_what_fails_is_named_and_the_rest_is_reported(run, tmp_path):
    path = tmp_path / "r.json"
    code, out, err = run("plan", "224x224", "no-such-picture.png", "-m", "vit-b16-224", "-o", path, "--json")
    assert (code, "no-such-picture.png" in err) == (3, True)
    assert json.loads(out) == {"output": str(path), "plans": ["google/vit-base-patch16-224 at 224x224"]}
    assert len(json.loads(path.read_text())["cases"]) == 1
    many = [f"{side}x{side}" for side in range(100, 151)]
    code, _, err = run("plan", *many, "-m", "dinov2-s14", "-o", tmp_path / "many.md")
    assert (code, "holds 50 plans" in err) == (2, True)
    assert not (tmp_path / "many.md").exists()


def test_the_largest_is_left_out_of_a_chart_that_it_would_flatten():
    made = report([Case(plan("vit-b16-224", batch=64))])
    [inference] = [s for s in made.sections[0].sections[3].sections if s.title == "Inference"]
    [chart] = [part for part in inference.parts if isinstance(part, Bars)]
    assert "vistoken, eager attention" not in [bar.label for bar in chart.bars]
    assert any("Not drawn" in part.text for part in inference.parts if isinstance(part, Paragraph))
