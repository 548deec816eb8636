"""Perception Encoder in Meta's form: against its network written plainly, and against timm's files of the same weights.

timm's own answers are held in test_timm.py.
"""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from conftest import PHOTOGRAPHS  # noqa: E402
from evidence import agree  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from test_written_back import check_written_back  # noqa: E402
from timm_goldens import golden, pixels, weight  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from twins import close, tokens_of  # noqa: E402

from vistoken import count, plan, registry  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402
from vistoken.errors import ConfigError, WeightsError  # noqa: E402

WIDTH, HEADS, HIDDEN, OUT, SIDE, PATCH = 32, 2, 80, 24, 4, 14
CONFIG = {"model_type": "perception_encoder", "patch_size": PATCH, "image_size": SIDE * PATCH, "width": WIDTH, "layers": 2,
          "heads": HEADS, "mlp_ratio": HIDDEN / WIDTH}  # fmt: skip
CORE = {"use_cls_token": True, "output_dim": OUT}
GIANT = {"output_dim": OUT}
LANG = {"use_cls_token": True, "pool_type": "none", "use_ln_post": False, "ls_init_value": 0.1}
SPATIAL = {"pool_type": "none", "use_ln_post": False, "ls_init_value": 0.1}
KINDS = {"core": CORE, "core-g": GIANT, "lang": LANG, "spatial-g": SPATIAL}
PREPROCESSOR = {"image_processor_type": "ViTImageProcessor", "size": SIDE * PATCH, "resample": 2,
                "image_mean": [0.5] * 3, "image_std": [0.5] * 3}  # fmt: skip


def linear(name, out, into):
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def norm(name):
    return {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}


def block(prefix, scaled):
    shapes = {f"{prefix}.attn.in_proj_weight": (3 * WIDTH, WIDTH), f"{prefix}.attn.in_proj_bias": (3 * WIDTH,)}
    shapes |= linear(f"{prefix}.attn.out_proj", WIDTH, WIDTH) | norm(f"{prefix}.ln_1") | norm(f"{prefix}.ln_2")
    shapes |= linear(f"{prefix}.mlp.c_fc", HIDDEN, WIDTH) | linear(f"{prefix}.mlp.c_proj", WIDTH, HIDDEN)
    return shapes | {f"{prefix}.ls_{n}.gamma": (WIDTH,) for n in (1, 2) if scaled}


def tensors_of(kind):
    """Drawn anew by name: what Meta's own file of such a network would hold."""
    values, cls = KINDS[kind], int(KINDS[kind].get("use_cls_token", False))
    shapes = {"conv1.weight": (WIDTH, 3, PATCH, PATCH), "positional_embedding": (cls + SIDE**2, WIDTH)} | norm("ln_pre")
    for number in range(2):
        shapes |= block(f"transformer.resblocks.{number}", "ls_init_value" in values)
    if cls:
        shapes["class_embedding"] = (WIDTH,)
    if "output_dim" in values:
        shapes |= (
            norm("ln_post") | {"proj": (WIDTH, OUT), "attn_pool.probe": (1, 1, WIDTH)} | norm("attn_pool.layernorm")
        )
        shapes |= linear("attn_pool.mlp.c_fc", 4 * WIDTH, WIDTH) | linear("attn_pool.mlp.c_proj", WIDTH, 4 * WIDTH)
        shapes |= {"attn_pool.attn.in_proj_weight": (3 * WIDTH, WIDTH), "attn_pool.attn.in_proj_bias": (3 * WIDTH,)}
        shapes |= linear("attn_pool.attn.out_proj", WIDTH, WIDTH)
    return {name: torch.from_numpy(weight(7, name.replace("ln_", "norm_"), shape)) for name, shape in shapes.items()}


def folder_of(kind, tmp_path, tensors=None, **values):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | KINDS[kind] | values))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    save_file(tensors_of(kind) if tensors is None else tensors, tmp_path / "model.safetensors")
    return str(tmp_path)


# ---------------------------------------------------------------- the network, plainly


class Plain:
    """The network of pe.py over one picture, one step a line."""

    def __init__(self, kind):
        self.t, self.cls = tensors_of(kind), int(KINDS[kind].get("use_cls_token", False))

    def norm(self, x, name):
        return F.layer_norm(x, (WIDTH,), self.t[f"{name}.weight"], self.t[f"{name}.bias"], 1e-5)

    def linear(self, x, name):
        return F.linear(x, self.t[f"{name}.weight"], self.t[f"{name}.bias"])

    def mlp(self, x, name):
        return self.linear(F.gelu(self.linear(x, f"{name}.c_fc")), f"{name}.c_proj")

    def scaled(self, x, name):
        return x * self.t.get(f"{name}.gamma", 1.0)

    def embed(self, image):
        x = F.conv2d(image[None], self.t["conv1.weight"], stride=PATCH)[0]  # (D, rows, cols)
        table = self.t["positional_embedding"][self.cls :].T.reshape(1, WIDTH, SIDE, SIDE)
        x = x + F.interpolate(table, size=x.shape[1:], mode="bilinear", align_corners=False)[0]
        prefix = [(self.t["class_embedding"] + self.t["positional_embedding"][0])[None]] if self.cls else []
        return torch.cat([*prefix, x.flatten(1).T]), x.shape[1:]

    def turns(self, rows, cols):
        """(T, d / 2) complex: the column turns the first half, the row the second; 0 for the class token."""
        ladder = 10_000 ** (-torch.arange(0, WIDTH // HEADS // 2, 2) / (WIDTH // HEADS // 2))
        place = [(0, 0)] * self.cls + [(row + self.cls, col + self.cls) for row in range(rows) for col in range(cols)]
        return torch.polar(
            torch.ones(len(place), WIDTH // HEADS // 2),
            torch.stack([torch.cat([col * ladder, row * ladder]) for row, col in place]),
        )

    def attention(self, x, name, turns):
        q, k, v = F.linear(x, self.t[f"{name}.in_proj_weight"], self.t[f"{name}.in_proj_bias"]).chunk(3, dim=1)
        q, k, v = (part.unflatten(1, (HEADS, -1)).transpose(0, 1) for part in (q, k, v))
        q, k = (torch.view_as_complex(part.unflatten(2, (-1, 2)).contiguous()) * turns for part in (q, k))
        q, k = (torch.view_as_real(part).flatten(2) for part in (q, k))
        weights = (q @ k.transpose(1, 2) / (WIDTH // HEADS) ** 0.5).softmax(dim=-1)
        return self.linear((weights @ v).transpose(0, 1).flatten(1), f"{name}.out_proj")

    def pool(self, x):
        t, name = self.t, "attn_pool.attn"
        attend = torch.nn.MultiheadAttention(WIDTH, 8, batch_first=True)
        attend.load_state_dict({key.removeprefix(f"{name}."): t[key] for key in t if key.startswith(name)})
        y = attend(t["attn_pool.probe"], x[None], x[None], need_weights=False)[0][0, 0]
        return (y + self.mlp(self.norm(y, "attn_pool.layernorm"), "attn_pool.mlp")) @ t["proj"]

    @torch.no_grad()
    def __call__(self, image):
        x, grid = self.embed(image)
        x, turns = self.norm(x, "ln_pre"), self.turns(*grid)
        for name in ("transformer.resblocks.0", "transformer.resblocks.1"):
            x = x + self.scaled(self.attention(self.norm(x, f"{name}.ln_1"), f"{name}.attn", turns), f"{name}.ls_1")
            x = x + self.scaled(self.mlp(self.norm(x, f"{name}.ln_2"), f"{name}.mlp"), f"{name}.ls_2")
        if "ln_post.weight" not in self.t:
            return x, None
        return self.norm(x, "ln_post"), self.pool(self.norm(x, "ln_post"))


def pictures():
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(3, *size, generator=generator) for size in ((56, 56), (31, 90), (70, 43), (31, 90))]


@pytest.mark.parametrize("kind", KINDS)
def test_metas_network_is_equalled_on_any_size_alone_and_packed(kind, tmp_path):
    folder, plain = folder_of(kind, tmp_path), Plain(kind)
    encoder = Encoder.from_pretrained(folder)
    for picture, packed in zip(pictures(), encoder.encode_pixels(pictures()), strict=True):
        tokens, pooled = plain(picture)
        note = {"size": tuple(picture.shape[:0:-1]), "form": "Meta's", "against": "the network, written plainly"}
        for result in (packed, encoder.encode_pixels([picture])[0]):
            agree(folder, "tokens", tokens_of(result), tokens, **note)
            assert (result.pooled is None) == (pooled is None)
            if pooled is not None:
                agree(folder, "pooled", result.pooled, pooled, **note)


@pytest.mark.parametrize("kind", KINDS)
def test_metas_weights_written_back_equal_the_file(kind, tmp_path):
    check_written_back(folder_of(kind, tmp_path))


def test_pictures_are_squashed_bilinearly_and_counted_as_they_are_encoded(tmp_path):
    folder = folder_of("core", tmp_path)
    encoder = Encoder.from_pretrained(folder)
    for path in PHOTOGRAPHS[:2]:
        with Image.open(path) as picture:
            small = picture.convert("RGB").resize((SIDE * PATCH,) * 2, Image.Resampling.BILINEAR)
        values = torch.from_numpy(np.array(small)).permute(2, 0, 1) / 127.5 - 1
        [result], [plain] = encoder.encode([path]), encoder.encode_pixels([values])
        close(tokens_of(result), tokens_of(plain))
        assert count(folder, image=path).patches == len(result.patches) == SIDE**2


# ---------------------------------------------------------------- formats


def test_beside_a_text_tower_only_what_is_visual_is_read(tmp_path):
    tower = tensors_of("core")
    text = {name: -tower[name] for name in block("transformer.resblocks.0", scaled=False)}
    text |= {
        "positional_embedding": torch.ones(9, WIDTH),
        "logit_scale": torch.ones(()),
        "ln_final.weight": torch.ones(4),
    }
    (tmp_path / "whole").mkdir()
    whole = folder_of("core", tmp_path / "whole", {f"visual.{name}": tower[name] for name in tower} | text)
    [picture, *_] = pictures()
    [one], [other] = (
        Encoder.from_pretrained(folder).encode_pixels([picture]) for folder in (whole, folder_of("core", tmp_path))
    )
    assert torch.equal(tokens_of(one), tokens_of(other))
    assert torch.equal(one.pooled, other.pooled)


def test_what_is_visual_and_unknown_is_an_error(tmp_path):
    tensors = {f"visual.{name}": tensor for name, tensor in tensors_of("core").items()}
    with pytest.raises(WeightsError, match=r"1 unknown: visual\.extra"):
        Encoder.from_pretrained(folder_of("core", tmp_path, tensors | {"visual.extra": torch.ones(3)}))


META = {"patch_embed.proj": "conv1", "pos_embed": "positional_embedding", "cls_token": "class_embedding",
        "blocks.": "transformer.resblocks.", "norm_pre": "ln_pre", "attn.qkv.": "attn.in_proj_", "attn.proj": "attn.out_proj",
        "fc1": "c_fc", "fc2": "c_proj", "norm1": "ln_1", "norm2": "ln_2"}  # fmt: skip


def as_meta(tensors):
    """timm's `_convert_pe` the other way round, but for the bias of the head, which Meta's network has not."""
    renamed, tensors = {}, {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
    for leaf in ("weight", "bias"):
        parts = [tensors.pop(f"attn_pool.{part}.{leaf}") for part in ("q", "kv")]
        renamed[f"attn_pool.attn.in_proj_{leaf}"] = torch.cat(parts)
        renamed[f"attn_pool.attn.out_proj.{leaf}"] = tensors.pop(f"attn_pool.proj.{leaf}")
        renamed[f"attn_pool.layernorm.{leaf}"] = tensors.pop(f"attn_pool.norm.{leaf}")
        renamed[f"ln_post.{leaf}"] = tensors.pop(f"norm.{leaf}")
    renamed["attn_pool.probe"] = tensors.pop("attn_pool.latent")
    renamed["proj"] = tensors.pop("head.weight").T.contiguous()
    bias = tensors.pop("head.bias")
    for name, tensor in tensors.items():
        for old, new in META.items():
            name = name.replace(old, new)
        renamed[name] = tensor.flatten() if name == "class_embedding" else tensor.squeeze(0)
    return renamed, bias


def test_one_set_of_weights_in_metas_names_gives_timms_answers(tmp_path):
    """At the size of pre-training, where the two networks are one."""
    wanted = golden("pe-core")
    tensors, bias = as_meta(wanted.tensors())
    folder = folder_of("core", tmp_path, tensors, patch_size=16, image_size=64, mlp_ratio=4.0)
    [result] = Encoder.from_pretrained(folder).encode_pixels([torch.from_numpy(pixels(wanted.seed, 64, 64))])
    close(tokens_of(result), torch.from_numpy(wanted.outputs[64, 64]["tokens"]))
    close(result.pooled + bias, torch.from_numpy(wanted.outputs[64, 64]["head"]))


# ---------------------------------------------------------------- built-in models


@pytest.mark.parametrize(
    ("meta", "alias", "out"),
    [
        ("Core-T16-384", "pe-core-t16-384", 512),
        ("Core-L14-336", "pe-core-l14-336", 1024),
        ("Core-G14-448", "pe-core-g14-448", 1280),
        ("Lang-L14-448-Tiling", "pe-lang-l14-448-tiling", 0),
        ("Lang-G14-448", "pe-lang-g14-448", 0),
        ("Spatial-B16-512", "pe-spatial-b16-512", 0),
    ],
)
def test_metas_entries_are_timms_without_the_bias_of_the_head(meta, alias, out):
    """`out` numbers, which timm's conversion adds as zeros (`_convert_pe`)."""
    assert plan(f"facebook/PE-{meta}").params.total == plan(alias).params.total - out
    own, timms = (registry.describe(name) for name in (f"facebook/PE-{meta}", alias))
    assert own.own_size == timms.own_size
    assert any("is a pickle" in note for note in own.notes)


@pytest.mark.parametrize(
    ("alias", "gmacs"),
    [  # timm, results/benchmark-infer-amp-nchw-pt291-cu128-4090.csv
        ("pe-core-t16-384", 4.74),
        ("pe-core-b16-224", 17.82),
        ("pe-core-l14-336", 192.33),
        ("pe-core-g14-448", 2060.12),
        ("pe-lang-g14-448", 1931.99),
        ("pe-spatial-l14-448", 362.05),
    ],
)
def test_multiply_adds_are_timms(alias, gmacs):
    """Its counter adds 5 for every number that a norm makes: two norms a block, one before, and with a pool two more."""
    planned, pooled = plan(alias), "core" in alias
    tokens, dim = planned.tokens, planned.encoder.dim
    norms = tokens * dim * (2 * planned.encoder.depth + 1 + pooled) + dim * pooled
    assert round((planned.macs.total + 5 * norms) / 1e9, 2) == gmacs


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"use_rope2d": False}, "use_rope2d is False: no published model is without"),
        ({"pool_type": "tok"}, "pool_type is 'tok': known are attn, none"),
        ({"ref_feat_shape": 0}, "ref_feat_shape is 0"),
        ({"attn_pooler_heads": 5}, "5 pooling heads do not divide dim 32"),
        ({"heads": 3}, "3 heads do not divide dim 32"),
        ({"mlp_ratio": "4"}, "mlp_ratio is '4'"),
    ],
)
def test_what_was_never_published_is_refused(tmp_path, values, message):
    with pytest.raises(ConfigError, match=message):
        registry.describe(folder_of("core", tmp_path, {}, **values))
