"""Hybrids of a residual network and a transformer: transformers' form, pixels, costs, refusals; tokens: test_timm.py."""

import json

import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")

from conftest import PHOTOGRAPHS  # noqa: E402
from evidence import HUGGING_FACE, agree  # noqa: E402
from plain import pixels_of  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from test_written_back import check_written_back  # noqa: E402
from twins import close, redraw, tokens_of  # noqa: E402

from vistoken import count, plan, registry  # noqa: E402
from vistoken.encoding import Encoder, VisionEncoder, pack  # noqa: E402
from vistoken.encoding import stem as stems  # noqa: E402
from vistoken.errors import ConfigError, UsageError  # noqa: E402
from vistoken.geometry import Patch  # noqa: E402
from vistoken.spec import BitStem  # noqa: E402

BIT = {"embedding_size": 32, "hidden_sizes": [128, 256], "depths": [1, 2], "layer_type": "bottleneck",
       "global_padding": "same", "embedding_dynamic_padding": True, "out_features": ["stage2"]}  # fmt: skip
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 80}
PIXELS = {"image_processor_type": "ViTHybridImageProcessor", "size": {"shortest_edge": 32}, "crop_size": 32,
          "image_mean": [0.4, 0.5, 0.6], "image_std": [0.3, 0.5, 0.7]}  # fmt: skip


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    """A backbone and, behind it, a ViT whose pictures are the backbone's maps: the folder and the two modules.

    Version 4 of the library had them as one model, whose file held the names of both.
    """
    bit = hf.BitBackbone(hf.BitConfig(**BIT)).eval()
    vit = hf.ViTModel(hf.ViTConfig(**SMALL, num_channels=256, patch_size=1, image_size=4)).eval()
    redraw(bit, seed=1)
    redraw(vit, seed=2)
    folder = tmp_path_factory.mktemp("hybrid")
    vit.save_pretrained(folder)
    from safetensors.torch import load_file

    stem = {f"embeddings.patch_embeddings.backbone.{name}": tensor for name, tensor in bit.state_dict().items()}
    tensors = stem | load_file(folder / "model.safetensors")
    save_file({f"vit.{name}": tensor for name, tensor in tensors.items()}, folder / "model.safetensors")
    write(folder, {"backbone_config": bit.config.to_dict()})
    (folder / "preprocessor_config.json").write_text(json.dumps(PIXELS))
    return str(folder), bit, vit


def write(folder, values):
    config = {"model_type": "vit-hybrid", **SMALL, "image_size": 32, "backbone_config": BIT}
    (folder / "config.json").write_text(json.dumps(config | values))


def images(*sizes):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(3, *size, generator=generator) for size in sizes]


def test_the_librarys_backbone_and_transformer_give_the_same(twin):
    folder, bit, vit = twin
    encoder, pictures = Encoder.from_pretrained(folder), images((32, 32), (24, 56), (8, 40), (24, 56))
    for picture, result in zip(pictures, encoder.encode_pixels(pictures), strict=True):
        with torch.no_grad():
            [feature_map] = bit(picture[None]).feature_maps
            out = vit(feature_map, interpolate_pos_encoding=True).last_hidden_state
        note = {"size": tuple(picture.shape[:0:-1]), "form": "transformers 4", "against": HUGGING_FACE}
        agree(folder, "tokens", tokens_of(result), out[0], **note)
        agree(folder, "pooled", result.pooled, out[0, 0], **note)


def test_weights_written_back_equal_the_file(twin):
    check_written_back(twin[0])


def test_bytes_are_normalised_before_the_stem_and_counted_as_they_are_encoded(twin):
    encoder = Encoder.from_pretrained(twin[0])
    for path in PHOTOGRAPHS[:2]:
        [result], prepared = encoder.encode([path]), encoder.prepare(path)
        [plain] = encoder.encode_pixels([pixels_of(prepared, encoder.spec)])
        close(tokens_of(result), tokens_of(plain))
        counted = count(twin[0], image=path)
        assert (counted.patches, counted.prefix_tokens) == (len(result.patches), 1)


def test_what_fills_no_patch_is_cut_before_the_stem(twin):
    encoder = Encoder.from_pretrained(twin[0])
    [image] = images((37, 30))
    [whole], [cut] = encoder.encode_pixels([image]), encoder.encode_pixels([image[:, :32, :24]])
    assert torch.equal(tokens_of(whole), tokens_of(cut))


def test_views_go_through_the_stem_in_portions(twin, monkeypatch):
    encoder, pictures = Encoder.from_pretrained(twin[0]), images(*[(24, 24)] * 3, (16, 24))
    together = encoder.encode_pixels(pictures)
    for pixels in (1, 2 * 24 * 24):
        monkeypatch.setattr(stems, "MAX_PIXELS", pixels)
        for one, other in zip(encoder.encode_pixels(pictures), together, strict=True):
            close(tokens_of(one), tokens_of(other))


def test_half_precision_stays_near(twin):
    exact, half = (Encoder.from_pretrained(twin[0], dtype=dtype) for dtype in ("float32", "bfloat16"))
    [one], [other] = (encoder.encode([PHOTOGRAPHS[0]]) for encoder in (exact, half))
    difference = (tokens_of(other).float() - tokens_of(one)).norm(dim=-1) / tokens_of(one).norm(dim=-1)
    assert other.patches.dtype == torch.bfloat16
    assert difference.median() < 0.05


def test_bytes_need_to_know_how_they_are_normalised(twin):
    stem = stems.Bit(BitStem(()), Patch.square(4), 3)
    with pytest.raises(UsageError, match="call fold first"):
        stem(torch.zeros(1, 48, dtype=torch.uint8), [Patch.square(4).grid(registry.Size(4, 4))])


@pytest.mark.parametrize(
    ("name", "gmacs"),
    [  # timm, results/benchmark-infer-amp-nchw-pt291-cu128-4090.csv
        ("vit-r26-s32-224", 3.56),
        ("vit-r50-b16-384", 67.43),
        ("vit-r50-l32-224", 19.58),
        ("vit-r50-b16-224", 21.66),
        ("vit-r-ti-224", 0.44),
    ],
)
def test_multiply_adds_are_timms(name, gmacs):
    """Its counter adds 5 for every number that a norm makes, and 4 for every weight that is standardised."""
    spec = registry.describe(name).encoder
    with torch.device("meta"):
        module, images = (
            VisionEncoder(spec, pool="own"),
            [torch.zeros(3, *[registry.describe(name).own_size.width] * 2)],
        )
    extra = 0

    def norm(_, inputs, output):
        nonlocal extra
        extra += 5 * output.numel()

    for part in module.modules():
        if isinstance(part, torch.nn.GroupNorm | torch.nn.LayerNorm):
            part.register_forward_hook(norm)
    module(pack(images, spec.patch, spec.prefix_tokens))
    extra += 4 * sum(p.numel() for n, p in module.embed.stem.named_parameters() if "conv" in n)
    classifier = 0 if name == "vit-r50-b16-224" else 1000
    assert round((plan(name, head=classifier).macs.total + extra) / 1e9, 2) == gmacs


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ({"layer_type": "preactivation"}, "layer_type is 'preactivation'"),
        ({"embedding_dynamic_padding": False}, "embedding_dynamic_padding is False"),
        ({"global_padding": None}, "global_padding is null"),
        ({"depths": 3}, "depths is 3"),
        ({"depths": [1, 10]}, "depths is .1, 10."),
        ({"depths": [1, 1, 1, 1, 1], "hidden_sizes": None, "out_features": None}, "up to four numbers"),
        ({"embedding_size": 40, "hidden_sizes": None}, "40 channels wide does not divide into 32 groups"),
        ({"hidden_sizes": [256, 512]}, r"hidden_sizes is .256, 512.: with these depths it must be .128, 256."),
        ({"hidden_sizes": 128}, "hidden_sizes is 128"),
        ({"out_features": ["stage1"]}, "out_features is"),
    ],
)
def test_stems_that_no_hybrid_has_are_refused(tmp_path, backbone, message):
    write(tmp_path, {"backbone_config": BIT | backbone})
    with pytest.raises(ConfigError, match=message):
        registry.describe(str(tmp_path))


def test_a_patch_is_whole_cells_of_the_map():
    from dataclasses import replace

    spec = registry.describe("vit-r26-s32-224").encoder
    with pytest.raises(UsageError, match="no whole number of cells of a stem of stride 32"):
        replace(spec, patch=Patch(32, 48))
