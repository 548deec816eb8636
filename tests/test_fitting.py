"""What fits a number of tokens, against brute force over every size, setting and number of frames."""

import json
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vistoken as vt
from vistoken import registry
from vistoken.errors import InputError, NothingFits, UsageError


def sizes(width, height):
    """Every size of the aspect ratio by the longer side, written out: Python's own fractions, no step shared."""
    ratio, found = Fraction(min(width, height), max(width, height)), []
    for longer in range(1, max(width, height) + 1):
        shorter = int(longer * ratio + Fraction(1, 2))
        if shorter and abs(Fraction(shorter, longer) / ratio - 1) <= Fraction(1, 100):
            found.append((longer, shorter) if width >= height else (shorter, longer))
    return found


def tokens_of(model, size, /, **more):
    try:
        return vt.count(model, width=size[0], height=size[1], **more).tokens
    except InputError:
        return None


def one_of_each():
    """A model of every pair of view rule and prompt that is built in."""
    found = {}
    for family in registry.every():
        for model in family.published:
            spec = registry.describe(model.name)
            if spec.rule:
                found.setdefault((type(spec.rule), type(spec.prompt)), model.name)
    return sorted(found.values())


def check(model, bound, counts, limit):
    fitting = [size for size, tokens in counts.items() if tokens is not None and tokens <= limit]
    largest = max(fitting, key=lambda size: size[0] * size[1], default=None)
    try:
        fit = vt.within(model, width=bound[0], height=bound[1], tokens=limit)
    except NothingFits as error:
        least = min(tokens for tokens in counts.values() if tokens is not None)
        assert largest is None
        assert f"with {least:,} tokens, {least - limit:,} more" in str(error)
        return
    assert (fit.image and (fit.image.width, fit.image.height)) == largest
    assert fit.tokens == counts.get(largest)
    assert fit.counted == counts[bound]
    assert fit.fits == (largest == bound)
    assert largest or fit.settings
    for setting in fit.settings:
        assert tokens_of(model, bound, **{setting.name: setting.value}) == setting.tokens <= limit


def test_there_are_many_rules():
    assert len(one_of_each()) > 60


@pytest.mark.parametrize("model", one_of_each())
def test_largest_size_of_every_rule(model):
    """The limits are those at which the answer changes: around counts that some size has."""
    bound = (450, 300)
    counts = {size: tokens_of(model, size) for size in sizes(*bound)}
    known = sorted({tokens for tokens in counts.values() if tokens})
    for tokens in {known[0], known[len(known) // 2], known[-1]}:
        check(model, bound, counts, tokens)
    if known[0] > 1:
        check(model, bound, counts, known[0] - 1)


# Rules that cut tiles, and one that enlarges: their counts go up and down with the size.
TILED = ["internvl3-8b", "gpt-4o", "llava-onevision-7b", "deepseek-vl2-tiny", "minicpm-v-2.6", "qwen2.5-vl-7b",
         "molmo2-8b"]  # fmt: skip


@settings(max_examples=25)
@given(st.sampled_from(TILED), st.integers(1, 900), st.integers(1, 900), st.floats(0, 1))
def test_largest_size_by_chance(model, width, height, share):
    counts = {size: tokens_of(model, size) for size in sizes(width, height)}
    known = sorted({tokens for tokens in counts.values() if tokens})
    if known:
        check(model, (width, height), counts, known[int(share * (len(known) - 1))])


def test_a_rule_that_is_not_monotonic():
    """DeepSeek-VL2 finds a canvas of fewer tiles for exactly 3:2."""
    assert tokens_of("deepseek-vl2-tiny", (1500, 1000)) < 1500 < tokens_of("deepseek-vl2-tiny", (1499, 999))
    assert vt.within("deepseek-vl2-tiny", width=1500, height=1000, tokens=1500).fits


# ---------------------------------------------------------------- settings


def test_a_budget_in_pixels_is_the_mildest():
    """In whole patches of 14 x 14, and never stricter than the budget of N tokens of 28 x 28 pixels."""
    (setting,) = vt.within("qwen2.5-vl-7b", width=1280, height=720, tokens=640).settings
    assert setting.name == "max_pixels"
    assert setting.value >= 640 * 784 - 784
    assert tokens_of("qwen2.5-vl-7b", (1280, 720), max_pixels=setting.value) <= 640
    assert tokens_of("qwen2.5-vl-7b", (1280, 720), max_pixels=setting.value + 196) > 640


@pytest.mark.parametrize(
    ("model", "name", "own"),
    [
        ("internvl3-8b", "max_patches", 12),
        ("OpenGVLab/InternVL2-8B", "max_dynamic_patch", 12),
        ("lfm2-vl-450m", "max_tiles", 10),
        ("minicpm-v-2.6", "max_slice_nums", 9),
        ("siglip2-b16-naflex", "max_num_patches", 256),
        ("molmo2-8b", "max_crops", 8),
    ],
)
def test_a_limit_is_the_mildest_of_all_its_values(model, name, own):
    """Counted at every value from the model's own down."""
    counts = {value: tokens_of(model, (2000, 1500), **{name: value}) for value in range(2, own + 1)}
    limit = sorted(set(counts.values()))[(len(set(counts.values())) - 1) // 2]
    assert limit < counts[own]
    found = {setting.name: setting for setting in vt.within(model, width=2000, height=1500, tokens=limit).settings}
    assert found[name].value == max(value for value, tokens in counts.items() if tokens <= limit)


@pytest.mark.parametrize(
    ("model", "limit", "setting"),
    [
        ("gpt-4o", 100, "detail=low"),  # 85 tokens whatever the size, says the vision guide
        ("gemini-3-pro", 600, "media_resolution=medium"),  # a budget of 560 cells and one token
        ("gemma-4-e2b", 150, "max_soft_tokens=140"),
        ("idefics3-8b", 200, "do_image_splitting=false"),  # the overview alone: 169 tokens and its tags
    ],
)
def test_settings_with_names(model, limit, setting):
    fit = vt.within(model, width=1600, height=1200, tokens=limit)
    assert str(fit.settings[-1]) == setting
    assert fit.image is None
    assert fit.settings[-1].tokens <= limit


def test_edges_and_listed_canvases():
    (edge,) = vt.within("pixtral-12b", width=1024, height=1024, tokens=1100).settings
    long = edge.value["longest_edge"]
    assert tokens_of("pixtral-12b", (1024, 1024), size={"longest_edge": long}) == edge.tokens <= 1100
    assert tokens_of("pixtral-12b", (1024, 1024), size={"longest_edge": long + 1}) > 1100
    (canvases,) = vt.within("llava-onevision-7b", width=1600, height=1200, tokens=4000).settings
    assert canvases.name == "image_grid_pinpoints"
    assert [384, 384] in canvases.value
    assert [2304, 2304] not in canvases.value


def test_a_folder_and_settings_of_the_caller(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2_5_vl"}))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"max_pixels": 401_408}))
    fit = vt.within(tmp_path, width=1280, height=720, tokens=300)
    assert fit.counted == tokens_of(tmp_path, (1280, 720)) < 512 + 1
    assert fit.settings[0].value < 401_408
    assert vt.within(tmp_path, width=1280, height=720, tokens=300, max_pixels=200_704).fits


# ---------------------------------------------------------------- how many share a prompt


@pytest.mark.parametrize(("model", "size", "context"), [
    ("claude-opus-4.7", (2400, 1600), 200_000),  # above 20 pictures none may have a side above 2,000
    ("claude-opus-4.7", (1000, 800), 40_000), ("llava-onevision-7b", (1000, 800), 30_000),
    ("deepseek-vl2-tiny", (1000, 800), 20_000), ("qwen2.5-vl-7b", (1000, 800), 32_768),
])  # fmt: skip
def test_how_many_pictures_fit(model, size, context):
    fit = vt.within(model, width=size[0], height=size[1], tokens=context)
    fits = []
    for images in range(1, 200):
        each = tokens_of(model, size, images_in_prompt=images)
        fits += [images] * (each is not None and images * each <= context)
    assert fit.images == max(fits)


def test_pictures_among_others():
    """LLaVA-OneVision sees each of several pictures as one view."""
    alone = vt.within("llava-onevision-7b", width=1000, height=800, tokens=2000)
    among = vt.within("llava-onevision-7b", width=1000, height=800, tokens=2000, images_in_prompt=4)
    assert not alone.fits
    assert among.fits
    assert among.tokens == tokens_of("llava-onevision-7b", (1000, 800), images_in_prompt=4)


# ---------------------------------------------------------------- videos


@pytest.mark.parametrize(("model", "limit"), [
    ("qwen2.5-vl-7b", 900), ("qwen3-vl-8b", 500), ("internvl3-8b", 2000), ("glm-4.5v", 700), ("qwen2.5-vl-7b", 10),
    ("gemini-3-pro", 500),
])  # fmt: skip
def test_frames_and_sizes(model, limit):
    bound, frames = (320, 180), 24

    def tokens(size, number):
        return tokens_of(model, size, frames=number)

    at_size = [number for number in range(1, frames + 1) if (used := tokens(bound, number)) and used <= limit]
    expected = []
    for number in (24, 12, 6, 3, 1):
        fitting = [size for size in sizes(*bound) if (used := tokens(size, number)) is not None and used <= limit]
        pair = (number, max(fitting, default=None))
        beaten = [other for other in expected if other[1] >= (pair[1] or (0, 0))] or number <= max(at_size, default=0)
        if pair[1] and not beaten:
            expected.append(pair)
    fit = vt.within_video(model, width=bound[0], height=bound[1], frames=frames, tokens=limit)
    assert (fit.most and fit.most.frames) == max(at_size, default=None)
    assert [(pair.frames, (pair.size.width, pair.size.height)) for pair in fit.pairs] == expected * (not fit.fits)
    for pair in [*fit.pairs, *filter(None, [fit.most])]:
        assert pair.tokens == tokens((pair.size.width, pair.size.height), pair.frames) <= limit


def test_more_frames_can_be_fewer_tokens():
    """Qwen3-VL shares one budget of pixels among all frames: the most frames are found although fewer do not fit."""
    counts = [tokens_of("qwen3-vl-8b", (1280, 720), frames=frames) for frames in (40, 768)]
    assert counts[0] > 11_600 > counts[1]
    assert vt.within_video("qwen3-vl-8b", width=1280, height=720, frames=768, tokens=11_600).fits


def test_a_video_that_the_model_samples():
    fit = vt.within_video("qwen2.5-vl-7b", width=640, height=360, duration=60, fps=30, tokens=4000)
    assert fit.frames == 120  # two a second
    for setting in fit.settings:
        more = {"duration": 60, "fps": 30, setting.name: setting.value}
        assert tokens_of("qwen2.5-vl-7b", (640, 360), **more) == setting.tokens <= 4000
    assert {"max_frames", "max_pixels"} <= {setting.name for setting in fit.settings}


# ---------------------------------------------------------------- refusals


def test_wrong_use():
    def refused(match, error=UsageError, function=vt.within, **more):
        with pytest.raises(error, match=match):
            function("qwen2.5-vl-7b", **{"width": 1280, "height": 720, "tokens": 100} | more)

    refused("tokens is 0: it must be a whole number", tokens=0)
    refused("tokens is 1.5", tokens=1.5)
    refused("tokens is true|tokens is True", tokens=True)
    refused("context is -1", context=-1)
    refused("images_in_prompt is 0", images_in_prompt=0)
    refused("give image, or width and height", image="x.jpg")
    refused("at most 65,535 pixels", error=InputError, width=70_000)
    refused("longer than 200 times", error=InputError, width=40_000, height=10)
    refused("no size up to 1280x720 stays within 1 tokens", error=NothingFits, tokens=1)
    refused("give frames, or duration", function=vt.within_video)
    refused("choose so many first", function=vt.within_video, frames=5000)
    refused("not one frame of 1280x720", error=NothingFits, function=vt.within_video, frames=5, tokens=3)
