"""The command as a user types it: output, exit codes, errors without a traceback."""

import importlib.util
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import clips
import pytest
from conftest import IMAGES, PHOTOGRAPHS, ROOT
from pdfs import LETTER, pdf

from vistoken import cli

TORCH = importlib.util.find_spec("torch") is not None
CLIP, QWEN, FRONT = "clip-l14-336", "qwen2.5-vl-7b", "vistoken/front-end"
ROCKET = IMAGES / "rocket.jpg"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "vit", "hidden_size": 48, "num_attention_heads": 4})
    )
    (tmp_path / "preprocessor_config.json").write_text("{}")
    return tmp_path


# ---------------------------------------------------------------- count


def test_count_prints_a_table(run):
    code, out, err = run("count", "1280x720", "examples/images/rocket.jpg", "-m", QWEN)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "Qwen/Qwen2.5-VL-7B-Instruct"
    assert lines[4].split() == ["1280x720", "1280x720", "1288x728", "52", "x", "92", "4,784", "0", "1,196", "1,196"]
    assert lines[5].split()[-1] == "345"
    assert lines[-1].split() == ["2", "pictures", "1,541"]


def test_count_of_a_folder_side_by_side(run):
    code, out, err = run("count", "examples/images", "-m", CLIP, "-m", "siglip2-naflex")
    assert code == 0
    assert err == "note: examples/images: 1 file left aside, whose ending is not that of a picture\n"
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith("examples/")}
    assert len(rows) == 6
    assert rows["examples/images/rocket.jpg"] == ["640x427", "577", "247"]


def test_count_as_json_has_the_attributes(run):
    import vistoken as vt

    code, out, _ = run("count", "640x480", str(ROCKET), "-m", QWEN, "-m", CLIP, "--json")
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["source"], row["model"]) for row in rows] == [
        (source, model) for source in ("640x480", str(ROCKET))
        for model in ("Qwen/Qwen2.5-VL-7B-Instruct", "openai/clip-vit-large-patch14-336")
    ]  # fmt: skip
    result = vt.count(QWEN, width=640, height=480)
    for name in ("patches", "prefix_tokens", "image_tokens", "marker_tokens", "tokens", "model"):
        assert rows[0][name] == getattr(result, name)
    assert rows[1]["image_tokens"] is None
    assert rows[1]["rows"] == {"patches": 576, "class token": 1}


def test_explain_sums_up(run):
    code, out, _ = run("count", "1280x720", "-m", QWEN, "--explain")
    assert code == 0
    assert "728 // 14 = 52 rows, 1288 // 14 = 92 columns: 52 x 92 = 4,784 patches" in out
    assert "= 1,196 tokens" in out
    assert "vision_start" in out
    code, out, _ = run("count", "1280x720", "-m", "vit-b16-224", "--input", "384x224", "--explain")
    assert "view rule skipped: input 384x224" in out
    assert "14 x 24 = 336 patches" in out


def test_settings(run):
    assert "594" in run("count", "1280x720", "-m", QWEN, "--set", "max_pixels=501760")[1]
    code, _, err = run("count", "1280x720", "-m", QWEN, "--set", "max_pixel=501760")
    assert (code, err.count("\n")) == (2, 1)
    assert "Did you mean max_pixels" in err
    for wrong in ("max_pixels", "=5", "max_pixels=5x"):
        assert run("count", "1280x720", "-m", QWEN, "--set", wrong)[0] in (2, 5)
    assert run("count", "5x5", "-m", QWEN, "--set", "max_pixels=5000", "--set", "max_pixels=6000")[0] == 2


# ---------------------------------------------------------------- plan


def test_plan_of_one_model(run):
    code, out, _ = run("plan", "-m", "vit-b16-224", "--head", "1000")
    assert code == 0
    assert "86,567,656" in out
    assert "17,563,828,224" in out
    assert "17.564 GMACs = 35.128 GFLOPs" in out
    assert "330.2 MiB" in out


def test_plan_side_by_side_and_json_agree(run):
    models = ["-m", "vit-b16-224", "-m", CLIP, "-m", "dinov2-g14", "-m", "siglip-so400m14-384"]
    code, out, _ = run("plan", *models)
    assert code == 0
    for figure in ("85.80 M", "304.29 M", "1,136.48 M", "428.23 M", "17.563 G", "190.960 G", "299.390 G", "335.173 G"):
        assert figure in out
    rows = [json.loads(line) for line in run("plan", *models, "--json")[1].splitlines()]
    assert [row["params"]["total"] for row in rows] == [85_798_656, 304_293_888, 1_136_480_768, 428_225_600]
    for row in rows:
        assert row["flops"]["total"] == 2 * row["macs"]["total"]
        assert row["memory"]["total"] == 4 * row["params"]["total"]
        assert sum(row["macs"]["rows"].values()) == row["macs"]["total"]


def test_plan_from_bare_geometry(run):
    code, out, _ = run("plan", "224x224", "--patch", "16", "--dim", "768", "--depth", "12", "--heads", "12")
    assert code == 0
    assert "85,798,656" in out
    code, out, _ = run("plan", "224x224", "--patch", "16x32", "--dim", "64", "--depth", "1", "--heads", "1", "--json")
    assert json.loads(out)["tokens"] == 7 * 14 + 1


# ---------------------------------------------------------------- encode, look, models


def test_encode_writes_both_formats(run, tmp_path):
    pytest.importorskip("torch")
    import numpy as np
    from safetensors import safe_open

    out_file, npz = tmp_path / "tokens.safetensors", tmp_path / "tokens.npz"
    code, out, err = run("encode", str(ROCKET), str(IMAGES / "chelsea.png"), "-m", FRONT, "-o", str(out_file))
    assert (code, err) == (0, "")
    assert "1040x768" in out
    assert "2 pictures" in out
    with safe_open(out_file, "np") as file:
        assert sorted(file.keys()) == sorted(f"{i}/{n}" for i in (0, 1) for n in ("patches", "prefix.cls", "grids"))
        assert json.loads(file.metadata()["sources"]) == [str(ROCKET), str(IMAGES / "chelsea.png")]
        assert file.get_tensor("1/grids").tolist() == [[1, 18, 28]]
        patches = file.get_tensor("1/patches")
    code, out, _ = run("encode", str(ROCKET), str(IMAGES / "chelsea.png"), "-m", FRONT, "-o", str(npz), "--json")
    assert json.loads(out.splitlines()[1])["shapes"]["patches"] == [504, 768]
    loaded = np.load(npz, allow_pickle=False)
    np.testing.assert_array_equal(loaded["1/patches"], patches)
    assert json.loads(str(loaded["metadata"]))["model"] == FRONT
    assert sorted(os.listdir(tmp_path)) == ["tokens.npz", "tokens.safetensors"]  # no temporary file is left


def test_encode_goes_on_after_a_bad_picture(run, tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "text.jpg").write_text("text")
    code, out, err = run(
        "encode",
        "nowhere.png",
        str(tmp_path / "text.jpg"),
        "8x8",
        str(ROCKET),
        "-m",
        FRONT,
        "-o",
        str(tmp_path / "t.npz"),
    )
    assert code == 3
    assert err.count("failed: ") == 3
    assert "1 picture" in out


def test_look_draws(run, tmp_path):
    from PIL import Image

    for model in (CLIP, QWEN, FRONT):
        path = tmp_path / f"{model.replace('/', '-')}.png"
        code, out, err = run("look", str(ROCKET), "-m", model, "-o", str(path))
        assert (code, err) == (0, "")
        assert Image.open(path).format == "PNG"
        assert ("left out: positions and norms" in out) == (model != FRONT or not TORCH)


def test_look_in_numbers(run):
    code, out, _ = run("look", "--numbers")
    assert code == 0
    assert len(out.splitlines()) <= 50
    assert max(map(len, out.splitlines())) <= 80


def test_models_lists_and_shows(run, folder):
    code, out, _ = run("models")
    assert code == 0
    assert "facebook/dinov2-with-registers-giant" in out
    assert len(run("models", "--json")[1].splitlines()) > 70
    code, out, _ = run("models", str(folder))
    assert code == 0
    assert f"{folder}/config.json" in out
    assert "default of ViTConfig in transformers" in out
    shown = json.loads(run("models", "clip-b32", "--json")[1])
    assert shown["encoder"]["dim"] == 768
    assert shown["rule"]["type"] == "ShortSideCrop"
    assert shown["encoder"]["prefix"] == [{"type": "ClassToken", "count": 1}]
    assert shown["pixels"]["std"][0] == 0.26862954


# ---------------------------------------------------------------- wrong use


BAD = [
    (3, ["count", "nowhere.jpg", "-m", CLIP], "nowhere.jpg: no such file or folder"),
    (3, ["count", "{tmp}/text.jpg", "-m", CLIP], "text.jpg: not a picture in a format that is read"),
    (3, ["count", "{tmp}/empty.jpg", "-m", CLIP], "empty.jpg: the file is empty"),
    (3, ["encode", "{tmp}/cut.jpg", "-m", FRONT, "-o", "{tmp}/t.npz"], "cut.jpg: cannot be decoded"),
    (3, ["count", "{tmp}/dot.png", "-m", FRONT], "1x1 is smaller than one 16x16 patch"),
    (3, ["encode", "{tmp}/dot.png", "-m", FRONT, "-o", "{tmp}/t.npz"], "1x1 is smaller than one 16x16 patch"),
    (3, ["look", "{tmp}/text.jpg", "-m", CLIP, "-o", "{tmp}/t.png"], "text.jpg: not a picture"),
    (3, ["count", "1x300", "-m", QWEN], "200 times"),
    (2, ["count", "0x720", "-m", CLIP], "width is 0"),
    (2, ["count", "1280*720", "-m", CLIP], "write WIDTHxHEIGHT"),
    (2, ["count", "1280x720"], "Missing option '-m'"),
    (2, ["count", "-m", CLIP], "Missing argument"),
    (2, ["count", "5x5", "-m", CLIP, "--input", "5"], "'5' is not a size"),
    (2, ["count", "5x5", "-m", CLIP, "--input", "5x5"], "input 5x5 is smaller than one 14x14 patch"),
    (2, ["count", "5x5", "-m", QWEN, "--input", "42x42"], "sides must be multiples of 28, for example 28x28"),
    (2, ["plan", "224x224", "--patch", "16", "--dim", "768", "--depth", "12", "--heads", "5"], "5 heads do not divide dim 768"),
    (2, ["plan", "224x224", "--patch", "0", "--dim", "768", "--depth", "12", "--heads", "12"], "height is 0"),
    (2, ["plan", "224x224", "--patch", "16", "--dim", "0", "--depth", "12", "--heads", "12"], "dim is 0"),
    (2, ["plan", "224x224", "--patch", "16", "--dim", "768"], "lacks --depth and --heads"),
    (2, ["plan", "224x224"], "give -m MODEL, or bare geometry"),
    (2, ["plan", "--patch", "16", "--dim", "8", "--depth", "1", "--heads", "1"], "bare geometry needs a size"),
    (2, ["plan", "-m", CLIP, "--dim", "5"], "not both"),
    (2, ["plan", "-m", CLIP, "--dtype", "bfloat"], "Did you mean bfloat16"),
    (5, ["plan", "-m", "gpt-4o"], "counted but not planned"),
    (5, ["count", "5x5", "-m", "dinov2-bse"], "Did you mean facebook/dinov2-base"),
    (5, ["count", "5x5", "-m", "{tmp}"], "has no config.json"),
    (5, ["count", "5x5", "-m", "{tmp}/notjson"], "config.json is not valid JSON"),
    (5, ["count", "5x5", "-m", "{tmp}/wrongtype"], "config.json: hidden_size is '768'"),
    (5, ["encode", str(ROCKET), "-m", "{tmp}/noweights", "-o", "{tmp}/t.npz"], "holds no model.safetensors"),
    (5, ["encode", str(ROCKET), "-m", "gpt-4o", "-o", "{tmp}/t.npz"], "counted but not encoded"),
    (2, ["encode", str(ROCKET), "-m", FRONT, "-o", "{tmp}/t.txt"], "must end in .safetensors or .npz"),
    (4, ["encode", str(ROCKET), "-m", FRONT, "-o", "{tmp}/no/t.npz"], "there is no folder"),
    (2, ["encode", str(ROCKET), "-m", FRONT, "-o", "{tmp}/t.npz", "--attention", "flsh"], "attention 'flsh' is unknown"),
    (2, ["encode", str(ROCKET), "-m", FRONT, "-o", "{tmp}/t.npz", "--device", "cuba"], "device 'cuba'"),
    (3, ["encode", "640x480", "-m", FRONT, "-o", "{tmp}/t.npz"], "needs a picture, not a size"),
    (3, ["encode", str(ROCKET), "-m", FRONT, "-o", "{tmp}/t.npz", "--max-image-pixels", "9"], "more than the 9 that are decoded"),
    (2, ["look", str(ROCKET), "-m", CLIP], "look needs one IMAGE"),
    (2, ["look", str(ROCKET), "-m", CLIP, "-o", "{tmp}/t.jpg"], "must end in .png"),
    (4, ["look", str(ROCKET), "-m", CLIP, "-o", "{tmp}/no/t.png"], "there is no folder"),
    (2, ["look", "--numbers", str(ROCKET)], "leave out IMAGE"),
    (2, ["look", "--numbers", "--json"], "leave out IMAGE and all other options"),
    (2, ["look", "640x480", "-m", CLIP, "-o", "{tmp}/t.png"], "look needs one picture"),
    (2, ["look", "{tmp}/dot.png", "-m", CLIP, "-o", "{tmp}/dot.png"], "is the picture itself"),
    (2, ["models", "--set", "size=5"], "need a NAME or FOLDER"),
    (2, ["plan", "9x9", "--patch", "a", "--dim", "8", "--depth", "1", "--heads", "1"], "--patch a: write the side"),
    (2, ["plan", "64x64", "--patch", "8", "--dim", "8", "--depth", "1", "--heads", "1", "--set", "a=b"], "a has no meaning"),
    (2, ["plan", "64x64", "--patch", "8", "--dim", "8", "--depth", "9" * 400, "--heads", "1"], "from 0 to 10,000"),
    (2, ["plan", "-m", CLIP, "--batch", "9" * 400], "from 1 to 1,000,000,000"),
    (2, ["count", "5x5", "-m", CLIP, "--set", "image_mean=1" + "0" * 400], "setting image_mean is 1000"),
    (2, ["plan", "-m", CLIP, "--set", "batch=5"], "batch is an argument of the command"),
    (2, ["encode", str(ROCKET), "-m", FRONT, "-o", "{tmp}/t.npz", "--set", "pool=cls"], "pool is an argument"),
    (2, ["count", "5x5", "-m", CLIP, "--set", "size=null"], "setting size is null"),
    (2, ["encode", str(ROCKET), "-m", FRONT, "-o", "{tmp}/t.npz", "--device", "meta"], "holds no values"),
    (3, ["encode", str(ROCKET), "-m", FRONT, "-o", "{tmp}/t.npz", "--input", "90000x90000"], "would be scaled to"),
    (2, ["cuont", "5x5"], "No such command"),
    (2, ["count", "5x5", "-m", CLIP, "--jsn"], "No such option"),
]  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    from PIL import Image

    tmp = tmp_path_factory.mktemp("corpus")
    (tmp / "text.jpg").write_text("not a picture")
    (tmp / "empty.jpg").write_bytes(b"")
    (tmp / "cut.jpg").write_bytes(ROCKET.read_bytes()[:20_000])
    Image.new("RGB", (1, 1)).save(tmp / "dot.png")
    for name, text in (
        ("notjson", "{"),
        ("wrongtype", '{"model_type": "vit", "hidden_size": "768"}'),
        ("noweights", '{"model_type": "vit"}'),
    ):
        (tmp / name).mkdir()
        (tmp / name / "config.json").write_text(text)
        (tmp / name / "preprocessor_config.json").write_text("{}")
    return tmp


@pytest.mark.parametrize(
    ("code", "arguments", "message"), BAD, ids=lambda x: " ".join(x)[:60] if isinstance(x, list) else ""
)
def test_wrong_use_gives_one_clear_error(run, corpus, code, arguments, message):
    if arguments[0] == "encode":
        pytest.importorskip("torch")
    got, out, err = run(*(argument.replace("{tmp}", str(corpus)) for argument in arguments))
    assert got == code, err
    assert message in err
    assert "Traceback" not in err
    assert len([line for line in err.splitlines() if line.startswith(("error", "failed"))]) <= 1
    if code == 5:
        assert out == ""


def test_a_bug_of_ours_is_exit_1_with_how_to_report_it(run, monkeypatch):
    import vistoken.counting.tokens as tokens

    monkeypatch.setattr("vistoken.counting.count_views", lambda *_: 1 / 0)
    code, _, err = run("count", "5x5", "-m", CLIP)
    assert code == 1
    assert "This is a bug in vistoken" in err
    assert "vistoken count 5x5 -m clip-l14-336" in err
    assert "ZeroDivisionError" in err
    assert tokens


def test_interruption_is_exit_130(run, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("vistoken.counting.count_views", interrupt)
    assert run("count", "5x5", "-m", CLIP)[0] == 130


def start(*arguments, **options):
    code = "from vistoken.cli import main; main()"
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, **options)


def test_termination_is_exit_143(tmp_path):
    pipe = tmp_path / "many"
    pipe.mkdir()
    for number in range(3000):
        os.symlink(ROCKET, pipe / f"{number}.jpg")
    process = start("count", str(pipe), "-m", CLIP, "--json", stdout=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    assert process.wait(20) == 143


def test_a_reader_that_goes_away_is_quiet():
    process = start("models", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    err = process.stderr.read().decode()
    assert process.wait(20) == 4
    assert "Traceback" not in err


def test_a_closed_output_is_exit_4():
    for redirect, code in ((">&-", 4), ("2>/dev/full", 0)):
        command = f"{sys.executable} -m vistoken count 640x480 -m clip-b32 {redirect}"
        assert subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True).returncode == code
    command = f"{sys.executable} -m vistoken count nowhere.jpg -m clip-b32 2>/dev/full"
    assert subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True).returncode == 3


def test_names_of_any_bytes(tmp_path):
    """Not UTF-8, newlines, escapes: shown written out, valid JSON, and no matter for the exit code."""
    for name in (b"bad\xff.jpg", b"line\nbreak.jpg", b"esc\x1b[31m.jpg", "日本.jpg".encode()):
        os.symlink(os.fsencode(ROCKET), os.path.join(os.fsencode(tmp_path), name))
    for encoding in ("utf-8", "latin-1", "ascii"):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        for options in ([], ["--json"]):
            command = [sys.executable, "-m", "vistoken", "count", str(tmp_path), "-m", "clip-b32", *options]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, env=environment)
            assert (done.returncode, done.stderr) == (0, b"")
            assert b"\x1b" not in done.stdout
            if options:
                sources = {json.loads(line)["source"] for line in done.stdout.decode("ascii").splitlines()}
                assert os.path.join(str(tmp_path), "bad\udcff.jpg") in sources


def test_one_refusing_model_does_not_cost_the_others(run, tmp_path):
    code, out, err = run("count", "20000x2", "640x480", "-m", "clip-b32", "-m", QWEN)
    assert code == 3
    assert err.startswith("failed: Qwen/Qwen2.5-VL-7B-Instruct: 20000x2 is longer than 200 times")
    assert out.splitlines()[2].split() == ["20000x2", "20000x2", "50", "-"]


def test_one_refusing_model_does_not_cost_the_other_plans(run, tmp_path):
    native = tmp_path / "native"
    native.mkdir()
    (native / "config.json").write_text('{"model_type": "vit"}')
    (native / "preprocessor_config.json").write_text('{"do_resize": false}')
    code, out, err = run("plan", "5x5", "-m", "vit-b16-224", "-m", str(native), "-m", "dinov2-b14")
    assert code == 3
    assert err.startswith(f"failed: {native}: 5x5 is smaller than one 16x16 patch")
    assert out.splitlines()[2].split() == ["vit-b16-224", "dinov2-b14"]
    rows = run("plan", *PHOTOGRAPHS, "-m", "vit-b16-224", "--json")[1].splitlines()
    assert sorted(len(json.loads(row)["sources"]) for row in rows) == [1, 1, 1, 1, 2]


def test_input_explains_without_a_preprocessor(run, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    code, out, _ = run("count", "640x480", "-m", str(tmp_path), "--input", "64x32", "--explain")
    assert code == 0
    assert "view rule skipped: input 64x32" in out


def test_a_turned_picture_is_drawn_upright(run, tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(ROCKET).save(tmp_path / "turned.jpg", exif=exif)
    code, out, _ = run("look", str(tmp_path / "turned.jpg"), "-m", FRONT, "-o", str(tmp_path / "o.png"))
    assert code == 0
    assert "40 x 26 = 1,040 patches" in out


def test_a_loop_of_links_ends(run, tmp_path):
    os.symlink(ROCKET, tmp_path / "a.jpg")
    for name in "bcd":
        (tmp_path / name).symlink_to(".")
    code, out, _ = run("count", f"{tmp_path}/**/*.jpg", "-m", "clip-b32", "--json")
    assert code == 0
    assert len(out.splitlines()) <= 4


def test_a_drawing_replaces_the_old_one_whole(run, tmp_path, monkeypatch):
    from PIL import Image

    path = tmp_path / "look.png"
    path.write_bytes(b"the old one")

    def fail(self, file, **_):
        with open(file, "wb") as half:
            half.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    code, _, err = run("look", str(ROCKET), "-m", QWEN, "-o", str(path))
    assert (code, err) == (4, f"error: {path} cannot be written: No space left on device\n")
    assert path.read_bytes() == b"the old one"
    assert os.listdir(tmp_path) == ["look.png"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_exit_4(tmp_path):
    with open("/dev/full", "w") as full:
        process = start("models", stdout=full, stderr=subprocess.PIPE, text=True)
        assert "output cannot be written" in process.communicate(timeout=20)[1]
    assert process.returncode == 4


@pytest.mark.parametrize("verb", ["", *cli.VERBS])
def test_help_ends_in_examples_that_run(run, verb, tmp_path):
    code, out, _ = run(*([verb] if verb else []), "--help")
    assert code == 0
    examples = [line.strip() for line in out[out.index("Examples:") :].splitlines()[1:] if line.strip()]
    assert len(examples) >= 4 - 1
    picture = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
    (tmp_path / "request.json").write_text(json.dumps([{"role": "user", "content": [picture]}]))
    for example in examples:
        words = shlex.split(example)
        assert words[0] == "vistoken"
        if any(word in example for word in ("my-checkpoint", "facebook/dinov2-base")):
            continue  # needs weights or a folder of the reader's own
        if ("report.pdf" in words and not importlib.util.find_spec("pypdfium2")) or (
            "holiday.mp4" in words and not importlib.util.find_spec("av")
        ):
            continue
        if (words[1] == "encode" or "--verify" in words) and not TORCH:  # transformers comes with it in the tests
            continue
        there = {"photo.jpg": ROCKET, "photos/": IMAGES, "sizes.csv": ROOT / "tests" / "data" / "sizes.csv",
                 "report.pdf": tmp_path / "report.pdf", "holiday.mp4": tmp_path / "holiday.mp4",
                 "smaller/": tmp_path / "smaller"}  # fmt: skip
        if "report.pdf" in words:
            (tmp_path / "report.pdf").write_bytes(pdf([LETTER] * 9))
        if "holiday.mp4" in words:
            clips.write(tmp_path / "holiday.mp4")
        words = [str(there.get(word, word)) for word in words[1:]]
        words = [
            str(tmp_path / w)
            if w.endswith((".png", ".safetensors", ".npz", ".html", ".json")) and "images" not in w
            else w
            for w in words
        ]
        assert run(*words)[0] == 0, example


def test_output_of_many_is_a_stream(tmp_path):
    """JSON lines appear while the rest is still being counted."""
    process = start("count", str(IMAGES), "-m", CLIP, "--json", stdout=subprocess.PIPE, text=True)
    began = time.monotonic()
    assert json.loads(process.stdout.readline())["tokens"] == 577
    assert len(process.stdout.readlines()) == len(PHOTOGRAPHS) - 1
    assert process.wait(20) == 0
    assert time.monotonic() - began < 60


# ---------------------------------------------------------------- several models, filters, settings that do not fit


def test_one_model_without_videos_does_not_stop_the_others(run):
    code, out, err = run("count", "1280x720", "640x480", "-m", QWEN, "-m", "llava-1.5", "--frames", "8")
    assert code == 3
    assert "llava-1.5 takes no video here" in err
    assert [line.split()[1:] for line in out.splitlines()[2:4]] == [
        ["1280x720", "4,784", "-"],
        ["640x480", "1,564", "-"],
    ]
    assert out.splitlines()[-1].split() == ["2", "videos", "6,348", "0"]


def test_models_are_filtered_by_text(run):
    code, out, _ = run("models", "--match", "PaliGemma-3b", "--json")
    assert code == 0
    assert {json.loads(line)["name"] for line in out.splitlines()} >= {"google/paligemma-3b-pt-224"}
    assert all("paligemma-3b" in json.loads(line)["name"] for line in out.splitlines())
    assert run("models", "--match", "zzz")[0] == 2
    assert run("models", "--match", "qwen", "--types")[0] == 2


def test_types_lists_timms_architectures_too(run):
    code, out, _ = run("models", "--types", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert {"model_type": "siglip", "family": "SigLIP"} in lines
    assert {"architecture": "vit_base_patch16_siglip_224", "family": "SigLIP"} in lines
    code, out, _ = run("models", "--types")
    assert "architecture (timm)" in out
    assert f"{sum('architecture' in line for line in lines)} architectures" in out


@pytest.mark.parametrize(
    ("model", "setting"),
    [("emu3-chat", "max_pixels=1"), ("lfm2-vl-450m", "max_tiles=1"), ("hunyuan-ocr", "min_pixels=1000000000"),
     ("minicpm-v-2.6", "norm_mean=null"), ("janus-pro-7b", "size=1"), ("phi-4-multimodal", "size=250"),
     ("phi-4-multimodal", "patch_size=336"), ("llava-1.5", "crop_size=5")],
)  # fmt: skip
def test_a_setting_that_does_not_fit_the_model_is_wrong_use(run, model, setting):
    code, out, err = run("count", "1280x720", "-m", model, "--set", setting)
    assert (code, out) == (2, "")
    assert setting.split("=")[0] in err


def test_more_views_than_anyone_can_read_are_counted_and_not_listed(run):
    settings = ("-m", "step-3.7-flash", "--set", "patch_size=1")
    code, out, _ = run("count", "1280x720", *settings)
    assert code == 0
    assert "921,601 views" in out
    code, _, err = run("count", "1280x720", *settings, "--json")
    assert code == 3
    assert "921,601 views" in err
