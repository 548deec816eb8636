"""What must hold for every count, whatever the model: the two forms of a decision agree, parts sum up, nothing crashes."""

import json
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vistoken as vt
from vistoken import registry
from vistoken.counting import count_views
from vistoken.errors import InputError, VistokenError
from vistoken.geometry import MAX_SIDE, Size
from vistoken.judge.sizes import sizes
from vistoken.sequence import Image, Marker, Text
from vistoken.video import Clip, Source

FAMILIES = list(registry.families())


def distinct():
    """One model of every way of being brought to size."""
    for family in FAMILIES:
        seen = []
        for model in family.published:
            spec = registry.describe(model.name)
            if (how := (spec.rule, spec.prompt, spec.video)) not in seen:
                seen.append(how)
                yield spec


SPECS = {spec.name: spec for spec in distinct()}
MANY = [(size.width, size.height) for size in sizes(130)]
ODD = [(1, 1), (1, 100), (100, 1), (7, 2000), (2000, 7), (640, 480), (480, 640), (1280, 720), (997, 1009), (4032, 3024)]
sides = st.one_of(st.integers(1, 64), st.integers(1, 5000), st.integers(1, MAX_SIDE))


def check(result):
    """The laws of one count."""
    tiling, views = result.tiling, result.views
    assert sorted(map(str, tiling.grids)) == sorted(str(view.grid) for view in views)
    assert tiling.patches == sum(view.grid.patches for view in views)
    assert sum(value for _, value in result.rows) == result.tokens
    if result.sequence:
        flat = list(result.sequence.flat())
        assert result.image_tokens == sum(piece.tokens for piece in flat if isinstance(piece, Image))
        assert result.marker_tokens == sum(isinstance(piece, Marker) for piece in flat)
        assert result.text == tuple(piece.text for piece in flat if isinstance(piece, Text))
        assert "{" not in "".join(piece.name for piece in flat if isinstance(piece, Marker))
    else:
        assert result.tokens == result.patches + result.prefix_tokens
    assert f"= {result.tokens:,} tokens" in result.explain()
    json.dumps(result.as_dict())
    for view in views:
        assert view.grid.rows == view.size.height // view.patch.height
        assert view.grid.cols == view.size.width // view.patch.width


@pytest.mark.parametrize("name", SPECS)
def test_laws_on_odd_sizes(name):
    for width, height in ODD + MANY:
        try:
            check(count_views(SPECS[name], Size(height=height, width=width)))
        except InputError as error:
            assert len(str(error)) > 30


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.video])
def test_laws_on_videos(name):
    spec = SPECS[name]
    if name == "MiniMaxAI/MiniMax-M3":  # its processor does not resize videos
        spec = registry.describe(name, settings={"do_resize": True})
    for film in (Clip.whole(Source(4)), Clip.whole(Source(9, 24.0)), Source(300, 29.97), Source(9000, 30.0)):
        if isinstance(film, Clip) or spec.video.sampling:
            result = count_views(spec, Size(height=480, width=854), film=film)
            check(result)
            assert result.frames == len(result.clip.indices) <= result.clip.source.frames
            assert list(result.clip.indices) == sorted(result.clip.indices)


@pytest.mark.parametrize("name", SPECS)
def test_a_counter_says_what_count_says(name):
    tokens = vt.counter(name)
    for width, height in ODD + MANY + [(MAX_SIDE, MAX_SIDE), (MAX_SIDE, 1), (195_312, 1), (195_313, 1)]:
        try:
            expected = count_views(SPECS[name], Size(height=height, width=width)).tokens
        except InputError as error:
            with pytest.raises(InputError) as raised:
                tokens(width=width, height=height)
            assert str(raised.value) == str(error)
        else:
            assert tokens(width=width, height=height) == expected


def test_a_counter_takes_settings_and_neighbours_and_refuses_as_count_does():
    assert vt.counter("qwen2.5-vl-7b", max_pixels=501_760)(width=1280, height=720) == 594
    for pictures in (1, 2, 30):
        result = vt.count("gemini-3-pro", width=1280, height=720, images_in_prompt=pictures)
        assert vt.counter("gemini-3-pro", images_in_prompt=pictures)(width=1280, height=720) == result.tokens
    for model in ("qwen2.5-vl-7b", "google/paligemma-3b-pt-224", "clip-b32", "llava-next"):
        for side in (0, -1, 10**9, 1.5, "12", None, float("nan"), True):
            with pytest.raises(vt.VistokenError, match="whole number of pixels"):
                vt.counter(model)(width=side, height=10)


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.prompt and not spec.prompt.follows_size])
def test_what_the_prompt_holds_follows_from_the_tiling_unless_the_layout_says_otherwise(name):
    spec, seen = SPECS[name], {}
    for width, height in ODD + MANY:
        try:
            result = count_views(spec, Size(height=height, width=width))
        except InputError:
            continue
        assert seen.setdefault(result.tiling, result.sequence) == result.sequence


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(SPECS)), sides, sides)
def test_no_size_crashes_or_takes_long(name, width, height):
    start = time.process_time()
    try:
        result = count_views(SPECS[name], Size(height=height, width=width))
        assert result.tokens >= 0
    except InputError as error:
        assert str(Size(height=height, width=width)) in str(error) or "patch" in str(error)
    assert time.process_time() - start < 0.5


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(SPECS)), st.integers(1, 3000), st.integers(1, 3000))
def test_laws_on_random_sizes(name, width, height):
    try:
        result = count_views(SPECS[name], Size(height=height, width=width))
    except InputError:
        return
    check(result)


junk = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 3000), st.sampled_from([0, -1, 1, 10**9, 10**30, 1e308, 0.5, "", "x", "14"]),
    st.lists(st.integers(-2, 900), max_size=3), st.just({}), st.just({"height": 0, "width": -3}), st.just({"height": 77, "width": 45}),
    st.just({"shortest_edge": 1, "longest_edge": 0}), st.just({"shortest_edge": 300}), st.just([[336, 672], [0, 1]]), st.just([[1, 2, 3]]),
)  # fmt: skip


def mutated(values, path, value):
    """The same object with one value replaced, or one key added."""
    copy = dict(values)
    if len(path) > 1 and isinstance(copy.get(path[0]), dict):
        copy[path[0]] = mutated(copy[path[0]], path[1:], value)
    else:
        copy[path[0]] = value
    return copy


def paths(values):
    for key, value in values.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, *rest) for rest in paths(value))


FILES = ("config", "preprocessor", "processor", "video")
FIELDS = [
    (family.name, file, path)
    for family in FAMILIES
    for file in FILES
    for path in paths(getattr(family.published[0], file) or {})
    if path != ("model_type",)
]
FIELDS += [(family.name, "preprocessor", (setting,)) for family in FAMILIES for setting in family.settings]
BY_NAME = {family.name: family for family in FAMILIES}


@settings(max_examples=4000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(FIELDS), junk, st.sampled_from(ODD))
def test_one_wrong_value_gives_a_clear_error_or_a_count(field, value, size):
    name, file, path = field
    family = BY_NAME[name]
    model = family.published[0]
    wrong = replace(model, **{file: mutated(getattr(model, file) or {}, path, value)})
    start = time.process_time()
    try:
        spec = registry._built_in(family, wrong, {})
        if spec.rule:
            check(count_views(spec, Size(height=size[1], width=size[0])))
        if spec.video:
            check(count_views(spec, Size(height=size[1], width=size[0]), film=Clip.whole(Source(8, 24.0))))
    except VistokenError as error:
        assert 20 < len(str(error)) < 900
    assert time.process_time() - start < 2


@pytest.mark.parametrize("name", SPECS)
def test_an_unknown_setting_is_refused_with_the_known_ones(name):
    with pytest.raises(VistokenError, match="has no setting 'colour'"):
        vt.count(name, width=10, height=10, colour=1)
