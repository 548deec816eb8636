"""The check of fine-tuning sets in examples/: every shape, what overflows, what is missing, flat memory.

By hand: on Qwen2.5-VL 280x280 is 10 x 10 cells of 28, 100 tokens, and 560x280 is 200 (qwen2_vl's image processor of
transformers); any picture is 576 tokens on LLaVA 1.5 (24 x 24 patches of 14).
"""

import base64
import json
import subprocess
import sys

import pytest
from conftest import ROOT
from PIL import Image

SCRIPT = ROOT / "examples" / "preflight.py"
QWEN = ("-m", "qwen2.5-vl-7b")


@pytest.fixture(scope="module")
def preflight():
    sys.path.insert(0, str(SCRIPT.parent))
    import preflight

    yield preflight
    sys.path.remove(str(SCRIPT.parent))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    Image.new("RGB", (280, 280)).save(folder / "square.png")
    Image.new("RGB", (560, 280)).save(folder / "wide.jpg")
    return folder


@pytest.fixture
def check(folder, preflight):
    from click.testing import CliRunner

    def checker(*records, context=150, options=QWEN):
        lines = (record if isinstance(record, str) else json.dumps(record) for record in records)
        (folder / "train.jsonl").write_bytes("\n".join(lines).encode(errors="surrogateescape"))
        arguments = [str(folder / "train.jsonl"), "--context", str(context), "--json", *options]
        result = CliRunner().invoke(preflight.main, arguments, catch_exceptions=False)
        return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()], result.stderr

    return checker


def llava(*paths, text="What is this?"):
    turns = [{"from": "human", "value": "<image>\n" * len(paths) + text}, {"from": "gpt", "value": "A square."}]
    return {"id": "1", "image": paths[0] if len(paths) == 1 else list(paths), "conversations": turns}


def swift(*paths):
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "<image>" * len(paths) + "What?"}]
    return {"messages": [*turns, {"role": "assistant", "content": "A square."}], "images": list(paths)}


def openai(path):
    url = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    blocks = [{"type": "text", "text": "Is <image> a tag?"}, {"type": "image_url", "image_url": {"url": url}}]
    return {"messages": [{"role": "user", "content": blocks}, {"role": "assistant", "content": "No."}]}


def blocks(*paths):
    """The chat format of transformers, with the pictures in a column."""
    content = [*({"type": "image"} for _ in paths), {"type": "text", "text": "What?"}]
    return {"messages": [{"role": "user", "content": content}], "images": list(paths)}


def factory(*paths):
    turns = [{"from": "human", "value": "<image>" * len(paths) + "What?"}, {"from": "gpt", "value": "A square."}]
    return {"conversations": turns, "images": list(paths), "system": "Be brief."}


@pytest.mark.parametrize(("make", "images", "tokens"), [
    (lambda folder: llava("square.png"), 1, 100),
    (lambda folder: llava("square.png", "wide.jpg"), 2, 300),
    (lambda folder: swift("square.png", "wide.jpg", "wide.jpg"), 3, 500),
    (lambda folder: swift(str(folder / "square.png")), 1, 100),
    (lambda folder: factory("wide.jpg"), 1, 200),
    (lambda folder: openai(folder / "square.png"), 1, 100),
    (lambda folder: blocks("square.png", "wide.jpg"), 2, 300),
])  # fmt: skip
def test_every_shape(check, folder, make, images, tokens):
    record = make(folder)
    assert check(record, context=tokens)[0] == 0
    code, (found, summary), _ = check(record, context=tokens - 1)
    assert code == 3
    assert found == {"line": 1, "tokens": tokens, "visual": tokens, "text": None, "images": images, "over": 1}
    assert (summary["examples"], summary["over"], summary["failed"], summary["longest"]) == (1, 1, 0, tokens)


def test_text_alone_and_empty_lines(check):
    text = {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]}
    code, (summary,), _ = check(text, "", "  ", llava("square.png"))
    assert (code, summary["examples"], summary["tokens"], summary["longest_line"]) == (0, 2, 100, 4)


def test_missing_pictures_are_all_named_and_the_others_go_on(check):
    code, (problem, over, summary), _ = check(swift("no.png", "square.png", "nor.jpg"), llava("wide.jpg"))
    assert code == 3
    assert problem == {"line": 1, "problem": "missing: no.png, nor.jpg"}
    assert (over["line"], over["over"]) == (2, 50)
    assert (summary["examples"], summary["failed"], summary["over"], summary["tokens"]) == (2, 1, 1, 200)


@pytest.mark.parametrize(("record", "problem"), [
    ("{", "not valid JSON"),
    ("\udcff{}", "not valid JSON"),
    ("[" * 100_000, "JSON"),
    ("3", "not an object"),
    ({"text": "Hello"}, "neither messages nor conversations"),
    ({"messages": "Hello"}, "neither messages nor conversations"),
    ({"messages": [3]}, "neither messages nor conversations"),
    ({"messages": [{"role": 3, "content": "Hello"}]}, "role"),
    ({**swift("square.png"), "images": []}, "0 pictures, but 1 <image>"),
    ({**swift("square.png"), "images": ["square.png", "wide.jpg"]}, "2 pictures, but 1 <image>"),
    ({**swift("square.png"), "images": [3]}, "3 is no picture"),
    ({**swift("square.png"), "videos": ["a.mp4"]}, "videos: not counted"),
    (swift("https://pictures.example/a.png"), "never fetched"),
    (swift("train.jsonl"), "not a picture"),
    (swift("a\0b.png"), "a\\x00b.png"),
    (swift("square.png/inner.png"), "missing: square.png/inner.png"),
    (swift(""), "missing: a path without a name"),
    ({**blocks("square.png"), "images": []}, "no picture was handed in"),
])  # fmt: skip
def test_what_cannot_be_counted_is_named(check, record, problem):
    code, found, err = check(llava("square.png"), record)
    assert code == 3
    assert (found[0]["line"], found[1]["failed"], found[1]["tokens"]) == (2, 1, 100), err
    assert problem in found[0]["problem"]


def test_urls_of_an_assumed_size_and_settings(check):
    record = swift("https://pictures.example/a.png")
    assert check(record, context=576, options=("-m", "llava-1.5-7b", "--assume", "640x480"))[0] == 0
    options = (*QWEN, "--set", "max_pixels=78400", "--assume", "560x560")  # 280x280 = 78,400
    assert check(record, context=100, options=options)[0] == 0


def test_text_with_a_tokenizer(check, folder):
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0}, unk_token="?"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    words.save(str(folder / "tokenizer.json"))
    options = (*QWEN, "--text-tokenizer", str(folder / "tokenizer.json"))
    code, (found, _), err = check(llava("square.png"), context=104, options=options)  # 3 words and 2
    assert (code, found["tokens"], found["visual"], found["text"], found["over"]) == (3, 105, 100, 5, 1)
    assert err == ""


@pytest.mark.parametrize(("options", "code", "words"), [
    (("-m", "qwen2.5-vl-7"), 5, "Did you mean"),
    ((*QWEN, "--set", "max_pixel=3"), 2, "max_pixels"),
    ((*QWEN, "--assume", "640"), 2, "640"),
    ((*QWEN, "--text-tokenizer", "/no/such/file"), 2, "--text-tokenizer"),
    ((*QWEN, "--folder", "/no/such/folder"), 2, "no such folder"),
    ((), 2, "--model"),
])  # fmt: skip
def test_wrong_use_is_said_before_the_first_line(check, options, code, words):
    result = check(llava("square.png"), options=options)
    assert (result[0], result[1]) == (code, [])
    assert words in result[2]


def test_an_array_is_no_json_lines(check):
    code, found, err = check(json.dumps([llava("square.png")]))
    assert (code, found) == (2, [])
    assert "jq -c '.[]'" in err


def test_words_for_a_person_from_stdin_and_no_file(folder):
    def shell(*arguments, **options):
        command = [sys.executable, str(SCRIPT), *arguments, *QWEN, "--context", "150"]
        return subprocess.run(command, capture_output=True, text=True, cwd=folder, **options)

    done = shell("-", input=json.dumps(llava("wide.jpg")))
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines()[0] == "line 1: 200 tokens (200 of 1 picture): 50 over 150"
    assert "1 example: 0 fit into 150, 1 do not, 0 could not be counted" in done.stdout
    assert "text is not counted" in done.stderr
    for arguments, said in (
        (("none.jsonl",), "No such file"),
        ((".",), "Is a directory"),
        (("-",), "holds no example"),
    ):
        done = shell(*arguments, input="\n")
        assert done.returncode == 3
        assert said in done.stderr


def test_memory_is_flat(preflight, folder):
    """Of three hundred examples of 10 kB next to nothing is kept."""
    import tracemalloc

    check = preflight.Check("qwen2.5-vl-7b", 10**6, str(folder), {})
    records = ((line, llava("square.png", text=f"{line:010000}")) for line in range(300))
    preflight.run(((0, llava("square.png")) for _ in range(2)), check, True)
    tracemalloc.start()
    try:
        summary = preflight.run(records, check, True)
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()
    assert (summary.examples, summary.tokens) == (300, 30_000)
