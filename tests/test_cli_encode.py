"""`vistoken encode`: every format holds what Python returns, asks are refused where they mean nothing, nothing piles up."""

import json
import os
import sys

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import numpy as np  # noqa: E402
from conftest import IMAGES, PHOTOGRAPHS  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors import safe_open  # noqa: E402
from twins import twin  # noqa: E402
from vlm_twins import vlm_twin  # noqa: E402

from vistoken.encoding import Encoder, writing  # noqa: E402
from vistoken.errors import OutputError  # noqa: E402

FRONT = "vistoken/front-end"
ROCKET, CHELSEA = str(IMAGES / "rocket.jpg"), str(IMAGES / "chelsea.png")


def read(path):
    """All tensors of a file as numpy arrays, and its metadata."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        return arrays, json.loads(str(arrays.pop("metadata")))
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return {name: tensor.float().numpy() for name, tensor in tensors.items()}, file.metadata()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_files_hold_what_python_returns(run, tmp_path, ending, dtype):
    folder, path = twin("dinov2-registers").folder, tmp_path / f"t.{ending}"
    code, _, err = run(
        "encode", ROCKET, CHELSEA, "-m", folder, "-o", path, "--what", "patches,prefix", "--what", "pooled",
        "--layers", "-2,-1", "--attention-maps", "0,2", "--dtype", dtype, "--pool", "cls+mean",
    )  # fmt: skip
    assert (code, err) == (0, "")
    arrays, metadata = read(path)
    wanted = Encoder.from_pretrained(folder, dtype=dtype, pool="cls+mean").encode(
        [ROCKET, CHELSEA], layers=[-2, -1], attention_maps=[0, 2]
    )
    expected = {f"{i}/{name}": array for i, result in enumerate(wanted) for name, array in result.numpy().items()}
    assert expected.keys() == arrays.keys()
    assert {"0/layers.-2.patches", "1/attention.2.0", "0/prefix.reg", "1/pooled", "0/grids"} <= expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)
    assert json.loads(metadata["sources"]) == [ROCKET, CHELSEA]
    assert (metadata["model"], metadata["attention"]) == (folder, "sdpa")
    assert os.listdir(tmp_path) == [path.name]


def test_tensors_of_every_width_are_aligned(run, tmp_path):
    """An odd number of 16-bit values before 64-bit ones: readers that map the file need each at its own width."""
    path = tmp_path / "t.safetensors"
    for number in range(3):
        Image.fromarray(np.full((17 + 16 * number, 16, 3), 9, np.uint8)).save(tmp_path / f"{number}.png")
    pictures = [str(tmp_path / f"{number}.png") for number in range(3)]
    assert run("encode", *pictures, "-m", FRONT, "-o", path, "--dtype", "bfloat16", "--what", "patches")[0] == 0
    header_length = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + header_length])
    widths = {"I64": 8, "BF16": 2}
    places = [(entry["data_offsets"], widths[entry["dtype"]]) for name, entry in header.items() if "/" in name]
    assert {width for _, width in places} == {2, 8}
    assert header_length % 8 == 0
    assert all(start % width == 0 for (start, _), width in places)
    with safe_open(path, "pt") as file:
        assert file.get_tensor("2/grids").tolist() == [[1, 3, 1]]


def test_only_what_is_asked_for_is_written(run, tmp_path):
    for what, names in (("prefix", {"prefix.cls", "grids"}), ("patches", {"patches", "grids"})):
        path = tmp_path / f"{what}.npz"
        assert run("encode", ROCKET, "-m", FRONT, "-o", path, "--what", what)[0] == 0
        assert {name.removeprefix("0/") for name in read(path)[0]} == names


def test_image_tokens_and_a_named_layer_of_a_vision_language_model(run, tmp_path):
    folder, path = vlm_twin("qwen2.5-vl").folder, tmp_path / "t.safetensors"
    code, out, _ = run("encode", ROCKET, "-m", folder, "-o", path, "--what", "image_tokens", "--layers", "1")
    assert code == 0
    arrays, _ = read(path)
    assert set(arrays) == {"0/image_tokens", "0/layers.1.patches", "0/grids"}
    [wanted] = Encoder.from_pretrained(folder).encode([ROCKET])
    np.testing.assert_array_equal(arrays["0/image_tokens"], wanted.image_tokens.numpy())
    assert "x".join(map(str, wanted.image_tokens.shape)) in out


def test_a_table_of_pooled_vectors(run, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(writing, "ROW_GROUP", 4)
    folder, path = twin("siglip").folder, tmp_path / "t.parquet"
    code, out, err = run("encode", IMAGES, "-m", folder, "-o", path, "--dtype", "bfloat16")
    assert code == 0, err
    assert f"{len(PHOTOGRAPHS)} pictures" in out
    file = parquet.ParquetFile(path)
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [4, len(PHOTOGRAPHS) - 4]
    assert [str(field.type) for field in file.schema_arrow][:3] == ["string", "int32", "int32"]
    assert str(file.schema_arrow.field("pooled").type).startswith("fixed_size_list<")
    assert file.schema_arrow.metadata[b"model"].decode() == folder
    table = file.read()
    wanted = Encoder.from_pretrained(folder, dtype="bfloat16").encode(table["source"].to_pylist(), what=["pooled"])
    got = np.stack(table["pooled"].combine_chunks().to_numpy(zero_copy_only=False))
    np.testing.assert_array_equal(got, np.stack([result.pooled.float().numpy() for result in wanted]))
    sizes = zip(table["width"].to_pylist(), table["height"].to_pylist(), strict=True)
    assert list(sizes) == [Image.open(IMAGES.parent.parent / name).size for name in table["source"].to_pylist()]


def test_a_row_holds_one_vector(run, tmp_path):
    """Several views give several vectors, which are refused as soon as they are seen, and nothing is left behind."""
    pytest.importorskip("pyarrow")
    result = Encoder.from_pretrained(twin("siglip").folder).encode([ROCKET])[0]
    several = type(result)(None, {}, torch.zeros(2, 5), result.scene, "a.png", "sdpa")
    with (
        pytest.raises(ValueError, match=r"a.png has 2 views"),
        writing.open_writer(str(tmp_path / "t.parquet"), "m", 5) as writer,
    ):
        writer.add(several)
    assert os.listdir(tmp_path) == []


def test_without_pyarrow_the_extra_is_named(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, _, err = run("encode", ROCKET, "-m", twin("siglip").folder, "-o", tmp_path / "t.parquet")
    assert code == 2
    assert "pip install 'vistoken[bulk]'" in err


SIGLIP = "siglip"
BAD = [
    (2, FRONT, ["-o", "t.npz", "--what", "patchs"], "Did you mean patches"),
    (2, FRONT, ["-o", "t.npz", "--what", "image_tokens"], "no LLM stands behind it"),
    (2, FRONT, ["-o", "t.npz", "--what", "pooled"], "has no pooled vector of its own"),
    (2, FRONT, ["-o", "t.parquet"], "has no pooled vector of its own: load it with"),
    (2, FRONT, ["-o", "t.npz", "--layers", "one"], "--layers one: write whole numbers"),
    (2, FRONT, ["-o", "t.npz", "--layers", "1"], "there are hidden states 0 to 0"),
    (2, FRONT, ["-o", "t.npz", "--layers", "0", "--normed-layers"], "no last norm"),
    (2, FRONT, ["-o", "t.npz", "--attention-maps", "0"], "attention of block 0"),
    (2, FRONT, ["-o", "t.npz", "--what", ""], "what is ''"),
    (2, SIGLIP, ["-o", "t.npz", "--what", "prefix"], "has no prefix tokens"),
    (2, SIGLIP, ["-o", "t.npz", "--pool", "cls"], "needs a class token"),
    (2, SIGLIP, ["-o", "t.parquet", "--what", "patches"], "a table holds one pooled vector a picture"),
    (2, SIGLIP, ["-o", "t.parquet", "--layers", "1"], "a table holds one pooled vector a picture"),
    (2, SIGLIP, ["-o", "t.npz", "--max-tokens", "0"], "Invalid value for '--max-tokens'"),
    (2, SIGLIP, ["-o", "t.npz", "--attention", "varlen"], "runs on CUDA"),
    (4, SIGLIP, ["-o", "no/t.parquet"], "there is no folder"),
]


@pytest.mark.parametrize(("code", "model", "arguments", "message"), BAD, ids=lambda value: str(value)[:40])
def test_wrong_use_says_what_would_work(run, tmp_path, code, model, arguments, message):
    arguments = [str(tmp_path / a) if a.endswith(("npz", "parquet")) else a for a in arguments]
    folder = model if model == FRONT else twin(model).folder
    got, out, err = run("encode", ROCKET, "-m", folder, *arguments)
    assert (got, out) == (code, "")
    assert message in err
    assert os.listdir(tmp_path) == []


def test_lines_of_json_come_as_pictures_are_written(run, tmp_path):
    path = tmp_path / "t.npz"
    code, out, err = run(
        "encode", ROCKET, "nowhere.png", CHELSEA, "-m", FRONT, "-o", path, "--json", "--what", "patches"
    )
    assert code == 3
    assert err.count("failed: ") == 1
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["source"], row["index"], row["output"]) for row in rows] == [
        (ROCKET, 0, str(path)),
        (CHELSEA, 1, str(path)),
    ]
    assert rows[1]["shapes"] == {"patches": [504, 768], "grids": [1, 3]}


def test_a_long_report_is_cut(run, tmp_path):
    for number in range(203):
        Image.new("RGB", (16, 16)).save(tmp_path / f"{number:03}.png")
    code, out, _ = run("encode", tmp_path, "-m", FRONT, "-o", tmp_path / "t.npz")
    assert code == 0
    assert "... and 3 more" in out
    assert "203 pictures" in out


@pytest.mark.parametrize("ending", ["safetensors", "npz"])
def test_tensors_are_let_go_once_written(tmp_path, ending):
    """What is written is not held: of the results handed over, none is alive when the next comes."""
    import weakref

    encoder = Encoder.from_pretrained(FRONT)
    seen = []
    with writing.open_writer(str(tmp_path / f"t.{ending}"), "m") as writer:
        for _ in range(5):
            [result] = encoder.encode([CHELSEA], what=["patches"])
            patches = weakref.ref(result.patches)
            writer.add(result)
            del result
            seen.append(patches() is None)
    assert seen == [True] * 5


@pytest.mark.parametrize("ending", ["safetensors", "npz"])
def test_what_goes_wrong_on_the_way_leaves_the_old_file(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    path.write_bytes(b"before")
    [result] = Encoder.from_pretrained(FRONT).encode([CHELSEA])
    with pytest.raises(OutputError, match="No space left"), writing.open_writer(str(path), "m") as writer:  # noqa: PT012
        writer.add(result)
        raise OSError(28, "No space left on device")
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == [path.name]


def test_a_header_that_no_reader_takes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "_MAX_HEADER", 200)
    [result] = Encoder.from_pretrained(FRONT).encode([CHELSEA])
    with (
        pytest.raises(OutputError, match="in several runs"),
        writing.open_writer(str(tmp_path / "t.safetensors"), "m") as writer,
    ):
        writer.add(result)
    assert os.listdir(tmp_path) == []
