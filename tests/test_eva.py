"""EVA's and DeiT-3's files under their authors' own names, and heads that are classifiers; timm's: `test_timm.py`."""

import json
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from conftest import PHOTOGRAPHS  # noqa: E402
from plain import pixels_of  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from test_timm import SMALL, agrees  # noqa: E402
from timm_goldens import golden, pixels  # noqa: E402
from twins import close, tokens_of  # noqa: E402

from vistoken import count, registry  # noqa: E402
from vistoken.encoding import Encoder, VisionEncoder  # noqa: E402
from vistoken.errors import ConfigError, WeightsError  # noqa: E402
from vistoken.planning import plan  # noqa: E402

# timm's name of a tensor -> BAAI's, of EVA-02 and EVA-CLIP (timm 1.0.31, `models/eva.py`, `checkpoint_filter_fn`, has
# the way there).
BAAI = {
    r"attn\.q_proj\.bias": "attn.q_bias",
    r"attn\.v_proj\.bias": "attn.v_bias",
    r"attn\.norm\.": "attn.inner_attn_ln.",
    r"mlp\.norm\.": "mlp.ffn_ln.",
    r"mlp\.fc1_g\.": "mlp.w1.",
    r"mlp\.fc1_x\.": "mlp.w2.",
}
DOWN = {r"mlp\.fc2\.": "mlp.w3."}  # of gated MLPs alone
DEIT = {r"ls(\d)\.gamma": r"gamma_\1"}


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A function: what timm answered, and the folder of the model, in which values of `config.json` may be others."""

    def make(name, **values):
        wanted, (family, words) = golden(name), SMALL[name]
        wanted.small(monkeypatch, registry.load(f"vistoken.families.{family}"), **words)
        path = Path(wanted.save(tmp_path))
        (path / "config.json").write_text(json.dumps(wanted.config | values))
        return wanted, path

    return make


def renamed(path, names, root="", more=None):
    """The same weights under other names, and others beside them."""
    tensors = {}
    for name, tensor in load_file(path / "model.safetensors").items():
        for pattern, new in names.items():
            name = re.sub(pattern, new, name)
        tensors[root + name] = tensor
    save_file(tensors | (more or {}), path / "model.safetensors")


def encoded(path, wanted):
    """Each of the golden's pictures: what the encoder makes of it, and its size."""
    images = [torch.from_numpy(pixels(wanted.seed, *size)) for size in wanted.outputs]
    return zip(Encoder.from_pretrained(str(path)).encode_pixels(images), wanted.outputs, strict=True)


def angles(root, blocks):
    names = ["rope.freqs", *(f"blocks.{number}.attn.rope.freqs" for number in range(blocks))]
    return {f"{root}{name}_{part}": torch.randn(16, 16) for name in names for part in ("cos", "sin")}


@pytest.mark.parametrize("name", ["eva02-clip", "eva02-clip-e"])
def test_baais_clip_files_give_timms_tokens(name, folder):
    """Pictures' and text's tower in one file."""
    wanted, path = folder(name)
    beside = {"text.token_embedding.weight": torch.randn(8, 4), "logit_scale": torch.tensor(4.6)}
    renamed(path, BAAI | (DOWN if name == "eva02-clip" else {}), "visual.", beside | angles("visual.", 2))
    for result, size in encoded(path, wanted):
        agrees(result, str(path), wanted, size, "BAAI's")


@pytest.mark.parametrize("name", ["eva02-b", "eva02-ti", "eva-g"])
def test_baais_pre_training_files_give_timms_tokens(name, folder):
    """Their last norm is the one that timm puts behind the mean."""
    wanted, path = folder(name)
    other = {r"mlp\.fc1\.": "mlp.w12."} if name == "eva02-ti" else {}
    names = BAAI | other | ({} if name == "eva-g" else DOWN) | {"^fc_norm": "norm"}
    more = {"mask_token": torch.randn(1, 1, 32), "lm_head.weight": torch.randn(40, 32), "lm_head.bias": torch.randn(40)}
    renamed(path, names, "", more | angles("", 2))
    for result, size in encoded(path, wanted):
        agrees(result, str(path), wanted, size, "BAAI's")


def test_deits_own_names_give_timms_tokens(folder):
    wanted, path = folder("deit3")
    renamed(path, DEIT)
    for result, size in encoded(path, wanted):
        agrees(result, str(path), wanted, size, "the authors'")


@pytest.mark.parametrize("name", ["eva-l", "eva-g", "eva02-b", "deit3"])
def test_a_classifier_is_left_out(name, folder):
    wanted, path = folder(name, num_classes=7)
    renamed(path, {}, "", {"head.weight": torch.randn(7, 32), "head.bias": torch.randn(7)})
    for result, size in encoded(path, wanted):
        agrees(result, str(path), wanted, size, "timm")


@pytest.mark.parametrize("name", ["eva02-clip", "deit3"])
def test_bytes_are_encoded_as_normalised_pixels_and_counted_alike(name, folder):
    _, path = folder(name)
    encoder = Encoder.from_pretrained(str(path))
    for photograph in PHOTOGRAPHS[:2]:
        [result] = encoder.encode([photograph])
        [plain] = encoder.encode_pixels([pixels_of(encoder.prepare(photograph), encoder.spec)])
        close(tokens_of(result), tokens_of(plain))
        close(result.pooled, plain.pooled)
        counted = count(str(path), image=photograph)
        assert (counted.patches, counted.prefix_tokens) == (len(result.patches), 1)


@pytest.mark.parametrize(("classes", "out"), [(24, 24), (7, 32), (0, 32)])
def test_clips_head_is_the_projection_where_it_is_as_wide(classes, out, folder):
    """Another head is a classifier, and the pooled vector what enters it; `num_classes` 0 writes none."""
    wanted, path = folder("eva02-clip", num_classes=classes)
    head = {"head.weight": torch.randn(7, 32), "head.bias": torch.randn(7)} if classes == 7 else {}
    if classes != 24:
        tensors = {name: tensor for name, tensor in load_file(path / "model.safetensors").items() if "head" not in name}
        save_file(tensors | head, path / "model.safetensors")
    for result, size in encoded(path, wanted):
        assert result.pooled.shape == (out,)
        close(result.pooled, torch.from_numpy(wanted.outputs[size]["head" if classes == 24 else "pooled"]))


def test_a_projection_that_the_config_promises_must_be_there(folder):
    _, path = folder("eva02-clip")
    renamed(path, {"^head": "lm_head"})
    with pytest.raises(WeightsError, match=r"2 missing: head\.weight, head\.bias"):
        Encoder.from_pretrained(str(path))


def test_a_network_that_pools_the_class_token_norms_all(folder):
    """timm then builds `norm` instead of `fc_norm`: the hidden states stay, the last norm is on every token."""
    wanted, path = folder("eva02-b", global_pool="token")
    renamed(path, {"^fc_norm": "norm"})
    weight, bias = (load_file(path / "model.safetensors")[f"norm.{leaf}"] for leaf in ("weight", "bias"))
    for result, size in encoded(path, wanted):
        normed = torch.nn.functional.layer_norm(
            torch.from_numpy(wanted.outputs[size]["tokens"]), (32,), weight, bias, 1e-6
        )
        close(result.patches, normed[1:])
        close(result.pooled, normed[0])


@pytest.mark.parametrize(("name", "pool"), [("eva02-b", "map"), ("eva02-clip", "max"), ("deit3", "avg")])
def test_pools_that_no_published_network_has_are_refused(name, pool, folder):
    _, path = folder(name, global_pool=pool)
    with pytest.raises(ConfigError, match=f"global_pool is '{pool}': known are"):
        registry.describe(str(path))


@pytest.mark.parametrize(
    ("name", "gmacs", "classes"),
    [  # timm, results/benchmark-infer-amp-nchw-pt291-cu128-4090.csv, with the classifier where there is one
        ("eva-l14-196", 61.57, 1000),
        ("eva-g14-560", 1906.76, 1000),
        ("eva02-ti14-224", 1.70, 0),
        ("eva02-b14-224", 23.22, 0),
        ("eva02-l14-448", 362.33, 1000),
        ("eva02-clip-b16", 17.62, 0),
        ("eva02-clip-l14-336", 191.34, 0),
        ("deit3-s16-224", 4.61, 1000),
        ("deit3-h14-224", 167.40, 1000),
    ],
)
def test_multiply_adds_are_timms(name, gmacs, classes):
    """Its counter adds 5 for every number that a norm makes."""
    spec, size = registry.describe(name).encoder, registry.describe(name).own_size
    tokens, norms = spec.tokens(spec.patch.grid(size)), 0
    with torch.device("meta"):
        module = VisionEncoder(spec)
    for path, part in module.named_modules():
        if isinstance(part, torch.nn.LayerNorm):
            norms += part.normalized_shape[0] * (1 if path.startswith("pool") else tokens)
    assert round((plan(name, head=classes).macs.total + 5 * norms) / 1e9, 2) == gmacs
