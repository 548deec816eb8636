"""Pictures written so that they fit, prices, and the command."""

import json
import os
from pathlib import Path

import pytest
from conftest import IMAGES
from PIL import Image, ImageCms

import vistoken as vt

QWEN, LIMIT = "qwen2.5-vl-7b", 100
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def photo(size=(400, 300), mode="RGB"):
    with Image.open(IMAGES / "rocket.jpg") as image:
        return image.convert(mode).resize(size)


def turned(path, orientation, **more):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a camera"
    photo().save(path, exif=exif, **more)


@pytest.fixture
def tree(tmp_path):
    """A folder of many kinds: turned, with a profile, with a palette, of 16 bits, of four colours, and one that fits."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    turned(folder / "turned.jpg", 6, icc_profile=PROFILE)
    turned(folder / "below" / "turned.png", 8)
    turned(folder / "turned.webp", 3)
    photo(mode="P").save(folder / "palette.png", transparency=3)
    photo(mode="P").save(folder / "one.gif")
    photo(mode="I").point(lambda value: value * 257).convert("I;16").save(folder / "deep.png")
    photo(mode="CMYK").save(folder / "four.jpg")
    photo(mode="1").save(folder / "line.tif")
    photo(mode="LA").save(folder / "two\nlines.png")
    photo().save(folder / "plain.bmp")
    photo().save(folder / os.fsdecode(b"\xff.jpg"))
    turned_small = Image.Exif()
    turned_small[0x0112] = 6
    photo((80, 60)).save(folder / "small.jpg", exif=turned_small)
    return folder


def test_written_pictures_fit(run, tree, tmp_path):
    made = tmp_path / "made"
    code, out, err = run("count", tree, "-m", QWEN, "--within", LIMIT, "--write", made, "--json")
    assert code == 0
    assert "11 resized (Lanczos, upright, no metadata but the colour profile), 1 that fit already" in err
    names = {path.relative_to(tree) for path in tree.rglob("*") if path.is_file()} - {Path("one.gif")}
    assert {path.relative_to(made) for path in made.rglob("*") if path.is_file()} == {*names, Path("one.png")}
    answers = {os.path.relpath(row["source"], tree): row for row in map(json.loads, out.splitlines())}
    for path in (path for path in made.rglob("*") if path.is_file()):
        name = str(path.relative_to(made)).replace("one.png", "one.gif")
        result = vt.count(QWEN, image=path)
        assert result.tokens == answers[name]["tokens"] <= LIMIT
        assert str(result.size) == answers[name]["image"]
    assert (made / "small.jpg").read_bytes() == (tree / "small.jpg").read_bytes()


def test_what_is_kept_of_a_file(run, tree, tmp_path):
    made = tmp_path / "made"
    run("count", tree, "-m", QWEN, "--within", LIMIT, "--write", made)
    with Image.open(made / "turned.jpg") as image:
        assert (image.format, image.info["icc_profile"]) == ("JPEG", PROFILE)
        assert image.height > image.width  # 400x300, turned by a quarter
        assert not image.getexif()
        upright = photo().transpose(Image.Transpose.ROTATE_270).resize(image.size, Image.Resampling.LANCZOS)
        difference = [abs(a - b) for a, b in zip(image.tobytes(), upright.tobytes(), strict=True)]
        assert sum(difference) / len(difference) < 4  # JPEG, twice
    formats = {"below/turned.png": ("PNG", "RGB"), "turned.webp": ("WEBP", "RGB"), "palette.png": ("PNG", "RGBA"),
               "one.png": ("PNG", "RGB"), "four.jpg": ("JPEG", "CMYK"), "line.tif": ("TIFF", "RGB"),
               "deep.png": ("PNG", "RGB"), "two\nlines.png": ("PNG", "LA"), "plain.bmp": ("BMP", "RGB")}  # fmt: skip
    for name, expected in formats.items():
        with Image.open(made / name) as image:
            assert (image.format, image.mode) == expected, name
    with Image.open(made / "deep.png") as image:  # not cut off at 255: as dark as before
        with Image.open(tree / "plain.bmp") as plain:
            bright = [sum(one.convert("L").resize((1, 1)).tobytes()) for one in (image, plain)]
        assert abs(bright[0] - bright[1]) < 3


def written(made):
    return sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())


def test_nothing_is_overwritten(run, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        photo().save(tmp_path / folder / "same.png")
    made = tmp_path / "made"
    words = ["-m", QWEN, "--within", LIMIT, "--write", made]
    code, _, err = run("count", tmp_path / "a", tmp_path / "b", *words)
    assert (code, written(made)) == (4, [])
    assert "would both be" in err
    assert run("count", tmp_path / "a", *words)[0] == 0
    before = (made / "same.png").read_bytes()
    photo((500, 300)).save(tmp_path / "b" / "another.png")
    code, _, err = run("count", tmp_path / "b", *words)
    assert code == 4
    assert "same.png is there already: nothing is overwritten" in err
    assert (written(made), (made / "same.png").read_bytes()) == (["same.png"], before)
    assert run("count", tmp_path / "a", "-m", QWEN, "--within", LIMIT, "--write", tmp_path / "a")[0] == 4


def test_names_cannot_leave_the_folder(run, tmp_path):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    photo().save(tmp_path / "in" / "sub" / "x.png")
    photo().save(tmp_path / "in" / "y.png")
    made = tmp_path / "made"
    words = ["-m", QWEN, "--within", LIMIT, "--write", made]
    code, _, err = run("count", f"{tmp_path}/in/s*/../*.png", *words)
    assert (code, written(made)) == (0, ["y.png"])
    assert not list(tmp_path.glob("*.png"))
    (made / "y.png").unlink()
    (tmp_path / "elsewhere").mkdir()
    (made / "sub").symlink_to(tmp_path / "elsewhere")
    code, _, err = run("count", tmp_path / "in", *words)
    assert code == 4
    assert "outside of" in err
    assert written(tmp_path / "elsewhere") == []
    (made / "sub").unlink()
    (made / "y.png").symlink_to(tmp_path / "new.png")  # which is not there
    assert run("count", tmp_path / "in" / "y.png", *words)[0] == 4
    assert not (tmp_path / "new.png").exists()


def test_globs_and_files_keep_their_names(run, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        photo().save(tmp_path / "in" / folder / "x.png")
    made = tmp_path / "made"
    words = ["-m", QWEN, "--within", LIMIT, "--write", made]
    assert run("count", f"{tmp_path}/in/*/x.png", *words)[0] == 0
    assert run("count", f"{tmp_path}/in/one/x.png", *words)[0] == 0
    assert written(made) == ["one/x.png", "two/x.png", "x.png"]


def test_what_cannot_be_written_is_named(run, tmp_path):
    folder, made = tmp_path / "in", tmp_path / "made"
    folder.mkdir()
    photo().save(folder / "good.png")
    (folder / "broken.jpg").write_bytes((IMAGES / "rocket.jpg").read_bytes()[:9000])
    photo().save(folder / "moving.gif", save_all=True, append_images=[photo((400, 300)).rotate(90)])
    photo((1200, 900)).save(folder / "large.png")
    words = ["-m", QWEN, "--within", LIMIT, "--write", made, "--max-image-pixels", 10**6]
    code, _, err = run("count", folder, *words)
    assert (code, written(made)) == (3, ["good.png"])
    assert "moving.gif holds 2 pictures" in err
    assert "broken.jpg: cannot be decoded" in err
    assert "more than the 1,000,000 that are decoded" in err
    code, _, err = run("count", folder / "good.png", "-m", "gpt-4o", "--within", 100, "--write", made)
    assert code == 3
    assert "good.png is not written: no size of it fits, but detail=low does" in err
    (tmp_path / "file").write_text("")
    assert run("count", folder / "good.png", "-m", QWEN, "--within", LIMIT, "--write", tmp_path / "file")[0] == 4


# ---------------------------------------------------------------- the command


def test_table_of_what_fits(run):
    """Qwen2.5-VL makes round(side / 28) squared tokens: 17 squared is within 300, and 490 / 28 = 17.5 rounds to 18."""
    code, out, err = run(
        "count", "700x700", "280x280", "-m", QWEN, "--within", 300, "--context", 1000, "--price", "2.5"
    )
    assert code == 0
    assert "price: of input tokens, in the currency of the price given (2.5 a million)" in err
    rows = [line.split() for line in out.splitlines()]
    assert rows[4][:8] == ["700x700", "700x700", "625", "489x489", "289", "0.0007225", "3", rows[4][7]]
    assert rows[5] == ["280x280", "280x280", "100", "280x280", "100", "0.0002500", "10", "fits"]
    assert rows[-1] == ["2", "pictures", "725", "389", "0.0009725"]


def test_several_models_and_json(run):
    words = ["count", "1280x720", "-m", QWEN, "-m", "gpt-4o", "--within", 300, "--price", "gpt-4o=10"]
    code, out, _ = run(*words, "--json")
    assert code == 0
    first, second = map(json.loads, out.splitlines())
    assert "price" not in first
    assert (second["tokens"], second["price"], second["price_per_million"]) == (255, 0.00255, 10.0)
    assert second["settings"] == [{"name": "detail", "value": "low", "tokens": 85}]
    code, out, _ = run(*words)
    assert [line.split()[1] for line in out.splitlines()[4:]] == [QWEN, "gpt-4o"]


def test_a_video(run):
    code, out, err = run("count", "1280x720", "-m", QWEN, "--frames", 64, "--within", 16384, "--price", 1)
    assert code == 0
    rows = [line.split() for line in out.splitlines()[4:]]
    assert [row[1] for row in rows] == ["64", "32", "26"]
    assert rows[-1][2:] == ["1280x720", "15,548", "0.015548"]
    assert "38,272 tokens; fits as it is with max_pixels=" in err
    code, out, _ = run("count", "1280x720", "-m", QWEN, "--frames", 64, "--within", 16384, "--json")
    assert json.loads(out)["most"] == {"frames": 26, "size": "1280x720", "tokens": 15_548}


def test_what_does_not_fit_ends_in_3(run):
    code, out, err = run("count", "640x480", "100x100", "-m", "clip-b32", "-m", QWEN, "--within", 40, "--json")
    assert code == 3
    assert len(out.splitlines()) == 2
    assert "with 50 tokens, 10 more" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--within", "0"], "tokens is 0"),
        (["--within", "many"], "not a valid integer"),
        (["--context", "-5"], "tokens is -5"),
        (["--write", "x"], "give --within N"),
        (["--within", "9", "--max-image-pixels", "9"], "is for --write"),
        (["--within", "900", "--write", ""], "needs the name of a folder"),
        (["--within", "900", "--write", "x"], "is a size"),
        (["--within", "900", "--write", "x", "-m", "gpt-4o"], "needs one model"),
        (["--within", "900", "--frames", "4", "--context", "9"], "--context are for pictures"),
        (["--within", "900", "--frames", "4", "--images-in-prompt", "2"], "leave it out for a video"),
        (["--within", "900", "--input", "28x28"], "no use for --input"),
        (["--within", "900", "--explain"], "--explain"),
        (["--within", "900", "--frames", "9999"], "choose so many first"),
        (["--price", "free"], "write what a million input tokens cost"),
        (["--price", "-1"], "a number from 0"),
        (["--price", "1e3"], "a number from 0"),
        (["--price", "nan"], "a number from 0"),
        (["--price", "3,00"], "a number from 0"),
        (["--price", "$3"], "a number from 0"),
        (["--price", "10000000000"], "a number from 0"),
        (["--price", "3", "--price", "4"], "the price of all is given twice"),
        (["--price", "qwen2.5-vl-7=3"], "Did you mean qwen2.5-vl-7b?"),
    ],
)
def test_wrong_use(run, words, said):
    code, out, err = run("count", "640x480", "-m", QWEN, *words)
    assert (code, out) == (2, "")
    assert said in err


# ---------------------------------------------------------------- prices of a plain count


def test_prices(run):
    """1,196 tokens at 3.00 a million are 0.003588, and 345 are 0.001035."""
    code, out, err = run("count", "1280x720", "640x427", "-m", QWEN, "--price", "3.00")
    assert (code, err) == (0, "note: price: of input tokens, in the currency of the price given (3 a million)\n")
    assert [line.split()[-1] for line in out.splitlines()[4:6]] == ["0.003588", "0.001035"]
    assert out.splitlines()[-1].split() == ["2", "pictures", "1,541", "0.004623"]
    code, out, _ = run("count", "1280x720", "-m", QWEN, "--price", "3.00", "--json")
    assert (json.loads(out)["price"], json.loads(out)["price_per_million"]) == (0.003588, 3.0)
    code, out, _ = run("count", "1280x720", "-m", QWEN, "--price", "3.00", "--explain")
    assert out.endswith("  price: 0.003588\n")


def test_prices_of_several_models(run):
    code, out, err = run(
        "count", "1280x720", "1x1", "-m", QWEN, "-m", "gpt-4o", "--price", "3", "--price", "gpt-4o=2.50"
    )
    assert code == 0
    assert f"(3 a million of {QWEN}, 2.5 a million of gpt-4o)" in err
    assert out.splitlines()[2].split() == ["1280x720", "1280x720", "1,196", "1,105", "0.003588", "0.0027625"]
    sums = out.splitlines()[-1].split()
    assert sums[:2] == ["2", "pictures"]
    assert float(sums[-1]) == pytest.approx(int(sums[3].replace(",", "")) * 2.5e-6)
    _, out, _ = run("count", "1280x720", "-m", QWEN, "-m", "gpt-4o", "--price", "gpt-4o=2.50")
    assert out.splitlines()[2].split()[-2:] == ["-", "0.0027625"]


def test_price_of_a_prompt(run, tmp_path):
    """GPT-4o bills 765 tokens for 1024x1024 (its vision guide)."""
    block = {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}
    path = tmp_path / "prompt.json"
    path.write_text(json.dumps([{"role": "user", "content": [block, block]}]))
    words = ["count", "--messages", path, "-m", "gpt-4o", "--assume", "1024x1024", "--price", "2.5"]
    code, out, err = run(*words)
    assert (code, "2.5 a million" in err) == (0, True)
    assert [line.split()[-1] for line in out.splitlines() if "0.00" in line] == ["0.0019125", "0.0019125", "0.0038250"]
    assert json.loads(run(*words, "--json")[1])["price"] == 0.003825
    code, _, err = run(*words, "--within", 100)
    assert code == 2
    assert "--messages takes no" in err
