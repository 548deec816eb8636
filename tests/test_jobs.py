"""Whole jobs: sums over pictures, packs as the encoder makes them, padding, bytes on disk."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vistoken import registry
from vistoken.errors import InputError, ModelError, UsageError
from vistoken.geometry import Size
from vistoken.packs import packs
from vistoken.padding import padded_cost, padding
from vistoken.planning import plan
from vistoken.planning.hardware import device
from vistoken.planning.jobs import plan_job
from vistoken.planning.latency import latency
from vistoken.sizes import Sizes

NAFLEX, QWEN, CLIP, TILES = "siglip2-b16-naflex", "qwen2.5-vl-7b", "clip-l14-336", "internvl3-8b"
sides = st.integers(60, 900)
some_sizes = st.lists(st.builds(Size, sides, sides), min_size=1, max_size=8)


@given(some_sizes, st.sampled_from([NAFLEX, QWEN, CLIP, TILES]))
def test_a_job_is_the_sum_of_its_pictures(sizes, model):
    job = plan_job(model, sizes)
    plans = [plan(model, width=size.width, height=size.height) for size in sizes]
    assert job.pictures == len(sizes)
    assert job.tokens == sum(each.tokens for each in plans)
    assert job.macs.total == sum(each.macs.total for each in plans)
    assert job.flops.total == 2 * job.macs.total
    for name, value in job.macs.rows:
        assert value == sum(dict(each.macs.rows)[name] for each in plans)
    for what in ("macs", "reads", "writes"):
        assert sum(getattr(row, what) for row in job.operations) == sum(
            getattr(row, what) for each in plans for row in each.operations
        )


def test_a_job_of_one_size_is_a_batch_of_it():
    size = Size(height=720, width=1280)
    for model in (QWEN, CLIP, TILES):
        job, batch = plan_job(model, [size] * 7), plan(model, width=1280, height=720, batch=7)
        assert job.macs == batch.macs
        assert job.flops == batch.flops
        assert (job.sizes, job.pictures, job.tokens) == (1, 7, 7 * batch.tokens)
        assert job.padding.wasted_tokens == job.padding.wasted_macs == 0


def test_image_tokens_are_those_that_are_counted():
    from vistoken import count

    sizes = [Size(480, 640), Size(1080, 1920), Size(480, 640)]
    counts = [count(TILES, width=size.width, height=size.height) for size in sizes]
    job = plan_job(TILES, sizes)
    assert job.image_tokens == sum(each.image_tokens for each in counts)
    assert job.marker_tokens == sum(each.marker_tokens for each in counts)
    assert plan_job(CLIP, sizes).image_tokens is None


# ---------------------------------------------------------------- packs and memory


@given(st.lists(st.integers(1, 12), max_size=30), st.integers(1, 20))
def test_packs_keep_order_and_limit_and_could_not_begin_earlier(lengths, limit):
    found = list(packs(lengths, int, limit))
    assert [length for pack in found for length in pack] == lengths
    assert all(sum(pack) <= limit or len(pack) == 1 for pack in found)
    assert all(sum(pack) + after[0] > limit for pack, after in itertools.pairwise(found))


@pytest.mark.parametrize(("model", "limit"), [(NAFLEX, 700), (NAFLEX, 200), (TILES, 20_000)])
def test_packs_are_the_encoders_own(monkeypatch, model, limit):
    """The real packer on prepared pictures of the same sizes; only the forward pass is left out."""
    pytest.importorskip("torch")
    from types import SimpleNamespace

    from vistoken.encoding import encoder as encoding
    from vistoken.encoding.prepared import Prepared

    draw, spec = random.Random(0), registry.describe(model)
    sizes = [Size(draw.randint(50, 900), draw.randint(50, 900)) for _ in range(60)]
    prepared = [Prepared(str(size), size, spec.views(size), (), None) for size in sizes]
    seen = []
    monkeypatch.setattr(encoding, "_encode", lambda module, pack, asked: [seen.append(pack)])
    fake = SimpleNamespace(module=SimpleNamespace(spec=spec.encoder))
    fake._length = lambda picture: encoding.Encoder._length(fake, picture)
    list(encoding.Encoder.run(fake, prepared, limit, asked=True))
    job = plan_job(model, sizes, pack_tokens=limit)
    assert 1 < job.packs.count == len(seen)
    assert (len(seen) == 60) == (limit == 200)
    assert job.packs.fullest == max(sum(one.tokens(spec.encoder) for one in pack) for pack in seen)


def test_a_pack_of_one_size_takes_what_a_batch_takes():
    """Prefix and patches of 14 pictures of CLIP L/14@336 (577 tokens each) fill 8,078 of 8,192 tokens."""
    job = plan_job(CLIP, [Size(400, 300)] * 40, dtype="bfloat16")
    assert (job.packs.limit, job.packs.count, job.packs.fullest) == (8192, 3, 14 * 577)
    batch = plan(CLIP, width=300, height=400, batch=14, dtype="bfloat16")
    assert job.peak.total == batch.memory.inference().total
    assert job.needed(device("l4")) > job.peak.total


def test_the_peak_grows_with_the_pack():
    sizes = [Size(60 + 7 * n, 500 - 3 * n) for n in range(90)]
    peaks = [plan_job(NAFLEX, sizes, pack_tokens=limit).peak.total for limit in (300, 1000, 5000)]
    assert peaks == sorted(set(peaks))


# ---------------------------------------------------------------- padding


def brute(costs, batch):
    """The mean over all orders."""
    totals = []
    for order in itertools.permutations(costs):
        batches = [order[start : start + batch] for start in range(0, len(order), batch)]
        totals.append(sum(len(each) * max(each) for each in batches))
    return sum(totals) / len(totals)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 7))
def test_padded_cost_is_the_mean_over_all_orders(costs, batch):
    counted = {cost: costs.count(cost) for cost in costs}
    assert padded_cost(counted, batch) == pytest.approx(brute(costs, batch), rel=1e-9)


def test_padded_cost_of_millions_stays_exact():
    """Half cost 1 and half 3: a batch of 2 is padded to 1 where both are of the first half."""
    half = 5_000_000
    both = (half / (2 * half)) * ((half - 1) / (2 * half - 1))
    assert padded_cost({1: half, 3: half}, 2) == pytest.approx(2 * half * (3 - 2 * both), rel=1e-6)
    assert padded_cost({7: 10}, 1) == 70


def test_waste_of_a_job_in_tokens_and_multiply_adds():
    small, large = plan(QWEN, width=280, height=280), plan(QWEN, width=560, height=560)
    job = plan_job(QWEN, [Size(280, 280), Size(560, 560)], batch=2)
    assert job.padding.tokens == 2 * large.tokens
    assert job.padding.wasted_tokens == pytest.approx(1 - (small.tokens + large.tokens) / (2 * large.tokens))
    own = small.macs.total + large.macs.total
    assert job.padding.wasted_macs == pytest.approx(1 - own / (2 * large.macs.total))
    with pytest.raises(UsageError, match="batch is 0"):
        padding({1: 1}, {1: 1}, 0)


# ---------------------------------------------------------------- time


def test_packs_of_one_size_take_the_time_of_so_many_batches():
    """28 pictures of CLIP L/14@336 are two packs of 14."""
    card = device("rtx4090")
    job = plan_job(CLIP, [Size(400, 300)] * 28, dtype="bfloat16")
    batch = latency(plan(CLIP, dtype="bfloat16").operations, card, batch=14, dtype="bfloat16")
    took = job.latency(card)
    assert took.total == pytest.approx(2 * batch.total)
    assert took.seconds.low == pytest.approx(2 * batch.seconds.low)
    assert took.seconds.high == pytest.approx(2 * batch.seconds.high)
    assert took.images_per_second.low == pytest.approx(batch.images_per_second.low)


def test_packs_of_one_picture_have_a_lower_bound_alone():
    job = plan_job(CLIP, [Size(400, 300)] * 28, dtype="bfloat16", pack_tokens=100)
    assert job.packs.count == 28
    assert job.latency(device("rtx4090")).seconds.high is None


# ---------------------------------------------------------------- disk


@pytest.mark.parametrize(
    ("tower", "what"),
    [("dinov2-registers", "pooled"), ("dinov2-registers", "patches"), ("llava-next", "image_tokens"),
     ("qwen3-vl", "image_tokens"), ("qwen3-vl", "patches")],
)  # fmt: skip
def test_bytes_are_those_that_encode_writes(run, tmp_path, tower, what):
    """Newlines and tiles (LLaVA-NeXT), further vectors (Qwen3-VL), one vector a picture."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from PIL import Image
    from twins import twin
    from vlm_twins import vlm_twin

    folder = twin(tower).folder if tower.startswith("dino") else vlm_twin(tower).folder
    sizes = [Size(64, 96), Size(130, 70), Size(64, 96)]
    for number, size in enumerate(sizes):
        Image.new("RGB", (size.width, size.height)).save(tmp_path / f"{number}.png")
    job = plan_job(str(folder), sizes)
    planned = next(each for each in job.outputs if each.what == what)
    for dtype in ("float32", "bfloat16"):
        out = tmp_path / f"{dtype}.safetensors"
        assert run("encode", tmp_path, "-m", folder, "--what", what, "--dtype", dtype, "-o", out)[0] == 0
        header = 8 + int.from_bytes(out.read_bytes()[:8], "little")
        assert planned.total(dtype) == out.stat().st_size - header


# ---------------------------------------------------------------- what cannot be


def test_refused_sizes_stand_apart():
    """Qwen's processor refuses aspect ratios of 200 and more."""
    sizes = [Size(480, 640), Size(10, 3000), Size(480, 640), Size(10, 3000), Size(10, 4000)]
    job = plan_job(QWEN, sizes)
    assert (job.pictures, job.sizes) == (2, 1)
    assert [(str(each.size), each.pictures) for each in job.refused] == [("3000x10", 2), ("4000x10", 1)]
    assert "200" in job.refused[0].reason
    assert job.macs == plan(QWEN, width=640, height=480, batch=2).macs
    with pytest.raises(InputError, match="refuses every picture"):
        plan_job(QWEN, sizes[3:])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sizes": []}, InputError, "there is none"),
        ({"pack_tokens": 0}, UsageError, "pack_tokens is 0"),
        ({"pack_tokens": 10**9}, UsageError, "from 1 to 1,048,576"),
        ({"batch": -1}, UsageError, "batch is -1"),
        ({"batch": 0}, UsageError, "batch is 0"),
        ({"dtype": "floot16"}, UsageError, "Did you mean float16"),
        ({"model": "gpt-4o"}, ModelError, "can be counted but not planned"),
        ({"input": "0x3"}, UsageError, "width is 0"),
        ({"no_such_setting": 3}, UsageError, "no_such_setting"),
    ],
)
def test_wrong_use(options, error, message):
    asked = {"model": CLIP, "sizes": [Size(100, 100)], **options}
    with pytest.raises(error, match=message):
        plan_job(asked.pop("model"), asked.pop("sizes"), **asked)


def test_sizes_may_come_as_they_are_or_packed_away():
    sizes = [Size(480, 640), Size(300, 300), Size(480, 640)]
    first, second = plan_job(NAFLEX, sizes), plan_job(NAFLEX, Sizes(sizes))
    assert first == second
    assert first.as_dict()["outputs"]["pooled"]["float32"] == 3 * (768 * 4 + 24)
