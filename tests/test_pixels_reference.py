"""The pixels of every view against the processors of transformers: bit by bit where there is one that uses Pillow.

The reference is built from each family's own values. Where only a torchvision processor exists, its pixels are golden
files made by `make_pixel_goldens.py`; torchvision rounds otherwise than Pillow, so those are equal to within a step.
"""

from dataclasses import replace

import pytest

pytest.importorskip("transformers")

import numpy as np
from pixel_cases import GOLDENS, SIZES, Reference, as_bytes, differing, our_bytes, our_views, picture, samples

from vistoken import registry
from vistoken.errors import InputError
from vistoken.judge.unpacked import UNPACKERS
from vistoken.judge.verify import quiet, settings_of
from vistoken.views.steps import Pad

quiet()

FAMILIES = {family.name: family for family in registry.families()}
# Theirs is the PIL class though their processor needs torchvision, see `Reference.of`.
PIL_WITHIN = ("Mistral 3", "Pixtral")
# Why no pixels are compared.
LEFT_OUT = {
    "Kosmos-2.5": "each picture is normalised by its own mean and deviation",
    "Pix2Struct": "each picture is normalised by its own mean and deviation",
}
# Compared below, since the second tower has a mean and a deviation of its own.
TWO_TOWERS = "DeepSeek-VL hybrid"
BIT_BY_BIT = [
    name
    for name, family in FAMILIES.items()
    if family.reference and (not family.reference.torchvision or name in PIL_WITHIN)
    if name not in LEFT_OUT and name != TWO_TOWERS
]
GOLDEN_NAMES = sorted({str(name).split("|")[0] for name in np.load(GOLDENS)})


def pictures(sizes):
    return [picture(width, height) for width, height in sizes]


@pytest.mark.parametrize("name", BIT_BY_BIT)
def test_every_bit_is_equal(name):
    """With the published values on all sizes, and with each set of settings on two."""
    family = FAMILIES[name]
    for number, settings in settings_of(family):
        model = family.published[0]
        spec, reference = registry.describe(model.name, settings=settings), Reference.of(family, model, settings)
        for image in pictures(SIZES[number % 3 : 6 : 3] if number else SIZES):
            assert not differing(spec, reference, image), f"{dict(settings)} {image.size}"


MANY = ((1280, 720), (1, 77), (4, 4), (13, 600), (449, 447), (2048, 64), (1031, 1033), (337, 673), (2300, 1700))


@pytest.mark.slow
@pytest.mark.parametrize("name", BIT_BY_BIT)
def test_every_bit_is_equal_for_all_models(name):
    """Every published model that is brought to size differently, on more sizes.

    A side of 3 pixels is left out, which the reference could take for the channels.
    """
    for spec, reference in differently_sized(FAMILIES[name]):
        compared = 0
        for image in pictures(SIZES + MANY):
            try:
                different = differing(spec, reference, image)
            except InputError:  # too thin for this model, or for the memory that is allowed
                continue
            assert not different, f"{spec.name} {image.size}"
            compared += 1
        assert compared >= 12


def differently_sized(family):
    seen = []
    for model in family.published:
        spec = registry.describe(model.name)
        if (spec.rule, spec.pixels) not in seen:
            seen.append((spec.rule, spec.pixels))
            yield spec, Reference.of(family, model)


@pytest.mark.parametrize("settings", [{}, {"high_res_size": {"height": 300, "width": 300}}], ids=str)
def test_two_towers_see_the_same_bytes(settings):
    """The small view bit by bit; the large one, which has its own mean and deviation, byte by byte."""
    family = FAMILIES[TWO_TOWERS]
    model = family.published[0]
    spec, reference = registry.describe(model.name, settings=settings), Reference.of(family, model, settings)
    processor = reference.judge.image
    own = np.array(processor.high_res_image_mean), np.array(processor.high_res_image_std), processor.rescale_factor
    for image in pictures(SIZES):
        (small, large), (_, wanted) = our_views(spec, image), reference.views(image)
        assert small.steps[:-1] == large.steps
        assert [text for text in differing(spec, reference, image) if text.startswith("view 0")] == []
        np.testing.assert_array_equal(our_bytes(image, large), as_bytes(wanted, *own))


@pytest.mark.parametrize("do_pad", [True, False])
def test_llava_that_pads_to_a_square(tmp_path, do_pad):
    """No published values ask for it; folders can. The padding has the mean's colour."""
    import json

    import transformers

    values = {"image_processor_type": "LlavaImageProcessor", "do_pad": do_pad, "size": {"shortest_edge": 336},
              "crop_size": {"height": 336, "width": 336}}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava"}))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(values))
    spec, processor = registry.describe(str(tmp_path)), transformers.LlavaImageProcessorPil.from_pretrained(tmp_path)
    for image in pictures(SIZES):
        assert not differing(spec, _Bare(processor), image)


def test_onevision_with_several_pictures_in_a_prompt():
    """None is tiled then; each is padded to a square in the mean's colour. Of each row of views the first is real."""
    family = FAMILIES["LLaVA-OneVision"]
    model = family.published[0]
    processor = Reference.of(family, model).judge.image
    spec = registry.describe(model.name).among(2)
    images = pictures(SIZES)
    wanted = processor([images], return_tensors="np")["pixel_values"]
    for image, view in zip(images, wanted, strict=True):
        [ours] = our_views(spec, image)
        mean, std = np.array(processor.image_mean), np.array(processor.image_std)
        np.testing.assert_array_equal(our_bytes(image, ours), as_bytes(view[0], mean, std, processor.rescale_factor))


class _Bare:
    """An image processor by itself, as a `Reference`."""

    def __init__(self, processor):
        self.processor = processor

    def views(self, image):
        return list(UNPACKERS["pixel_values"](self.processor(image, return_tensors="np"), self.processor))


# ---------------------------------------------------------------- torchvision, from golden files


def goldens(name):
    """(size, settings' number, number of views, the compared views with samples of their bytes)."""
    stored = np.load(GOLDENS)
    for key in stored:
        family, settings, size, views, place = key.split("|")
        if family == name and place != "values":
            width, height = (int(side) for side in size.split("x"))
            yield (width, height), int(settings), int(views), int(place), stored[key]


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_within_a_step_of_torchvision(name):
    """Every sample within one of 255 steps, but for two in 10,000, which are off by two.

    Both add up rounded weights when they resize bytes, but the two round to different precision.
    """
    off = []
    for size, settings, views, place, wanted in goldens(name):
        spec = _described(name, settings)
        ours, image = our_views(spec, picture(*size)), picture(*size)
        assert len(ours) == views, size
        got = samples(our_bytes(image, ours[place]).astype(np.int64))
        assert got.shape == wanted.shape, (size, settings, place)
        off.append(np.abs(got - wanted.astype(np.int64)).ravel())
    distances = np.concatenate(off)
    assert distances.max() <= 2
    assert (distances > 1).mean() <= 2e-4
    assert len(distances) > 10_000


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_mean_deviation_and_scale_are_the_processors(name):
    pixels = registry.describe(FAMILIES[name].published[0].name).pixels
    mean, std, scale = np.load(GOLDENS)[f"{name}|0|0x0|0|values"].reshape(3, 3)
    np.testing.assert_allclose((pixels.mean, pixels.std), (mean, std), rtol=1e-12)
    assert scale[0] == pytest.approx(pixels.scale, rel=1e-12)


def _described(name, number):
    family = FAMILIES[name]
    return registry.describe(family.published[0].name, settings=dict(settings_of(family))[number])


# ---------------------------------------------------------------- would it notice?


def test_one_wrong_byte_is_noticed(monkeypatch):
    """A negative control: padding that is off by one step in one channel is seen."""
    family = FAMILIES["Janus"]
    spec, reference = registry.describe(family.published[0].name), Reference.of(family, family.published[0])
    red, green, blue = spec.rule.fill
    wrong = replace(spec, rule=replace(spec.rule, fill=(red, green + 1, blue)))
    image = picture(*SIZES[0])
    assert not differing(spec, reference, image)
    assert differing(wrong, reference, image)


def test_every_family_with_a_reference_is_compared_or_has_a_reason():
    """Pixels of torchvision processors whose output is not unpacked are not compared either: their keys are told."""
    compared = {*BIT_BY_BIT, *GOLDEN_NAMES, *LEFT_OUT, TWO_TOWERS}
    rest = {name for name, family in FAMILIES.items() if family.reference} - compared
    assert rest == {"Fuyu", "Inkling", "Inkling 2", "Nemotron Omni"}
    assert not any(FAMILIES[name].reference.sees in UNPACKERS for name in rest)


@pytest.mark.parametrize(
    ("name", "fill"),
    [
        ("phi-4-multimodal", (255, 255, 255)),
        ("deepseek-ocr-2", (127, 127, 127)),
        ("deepseek-vl2-tiny", (127, 127, 127)),
        ("llava-next", (0, 0, 0)),
        ("pi0", (128, 128, 128)),
    ],
)
def test_colours_of_padding(name, fill):
    """What the processors' sources say: white, `background_color`, the mean, black, 0 after normalising."""
    views = our_views(registry.describe(name), picture(640, 427))
    pads = {step for view in views for step in view.steps if isinstance(step, Pad)}
    assert {pad.fill for pad in pads} == {fill}
