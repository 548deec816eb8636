"""count_many: equal to the single form on every input, whatever the sizes come in."""

import random
import subprocess
import sys
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vistoken as vt
from vistoken import count_many, counter, registry
from vistoken.counting import arrays
from vistoken.errors import InputError, UsageError

np = pytest.importorskip("numpy")

# One model for each rule and layout with an array form, and for each way in which they are parameterised: with markers
# and without, tiles as large as the view or not, as many cells as patches or fewer.
ANYRES = ["llava-hf/llava-v1.6-mistral-7b-hf", "llava-hf/llava-onevision-qwen2-7b-ov-hf", "ibm-granite/granite-vision-3.2-2b",
          "ibm-granite/granite-4.0-3b-vision"]  # fmt: skip
IN_ARRAYS = [*ANYRES, "qwen2.5-vl-7b", "Qwen/Qwen3-VL-8B-Instruct", "CohereLabs/North-Micro-Vision-Instruct",
             "OpenGVLab/InternVL3-8B-hf"]  # fmt: skip
# Others, by the three kinds of quick scalar forms: constant, one grid, all else.
SCALAR = ["clip-l14-336", "siglip2-naflex", "HuggingFaceTB/SmolVLM-Instruct"]
SIDES = st.one_of(
    st.integers(1, 3000), st.integers(1, 100_000_000), st.sampled_from([336, 384, 672, 768, 2304, 10_000])
)


def singly(model, widths, heights, **more):
    """The single form, 0 where it refuses."""
    one = counter(model, **more)

    def tokens(width, height):
        try:
            return one(width=width, height=height)
        except InputError:
            return 0

    return [tokens(width, height) for width, height in zip(widths, heights, strict=True)]


def drawn(number, seed=1, most=4000):
    source = random.Random(seed)
    return [source.randint(1, most) for _ in range(number)], [source.randint(1, most) for _ in range(number)]


def test_every_array_form_has_a_model_here():
    assert {(type(spec.rule), type(spec.prompt)) for spec in map(registry.describe, IN_ARRAYS)} == set(arrays.FORMS)
    assert all(arrays.array_form(registry.describe(name)) for name in IN_ARRAYS)
    assert not any(arrays.array_form(registry.describe(name)) for name in SCALAR)


@pytest.mark.parametrize("model", IN_ARRAYS)
def test_array_forms_equal_the_single_form(model):
    widths, heights = drawn(10_000)
    assert count_many(model, np.array(widths), np.array(heights), errors="mask").tokens.tolist() == singly(
        model, widths, heights
    )


@pytest.mark.parametrize("model", [*ANYRES[1:3], "qwen2.5-vl-7b", "OpenGVLab/InternVL3-8B-hf"])
def test_array_forms_on_all_small_sizes(model):
    heights, widths = (side.ravel() + 1 for side in np.indices((200, 200)))
    expected = singly(model, widths.tolist(), heights.tolist())
    assert count_many(model, widths, heights, errors="mask").tokens.tolist() == expected


@pytest.mark.slow
@pytest.mark.parametrize("model", IN_ARRAYS)
def test_array_forms_on_a_million_sizes(model):
    for seed, most in ((2, 2500), (3, 20_000)):
        widths, heights = drawn(500_000, seed, most)
        found = count_many(model, np.array(widths), np.array(heights), errors="mask")
        assert found.tokens.tolist() == singly(model, widths, heights)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ANYRES[:3]),
    st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=50),
    st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=8),
)
def test_array_forms_with_other_canvases(model, sizes, tiles):
    """Canvases as the caller lists them: twice the same, only tall ones, ties between them."""
    side = registry.describe(model).rule.tile
    widths, heights = map(list, zip(*sizes, strict=True))
    pinpoints = [[side * rows, side * cols] for rows, cols in tiles]
    many = count_many(model, np.array(widths), np.array(heights), image_grid_pinpoints=pinpoints)
    assert many.tokens.tolist() == singly(model, widths, heights, image_grid_pinpoints=pinpoints)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=50),
    st.one_of(
        st.tuples(st.just("qwen2.5-vl-7b"), st.fixed_dictionaries({}, optional={
            "min_pixels": st.integers(1, 10**6), "max_pixels": st.integers(10**6, 10**10)})),
        st.tuples(st.just("OpenGVLab/InternVL3-8B-hf"), st.fixed_dictionaries({}, optional={
            "min_patches": st.integers(1, 6), "max_patches": st.integers(6, 40)})),
    ),
)  # fmt: skip
def test_array_forms_with_other_settings(sizes, model):
    name, more = model
    widths, heights = map(list, zip(*sizes, strict=True))
    expected = singly(name, widths, heights, **more)
    assert count_many(name, np.array(widths), np.array(heights), errors="mask", **more).tokens.tolist() == expected


def test_broken_canvases_are_refused_as_the_single_form_refuses_them():
    pinpoints = [[336, 672], [700, 336]]
    many = count_many("llava-hf/llava-v1.6-mistral-7b-hf", np.array([900, 300]), np.array([400, 900]), errors="mask",
                      image_grid_pinpoints=pinpoints)  # fmt: skip
    assert many.tokens[0] == counter("llava-hf/llava-v1.6-mistral-7b-hf", image_grid_pinpoints=pinpoints)(
        width=900, height=400
    )
    assert many.tokens[1] == 0
    assert "300x900 suits the canvas 336x700 best" in many.refused[1]


@pytest.mark.parametrize("model", [*IN_ARRAYS[1::2], *SCALAR])
@pytest.mark.parametrize("many", [1, 10**9])
def test_whatever_the_sizes_come_in(model, many, monkeypatch):
    monkeypatch.setattr("vistoken.counting.many.MANY", many)
    widths, heights = drawn(300, seed=4, most=900)
    widths, heights = widths + widths[:50], heights + heights[:50]  # some sizes twice
    expected = singly(model, widths, heights)
    for form in (list, tuple, iter, lambda sides: array("I", sides)):
        found = count_many(model, form(widths), form(heights), errors="mask").tokens
        assert isinstance(found, array)
        assert list(found) == expected
    for kind in ("int16", "uint16", "int64", "uint64", ">i4"):
        found = count_many(model, np.array(widths, kind), np.array(heights, kind), errors="mask").tokens
        assert (found.dtype, found.tolist()) == (np.int64, expected)
    assert count_many(model, np.array(widths), heights, errors="mask").tokens.tolist() == expected


def test_examples_of_all_families():
    """Counts with their sources, through the road for many."""
    checked = 0
    for example in (example for family in registry.families() for example in family.examples):
        if not {"frames", "duration", "input"} & set(example.arguments):
            many = count_many(example.model, [example.width], [example.height], **example.arguments)
            assert list(many.tokens) == [example.tokens], example
            checked += 1
    assert checked > 50


def test_refused_sizes_are_named_by_index():
    """Qwen2-VL's rule refuses what is over 200 times as long as wide (`smart_resize`)."""
    for form in (list, np.array):
        with pytest.raises(InputError, match=r"index 1: 3000x10 is longer than 200 times"):
            count_many("qwen2.5-vl-7b", form([640, 3000]), form([480, 10]))
        masked = count_many("qwen2.5-vl-7b", form([640, 3000, 0, 3000]), form([480, 10, 5, 10]), errors="mask")
        assert list(masked.refused) == [1, 2, 3]
        assert "width is 0" in masked.refused[2]
        assert list(masked.tokens)[1:] == [0, 0, 0]
        assert masked.total == masked.tokens[0] == counter("qwen2.5-vl-7b")(width=640, height=480)
        with pytest.raises(UsageError, match=r"index 0: height is -7"):
            count_many("clip-b32", form([640]), form([-7]))


@pytest.mark.parametrize("model", ["llava-hf/llava-onevision-qwen2-7b-ov-hf", "clip-b32"])
def test_sides_beyond_the_limit(model):
    limit = 100_000_000
    for sides in (
        [limit + 1, 2**62],
        np.array([limit + 1, 2**62]),
        np.array([limit + 1, 2**64 - 1], np.uint64),
        [limit + 1, 2**80],
    ):
        found = count_many(model, sides, [5, 5], errors="mask")
        assert list(found.refused) == [0, 1]
        assert "a side must be a whole number of pixels from 1 to 100,000,000" in found.refused[1]
    assert count_many(model, [limit], [limit]).tokens[0] == counter(model)(width=limit, height=limit)


@pytest.mark.parametrize(
    ("widths", "heights", "says"),
    [
        ([1, 2], [3], "2 widths and 1 heights"),
        (5, [3], "widths is 5: give a sequence"),
        ("640", "480", "widths is '640': give a sequence"),
        ([640.0], [480], "index 0: width is 640.0"),
        ([1, True], [1, 1], "index 1: width is True"),
        ([None], [1], "index 0: width is null"),
        (np.array([640.0]), [480], "widths has values of type float64"),
        (np.array([True]), [480], "widths has values of type bool"),
        (np.array([640]), [True], "heights has values of type bool"),
        (np.array([640]), [2**80], "heights has an enormous integer"),
        (np.array([[640]]), [480], "widths has 2 dimensions"),
        (np.array(640), [480], "widths has 0 dimensions"),
        (np.ma.array([640, 1], mask=[False, True]), [480, 480], "widths has masked values"),
    ],
)  # fmt: skip
def test_wrong_sides(widths, heights, says):
    with pytest.raises(UsageError, match=says.replace("(", r"\(")):
        count_many("qwen2.5-vl-7b", widths, heights)


def test_wrong_words():
    with pytest.raises(UsageError, match='errors is \'ignore\': it must be "raise" or "mask"'):
        count_many("qwen2.5-vl-7b", [1], [1], errors="ignore")
    with pytest.raises(UsageError, match="images_in_prompt is 0"):
        count_many("qwen2.5-vl-7b", [1], [1], images_in_prompt=0)
    with pytest.raises(vt.VistokenError, match="Did you mean"):
        count_many("qwen2.5-vl-7", [1], [1])


def test_nothing_is_counted_as_nothing():
    assert list(count_many("qwen2.5-vl-7b", [], []).tokens) == []
    assert count_many("qwen2.5-vl-7b", np.array([], int), []).total == 0


def test_settings_and_crowds_arrive():
    """LLaVA-OneVision counts several pictures of one prompt as one view each (its model card, "multi-image")."""
    model = "llava-hf/llava-onevision-qwen2-7b-ov-hf"
    many = count_many(model, np.array([1000, 333]), np.array([700, 999]), images_in_prompt=3)
    assert many.tokens.tolist() == [
        vt.count(model, width=w, height=h, images_in_prompt=3).tokens for w, h in ((1000, 700), (333, 999))
    ]
    assert list(count_many("qwen2.5-vl-7b", [1280], [720], max_pixels=501760).tokens) == [594]


def test_sequences_load_no_numpy():
    """Where there is no array form, or where there are few sizes."""
    code = """
import sys, vistoken as vt
vt.count_many("siglip2-naflex", [640] * 20_000, [480] * 20_000)
vt.count_many("qwen2.5-vl-7b", [640] * 500, [480] * 500)
print("numpy" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
