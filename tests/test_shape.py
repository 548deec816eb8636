"""The shape rule of SoViT: what the paper's own numbers make of it, laws, and what it says of itself."""

import json
from itertools import pairwise

import pytest

from vistoken.errors import NothingFits, UsageError
from vistoken.planning.shape import ANCHORS, ERROR, Shape, advise

START = Shape(608, 10, 928)  # arXiv 2305.13035, section 4


def forward(dim, depth, mlp):
    """FLOPs of a picture of 224 x 224 in patches of 14, 16 a side, with an attention head: written out by hand."""
    n = 16 * 16
    block = n * dim * 3 * dim + 2 * n * n * dim + n * dim * dim + 2 * n * dim * mlp
    head = 2 * n * dim**2 + 2 * dim**2 + 2 * n * dim + 2 * dim * mlp
    return 2 * (n * 3 * 14 * 14 * dim + depth * block + head)


# The paper's compute: the grid sweep shows 600M pictures to the start shape; SoViT-150m has the compute of ViT-B/14 on
# 4e9 pictures, SoViT-400m that of ViT-g/14 on 16e9.
GRID = forward(608, 10, 928) * 600e6
SMALL, BIG = forward(768, 12, 3072) * 4e9, forward(1408, 40, 6144) * 16e9


@pytest.mark.parametrize(
    ("start", "factor", "made", "trained", "off"),
    [
        (START, SMALL / GRID, (758, 16, 1691), (880, 18, 2320), (-0.14, -0.11, -0.27)),
        (START, BIG / GRID, (1003, 28, 3630), (1152, 27, 4304), (-0.13, 0.04, -0.16)),
        (Shape(880, 18, 2320), BIG / SMALL, (1165, 32, 4982), (1152, 27, 4304), (0.01, 0.19, 0.16)),
    ],
)
def test_the_rule_gives_what_it_gave_in_the_reproduction(start, factor, made, trained, off):
    grown = start.times(factor)
    found = (grown.dim, grown.depth, grown.mlp)
    assert found == pytest.approx(made, rel=0.002, abs=0.5)
    deviations = [one / other - 1 for one, other in zip((found[0], round(found[1]), found[2]), trained, strict=True)]
    assert deviations == pytest.approx(off, abs=0.006)
    assert max(map(abs, deviations)) <= ERROR + 0.002


def test_the_stated_factors_are_the_papers():
    assert pytest.approx(20, rel=0.02) == SMALL / GRID
    assert pytest.approx(916, rel=0.02) == BIG / GRID


@pytest.mark.parametrize(("anchor", "shape"), [("so150m", (880, 18, 2320)), ("so400m", (1152, 27, 4304))])
def test_as_much_compute_is_the_published_shape(anchor, shape):
    advice = advise(f"{anchor}:1x")
    assert (advice.shape.dim, advice.shape.depth, advice.shape.mlp) == shape
    assert advice.plan.flops.total == forward(*shape)
    assert not advice.beyond


def test_so400m_costs_what_the_paper_says():
    """221, 672 and 1374 GFLOPs at 224, 384 and 518 pixels (arXiv 2305.13035, table 1), and 428M parameters."""
    for side, flops in ((224, 221e9), (384, 672e9), (518, 1374e9)):
        assert advise("so400m:1x", width=side, height=side).plan.flops.total == pytest.approx(flops, rel=0.005)
    assert advise("so400m:1x").plan.params.total == pytest.approx(428e6, rel=0.002)


def test_more_compute_makes_nothing_smaller():
    found = [advise(f"so400m:{factor}x") for factor in (0.001, 0.01, 0.1, 0.5, 1, 2, 10, 100, 1000)]
    for less, more in pairwise(found):
        for name in ("dim", "depth", "mlp"):
            assert getattr(less.shape, name) <= getattr(more.shape, name)
            assert getattr(less.exact, name) < getattr(more.exact, name)
        assert less.plan.macs.total < more.plan.macs.total
        assert less.plan.params.total < more.plan.params.total
    for one in found:
        assert one.shape.dim % 16 == one.shape.mlp % 16 == 0
        assert all(low < getattr(one.exact, name) < high for name, (low, high) in one.ranges().items())


def test_two_steps_are_one():
    twice, once = START.times(4).times(5), START.times(20)
    assert (twice.dim, twice.depth, twice.mlp) == pytest.approx((once.dim, once.depth, once.mlp))


@pytest.mark.parametrize("text", ["so400m:macs=100G", "so150m:macs=50G", "so150m:flops=0.3T", "so400m:macs=9931M"])
def test_a_target_is_met_from_below_and_nearly(text):
    advice = advise(text)
    unit, number = text.split(":")[1].split("=")
    target = float(number[:-1]) * {"M": 1e6, "G": 1e9, "T": 1e12}[number[-1]] / (2 if unit == "flops" else 1)
    assert advice.plan.macs.total <= target
    anchor = ANCHORS[advice.anchor]
    assert forward(*map(int, _values(anchor.times(advice.factor * 1.00001).rounded()))) / 2 > target


def _values(shape):
    return shape.dim, shape.depth, shape.mlp


def test_what_nobody_has_looked_at_is_said():
    beyond = {text: advise(text).beyond for text in ("so400m:2x", "so400m:0.1x", "so150m:45x", "so150m:50x")}
    assert list(beyond.values()) == [True, False, False, True]
    assert advise("so150m:0.01x").beyond  # below the start shape


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("10x", UsageError, "names no anchor"),
        ("so400m", UsageError, "write ANCHOR:FACTORx"),
        ("so40m:2x", UsageError, "Did you mean so400m"),
        ("so400m:0x", UsageError, "from 0.001 to 1,000"),
        ("so400m:1001x", UsageError, "from 0.001 to 1,000"),
        ("so400m:-2x", UsageError, "write ANCHOR:FACTORx"),
        ("so400m:nanx", UsageError, "write ANCHOR:FACTORx"),
        ("so400m:macs=100", UsageError, "write ANCHOR:FACTORx"),
        ("so400m:params=1G", UsageError, "write ANCHOR:FACTORx"),
        ("", UsageError, "write ANCHOR:FACTORx"),
        (None, UsageError, "write ANCHOR:FACTORx"),
        ("so400m:macs=1M", NothingFits, "0.001 times the compute of the anchor"),
        ("so400m:macs=900T", NothingFits, "1000 times the compute of the anchor"),
    ],
)
def test_other_words_are_refused(text, error, said):
    with pytest.raises(error) as raised:
        advise(text)
    assert said in str(raised.value)


def test_a_picture_without_a_patch_is_refused():
    with pytest.raises(UsageError, match="holds no 14x14 patch"):
        advise("so400m:1x", width=13, height=224)


def test_on_the_command_line(run):
    code, out, _ = run("plan", "--shape", "so400m:1x")
    assert code == 0
    for said in ("1,152", "4,304", "110.18 GMACs = 220.35 GFLOPs", "27%", "JFT-3B", "not forecast the accuracy"):
        assert said in out


def test_json_has_all_of_it(run):
    code, out, _ = run("plan", "384x384", "--shape", "so150m:10x", "--json")
    assert code == 0
    assert json.loads(out) == advise("so150m:10x", width=384, height=384).as_dict()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--shape", "so400m:2x", "-m", "dinov2-s14"], 2, "no use for --model"),
        (["--shape", "so400m:2x", "--batch", "2"], 2, "no use for --batch"),
        (["--shape", "so400m:2x", "--dim", "64"], 2, "no use for --dim"),
        (["--shape", "so400m:2x", "224x224", "384x384"], 2, "takes one size"),
        (["--shape", "so400m:2x", "picture.jpg"], 2, "is not a size"),
        (["--shape", "so400m:macs=1M"], 3, "outside of the rule"),
    ],
)
def test_wrong_options_are_refused(run, arguments, code, said):
    found, _, err = run("plan", *arguments)
    assert found == code
    assert said in err
