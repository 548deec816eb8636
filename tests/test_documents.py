"""Documents: page sizes against what pypdfium2 renders, vendors' rules for pages, sums, and hostile files."""

import json
import os
import subprocess
import sys
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pdfs import LETTER, library, pdf
from PIL import Image

from vistoken import count, count_document, documents
from vistoken.cli import run
from vistoken.errors import InputError, MissingExtra, SettingError, UsageError

QWEN = "qwen2.5-vl-7b"


@pytest.fixture
def write(tmp_path):
    """A function that writes a PDF of these pages and returns its path."""
    library()

    def write(*pages, name="report.pdf", **how):
        path = tmp_path / name
        path.write_bytes(pdf(pages, **how))
        return str(path)

    return write


def sizes(path, **arguments):
    return [(size.width, size.height) for size in documents.read_pages(path, **arguments).sizes]


# ---------------------------------------------------------------- the size of a page


BOXES = [
    LETTER,
    "/MediaBox [0 0 595.276 841.89]",
    "",
    "/CropBox [10 10 310 210]",
    "/CropBox [-100 50 9999 150]",
    "/Rotate 90",
    "/Rotate -90",
    "/Rotate 180",
    "/Rotate 450 /CropBox [0 0 20 300]",
    "/Rotate 45",
    "/MediaBox [300 400 100 20]",
    "/MediaBox [0 0 100.5 200.25] /UserUnit 2",
    "/MediaBox [0 0 0 0]",
    "/MediaBox [0 0 612]",
    "/MediaBox (none)",
    "/MediaBox [0 0 0.1 0.1]",
    "/MediaBox [0 0 612.0001 100]",
]


@pytest.mark.parametrize("dpi", [72, 96, 150, 200, 33.3])
def test_pages_have_the_size_of_their_rendered_bitmap(write, dpi):
    path = write(*BOXES, inherited="/MediaBox [0 0 300 400]")
    with closing(library().PdfDocument(path)) as opened:
        rendered = [bitmap_size(page, dpi) for page in opened]
    assert sizes(path, dpi=dpi) == rendered
    assert sizes(path, dpi=dpi)[5] == sizes(path, dpi=dpi)[2][::-1]  # turned by a quarter


def bitmap_size(page, dpi):
    bitmap = page.render(scale=dpi / 72)
    return bitmap.width, bitmap.height


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    box=st.lists(st.floats(-500, 900, width=32).map(lambda side: round(side, 3)), min_size=4, max_size=4),
    turn=st.sampled_from([0, 90, 180, 270]),
    dpi=st.floats(10, 120),
)
def test_any_page_has_the_size_of_its_rendered_bitmap(write, box, turn, dpi):
    path = write(f"/MediaBox [{' '.join(f'{side:.3f}' for side in box)}] /Rotate {turn}")
    with closing(library().PdfDocument(path)) as opened:
        assert sizes(path, dpi=dpi) == [bitmap_size(opened[0], dpi)]


def test_a_letter_page_by_hand(write):
    assert sizes(write(LETTER)) == [(1700, 2200)]  # 8.5 x 11 inches of 200 dots
    assert sizes(write("/MediaBox [0 0 14400 14400]")) == [(40_000, 40_000)]  # the limit of ISO 32000-1, annex C
    assert sizes(write("/MediaBox [0 0 14400 14400]"), dpi=10_000) == [(2_000_000, 2_000_000)]


def test_pages_that_are_chosen(write):
    path = write(*(f"/MediaBox [0 0 {number} 100]" for number in range(1, 13)))
    for words, wanted in {"3": [3], "1-5,9": [1, 2, 3, 4, 5, 9], "11-": [11, 12], " 9, 2-3,3": [2, 3, 9]}.items():
        found = documents.read_pages(path, pages=words, dpi=72)
        assert list(found.numbers) == wanted == [size.width for size in found.sizes]
        assert found.total == 12


# ---------------------------------------------------------------- counts


def test_pages_are_pictures_at_so_many_dots_per_inch(write):
    path = write(LETTER, LETTER, LETTER + " /Rotate 90", "/MediaBox [0 0 300 300]")
    result = count_document(QWEN, path)
    alone = [count(QWEN, width=w, height=h).tokens for w, h in [(1700, 2200), (1700, 2200), (2200, 1700), (834, 834)]]
    assert [tokens for _, tokens in result.rows] == alone
    assert [name for name, _ in result.rows] == ["page 1", "page 2", "page 3", "page 4"]
    assert result.tokens == sum(alone) == sum(run.total for run in result.runs())
    assert [str(run) for run in result.runs()] == ["1-2", "3", "4"]
    assert result.page(3).tokens == alone[2]
    assert (result.level, str(result.basis)) == (
        "assumed",
        "assumed (pages are given to the model as pictures of 200 dots per inch)",
    )
    assert count_document(QWEN, path, dpi=100).tokens < result.tokens
    assert f"1 x {alone[3]:,} = {result.tokens:,} tokens" in result.explain()
    with pytest.raises(UsageError, match="page 5 was not counted"):
        result.page(5)


def test_gaps_part_runs(write):
    assert [str(run) for run in count_document(QWEN, write(*[LETTER] * 6), pages="1-2,4,6").runs()] == ["1-2", "4", "6"]


@pytest.mark.parametrize(
    ("model", "settings", "letter"),
    [
        ("gemini-2.5-pro", {}, 258),  # guide on documents: a page is 258 tokens
        ("gemini-3-pro", {}, 560),  # guide on media resolution, and published counts of pages
        ("gemini-3-pro", {"media_resolution": "low"}, 280),
        ("gemini-3-pro", {"media_resolution": "high"}, 1120),
        # Standard tier by hand: 952x1232 is 34 x 44 = 1496 patches of 28; one pixel more is 35 x 45 = 1575, above 1568.
        ("claude-haiku-4.5", {}, 1496),
        ("claude-opus-5", {}, 1496),
        ("gpt-4o", {"detail": "low"}, 85),  # vision guide: whatever the size
        ("gpt-4o", {}, 85 + 170 * 4),  # 1700x2200 into 2048, short side 768: 768x994, 2 x 2 tiles
    ],
)
def test_vendors_rules_for_pages(write, model, settings, letter):
    result = count_document(model, write(LETTER, LETTER + " /Rotate 90"), **settings)
    assert result.rows == (("page 1", letter), ("page 2", letter))
    assert result.trust.rule == result.basis
    assert any("of a PDF sent as a file" in note for note in result.spec.notes)


def test_dots_per_inch_do_not_matter_where_a_page_costs_the_same(write):
    path = write(LETTER, "/MediaBox [0 0 10 2000]")
    assert count_document("gemini-3-pro", path, dpi=30).rows == count_document("gemini-3-pro", path, dpi=300).rows


def test_pages_share_the_prompt(write):
    """DeepSeek-VL2 cuts no tiles where three pictures or more share the prompt."""
    model, size = "deepseek-ai/deepseek-vl2", {"width": 1700, "height": 2200}
    two, three = write(LETTER, LETTER, name="two.pdf"), write(LETTER, LETTER, LETTER, name="three.pdf")
    assert count(model, **size).tokens > count(model, **size, images_in_prompt=3).tokens
    assert count_document(model, two).tokens == 2 * count(model, **size).tokens
    assert count_document(model, three).tokens == 3 * count(model, **size, images_in_prompt=3).tokens
    assert count_document(model, three, images_in_prompt=1).tokens == 3 * count(model, **size).tokens


# ---------------------------------------------------------------- TIFF and animations


def distinct(number, size=(64, 48)):
    return Image.new("RGB", size, (number * 40, 0, 255 - number * 40))


@pytest.fixture
def tiff(tmp_path):
    pages = [distinct(1, (640, 480)), distinct(2, (300, 800)), distinct(3, (640, 480))]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    return str(tmp_path / "scan.tif")


def test_every_page_of_a_tiff_is_a_picture(tiff):
    result = count_document(QWEN, tiff)
    assert sizes(tiff) == [(640, 480), (300, 800), (640, 480)]
    assert result.tokens == sum(count(QWEN, width=w, height=h).tokens for w, h in sizes(tiff))
    assert (result.pages.kind, result.pages.dpi) == ("TIFF", None)
    assert documents.is_document(tiff)
    assert count_document(QWEN, tiff, dpi=50).tokens == result.tokens


def test_a_tiff_of_one_page_is_a_picture(tmp_path):
    distinct(1).save(tmp_path / "one.tif")
    assert not documents.is_document(str(tmp_path / "one.tif"))


def test_turned_pages_of_a_tiff(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    distinct(1).save(tmp_path / "t.tif", save_all=True, append_images=[distinct(2)], exif=exif)
    with Image.open(tmp_path / "t.tif") as image:
        wanted = []
        for index in range(2):
            image.seek(index)
            image.load()
            wanted.append(image.size)
    assert sizes(str(tmp_path / "t.tif")) == wanted


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_an_animation_is_one_picture_unless_all_frames_are_asked_for(tmp_path, suffix):
    path = str(tmp_path / f"film.{suffix}")
    frames = [distinct(number) for number in range(5)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    one = count("gpt-4o", image=path).tokens
    assert not documents.is_document(path)
    assert documents.is_document(path, all_frames=True)
    result = count_document("gpt-4o", path, all_frames=True)
    assert result.rows == tuple((f"frame {number}", one) for number in range(1, 6))
    assert count_document("gpt-4o", path, all_frames=True, pages="2-3").tokens == 2 * one
    with pytest.raises(InputError, match="no PDF and no TIFF"):
        count_document("gpt-4o", path)


# ---------------------------------------------------------------- hostile files


def test_broken_documents_are_named(write, tmp_path):
    whole = pdf([LETTER] * 20)
    files = {
        "no.pdf": (b"hello", "no PDF, or a damaged one"),
        "empty.pdf": (b"", "the file is empty"),
        "cut.pdf": (whole[: len(whole) // 20], "no PDF, or a damaged one"),
        "none.pdf": (pdf([]), "no PDF, or a damaged one|holds no page"),
        "secret.pdf": (pdf([LETTER], encrypted=True), "encrypted and needs a password"),
    }
    write(LETTER)
    for name, (data, message) in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=f"{name}: .*({message})"):
            count_document(QWEN, tmp_path / name)


@pytest.mark.parametrize("entries", ["/CropBox [5000 5000 6000 6000]", "/CropBox [0 0 400 -100]"])
def test_a_page_of_which_nothing_is_left(write, entries):
    path = write(LETTER, f"{LETTER} {entries}")
    with pytest.raises(InputError, match=r"report\.pdf: page 2: its crop box leaves nothing of it"):
        count_document(QWEN, path)
    assert count_document(QWEN, path, pages="1").tokens > 0


def test_pages_that_a_document_only_claims(write):
    path = write(LETTER)
    with open(path, "rb") as file:
        data = file.read().replace(b"/Count 1", b"/Count 9")
    with open(path, "wb") as file:
        file.write(data)
    failed = []
    assert list(documents.read_pages(path, failed=failed.append).numbers) == [1]
    assert len(failed) == 8
    assert "page 2: it cannot be read" in str(failed[0])


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ("", UsageError, "write numbers from 1 and ranges"),
        ("0", UsageError, "numbers from 1"),
        ("3-1", UsageError, "numbers from 1"),
        ("-2", UsageError, "numbers from 1"),
        ("1,,2", UsageError, "numbers from 1"),
        ("one", UsageError, "numbers from 1"),
        ("\u0661", UsageError, "numbers from 1"),  # an Arabic 1
        ("1" * 5000, UsageError, "numbers from 1"),
        ("3", InputError, "has 2 pages: there is no page 3"),
        ("1-99999999999999", InputError, "there is no page 99,999,999,999,999"),
    ],
)
def test_words_that_mean_no_pages(write, words, error, message):
    with pytest.raises(error, match=message):
        count_document(QWEN, write(LETTER, LETTER), pages=words)


@pytest.mark.parametrize("dpi", [0, -1, float("nan"), float("inf"), 10_001, "200", True, None])
def test_what_is_no_dpi(write, dpi):
    with pytest.raises(UsageError, match=r"dpi is .*: it must be dots per inch, from 1 to 10,000"):
        count_document(QWEN, write(LETTER), dpi=dpi)


def test_a_document_that_is_too_long(write, monkeypatch):
    monkeypatch.setattr(documents, "MAX_PAGES", 3)
    path = write(*[LETTER] * 5)
    for words in (None, "1-5", "1,2,3,5"):
        with pytest.raises(InputError, match="more than the 3 that are counted at once; choose some"):
            count_document(QWEN, path, pages=words)
    assert len(count_document(QWEN, path, pages="1,3-4")) == 3


def test_a_pipe_is_no_document(tmp_path):
    os.mkfifo(tmp_path / "pipe.pdf")
    assert not documents.is_document(str(tmp_path / "pipe.pdf"))
    with pytest.raises(InputError, match=r"pipe\.pdf: not a regular file"):
        count_document(QWEN, tmp_path / "pipe.pdf")


def test_names_that_are_no_utf_8(write, tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/~\xff\n.pdf")
    os.rename(write(LETTER), odd)
    assert count_document("gemini-2.5-pro", odd).tokens == 258


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.pdf").write_bytes(pdf([LETTER]))
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    with pytest.raises(MissingExtra, match=r"reading PDF files needs pypdfium2.*vistoken\[pdf\]"):
        count_document(QWEN, tmp_path / "a.pdf")


def test_settings_reach_the_model(write):
    with pytest.raises(SettingError, match="detail"):
        count_document("gpt-4o", write(LETTER), detail="huge")


@pytest.mark.slow
def test_a_hundred_thousand_pages_in_flat_memory(write):
    path = write(*(f"/MediaBox [0 0 612 {700 + number % 7}]" for number in range(100_000)))
    code = (
        "import resource, sys, vistoken as vt; r = vt.count_document('qwen2.5-vl-7b', sys.argv[1], dpi=72); "
        "assert len(r) == 100_000; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    out = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert int(out.stdout) < 200 * 1024  # KiB; PDFium alone keeps a kilobyte a page


# ---------------------------------------------------------------- the command


def test_the_command_sums_up_pages(write, capsys):
    path = write(LETTER, LETTER, "/MediaBox [0 0 300 300]")
    assert run(["count", path, "-m", QWEN]) == 0
    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines() if line]
    each = [count(QWEN, width=1700, height=2200).tokens, count(QWEN, width=834, height=834).tokens]
    assert ["1-2", "1700x2200", f"{each[0]:,}", f"{2 * each[0]:,}"] in rows
    assert ["3", "834x834", f"{each[1]:,}", f"{each[1]:,}"] in rows
    assert ["3", "of", "3", f"{2 * each[0] + each[1]:,}"] in rows
    assert "text that lies in the pages is not counted" in err


def test_pages_have_a_price(write, capsys):
    path = write(LETTER, LETTER)
    assert run(["count", path, "-m", "gemini-3-pro", "--price", "2.00"]) == 0
    assert "price, gemini-3-pro: 0.002240" in capsys.readouterr().out  # 1,120 tokens of 2 a million
    assert run(["count", path, "-m", "gemini-3-pro", "--price", "2.00", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["price"] == 0.00224


def test_the_command_takes_the_prompt_that_is_typed(write, capsys):
    path = write(LETTER, LETTER, LETTER)
    tokens = []
    for words in ([], ["--images-in-prompt", "1"]):
        assert run(["count", path, "-m", "deepseek-ai/deepseek-vl2", "--json", *words]) == 0
        tokens.append(json.loads(capsys.readouterr().out)["tokens"])
    assert tokens[0] < tokens[1]


def test_the_command_speaks_json(write, capsys):
    path = write(LETTER, "/MediaBox [0 0 300 300]", LETTER)
    assert run(["count", path, "-m", QWEN, "-m", "gemini-3-pro", "--json", "--pages", "2-", "--dpi", "100"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["model"] for each in found] == ["Qwen/Qwen2.5-VL-7B-Instruct", "gemini-3-pro"]
    for each in found:
        assert (each["source"], each["kind"], each["total"], each["dpi"]) == (path, "PDF", 3, 100)
        assert [(page["number"], page["width"], page["height"]) for page in each["pages"]] == [
            (2, 417, 417),
            (3, 850, 1100),
        ]
        assert each["tokens"] == sum(page["tokens"] for page in each["pages"])
    assert found[1]["tokens"] == 1120


def test_documents_beside_pictures_and_sizes(write, tiff, capsys):
    assert run(["count", "640x480", tiff, write(LETTER), "-m", QWEN, "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each.get("kind", "picture") for each in found] == ["TIFF", "PDF", "picture"]


def test_a_pattern_of_documents_is_spelt_out_and_a_folder_is_not(write, tmp_path, capsys):
    for name in ("a.pdf", "b.pdf"):
        write(LETTER, name=name)
    assert run(["count", str(tmp_path / "*.pdf"), "-m", "gemini-2.5-pro", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    distinct(1).save(tmp_path / "c.png")
    assert run(["count", str(tmp_path), "-m", "gemini-2.5-pro", "--json"]) == 0
    out, err = capsys.readouterr()
    assert [json.loads(line)["source"] for line in out.splitlines()] == [str(tmp_path / "c.png")]
    assert "2 files left aside" in err


def test_the_command_names_what_fails_and_goes_on(write, tmp_path, capsys):
    good = write(LETTER, f"{LETTER} /CropBox [5000 5000 6000 6000]", LETTER)
    (tmp_path / "no.pdf").write_bytes(b"hello")
    assert run(["count", str(tmp_path / "no.pdf"), good, "-m", "gemini-2.5-pro"]) == 3
    out, err = capsys.readouterr()
    assert "failed: " + str(tmp_path / "no.pdf") in err
    assert "page 2: its crop box" in err
    assert "2 of 3" in out
    assert "516" in out


def test_a_document_of_broken_pages_names_the_first(write, capsys):
    path = write(*[f"{LETTER} /CropBox [5000 5000 6000 6000]"] * 50)
    assert run(["count", path, "-m", QWEN]) == 3
    out, err = capsys.readouterr()
    assert not out
    assert len(err.splitlines()) == 6
    assert "45 pages more" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["640x480", "--dpi", "100"], "--dpi is for documents"),
        (["640x480", "--dpi", "0"], "--dpi is for documents"),
        (["PDF", "--within", "500"], "--within, --context and --write have no use for documents"),
        (["--messages", "x.json", "--pages", "1"], "--messages"),
        (["640x480", "--pages", "1"], "--pages is for documents"),
        (["640x480", "--all-frames"], "--all-frames is for documents"),
        (["PDF", "--input", "224x224"], "--input is for sizes and pictures"),
        (["PDF", "--frames", "3"], "--frames is for videos"),
        (["PDF", "--dpi", "0"], "dpi is 0"),
        (["PDF", "--pages", "x"], "write numbers from 1"),
    ],
)
def test_options_without_a_use(write, capsys, words, message):
    path = write(LETTER)
    assert run(["count", *(path if word == "PDF" else word for word in words), "-m", QWEN]) == 2
    assert message in capsys.readouterr().err
