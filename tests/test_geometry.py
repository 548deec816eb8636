"""Sizes, grids, views: laws over random sizes, no library but Pillow needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vistoken.errors import InputError, UsageError
from vistoken.geometry import Grid, Patch, Size, offsets
from vistoken.views import Crop, FillTokens, Native, Pad, PixelBudget, Resize, ShortSide, ShortSideCrop, Stretch, View
from vistoken.views.fixed import StretchCrop, centre_crop

sides = st.integers(1, 5000)
sizes = st.builds(Size, height=sides, width=sides)
P14, P16 = Patch.square(14), Patch.square(16)
RULES = [
    Stretch(Size(384, 384), "bicubic", P14),
    StretchCrop(Size(256, 256), Size(224, 224), "bicubic", P16),
    ShortSide(224, "bicubic", P14),
    ShortSideCrop(256, Size(224, 224), "bicubic", P14),
    ShortSideCrop(100, Size(224, 224), "bicubic", P14),
    PixelBudget(28, 3136, 12_845_056, "bicubic", P14),
    FillTokens(256, "bilinear", P16),
]


@given(sizes)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_views_hold_their_laws(rule, size):
    try:
        views = rule.views(size)
    except InputError as error:
        assert isinstance(rule, PixelBudget)
        assert "200 times" in str(error)
        assert max(size.height, size.width) > 200 * min(size.height, size.width)
        return
    for view in views:
        assert view.source == size
        assert view.grid.rows * view.patch.height <= view.size.height < (view.grid.rows + 1) * view.patch.height
        assert view.grid.cols * view.patch.width <= view.size.width < (view.grid.cols + 1) * view.patch.width
        boxes = list(view.boxes())
        assert len(boxes) == view.grid.patches > 0
        assert boxes[0].left == pytest.approx(view.box.left)
        assert boxes[-1].bottom == pytest.approx(view.box.bottom)
    if isinstance(rule, PixelBudget):
        assert rule.min_pixels <= views[0].size.pixels <= max(rule.max_pixels, 28 * 28)
        assert views[0].size.height % 28 == views[0].size.width % 28 == 0
    if isinstance(rule, FillTokens):
        assert views[0].grid.patches <= rule.budget


@given(sizes)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_turning_the_picture_turns_the_grid(rule, size):
    try:
        grid, turned = rule.views(size)[0].grid, rule.views(size.swapped)[0].grid
    except InputError:
        return
    assert (grid.rows, grid.cols) == (turned.cols, turned.rows)


@given(sizes, st.integers(1, 400), st.integers(1, 400))
def test_a_centre_crop_ends_at_its_size(size, height, width):
    crop = Size(height=height, width=width)
    current = size
    for step in centre_crop(size, crop):
        if isinstance(step, Crop):
            assert 0 <= step.top <= current.height - step.size.height
            assert 0 <= step.left <= current.width - step.size.width
        else:
            assert 0 <= step.top <= step.size.height - current.height
        current = step.size
    assert current == crop


def test_a_box_goes_back_through_every_step():
    # 400x200 is scaled by 1/2, put at (10, 20) on a canvas, and cut: patch (0, 0) covers y 5-9 and x 12-16 there.
    source = Size(height=200, width=400)
    steps = (Resize(Size(100, 200), "bicubic"), Pad(10, 20, Size(150, 250)), Crop(15, 32, Size(8, 8)))
    view = View.of(source, steps, Patch.square(4))
    first = next(view.boxes())
    assert (first.top, first.left, first.bottom, first.right) == (
        (15 - 10) * 2,
        (32 - 20) * 2,
        (19 - 10) * 2,
        (36 - 20) * 2,
    )


def test_native_size_refuses_less_than_a_patch():
    with pytest.raises(InputError, match="smaller than one 16x16 patch"):
        Native(Size(224, 224), "bicubic", P16).views(Size(15, 300))


def test_a_picture_too_thin_to_scale_is_refused():
    with pytest.raises(InputError, match="too thin"):
        ShortSideCrop(224, Size(224, 224), "bicubic", P16).views(Size(1, 1_000_000))


@pytest.mark.parametrize(
    "text",
    ["1280*720", "0x10", "10x0", "-5x7", "12.5x7", "x", "1280x", "nanx5", "1e3x2", "10x10x10", "999999999x5", "٣x٤"],
)
def test_malformed_sizes_are_refused(text):
    with pytest.raises(UsageError):
        Size.parse(text)


@pytest.mark.parametrize("side", [0, -1, 1.0, True, "5", None, float("nan"), 10**9])
def test_impossible_sides_are_refused(side):
    with pytest.raises(UsageError, match="height"):
        Size(height=side, width=5)


def test_small_things():
    assert Size.parse("1280x720") == Size.parse(" 1280X720 ") == Size(height=720, width=1280)
    assert str(Size(height=720, width=1280)) == "1280x720"
    assert offsets([]) == (0,)
    assert list(Grid(rows=2, cols=2).cells()) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert Grid(rows=3, cols=5, frames=2).patches == 30
    assert Patch(32, 16).grid(Size(224, 224)) == Grid(rows=7, cols=14)
