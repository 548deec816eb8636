"""`convention="timm"` against the GMACs that timm publishes, to its last digit."""

import pytest

from vistoken.errors import UsageError
from vistoken.geometry import Size
from vistoken.planning import plan

# timm's name, ours, side of the input, classes, GMACs. Source: huggingface/pytorch-image-models at aa4b5850,
# results/benchmark-infer-amp-nchw-pt291-cu128-4090.csv. Its tables of 2023 leave attention out, and are lower.
PUBLISHED = [
    ("vit_tiny_patch16_224", "vit-ti16-224", 224, 1000, 1.26),
    ("vit_tiny_patch16_384", "vit-ti16-224", 384, 1000, 4.70),
    ("vit_small_patch32_224", "vit-s32-224", 224, 1000, 1.15),
    ("vit_small_patch16_224", "vit-s16-224", 224, 1000, 4.61),
    ("vit_small_patch16_384", "vit-s16-224", 384, 1000, 15.52),
    ("vit_base_patch32_384", "vit-b32-224", 384, 1000, 13.06),
    ("vit_base_patch16_224", "vit-b16-224", 224, 1000, 17.58),
    ("vit_base_patch16_384", "vit-b16-224", 384, 1000, 55.54),
    ("vit_base_patch8_224", "vit-b8-224", 224, 1000, 78.22),
    ("vit_large_patch16_224", "vit-l16-224", 224, 1000, 61.60),
    ("vit_large_patch16_384", "vit-l16-224", 384, 1000, 191.21),
    # Two classifiers, of the class and of the distillation token.
    ("deit_base_distilled_patch16_384", "deit-b16-384", 384, 2 * 1000, 55.65),
    ("vit_base_patch16_clip_224", "clip-b16", 224, 0, 17.58),
    ("vit_large_patch14_clip_336", "clip-l14-336", 336, 0, 191.11),
    ("vit_base_patch16_siglip_224", "siglip-b16-224", 224, 0, 17.73),
    ("vit_large_patch16_siglip_384", "siglip-l16-384", 384, 0, 192.07),
    ("vit_so400m_patch14_siglip_378", "siglip-so400m14-384", 378, 0, 335.40),
    ("vit_small_patch14_dinov2", "dinov2-s14", 518, 0, 46.76),
    ("vit_giant_patch14_dinov2", "dinov2-g14", 518, 0, 1784.20),
    ("vit_base_patch16_dinov3", "dinov3-b16", 256, 0, 23.60),
    ("eva02_tiny_patch14_224", "eva02-ti14-224", 224, 0, 1.70),
    ("eva02_base_patch14_224", "eva02-b14-224", 224, 0, 23.22),
    ("eva02_large_patch14_448", "eva02-l14-448", 448, 1000, 362.33),
    # RMS norms are not counted there.
    ("aimv2_huge_patch14_448", "aimv2-h14-448", 448, 0, 774.02),
    # Convolutions in front: group norms count 5 an element, standardised weights 4 each.
    ("vit_base_r50_s16_384", "vit-r50-b16-384", 384, 1000, 67.43),
]


@pytest.mark.parametrize(("timm", "name", "side", "classes", "gmacs"), PUBLISHED, ids=lambda value: str(value))
def test_sums_are_those_of_timms_tables(timm, name, side, classes, gmacs):
    planned = plan(name, input=Size(side, side), head=classes, convention="timm")
    assert round(planned.macs.total / 1e9, 2) == gmacs


def test_what_is_added_stands_in_rows_of_its_own():
    ours, timms = plan("vit-b16-224", batch=3), plan("vit-b16-224", batch=3, convention="timm")
    more = dict(timms.macs.rows)
    assert {name: more.pop(name) for name in ("blocks, norms", "final norm")} == {
        "blocks, norms": 3 * 5 * 12 * 2 * 197 * 768, "final norm": 3 * 5 * 197 * 768,
    }  # fmt: skip
    assert more == dict(ours.macs.rows)
    assert timms.flops.total == 2 * timms.macs.total
    assert "timm" in timms.macs.convention
    assert timms.params == ours.params


def test_an_unknown_convention_is_refused():
    with pytest.raises(
        UsageError, match=r"convention 'tim' is unknown: known are contractions, timm\. Did you mean timm"
    ):
        plan("vit-b16-224", convention="tim")
