"""`vistoken models --check`: agrees where it should, names the first layer where it does not, and never says ok unseen."""

import hashlib
import json
import math
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")

from conftest import IMAGES  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from twins import NAMES, redraw, twin  # noqa: E402
from vlm_twins import BUILDERS, TEXT, WITHOUT_PIL, vlm_twin  # noqa: E402

from vistoken.errors import ModelError, UsageError  # noqa: E402
from vistoken.judge import check as checking  # noqa: E402
from vistoken.judge import running  # noqa: E402
from vistoken.judge.check import State, check  # noqa: E402
from vistoken.registry import describe  # noqa: E402


def folder_of(name):
    return (twin(name) if name in NAMES else vlm_twin(name)).folder


# Its whole model asks for voices in a pickle.
SPEAKS = "qwen2.5-omni"
MERGED = ("glm-4v", "glm-4v-moe", "glm-ocr", "glm-ocr-bare", "ovis2", "videollama3-merged")


@pytest.mark.parametrize("name", [*NAMES, *(name for name in BUILDERS if name not in (*WITHOUT_PIL, SPEAKS))])
def test_every_twin_agrees(name):
    record, spec = check(folder_of(name)), describe(folder_of(name)).encoder
    assert record.verdict == "agrees", (record.first, record.missing)
    names = [state.name for state in record.states]
    assert names[: spec.depth + 1] == [f"hidden state {i}" for i in range(spec.depth + 1)]
    # Some towers hand out merged tokens alone: their last norm shows in the image tokens.
    assert "last output" in names or spec.final_norm == "none" or name in MERGED
    assert ("image tokens" in names) == (name in BUILDERS)
    assert ("pooled" in names) == (spec.pooled_dim is not None)
    assert sum(name.startswith("deepstack") for name in names) == len(spec.deepstack)
    assert all(state.largest > 0.01 for state in record.states)


def perturbed(name, tensor, tmp_path):
    """A copy of the folder in which the first number of one tensor is another."""
    copy = tmp_path / "copy"
    shutil.copytree(folder_of(name), copy)
    tensors = load_file(copy / "model.safetensors")
    tensors[tensor].view(-1)[0] += 1.0
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    return str(copy)


@pytest.mark.parametrize(
    ("name", "tensor", "first"),
    [
        ("dinov2", "embeddings.patch_embeddings.projection.weight", "hidden state 0"),
        ("dinov2", "encoder.layer.1.attention.output.dense.weight", "hidden state 2"),
        ("dinov2", "layernorm.weight", "last output"),
        ("clip-gelu", "visual_projection.weight", "pooled"),
        ("siglip", "vision_model.encoder.layers.2.mlp.fc2.bias", "hidden state 3"),
        ("qwen2.5-vl", "visual.blocks.3.attn.proj.bias", "hidden state 4"),
        ("qwen2.5-vl", "visual.merger.mlp.2.bias", "image tokens"),
    ],
)
def test_the_first_layer_that_differs_is_named(run, tmp_path, monkeypatch, name, tensor, first):
    """The negative control: the reference alone reads weights of which one number is another."""
    theirs, load = perturbed(name, tensor, tmp_path), running.load
    monkeypatch.setattr(running, "load", lambda folder: load(theirs))
    code, out, _ = run("models", folder_of(name), "--check")
    assert code == 3
    assert out.splitlines()[-1] == f"differs, first in {first}"
    rows = {
        line[:16].strip(): line.split()[-1]
        for line in out.splitlines()
        if line.startswith(("hidden", "last", "pooled", "image"))
    }
    order = list(rows)
    assert {rows[state] for state in order[: order.index(first)]} <= {"yes"}
    assert rows[first] == "no"


def test_the_record_says_what_was_compared_and_holds_no_path(run):
    folder = folder_of("clip-gelu")
    code, out, err = run("models", folder, "--check", "--json", "--image", IMAGES / "chelsea.png")
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert record["model"] == Path(folder).name
    assert str(Path(folder).parent) + "/" not in out
    assert str(IMAGES) not in out
    weights = (Path(folder) / "model.safetensors").read_bytes()
    assert record["weights"] == {"model.safetensors": hashlib.sha256(weights).hexdigest()}
    assert record["picture"] == "chelsea.png, 451x300"
    assert record["versions"].keys() == {"vistoken", "torch", "transformers", "python"}
    assert record["versions"]["transformers"] == hf.__version__
    assert (record["verdict"], record["first"], record["revision"]) == ("agrees", None, None)
    stored = load_file(Path(folder) / "model.safetensors")
    left_out = {name for names in record["ignored"].values() for name in names}
    assert left_out == {name for name in stored if name.startswith(("text_", "logit_"))}
    assert record["used"] == len(stored) - len(left_out)


def test_a_snapshot_of_the_hub_has_its_commit(tmp_path):
    snapshot = tmp_path / "models--me--model" / "snapshots" / "0123abc"
    shutil.copytree(folder_of("vit"), snapshot)
    record = check(str(snapshot))
    assert (record.model, record.revision, record.verdict) == ("me/model", "0123abc", "agrees")


def test_what_the_reference_says_of_the_folder_holds_no_path(monkeypatch):
    folder = folder_of("vit")

    def fails(*arguments, **options):
        raise OSError(f"{folder}/config.json is not to its taste")

    monkeypatch.setattr(hf.AutoConfig, "from_pretrained", fails)
    record = check(folder)
    assert record.missing[0].endswith(f" {Path(folder).name}/config.json is not to its taste")
    assert folder not in json.dumps(record.as_dict())


def test_what_the_reference_does_not_have_is_not_ok(run, monkeypatch):
    """No model, no processor, no such blocks, no pooled vector: each is said, and none passes."""

    def fails(*arguments, **options):
        raise ValueError("does not recognize this architecture\nand more")

    with monkeypatch.context() as patched:
        patched.setattr(hf.AutoConfig, "from_pretrained", fails)
        code, out, _ = run("models", folder_of("vit"), "--check")
        assert code == 3
        assert "has no model for it: does not recognize this architecture\n" in out
        assert out.endswith("nothing was compared\n")
    with monkeypatch.context() as patched:
        patched.setattr(hf.AutoImageProcessor, "from_pretrained", fails)
        record = check(folder_of("vit"))
        assert (record.states, record.verdict) == ((), "not compared")
    with monkeypatch.context() as patched:
        patched.setattr(running.Watched, "blocks", lambda self, dim: ("", ()))
        record = check(folder_of("vit"))
        assert record.verdict == "not compared"
        assert "ViTModel ran no list of 3 blocks" in record.missing[0]
    seen = running.run
    with monkeypatch.context() as patched:
        patched.setattr(running, "run", lambda *given: running.Seen(seen(*given).layers, seen(*given).last))
        code, out, _ = run("models", folder_of("siglip"), "--check")
        assert code == 3
        assert "not compared: pooled: SiglipModel returns none" in out
        assert "what was compared agrees, but not all was compared" in out


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_does_not_agree(value):
    state = checking.difference("x", torch.zeros(2, 3), torch.full((2, 3), value))
    assert (state.ok, state.fault) == (False, "not finite")
    assert json.loads(json.dumps(state.as_dict(), allow_nan=False))["difference"] is None


def test_other_shapes_do_not_agree():
    state = checking.difference("x", torch.zeros(2, 3), torch.zeros(1, 1, 3))
    assert (state.ok, state.fault) == (False, "ours is (2, 3), the reference's (1, 3)")
    assert checking.difference("x", torch.zeros(2, 3), torch.zeros(1, 4, 3)).ok  # padding behind one view
    assert not State("x", math.nan, 1.0).ok


def test_the_llm_is_not_loaded(tmp_path):
    """Of three blocks of the LLM one is built, and the image tokens are those of the whole model."""
    text = TEXT | {
        "num_hidden_layers": 3,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 2, 2]},
    }
    vision = vlm_twin("qwen2.5-vl").module.config.vision_config.to_dict()
    module = hf.Qwen2_5_VLForConditionalGeneration(hf.Qwen2_5_VLConfig(vision_config=vision, text_config=text))
    redraw(module)
    module.save_pretrained(tmp_path)
    vlm_twin("qwen2.5-vl").processor.save_pretrained(tmp_path)
    assert len(running.load(str(tmp_path)).model.language_model.layers) == 1
    record = check(str(tmp_path))
    assert record.verdict == "agrees"
    assert sum(name.startswith("model.layers.2") for name in record.ignored["the LLM"]) == 12


def test_a_tensor_that_nothing_names_is_an_error(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder_of("vit"), copy)
    tensors = load_file(copy / "model.safetensors")
    save_file(tensors | {"strange.weight": torch.zeros(2)}, copy / "model.safetensors")
    code, _, err = run("models", copy, "--check")
    assert code == 5
    assert "1 unknown: strange.weight" in err


BAD = [
    (2, ["--check"], "give its NAME or FOLDER"),
    (2, ["vistoken/front-end", "--check"], "has no weights in files"),
    (2, ["{vit}", "--check", "--types"], "--check stands alone"),
    (2, ["{vit}", "--check", "--set", "size=5"], "--check stands alone"),
    (2, ["{vit}", "--image", "photo.jpg"], "--image needs --check"),
    (3, ["{vit}", "--check", "--image", "nowhere.jpg"], "nowhere.jpg: no such file"),
    (5, ["gpt-4o", "--check"], "counted but not encoded"),
]


@pytest.mark.parametrize(("code", "arguments", "message"), BAD, ids=lambda value: str(value)[:40])
def test_wrong_use_says_what_would_work(run, code, arguments, message):
    got, out, err = run("models", *(a.replace("{vit}", folder_of("vit")) for a in arguments))
    assert (got, out) == (code, "")
    assert message in err


def test_errors_of_python_are_the_commands():
    with pytest.raises(UsageError, match="no weights in files"):
        check("vistoken/front-end")
    with pytest.raises(ModelError):
        check("no-such-model")


def test_a_tower_that_changes_its_order_between_blocks_is_noticed():
    orders = [torch.arange(6), torch.tensor([0, 2, 4, 1, 3, 5])]
    ours = [torch.randn(6, 4, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    states = [(ours[0], ours[0][orders[1]]), (ours[1], ours[1][orders[1]]), (ours[2], ours[2])]
    order = checking._order(states, orders)
    assert torch.equal(order, orders[1])
    assert [checking.difference("x", mine[order], theirs).ok for mine, theirs in states] == [True, True, False]
