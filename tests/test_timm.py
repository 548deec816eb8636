"""Models that only timm has, on what timm answered: see `timm_goldens.py`. Each is read from a folder in timm's form."""

import pytest

torch = pytest.importorskip("torch")

from evidence import agree  # noqa: E402
from test_written_back import check_written_back  # noqa: E402
from timm_goldens import NAMES, golden, pixels  # noqa: E402
from twins import close, tokens_of  # noqa: E402

from vistoken import registry  # noqa: E402
from vistoken.encoding import Encoder  # noqa: E402

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
DINO = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
WORDS = {"width": 32, "layers": 2, "heads": 2}
EVA = {"embed_dim": 32, "depth": 2, "num_heads": 2}
# Golden -> the family that reads it, and the small network in the words of the family's own config.
SMALL = {
    # int(32 x ratio): timm's ratios of EVA-L, g, 02 and E are 4, 6144 / 1408, 8 / 3 and 15360 / 1792.
    "eva-l": ("eva", EVA | {"hidden_features": 128}),
    "eva-g": ("eva", EVA | {"hidden_features": 139}),
    "eva02-ti": ("eva", EVA | {"hidden_features": 85}),
    "eva02-b": ("eva", EVA | {"hidden_features": 85}),
    "eva02-clip": ("eva", EVA | {"hidden_features": 85, "projection": 24}),
    "eva02-clip-e": ("eva", EVA | {"hidden_features": 274, "projection": 24}),
    "deit3": ("deit3", TINY),
    "vit": ("vit", TINY),
    "vit-mean": ("vit", TINY),
    "deit": ("deit", TINY),
    "clip": ("clip", TINY | {"projection_dim": 24}),
    "clip-classifier": ("clip", TINY),
    "siglip": ("siglip", TINY),
    "siglip-tanh": ("siglip", TINY),
    "siglip-gap": ("siglip", TINY),
    "dinov2": ("dinov2", DINO),
    "dinov2-reg": ("dinov2", DINO),
    "dinov3": ("dinov3", TINY),
    "dinov3-gated": ("dinov3", TINY),
    "intern-vit": ("intern_vit", TINY),
    "aimv2": ("aimv2", TINY | {"intermediate_size": 88}),
    "hybrid-r26": ("vit_hybrid", TINY),
    "hybrid-r50": ("vit_hybrid", TINY),
    "hybrid-stem": ("vit_hybrid", TINY),
    "pe-core": ("perception_encoder", WORDS | {"ref_feat_shape": 4}),
    "pe-core-g": ("perception_encoder", WORDS),
    "pe-lang": ("perception_encoder", WORDS),
    "pe-lang-g": ("perception_encoder", WORDS),
    "pe-spatial": ("perception_encoder", WORDS),
}


# Their head is a classifier, which is left out, so that what enters it is the pooled vector.
CLASSIFIERS = ("vit", "deit", "clip-classifier")


def answers(wanted, outputs):
    """timm's tokens and pooled vector, behind its projection where it has one, in two cases as the family has them.

    CLIP hands out patches before the last norm, as its reference does; where timm averages DeiT's class and
    distillation token, the class token alone is the pooled vector.
    """
    tokens, pooled = outputs["tokens"], outputs.get("pooled")
    if wanted.name.startswith("clip"):
        tokens = outputs[max(filter(str.isdigit, outputs))]
    if wanted.name == "deit":
        pooled = tokens[0]
    if "head" in outputs and wanted.name not in CLASSIFIERS:
        pooled = outputs["head"]
    return tokens, pooled


@pytest.fixture(params=NAMES)
def model(request, monkeypatch, tmp_path):
    """What timm answered, and the folder of the model."""
    wanted, (family, values) = golden(request.param), SMALL[request.param]
    wanted.small(monkeypatch, registry.load(f"vistoken.families.{family}"), **values)
    return wanted, wanted.save(tmp_path)


def agrees(result, folder, wanted, size, form="timm"):
    """Tokens, hidden states and the pooled vector; sizes are (height, width), `form` that of the weight file."""
    outputs, note = wanted.outputs[size], {"size": size[::-1], "form": form, "against": "timm 1.0.31"}
    tokens, pooled = answers(wanted, outputs)
    agree(folder, "tokens", tokens_of(result), torch.from_numpy(tokens), **note)
    assert (result.pooled is None) == (pooled is None)
    if pooled is not None:
        agree(folder, "pooled", result.pooled, torch.from_numpy(pooled), **note)
    for number, layer in result.layers.items():
        close(tokens_of(layer), torch.from_numpy(outputs[str(number)]))


@pytest.mark.parametrize("engine", ["sdpa", "reference"])
def test_tokens_and_pooled_vector_equal_timms_on_every_size_alone_and_packed(model, engine):
    wanted, folder = model
    encoder = Encoder.from_pretrained(folder, attention=engine)
    layers = [int(kind) for kind in next(iter(wanted.outputs.values())) if kind.isdigit()]
    assert sorted(layers) == list(range(encoder.module.spec.depth + 1))
    images = [torch.from_numpy(pixels(wanted.seed, *size)) for size in wanted.outputs]
    packed = encoder.encode_pixels(images, layers=layers)
    for image, size, together in zip(images, wanted.outputs, packed, strict=True):
        [alone] = encoder.encode_pixels([image], layers=layers)
        agrees(alone, folder, wanted, size)
        agrees(together, folder, wanted, size)


def test_weights_written_back_equal_the_file(model):
    check_written_back(model[1])
