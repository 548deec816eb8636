"""View rules against the functions of transformers, on seeded sizes with every odd kind among them."""

import random

import pytest

pytest.importorskip("transformers")

import numpy as np
from transformers import Qwen2VLImageProcessorPil, image_transforms
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize
from transformers.models.siglip2.image_processing_pil_siglip2 import get_image_size_for_max_num_patches

from vistoken.counting import count
from vistoken.errors import InputError
from vistoken.geometry import Patch, Size
from vistoken.pixels import carry_out
from vistoken.views import FillTokens, PixelBudget, ShortSideCrop, View
from vistoken.views.fixed import centre_crop, scale_short_side


def odd_sizes(count=300, seed=0, most=6000):
    """1x1, thin, prime, multiples of patches and their neighbours, halves that tie, and random ones."""
    rng = random.Random(seed)
    fixed = [
        (1, 1),
        (1, 100),
        (100, 1),
        (30, 3000),
        (3000, 30),
        (7, 13),
        (997, 1009),
        (70, 98),
        (42, 98),
        (6, 1200),
        (1200, 6),
        (5, 300),
        (28, 28),
        (27, 29),
        (13, 14),
        (14, 13),
        (4096, 4096),
        (720, 1280),
        (1, 200),
        (200, 1),
    ]
    fixed += [(a + d, b + e) for a, b in ((224, 224), (448, 672), (3584, 3584)) for d in (-1, 0, 1) for e in (-1, 0, 1)]
    fixed += [(14 * n, 14 * m) for n, m in ((1, 3), (3, 5), (5, 7), (7, 9))]  # n.5 tokens of 28: ties of rounding
    while len(fixed) < count:
        fixed.append((round(most ** rng.random()), round(most ** rng.random())))
    return [Size(height=height, width=width) for height, width in fixed]


@pytest.mark.parametrize(("low", "high"), [(3136, 12_845_056), (3136, 1_003_520), (200_704, 250_000)])
def test_pixel_budget_equals_smart_resize(low, high):
    rule = PixelBudget(28, low, high, "bicubic", Patch.square(14))
    for size in odd_sizes(600):
        try:
            wanted = smart_resize(size.height, size.width, 28, low, high)
        except ValueError:
            with pytest.raises(InputError):
                rule.fit(size)
            continue
        fitted = rule.fit(size)
        assert (fitted.height, fitted.width) == wanted, size


def test_aspect_of_exactly_200_is_allowed_and_above_is_not():
    assert count("qwen2.5-vl-7b", width=200, height=1).tokens > 0
    with pytest.raises(InputError, match="200 times"):
        count("qwen2.5-vl-7b", width=201, height=1)


@pytest.mark.parametrize("budget", [1, 64, 256, 1024])
@pytest.mark.parametrize("patch", [14, 16])
def test_token_budget_equals_the_search(patch, budget):
    rule = FillTokens(budget, "bilinear", Patch.square(patch))
    for size in odd_sizes(300, seed=budget):
        wanted = get_image_size_for_max_num_patches(size.height, size.width, patch, budget)
        fitted = rule.fit(size)
        assert (fitted.height, fitted.width) == wanted, size


@pytest.mark.parametrize("short", [32, 224, 256, 336])
def test_short_side_equals_the_library(short):
    for size in odd_sizes(300, seed=short):
        image = np.broadcast_to(np.uint8(0), (3, size.height, size.width))
        wanted = image_transforms.get_resize_output_image_size(image, short, default_to_square=False)
        fitted = scale_short_side(size, short)
        assert (fitted.height, fitted.width) == wanted, size


@pytest.mark.parametrize("crop", [(8, 8), (9, 7), (16, 5), (31, 32)])
def test_centre_crop_moves_pixels_as_the_library_does(crop):
    from PIL import Image

    rng = np.random.default_rng(0)
    for height, width in [(8, 8), (9, 8), (7, 11), (16, 15), (5, 40), (40, 5), (33, 31), (1, 1)]:
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        wanted = image_transforms.center_crop(image, crop, input_data_format="channels_last")
        size = Size(height=height, width=width)
        view = View.of(size, centre_crop(size, Size(*crop)), Patch.square(1))
        np.testing.assert_array_equal(np.asarray(carry_out(Image.fromarray(image), view)), wanted)


def test_qwen_counts_equal_the_processor():
    """The whole way: the built-in entry against the processor with the same settings."""
    processor = Qwen2VLImageProcessorPil(min_pixels=3136, max_pixels=12_845_056)
    for size in odd_sizes(300, seed=7):
        if max(size.height, size.width) > 200 * min(size.height, size.width):
            continue
        mine = count("qwen2.5-vl-7b", width=size.width, height=size.height)
        wanted = processor.get_number_of_image_patches(size.height, size.width, {})
        assert mine.patches == wanted, size
        assert mine.tokens == wanted // 4


def test_the_comparison_would_notice_a_wrong_rounding(monkeypatch):
    """A negative control: rounding half up instead of half to even is seen."""
    import math

    import vistoken.views.budget as budget

    monkeypatch.setattr(budget, "round", lambda x: math.floor(x + 0.5), raising=False)
    rule = PixelBudget(28, 3136, 12_845_056, "bicubic", Patch.square(14))
    differing = [
        s
        for s in odd_sizes()
        if max(s.height, s.width) <= 200 * min(s.height, s.width)
        and (rule.fit(s).height, rule.fit(s).width) != smart_resize(s.height, s.width, 28, 3136, 12_845_056)
    ]
    assert differing


def test_short_side_crop_is_used_by_clip():
    view = ShortSideCrop(224, Size(224, 224), "bicubic", Patch.square(16)).views(Size(height=427, width=640))[0]
    assert [str(step) for step in view.steps] == ["resize to 335x224 (bicubic)", "crop to 224x224 at left 55, top 0"]


@pytest.mark.parametrize(
    "values",
    [
        {}, {"size": 97}, {"size": [40, 60]}, {"size": {"height": 30, "width": 50}}, {"size": {"shortest_edge": 41}},
        {"do_center_crop": True, "crop_size": 33}, {"do_center_crop": None}, {"do_normalize": False}, {"do_normalize": None},
        {"do_rescale": False}, {"do_rescale": None}, {"rescale_factor": 0.01}, {"image_mean": 0.3, "image_std": 0.7},
        {"resample": 0}, {"resample": 1}, {"resample": 4}, {"resample": 5}, {"default_to_square": True, "size": 30},
        {"default_to_square": False, "size": 30},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize(
    ("model_type", "name"),
    [
        ("vit", "ViT"),
        ("clip_vision_model", "CLIP"),
        ("dinov2", "Bit"),
        ("siglip_vision_model", "Siglip"),
        ("deit", "DeiT"),
    ],
)
def test_odd_but_legal_processors(tmp_path, model_type, name, values):
    """Pixels of a folder with these settings equal the processor's, bit by bit; ours come from the same file."""
    import json

    torch = pytest.importorskip("torch")
    import transformers as hf
    from PIL import Image

    from vistoken import registry
    from vistoken.encoding.prepared import normalise

    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": model_type, "image_size": 518 if name == "Bit" else 224})
    )
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"image_processor_type": f"{name}ImageProcessor", **values})
    )
    processor = getattr(hf, f"{name}ImageProcessorPil").from_pretrained(tmp_path)
    spec = registry.describe(str(tmp_path))
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8))
    wanted = processor(picture, return_tensors="pt")["pixel_values"][0].float()
    [view] = spec.views(Size(height=61, width=83))
    got = normalise(np.asarray(carry_out(picture, view)), spec.pixels)
    assert torch.equal(got, wanted)


def test_switched_off_resizing_is_honoured(tmp_path):
    import json

    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2_5_vl"}))
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"do_resize": False, "min_pixels": 3136, "max_pixels": 3136})
    )
    assert count(str(tmp_path), width=448, height=224).tokens == 128
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "siglip2"}))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"do_resize": False, "max_num_patches": 64}))
    assert count(str(tmp_path), width=448, height=224).tokens == 28 * 14
