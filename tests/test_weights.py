"""Loading: strict about names, shapes and types; safe about files."""

import json
import pickle
import shutil
import struct
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import huggingface_hub  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from twins import NAMES, close, tokens_of, twin  # noqa: E402

from vistoken import registry  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.encoding.matching import find_weight  # noqa: E402
from vistoken.errors import ModelError, WeightsError  # noqa: E402
from vistoken.weight_names import Ignore  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    """A copy of the small ViT, to be broken."""
    return Path(shutil.copytree(twin("vit").folder, tmp_path / "model"))


def change(folder, edit):
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors")


def load(folder):
    return Encoder.from_pretrained(str(folder))


@pytest.mark.parametrize("name", NAMES)
def test_every_tensor_of_the_file_is_used_or_ignored_by_name(name):
    found = registry.find(twin(name).folder)
    with safe_open(f"{twin(name).folder}/model.safetensors", "pt") as file:
        for tensor in file.keys():  # noqa: SIM118
            weight = find_weight(tensor, found.family.weight_names())
            assert weight, tensor
            if isinstance(weight, Ignore):
                assert weight.why


def test_shards_with_an_index_load_alike(tmp_path):
    for name in ("vit", "siglip", "dinov2-registers"):
        target = tmp_path / name
        twin(name).module.save_pretrained(target, max_shard_size="40KB")
        twin(name).processor.save_pretrained(target)
        assert len(list(target.glob("model-*.safetensors"))) > 2
        assert not (target / "model.safetensors").exists()
        image = torch.randn(3, twin(name).own, twin(name).own)
        one, other = (Encoder.from_pretrained(str(f)).encode_pixels([image])[0] for f in (target, twin(name).folder))
        assert torch.equal(tokens_of(one), tokens_of(other))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_float_types_load(folder, dtype):
    change(folder, lambda t: t.update({name: value.to(dtype) for name, value in t.items()}))
    image = torch.randn(3, 32, 32)
    [got], [wanted] = load(folder).encode_pixels([image]), load(twin("vit").folder).encode_pixels([image])
    close(tokens_of(got), tokens_of(wanted), 1e-6 if dtype == torch.float64 else 0.1)


def test_all_faults_are_listed_in_one_error(folder):
    def edit(tensors):
        del tensors["encoder.layer.1.attention.attention.key.bias"]
        del tensors["layernorm.weight"]
        tensors["head.extra"] = torch.zeros(3)
        tensors["encoder.layer.7.layernorm_before.weight"] = torch.zeros(48)
        tensors["encoder.layer.0.intermediate.dense.weight"] = torch.zeros(48, 80)

    change(folder, edit)
    with pytest.raises(WeightsError) as error:
        load(folder)
    text = str(error.value)
    assert "2 missing: " in text
    assert "encoder.layer.1.attention.attention.key.bias" in text
    assert "layernorm.weight" in text
    assert "2 unknown: " in text
    assert "head.extra" in text
    assert "encoder.layer.7.layernorm_before.weight" in text
    assert "1 of the wrong shape or type: encoder.layer.0.intermediate.dense.weight is (48, 80), not (80, 48)" in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("embeddings.cls_token", torch.zeros(1, 1, 47), r"cls_token is \(1, 1, 47\)"),
        ("embeddings.cls_token", torch.zeros(48, 1, 1), r"cls_token is \(48, 1, 1\)"),
        ("embeddings.position_embeddings", torch.zeros(1, 16, 48), "position_embeddings is"),
        ("embeddings.position_embeddings", torch.zeros(1, 48, 17), "position_embeddings is"),
        ("embeddings.patch_embeddings.projection.weight", torch.zeros(48, 3, 16, 4), r"not \(48, 3, 8, 8\)"),
        ("encoder.layer.0.attention.attention.query.weight", torch.zeros(1, 48), r"is \(1, 48\), not \(48, 48\)"),
        ("layernorm.bias", torch.zeros(48, dtype=torch.int64), "is I64, not a floating-point type"),
        ("layernorm.bias", torch.full((48,), float("nan")), "layernorm.bias in .* not finite"),
        ("layernorm.bias", torch.full((48,), float("inf")), "not finite"),
        ("layernorm.bias", torch.full((48,), 1e300, dtype=torch.float64), "too large for torch.float32"),
    ],
)
def test_misshapen_and_senseless_tensors(folder, name, value, message):
    change(folder, lambda tensors: tensors.update({name: value}))
    with pytest.raises(WeightsError, match=message):
        load(folder)


def test_the_command_says_so_in_one_line(folder, run, tmp_path):
    from conftest import PHOTOGRAPHS

    change(folder, lambda tensors: tensors.pop("layernorm.weight"))
    code, out, err = run("encode", PHOTOGRAPHS[0], "-m", folder, "-o", tmp_path / "t.npz")
    assert (code, out) == (5, "")
    source = folder / "model.safetensors"
    assert err == f"error: {source} does not fit the config beside it: 1 missing: layernorm.weight\n"


def test_a_tensor_that_stands_twice_is_refused(folder):
    change(folder, lambda t: t.update({"vit.layernorm.bias": t["layernorm.bias"].clone()}))
    with pytest.raises(WeightsError, match="the same as"):
        load(folder)


def test_weights_of_another_shape_of_model(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}))
    with pytest.raises(WeightsError, match=r"16 unknown: .*encoder\.layer\.2"):
        load(folder)


def test_an_enormous_config_is_refused_before_anything_is_allocated(folder):
    """Half a petabyte of parameters by the config."""
    config = json.loads((folder / "config.json").read_text())
    huge = {
        "hidden_size": 65_536,
        "num_attention_heads": 1024,
        "num_hidden_layers": 1024,
        "intermediate_size": 1_000_000,
    }
    (folder / "config.json").write_text(json.dumps(config | huge))
    with pytest.raises(ModelError, match=r"take [\d,.]+ GiB, and this machine has"):
        load(folder)


def test_pickles_are_never_opened(folder, tmp_path):
    class Fire:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "fired",))

    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Fire()))
    with pytest.raises(WeightsError, match=r"pytorch_model\.bin is a pickle, which is never opened"):
        load(folder)
    shutil.copy(folder / "pytorch_model.bin", folder / "model.safetensors")
    with pytest.raises(WeightsError, match="not a valid safetensors file"):
        load(folder)
    assert not (tmp_path / "fired").exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 4, struct.pack("<Q", 2**60) + b"{}", struct.pack("<Q", 2) + b"{]", struct.pack("<Q", 9) + b"\xff" * 9,
     struct.pack("<Q", 300_000) + b'{"a":' * 60_000],
)  # fmt: skip
def test_broken_containers(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="not a valid safetensors file"):
        load(folder)


def test_links_out_of_the_folder_are_refused(folder, tmp_path):
    shutil.move(folder / "model.safetensors", tmp_path / "elsewhere.safetensors")
    (folder / "model.safetensors").symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(WeightsError, match="leaves the folder"):
        load(folder)


@pytest.mark.parametrize(
    "shard",
    [
        "../elsewhere.safetensors",
        "/etc/passwd",
        "sub/x.safetensors",
        "x.bin",
        "missing.safetensors",
        "x\0.safetensors",
        "\ud800.safetensors",
        5,
    ],
)
def test_an_index_cannot_lead_out_of_the_folder(folder, tmp_path, shard):
    shutil.move(folder / "model.safetensors", tmp_path / "elsewhere.safetensors")
    index = {"weight_map": {"layernorm.bias": shard}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(WeightsError):
        load(folder)


def test_the_hub_cache_layout_loads(tmp_path, monkeypatch):
    from test_registry import cache_of

    source = Path(twin("vit").folder)
    files = {
        name: (source / name).read_bytes() for name in ("config.json", "preprocessor_config.json", "model.safetensors")
    }
    cache_of(tmp_path, monkeypatch, "someone/vit", files)
    asked, real = [], huggingface_hub.snapshot_download

    def download(*arguments, **options):
        asked.append("model.safetensors" in options["allow_patterns"])
        return real(*arguments, **options)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    encoder = Encoder.from_pretrained("someone/vit")
    assert encoder.spec.name == "someone/vit"
    assert asked == [False, True]  # the description first, then the weights
    image = torch.randn(3, 32, 32)
    assert torch.equal(encoder.encode_pixels([image])[0].patches, load(source).encode_pixels([image])[0].patches)


def test_the_files_of_a_built_in_name_win(tmp_path, monkeypatch, run):
    """The module is built from the files, not from what is built in; a folder with them gives the same."""
    from conftest import PHOTOGRAPHS
    from test_registry import cache_of

    source = Path(twin("dinov2").folder)
    config = json.loads((source / "config.json").read_text()) | {"layer_norm_eps": 1e-3, "hidden_act": "quick_gelu"}
    files = {name: (source / name).read_bytes() for name in ("preprocessor_config.json", "model.safetensors")}
    snapshot = cache_of(tmp_path, monkeypatch, "facebook/dinov2-small", {"config.json": config, **files})
    encoder = Encoder.from_pretrained("dinov2-s14")
    assert encoder.module.spec == encoder.spec.encoder
    assert encoder.module.spec.mlp.activation == "quick_gelu"
    assert any("encoder mlp" in text for text in encoder.spec.notes)
    # `look` draws by the files too: their processor's crop of 70 gives 25 patches, the built-in one's 224 gives 256.
    code, out, err = run("look", PHOTOGRAPHS[0], "-m", "dinov2-s14", "-o", tmp_path / "o.png")
    assert code == 0
    assert "5 x 5 = 25 patches" in out
    assert "view rule: scale the short side to 80" in err
    image = torch.randn(3, 70, 70)
    close(encoder.encode_pixels([image])[0].patches, load(snapshot).encode_pixels([image])[0].patches, 1e-6)


def test_weights_that_are_not_at_hand_say_where_they_could_be():
    with pytest.raises(ModelError, match=r"facebook/dinov2-base could not be had(.|\n)*Give a folder"):
        Encoder.from_pretrained("facebook/dinov2-base")
    with pytest.raises(ModelError, match="without published weights"):
        Encoder.from_pretrained("vit-g14-224")
    with pytest.raises(ModelError, match="counted but not encoded"):
        Encoder.from_pretrained("gpt-4o")
