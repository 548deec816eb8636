"""Fewer visual tokens, before and after: against hand-made numbers, brute force, and the other verbs."""

import json
import math
from fractions import Fraction
from importlib import import_module
from itertools import product
from types import SimpleNamespace

import pytest

from vistoken import count, plan
from vistoken.errors import ModelError, UsageError
from vistoken.planning.hardware import device
from vistoken.planning.latency import latency
from vistoken.planning.poolings import pools
from vistoken.planning.reducing import plan_reductions
from vistoken.planning.reductions import EveryFrame, SomeFrames, parse_reductions

ONEVISION = "llava-hf/llava-onevision-qwen2-7b-ov-hf"
LLAVA, QWEN, NEXT = "llava-1.5-7b", "qwen2.5-vl-7b", "llava-hf/llava-v1.6-mistral-7b-hf"
MODELS = [LLAVA, QWEN, NEXT, "internvl3-8b", "pixtral-12b", "google/gemma-3-4b-it", "qwen3-vl-8b", "idefics2-8b",
          "dinov2-s14", "siglip2-b16-naflex", "facebook/Perception-LM-1B"]  # fmt: skip
SIZES = [(1280, 720), (333, 517), (64, 900)]


def one(model, word, **more):
    """The row of a reduction that is known to have a meaning."""
    found = plan_reductions(model, [word], **more)
    assert not found.without, found.without
    return found.rows[1]


def reason(model, word, **more):
    [(_, why)] = plan_reductions(model, [word], **more).without
    return why


# ---------------------------------------------------------------- how they are written


def test_words_are_read():
    words = [
        "pool=2",
        "shuffle=3",
        "resample=64",
        "frames=8",
        "every=2",
        "merge=16",
        "drop=0.5",
        "fastv=.5@2",
        "drop=0",
    ]
    shown = [*words[:7], "fastv=0.5@2", "drop=0"]
    assert [str(found) for found in parse_reductions(words)] == shown
    assert len(parse_reductions(["all", "pool=2", "all"])) == len(parse_reductions(["all"]))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("", "is unknown: write pool=2"),
        ("poll=2", "Did you mean pool"),
        ("al", "Did you mean all"),
        ("pool", "write a whole number from 1"),
        ("pool=", "write a whole number from 1"),
        ("pool=0", "write a whole number from 1"),
        ("pool=-2", "write a whole number from 1"),
        ("pool=2.5", "write a whole number from 1"),
        ("pool=2x2", "write a whole number from 1"),
        ("pool=9999999999", "write a whole number from 1"),
        ("pool=٣", "write a whole number from 1"),
        ("drop=1", "a share from 0 to below 1"),
        ("drop=50%", "a share from 0 to below 1"),
        ("drop=nan", "a share from 0 to below 1"),
        ("drop=0.5@0", "the block of the tower"),
        ("drop=0.5@", "the block of the tower"),
        ("drop=-0.1", "a share from 0 to below 1"),
        ("fastv=0.5", "the layer of the LLM"),
        ("fastv=0.5@0", "the layer of the LLM"),
        ("fastv=2@0.5", "the layer of the LLM"),
        (None, "is unknown"),
    ],
)
def test_other_words_are_refused(word, said):
    with pytest.raises(UsageError) as error:
        parse_reductions([word])
    assert said in str(error.value)


# ---------------------------------------------------------------- by hand


def test_llava_pooled_and_shuffled():
    """576 tokens of 1024 go through an MLP 1024 -> 4096 -> 4096 (LLaVA-1.5, arXiv 2310.03744) into Vicuna-7B.

    Vicuna-7B: 32 layers of width 4096, MLP 11008, 32 heads of keys: 32 x (4 x 4096^2 + 3 x 4096 x 11008) weights, and
    512 KiB of cache a token.
    """
    weights = 32 * (4 * 4096**2 + 3 * 4096 * 11008)

    def prefill(tokens):
        return 2 * tokens * weights + 4 * 32 * 4096 * (tokens * (tokens + 1) // 2)

    whole, pooled, shuffled = plan_reductions(LLAVA, ["pool=2", "shuffle=2"]).rows
    assert [row.tokens for row in (whole, pooled, shuffled)] == [576, 144, 144]
    assert whole.projector_flops == 2 * 576 * (1024 * 4096 + 4096**2)
    assert pooled.projector_flops == 2 * 144 * (1024 * 4096 + 4096**2)
    assert shuffled.projector_flops == 2 * 144 * (4 * 1024 * 4096 + 4096**2)
    assert [row.prefill_flops for row in (whole, pooled)] == [prefill(576), prefill(144)]
    assert [row.kv_bytes for row in (whole, pooled)] == [576 * 512 * 1024, 144 * 512 * 1024]
    assert whole.tower_flops == pooled.tower_flops == shuffled.tower_flops


def test_behind_a_models_own_merger():
    """Qwen2.5-VL-7B at 1280 x 720: 26 x 46 tokens of 4 x 1280, then 5120 -> 5120 -> 3584."""
    pooled, shuffled = (one(QWEN, word, width=1280, height=720) for word in ("pool=4", "shuffle=4"))
    assert pooled.tokens == shuffled.tokens == 7 * 12  # 26 / 4 and 46 / 4, rounded up
    assert pooled.projector_flops == 2 * 84 * (5120 * 5120 + 5120 * 3584)
    assert shuffled.projector_flops == 2 * 84 * (16 * 5120 * 5120 + 5120 * 3584)


def test_deepstack_is_pooled_too():
    """Qwen3-VL-8B at 1280 x 720: 22 x 40 tokens; the merger and three more, each 4608 -> 4608 -> 4096."""
    row = one("qwen3-vl-8b", "pool=2", width=1280, height=720)
    assert row.projector_flops == 4 * 2 * 11 * 20 * (4608**2 + 4608 * 4096)


def test_llava_next_pools_before_padding_is_taken_off():
    """1280 x 720 becomes 2 x 2 tiles of 12 x 12: 24 x 24, of which 720 x 24 / 1280 = 13 rows hold the picture.

    11 // 2 = 5 rows above and below are cut off: 14 rows of 24 with a newline each, and the overview's 144.
    """
    assert one(NEXT, "pool=2", width=1280, height=720).tokens == 14 * 25 + 144


def test_llava_onevision_rounds_up():
    """1280 x 720 becomes 2 x 4 tiles of 27 x 27, pooled to 14 x 14 as its videos are: 28 x 56.

    1280 x 28 / 720 = 49 columns hold the picture; 7 // 2 = 3 on each side are cut off.
    """
    row = one(ONEVISION, "pool=2", width=1280, height=720)
    assert row.tokens == 28 * (50 + 1) + 14 * 14


@pytest.mark.parametrize(
    ("model", "module", "image", "patch", "more"),
    [
        (NEXT, "LlavaNext", 336, 28, {"vision_feature_select_strategy": "default"}),
        (NEXT, "LlavaNext", 336, 42, {"vision_feature_select_strategy": "default"}),
        (ONEVISION, "LlavaOnevision", 384, 27, {"vision_aspect_ratio": "anyres_max_9"}),
        (ONEVISION, "LlavaOnevision", 384, 42, {"vision_aspect_ratio": "anyres_max_9"}),
    ],
)
def test_pooled_features_are_packed_as_transformers_packs_them(model, module, image, patch, more):
    """Its own function on features of a tower whose patches are as much larger: 24 cells become 12 or 8, 27 14 or 9."""
    torch, library = pytest.importorskip("torch"), pytest.importorskip("transformers")
    snake = {"LlavaNext": "llava_next", "LlavaOnevision": "llava_onevision"}[module]
    code = import_module(f"transformers.models.{snake}.modeling_{snake}")
    settings = getattr(library, f"{module}Config")()
    cells, tower = image // patch, SimpleNamespace(image_size=image, patch_size=patch)
    config = SimpleNamespace(vision_config=tower, image_grid_pinpoints=settings.image_grid_pinpoints)
    side = {12: 2, 8: 3, 14: 2, 9: 3}[cells]
    for height, width in ((720, 1280), (100, 1000), (1999, 37), (640, 480), (2400, 2300)):
        tiles = math.prod(code.get_anyres_image_grid_shape((height, width), config.image_grid_pinpoints, image))
        packed, _ = getattr(code, f"{module}Model").pack_image_features(
            SimpleNamespace(config=config), [torch.zeros(1 + tiles, cells**2, 1)], torch.tensor([[height, width]]),
            image_newline=torch.zeros(1), **more,
        )  # fmt: skip
        assert one(model, f"pool={side}", width=width, height=height).tokens == len(packed[0])


def test_rows_of_pixtral_bring_their_own_markers():
    """1024 x 576 pixels make 36 x 64 patches, pooled by 3 into 12 x 22: one marker a row."""
    row = one("pixtral-12b", "pool=3", width=1024, height=576)
    assert row.tokens == 12 * 22 + 12


def test_latents_cost_what_a_perceiver_does():
    """64 latents, 256 patches, width 384; 3 blocks with 16 heads of 96, 4 of keys, and a gated MLP of 4 x 384."""
    block = 64 * 384 * 1536 + 2 * 320 * 384 * 384 + 2 * 64 * 320 * 1536 + 64 * 1536 * 384 + 3 * 64 * 384 * 1536
    row = one("dinov2-s14", "resample=64")
    assert (row.tokens, row.dim, row.projector_flops) == (64, 384, 2 * 3 * block)


def test_latents_that_are_there_become_others():
    """Idefics2: four crops and the whole, 64 latents each, between three or four markers."""
    whole, fewer = plan_reductions("idefics2-8b", ["resample=32"], width=1280, height=720).rows
    assert whole.tokens - fewer.tokens == 5 * 32
    assert fewer.projector_flops < whole.projector_flops


def test_a_plain_encoder_in_front_of_an_llm_has_one_matrix():
    """256 patches of 384 into Qwen2.5-7B, which is 3584 wide and caches 56 KiB a token."""
    whole, shuffled = plan_reductions("dinov2-s14", ["shuffle=2"], llm="qwen2.5-7b").rows
    assert (whole.tokens, shuffled.tokens) == (256, 64)
    assert whole.projector_flops == 2 * 256 * 384 * 3584
    assert shuffled.projector_flops == 2 * 64 * 4 * 384 * 3584
    assert whole.kv_bytes == 256 * 56 * 1024


def test_dropped_behind_a_layer_of_the_llm():
    """FastV: 2 of Vicuna's 32 layers see 576 tokens, 30 see 288; a layer caches 16 KiB a token."""
    row = one(LLAVA, "fastv=0.5@2")
    weights = 4 * 4096**2 + 3 * 4096 * 11008
    layers = [576] * 2 + [288] * 30
    assert row.tokens == 576
    assert row.kv_bytes == sum(layers) * 16 * 1024
    assert row.prefill_flops == sum(2 * n * weights + 4 * 4096 * (n * (n + 1) // 2) for n in layers)


def test_dropped_in_front_of_a_block():
    """ViT-B/16: 196 patches, of which 98 are left, and a class token; 6 blocks see 197 tokens, 6 see 99.

    A block of n tokens has 4 n 768^2 for q, k, v and output, 2 n^2 768 for attention, 2 n 768 x 3072 for its MLP.
    """
    blocks = sum(4 * n * 768**2 + 2 * n * n * 768 + 2 * n * 768 * 3072 for n in [197] * 6 + [99] * 6)
    row = one("vit-b16-224", "drop=0.5@7")
    assert row.tokens == 98
    assert row.tower_flops == 2 * (196 * 768 * 768 + blocks)


def test_nothing_dropped_in_the_tower_is_the_plan():
    for model, block in (("vit-b16-224", 1), ("siglip2-b16-naflex", 12), ("dinov2-s14", 5)):
        row = one(model, f"drop=0@{block}", width=640, height=480)
        planned = plan(model, width=640, height=480)
        assert row.tower_flops == planned.flops.total
        assert sum(step.moved for step in row.tower) == sum(step.moved for step in planned.operations)
        assert sum(step.params for step in row.tower) == planned.params.total


# ---------------------------------------------------------------- laws


@pytest.mark.parametrize("model", MODELS)
def test_no_reduction_adds_to_what_the_llm_pays(model):
    for width, height in SIZES:
        found = plan_reductions(model, ["all", "pool=3", "drop=0.9"], width=width, height=height, llm="qwen3-8b")
        whole, counted = found.rows[0], count(model, width=width, height=height)
        assert whole.tokens == (counted.tokens if found.prompts else counted.patches)
        for row in found.rows[1:]:
            assert row.tokens <= whole.tokens
            assert row.tower_flops <= whole.tower_flops
            assert row.prefill_flops <= whole.prefill_flops
            assert row.kv_bytes <= whole.kv_bytes


@pytest.mark.parametrize("model", [LLAVA, QWEN, "internvl3-8b", "dinov2-s14", "siglip2-b16-naflex"])
def test_blocks_are_those_that_are_met_cell_by_cell(model):
    for (width, height), side in product(SIZES, (1, 2, 3)):
        found = plan_reductions(model, [f"pool={side}", f"shuffle={side}"], width=width, height=height)
        whole, pooled, shuffled = found.rows
        own = found.plan.encoder.connector.side if found.prompts else 1
        met = {
            (number, row // own // side, col // own // side)
            for number, view in enumerate(found.plan.views)
            for row, col in view.grid.cells()
            if row // own < view.grid.rows // own and col // own < view.grid.cols // own
        }
        markers = count(model, width=width, height=height).marker_tokens or 0
        assert pooled.tokens == shuffled.tokens == len(met) + markers
        assert pooled.projector_flops <= shuffled.projector_flops
        if side == 1:
            assert pooled.tokens == whole.tokens
            assert whole.projector_flops == pooled.projector_flops == shuffled.projector_flops


@pytest.mark.parametrize("model", MODELS)
def test_nothing_dropped_changes_nothing(model):
    whole, same = plan_reductions(model, ["drop=0"], width=640, height=480).rows
    assert whole.as_dict() | {"reduction": "drop=0"} == same.as_dict()
    assert (whole.operations, whole.llm) == (same.operations, same.llm)


def test_a_share_is_exact_and_rounded_down():
    assert one(LLAVA, "drop=0.7").tokens == 576 - 576 * 7 // 10
    assert one(LLAVA, "drop=0.55").tokens == 576 - 316  # of 316.8
    assert one(LLAVA, "drop=0.999").tokens == 1


def test_as_it_is_is_the_plan():
    for model in (LLAVA, QWEN, "qwen3-vl-8b", "dinov2-s14"):
        found = plan_reductions(model, ["drop=0"], width=640, height=480)
        whole, planned = found.rows[0], plan(model, width=640, height=480)
        assert whole.tower_flops + whole.projector_flops == planned.flops.total
        assert sorted(map(str, whole.operations)) == sorted(map(str, planned.operations))


@pytest.mark.parametrize(("model", "left"), [("vit-b16-224", 196 - 12 * 8), ("dinov2-s14", 256 - 12 * 8)])
def test_merging_is_that_of_plan(model, left):
    row = one(model, "merge=8")
    assert row.tokens == left
    assert row.operations == plan(model, merge_tokens=8).operations


@pytest.mark.parametrize("model", [QWEN, "internvl3-8b", "smolvlm2"])
def test_fewer_frames_are_a_shorter_video(model):
    film = {"width": 640, "height": 480}
    for word, frames in (("frames=6", 6), ("every=3", 4), ("frames=12", 12)):
        row = one(model, word, frames=12, fps=2.0, **film)
        assert row.tokens == count(model, frames=frames, fps=2.0, **film).tokens
        assert row.tower_flops + row.projector_flops == plan(model, frames=frames, **film).flops.total


def test_which_frames_are_taken():
    indices = tuple(range(0, 100, 10))
    assert SomeFrames(1).of(indices) == (0,)
    assert SomeFrames(2).of(indices) == (0, 90)
    assert SomeFrames(4).of(indices) == (0, 30, 60, 90)
    assert SomeFrames(10).of(indices) == indices
    assert EveryFrame(4).of(indices) == (0, 40, 80)


def test_videos_are_pooled_frame_by_frame():
    """InternVL: 16 x 16 tokens a frame, two markers; Qwen2.5-VL pairs frames, 17 x 23 tokens each at 644 x 476."""
    assert one("internvl3-8b", "pool=3", width=640, height=480, frames=5).tokens == 5 * (6 * 6 + 2)
    assert one(QWEN, "pool=2", width=644, height=476, frames=8).tokens == 4 * 9 * 12


def test_latency_is_that_of_tower_and_projector():
    found, card = plan_reductions(LLAVA, ["pool=2"], batch=64, dtype="bfloat16"), device("rtx4090")
    seconds = [found.latency(row, card).seconds for row in found.rows]
    assert seconds[0] == latency(plan(LLAVA).operations, card, dtype="bfloat16", batch=64).seconds
    assert seconds[1].low < seconds[0].low


# ---------------------------------------------------------------- where they have no meaning


@pytest.mark.parametrize(
    ("model", "word", "said"),
    [
        (LLAVA, "frames=8", "a picture has one frame"),
        (LLAVA, "merge=8", "this is for plain encoders"),
        (LLAVA, "pool=25", "larger than a grid of 24 x 24 tokens"),
        (LLAVA, "resample=577", "more than the 576 tokens of a view"),
        (LLAVA, "fastv=0.5@32", "has 32 layers: name one that others follow, from 1 to 31"),
        (QWEN, "merge=8", "attends within windows"),
        (QWEN, "drop=0.5@3", "attends within windows"),
        ("dinov2-s14", "drop=0.5@13", "has 12 blocks"),
        ("qwen3-vl-8b", "resample=16", "no place in the picture"),
        ("idefics2-8b", "pool=2", "are latents"),
        ("idefics2-8b", "resample=65", "more than the 64 tokens"),
        ("facebook/Perception-LM-1B", "shuffle=2", "none could take wider tokens"),
        ("Salesforce/blip2-opt-2.7b", "shuffle=2", "is not described"),
        ("dinov2-s14", "fastv=0.5@2", "none is known here"),
    ],
)
def test_the_reason_is_said(model, word, said):
    assert said in reason(model, word, width=640, height=480)


def test_more_frames_than_there_are():
    assert "has 8 frames" in reason(QWEN, "frames=9", width=640, height=480, frames=8)


def test_a_video_that_is_merged_otherwise():
    words = {"width": 640, "height": 480, "frames": 4}
    assert "one image token of each cell" in reason(ONEVISION, "pool=2", **words)


@pytest.mark.parametrize(
    ("model", "more", "error", "said"),
    [
        (LLAVA, {"dtype": "float12"}, UsageError, "dtype"),
        (LLAVA, {"kv_dtype": "int3"}, UsageError, "of the cache is unknown"),
        (LLAVA, {"batch": 0}, UsageError, "batch is 0"),
        (LLAVA, {"frames": 8}, UsageError, "takes no video"),
        (LLAVA, {"llm": "qwen9"}, UsageError, "LLM 'qwen9' is unknown"),
        (LLAVA, {"width": 640}, UsageError, "both width and height"),
        (QWEN, {}, UsageError, "has no size of its own"),
        ("gpt-4o", {}, ModelError, "can be counted but not planned"),
    ],
)
def test_wrong_use_is_refused(model, more, error, said):
    with pytest.raises(error) as raised:
        plan_reductions(model, ["pool=2"], **more)
    assert said in str(raised.value)


# ---------------------------------------------------------------- pooling


def test_what_each_pooling_hands_on():
    """SigLIP SO400m/14 at 384: 729 patches of 1152, MLP 4304; the head asks with one vector (arXiv 2303.15343)."""
    found = plan_reductions("siglip-so400m14-384", ["drop=0"])
    by_name = {one.name: one for one in found.pools}
    assert list(by_name) == ["mean", "attention head", "all patches"]
    macs = 2 * 729 * 1152**2 + 2 * 1152**2 + 2 * 729 * 1152 + 2 * 1152 * 4304
    assert (by_name["attention head"].macs, by_name["attention head"].own) == (macs, True)
    assert (by_name["mean"].tokens, by_name["mean"].dim, by_name["mean"].macs) == (1, 1152, 0)
    assert by_name["all patches"].tokens == 729


@pytest.mark.parametrize(
    ("model", "own", "dim"),
    [("clip-l14-336", "class token, projected", 768), ("vit-b16-224", "class token", 768), ("siglip-b16-224",
     "attention head", 768), ("facebook/ijepa_vith14_1k", "mean", 1280), ("aimv2-l14-224", "all patches", 1024)],
)  # fmt: skip
def test_the_familys_own_pooling_is_marked(model, own, dim):
    result = plan(model)
    found = pools(result.encoder, [view.grid for view in result.views])
    assert [(one.name, one.dim) for one in found if one.own] == [(own, dim)]
    part = [step for step in result.operations if step.part == "pool and head"]
    [mine] = [one for one in found if one.own]
    assert (mine.params, mine.macs) == (sum(s.params for s in part), sum(s.macs for s in part))


# ---------------------------------------------------------------- on the command line


def test_the_table(run):
    code, out, err = run("plan", "-m", LLAVA, "--reduce", "all", "--device", "l4", "--dtype", "bfloat16")
    lines = out.splitlines()
    assert code == 0
    assert not err
    assert lines[0] == "llava-hf/llava-1.5-7b-hf at 336x336, one picture, in front of vicuna-7b"
    assert [line.split()[:3] for line in lines if line.startswith(("pool", "drop"))] == [
        ["pool=2", "144", "4,096"],
        ["drop=0.5", "288", "4,096"],
    ]
    assert "merge=8 has no meaning here: llava-hf/llava-1.5-7b-hf makes its image tokens of a grid" in out
    assert "at least" in out  # one picture on a GPU has a lower bound alone


def test_json_has_what_the_table_has(run):
    code, out, _ = run(
        "plan",
        "640x480",
        "-m",
        QWEN,
        "-m",
        "dinov2-s14",
        "--reduce",
        "pool=2",
        "--json",
        "--device",
        "l4",
        "--dtype",
        "bfloat16",
    )
    first, second = (json.loads(line) for line in out.splitlines())
    assert code == 0
    found = plan_reductions(QWEN, ["pool=2"], width=640, height=480)
    for shown, row in zip(first["rows"], found.rows, strict=True):
        assert row.as_dict().items() <= shown.items()
        assert [one["device"] for one in shown["latency"]] == ["l4"]
    assert (first["llm"], second["llm"], first["pools"]) == ("qwen2.5-7b", None, [])
    assert [one["name"] for one in second["pools"] if one["own"]] == ["class token"]


def test_what_was_named_and_has_no_meaning_is_a_failure(run):
    code, out, err = run("plan", "-m", LLAVA, "--reduce", "merge=8", "--reduce", "pool=2", "--json")
    assert code == 3
    assert "llava-1.5-7b, merge=8: llava-hf/llava-1.5-7b-hf makes its image tokens of a grid" in err
    assert "merge=8" in json.loads(out)["without"]
    code, out, err = run("plan", "-m", LLAVA, "--reduce", "merge=8", "--reduce", "pool=2")
    assert (code, (out + err).count("makes its image tokens")) == (3, 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-m", LLAVA, "--reduce", "pol=2"], "Did you mean pool"),
        (["-m", LLAVA, "--reduce", "pool=2", "--within", "tokens<=9"], "no use for --within"),
        (["-m", "dinov2-s14", "--reduce", "pool=2", "--merge-tokens", "8"], "no use for --merge-tokens"),
        (["-m", "dinov2-s14", "--reduce", "pool=2", "--head", "10"], "no use for --head"),
        (["-m", "dinov2-s14", "--reduce", "pool=2", "--llm", "own"], "has no LLM behind it"),
        (["224x224", "--patch", "16", "--dim", "64", "--depth", "2", "--heads", "2", "--reduce", "pool=2"], "needs -m"),
    ],
)
def test_wrong_options_are_refused(run, arguments, said):
    code, _, err = run("plan", *arguments)
    assert code == 2
    assert said in err


def test_shares_are_fractions():
    """As floats, 0.29 of 100 would be 28.999..."""
    [drop] = parse_reductions(["drop=0.29"])
    assert drop.share == Fraction(29, 100)
