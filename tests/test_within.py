"""What fits a budget, against brute force over every size, batch and number of pictures."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_fitting import sizes

import vistoken as vt
from vistoken import registry
from vistoken.counting.search import MOST, sizes_below
from vistoken.errors import InputError, ModelError, NothingFits, UsageError
from vistoken.planning.budgets import parse_budgets
from vistoken.planning.llm_table import named_llm
from vistoken.planning.within import plan_within

GB, GIB = 10**9, 2**30


def peak(plan):
    """A forecast that steps, as allocators do."""
    return plan.memory.total + (plan.batch * plan.tokens * plan.encoder.dim * 40 // 2**20 + 1) * 2**20


def seconds(plan):
    return 1e-3 + plan.flops.total / 1e14


# ---------------------------------------------------------------- the text of budgets


@pytest.mark.parametrize(
    ("text", "quantity", "limit"),
    [
        ("memory<=24GB", "memory", 24 * GB),
        ("memory<=24GiB", "memory", 24 * GIB),
        ("memory <= 512 MB", "memory", 512 * 10**6),
        (" Memory<=0.5MiB ", "memory", 2**19),
        ("latency<=50ms", "latency", 0.05),
        ("latency<=1.5s", "latency", 1.5),
        ("tokens<=1024", "tokens", 1024),
        ("tokens<=1024.0", "tokens", 1024),
        ("kv<=1GiB", "kv", GIB),
    ],
)
def test_budgets_are_read(text, quantity, limit):
    (budget,) = parse_budgets(text)
    assert (budget.quantity, float(budget.limit)) == (quantity, limit)
    assert budget.allows(limit)
    assert not budget.allows(limit + 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "for example"),
        ("memory", "write QUANTITY<=NUMBER"),
        ("memory<=", "write QUANTITY<=NUMBER"),
        ("tokens<=1024,", "budget '' is none"),
        ("memory<=24", "memory needs a unit: MB, GB, MiB, GiB"),
        ("memory<=24gb", "Did you mean GB"),
        ("memory<=24GBs", "Did you mean GB"),
        ("memory<=24ms", "ms is no unit of memory"),
        ("latency<=50msec", "msec is no unit of latency: ms, s. Did you mean ms"),
        ("tokens<=1024B", "leave out B"),
        ("tokens<=1.5", "whole for tokens"),
        ("tokens<=0", "above 0"),
        ("memory<=0GB", "above 0"),
        ("token<=10", "Did you mean tokens"),
        ("latancy<=10ms", "Did you mean latency"),
        ("context<=10", "context is unknown"),
        ("memory<24GB", "written memory<=24GB"),
        ("memory=24GB", "written memory<=24GB"),
        ("memory>=24GB", "upper limits"),
        ("memory≤24GB", "upper limits"),
        ("memory<=-24GB", "write QUANTITY<=NUMBER"),
        ("memory<=1e3GB", "write QUANTITY<=NUMBER"),
        ("memory<=nanGB", "write QUANTITY<=NUMBER"),
        ("memory<=24GB,memory<=12GB", "given twice"),
        ("tokens<=" + "9" * 400, "write QUANTITY<=NUMBER"),
        ("tokens<=1," * 200, "up to 500 characters"),
        (7, "budgets are text"),
    ],
)
def test_wrong_budgets_say_what_would_work(text, said):
    with pytest.raises(UsageError) as caught:
        parse_budgets(text)
    assert said in str(caught.value)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30) | st.from_regex(r"[a-z]{1,3}(<=|<)[0-9]{1,3}[A-Za-z]{0,2}", fullmatch=True))
def test_no_text_breaks_the_parser(text):
    try:
        assert parse_budgets(text)
    except UsageError as error:
        assert str(error).isprintable()  # whatever the text holds


# ---------------------------------------------------------------- against brute force


@given(st.integers(1, 90), st.integers(1, 90))
def test_sizes_below(width, height):
    found = [(size.width, size.height) for size in sizes_below(vt.Size(height=height, width=width))]
    assert found == sizes(width, height)[::-1]


def tokens_of(model, size, images=1):
    try:
        return images * vt.count(model, width=size[0], height=size[1], images_in_prompt=images).tokens
    except InputError:
        return None


# Qwen2.5-VL follows the picture; InternVL3 and GPT-4o tile, LLaVA-OneVision treats several pictures as another model.
MODELS = ["qwen2.5-vl-7b", "internvl3-8b", "gpt-4o", "llava-onevision-7b", "idefics3-8b", "deepseek-vl2-tiny",
          "siglip2-b16-naflex"]  # fmt: skip
BOUNDS = [(260, 130), (61, 180), (700, 700)]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(MODELS), st.sampled_from(BOUNDS), st.integers(1, 6000))
@example("internvl3-8b", (700, 700), 257)
@example("llava-onevision-7b", (700, 700), 2800)
def test_largest_picture_by_tokens(model, bound, limit):
    counts = {size: tokens_of(model, size) for size in sizes(*bound)}
    fitting = [size for size, tokens in counts.items() if tokens is not None and tokens <= limit]
    if not fitting:
        least = min(tokens for tokens in counts.values() if tokens is not None)
        with pytest.raises(NothingFits) as caught:
            plan_within(model, f"tokens<={limit}", width=bound[0], height=bound[1])
        assert f"tokens {least:,}, {least - limit:,} more than {limit:,}" in str(caught.value)
        return
    result = plan_within(model, f"tokens<={limit}", width=bound[0], height=bound[1])
    assert (result.image.width, result.image.height) == max(fitting)
    gaps = [size for size in counts if size < max(fitting) and size not in fitting]
    assert (result.gap and (result.gap.width, result.gap.height)) == max(gaps, default=None)
    assert result.batch is None
    if registry.describe(model).prompt:
        most = max(n for n in range(1, 40) if (used := tokens_of(model, max(fitting), n)) is not None and used <= limit)
        assert result.images == most or (most == 39 and result.images >= 39)


def test_rules_are_not_monotonic():
    """DeepSeek-VL2 finds a canvas of fewer tiles for exactly 3:2; Qwen2.5-VL enlarges a picture of 38 pixels by more."""
    counts = [tokens_of("deepseek-vl2-tiny", size) for size in ((1500, 1000), (1499, 999))]
    assert counts[0] < 1500 < counts[1]
    result = plan_within("deepseek-vl2-tiny", "tokens<=1500", width=1500, height=1000)
    assert (str(result.image), str(result.gap)) == ("1500x1000", "1499x999")
    counts = [tokens_of("qwen2.5-vl-7b", (side, side)) for side in (40, 39, 38)]
    assert counts[2] > counts[1]
    result = plan_within("qwen2.5-vl-7b", f"tokens<={counts[1]}", width=40, height=40)
    assert str(result.gap) == "38x38"


def everything(model, size, batch, **more):
    """What `vt.plan` itself and the two forecasts say."""
    plan = vt.plan(model, width=size[0], height=size[1], batch=batch, **more)
    return peak(plan), seconds(plan)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["qwen2.5-vl-7b", "siglip2-b16-naflex", "dinov2-s14"]), st.sampled_from([(90, 60), (40, 100)]),
       st.integers(1, 4), st.floats(0.1, 3.2), st.floats(1, 9))  # fmt: skip
def test_memory_and_latency(model, bound, batch, gigabytes, milliseconds):
    text = f"memory<={gigabytes:.3f}GB, latency<={milliseconds:.2f}ms"
    limits = [float(budget.limit) for budget in parse_budgets(text)]
    used = {}
    for size in sizes(*bound):
        try:
            used[size] = everything(model, size, batch)
        except InputError:
            continue
    fitting = [size for size, values in used.items() if all(v <= most for v, most in zip(values, limits, strict=True))]
    arguments = {"width": bound[0], "height": bound[1], "memory": peak, "latency": seconds}
    if not fitting:
        with pytest.raises(NothingFits, match="more than"):
            plan_within(model, text, batch=batch, **arguments)
        return
    result = plan_within(model, text, batch=batch, **arguments)
    image = result.image.width, result.image.height
    assert image == max(fitting)
    assert tuple(value for _, value in result.uses) == used[image]
    plan = vt.plan(model, width=image[0], height=image[1])
    assert result.batch == max(n for n in range(batch, batch + 700) if _fits(plan, n, limits))


def _fits(plan, batch, limits):
    from dataclasses import replace

    plan = replace(plan, batch=batch)
    return peak(plan) <= limits[0] and seconds(plan) <= limits[1]


def test_cache_and_context_are_budgets_too():
    """2 KiB a token and layer: 56 KiB on Qwen2.5-7B, as in the worked example."""
    result = plan_within("qwen2.5-vl-7b", "kv<=66MiB", width=1280, height=720)
    assert (str(result.image), result.batch, result.images) == ("1280x720", 1, 1)
    assert {budget.quantity: value for budget, value in result.uses} == {"kv": 1196 * 57_344, "context": 1196}
    result = plan_within("llava-1.5-7b", "tokens<=1000000", width=336, height=336, llm="vicuna-7b")
    assert result.images == 4096 // 576
    batch = plan_within("qwen2.5-vl-7b", "kv<=1GiB", width=1280, height=720, kv_dtype="float8").batch
    assert batch == GIB // (1196 * 57_344 // 2)
    by_name = plan_within("siglip2-b16-naflex", "kv<=1MiB", width=64, height=64, llm=named_llm("gemma-2b"))
    assert by_name.batch * by_name.uses[0][1] <= 2**20 < (by_name.batch + 1) * by_name.uses[0][1]


def test_answers_end_somewhere():
    free = plan_within("vit-b16-224", "memory<=999TB".replace("T", "00000G"), memory=lambda plan: 1)
    assert (free.batch, str(free.image), free.images) == (MOST, "8192x8192", None)
    assert free.as_dict()["image"] == "8192x8192"


# ---------------------------------------------------------------- refusals


def test_nothing_fits_says_by_how_much():
    with pytest.raises(NothingFits) as caught:
        plan_within("vit-b16-224", "memory<=0.3GB, tokens<=100", width=640, height=480, memory=lambda plan: 4 * 10**8)
    assert caught.value.exit_code == 3
    assert "memory 0.4 GB, 0.1 GB more than 0.3 GB" in str(caught.value)
    assert "tokens 197, 97 more than 100" in str(caught.value)


def test_what_the_rule_refuses_is_said():
    with pytest.raises(InputError, match="longer than 200 times"):
        plan_within("qwen2.5-vl-7b", "tokens<=1000", width=4000, height=10)


def test_wrong_use():
    def refused(match, *arguments, error=UsageError, **more):
        with pytest.raises(error, match=match):
            plan_within(*arguments, **more)

    refused("a budget of latency needs its forecast", "vit-b16-224", "latency<=5ms")
    refused("a budget of memory needs its forecast", "vit-b16-224", "memory<=5GB")
    refused("batch is 0", "vit-b16-224", "tokens<=200", batch=0)
    refused("give both width and height", "vit-b16-224", "tokens<=200", width=10)
    refused("at most 16,384 pixels", "vit-b16-224", "tokens<=200", width=20_000, height=10)
    refused("Did you mean bfloat16", "vit-b16-224", "tokens<=200", dtype="bfloat")
    refused("dtype 'int4' of the cache", "vit-b16-224", "tokens<=200", kv_dtype="int4")
    refused("can be counted but not planned", "gpt-4o", "latency<=5ms", error=ModelError, latency=seconds)
    refused("has no LLM behind it", "vit-b16-224", "kv<=1GB")
    refused("LLM 'qwen' is unknown", "vit-b16-224", "tokens<=200", llm="qwen")


# ---------------------------------------------------------------- the command


def run(capsys, *words):
    from vistoken.cli import run

    code = run(["plan", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_command_tells_what_fits(capsys):
    """Qwen2.5-VL makes round(side / 28) squared tokens: 17 squared is within 300, and 490 / 28 = 17.5 rounds to 18.

    InternVL takes four tiles of 448 for a square above half their area: 633^2 < 2 x 448^2 < 634^2.
    """
    code, out, err = run(capsys, "700x700", "-m", "qwen2.5-vl-7b", "-m", "internvl3-8b", "--within", "tokens<=300")
    assert (code, err) == (0, "")
    assert [line.split()[1:3] for line in out.splitlines()[-2:]] == [["700x700", "489x489"], ["700x700", "633x633"]]


def test_command_ends_in_3_where_nothing_fits(capsys):
    code, out, err = run(
        capsys, "700x700", "-m", "internvl3-8b", "-m", "qwen2.5-vl-7b", "--within", "tokens<=50", "--json"
    )
    assert code == 3
    assert "tokens 258, 208 more than 50" in err
    assert '"image": "209x209"' in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--patch", "16", "--dim", "64", "--depth", "1", "--heads", "1"], "--within needs -m MODEL"),
        (["-m", "clip-b32", "--head", "10"], "no use for --head"),
        (["-m", "clip-b32", "--input", "64x64"], "no use for --input"),
        (["-m", "clip-b32", "--batch", "0"], "batch is 0"),
    ],
)
def test_command_refuses(capsys, words, said):
    code, _, err = run(capsys, "64x64", *words, "--within", "tokens<=300")
    assert code == 2
    assert said in err
